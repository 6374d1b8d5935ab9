// SPDX-License-Identifier: Apache-2.0
// Labels and shares of traffic: where requests go that name no version.
#include <algorithm>
#include <atomic>
#include <boost/json.hpp>
#include <catch2/catch.hpp>
#include <filesystem>
#include <map>
#include <set>
#include <string>
#include <thread>
#include <vector>

#include "proto/omserve/control.grpc.pb.h"
#include "runtime/base/file.h"
#include "runtime/base/thread.h"
#include "server/http/message_json.h"
#include "tests/server/protocol/curl.h"
#include "tests/server/protocol/daemon_fixture.h"
#include "tests/server/protocol/repository_client.h"
#include "tests/status_test_util.h"

namespace omserve::server {
namespace {

using Routes = ModelRoutesResponse;
using Stub = ::omserve::ModelControl::Stub;

constexpr char kAllVersions[] = "version_policy: {all: {}}\n";

void AddThreeVersions(const Repository& repository) {
  for (const int version : {1, 2, 3}) {
    repository.AddModel("text", "text", kAllVersions, "1,2", version);
  }
}

void WithState(ServerConfig& config, const std::string& folder) {
  config.mutable_repository()->set_state_file(folder + "/state.json");
  config.mutable_log()->set_audit_file(folder + "/audit.jsonl");
  config.mutable_admin()->set_control_on_public_ports(true);
}

class Control final {
 public:
  explicit Control(TestDaemon& daemon) : stub_(daemon.client().channel) {}

  grpc::Status Label(const std::map<std::string, int64_t>& labels,
                     const std::vector<std::string>& remove = {}) {
    SetLabelsRequest request;
    request.set_model_name("text");
    request.mutable_labels()->insert(labels.begin(), labels.end());
    request.mutable_remove()->Add(remove.begin(), remove.end());
    return Call(&Stub::SetLabels, request);
  }
  grpc::Status Traffic(const std::vector<std::pair<std::string, int>>& shares) {
    SetTrafficRequest request;
    request.set_model_name("text");
    for (const auto& [label, percent] : shares) {
      TrafficShareConfig* share = request.add_shares();
      share->set_label(label);
      share->set_percent(percent);
    }
    return Call(&Stub::SetTraffic, request);
  }
  grpc::Status RollBack() {
    RollBackRequest request;
    request.set_model_name("text");
    return Call(&Stub::RollBack, request);
  }

 private:
  template <typename Request>
  grpc::Status Call(grpc::Status (Stub::*method)(grpc::ClientContext*, const Request&, Routes*),
                    const Request& request) {
    grpc::ClientContext context;
    Client::SetDeadline(context, std::chrono::seconds(30));
    Routes routes;
    return (stub_.*method)(&context, request, &routes);
  }

  Stub stub_;
};

// The same over HTTP, with curl.
class Rest final {
 public:
  explicit Rest(int port) : port_(port) {}

  std::string Url(const std::string& path) const {
    return "'http://127.0.0.1:" + std::to_string(port_) + "/v2/repository/models" + path + "'";
  }
  // "STATUS BODY", maps in the order of their keys.
  std::string Ask(const std::string& path, const std::string& body) const {
    const CurlAnswer answer = Post(port_, "/v2/repository/models/" + path, body);
    return std::to_string(answer.status) + " " + InOrder(answer.body);
  }
  CurlAnswer List(const std::string& path) const { return Curl(Url(path)); }

 private:
  // A map of protobuf has no order.
  static std::string InOrder(const std::string& text) {
    boost::json::error_code error;
    boost::json::value body = boost::json::parse(text, error);
    boost::json::value* labels = error ? nullptr : body.find_pointer("/labels", error);
    if (labels == nullptr || !labels->is_object()) {
      return text;
    }
    std::map<std::string, boost::json::value> sorted;
    for (const auto& [label, version] : labels->get_object()) {
      sorted.emplace(label, version);
    }
    labels->get_object().clear();
    for (const auto& [label, version] : sorted) {
      labels->get_object()[label] = version;
    }
    return boost::json::serialize(body);
  }

  int port_;
};

// The version that answers a request for `version`, with `key`; or the error.
std::string AnsweredBy(Client& client, const std::string& version, const std::string& key = "") {
  inference::ModelInferRequest request = TextRequest("text", 1);
  request.set_model_version(version);
  grpc::ClientContext context;
  Client::SetDeadline(context, std::chrono::seconds(30));
  if (!key.empty()) {
    context.AddMetadata("omserve-traffic-key", key);
  }
  inference::ModelInferResponse response;
  const grpc::Status status = client.stub->ModelInfer(&context, request, &response);
  return status.ok() ? response.model_version() : status.error_message();
}

std::map<std::string, int> Answers(Client& client, int requests, const std::string& key_prefix) {
  std::map<std::string, int> counts;
  for (int i = 0; i < requests; ++i) {
    ++counts[AnsweredBy(client, "", key_prefix.empty() ? "" : key_prefix + std::to_string(i))];
  }
  return counts;
}

std::string AnsweredOverHttp(int port, const std::string& path, const std::string& key) {
  std::string body = R"({"inputs":[{"name":"input_ids","datatype":"INT64","shape":[1,32],"data":[)";
  std::string ones;
  for (int i = 0; i < 32; ++i) {
    ones += i == 0 ? "1" : ",1";
  }
  body += ones + R"(]},{"name":"attention_mask","datatype":"INT64","shape":[1,32],"data":[)" +
          ones + "]}]}";
  const std::string answer = SendHttp(
      port,
      "POST /v2/models/text" + path + "/infer HTTP/1.1\r\nHost: t\r\n" +
          (key.empty() ? "" : "Omserve-Traffic-Key: " + key + "\r\n") +
          "Connection: close\r\nContent-Length: " + std::to_string(body.size()) + "\r\n\r\n" + body,
      "}]}");
  const std::string mark = R"("model_version":")";
  const size_t at = answer.find(mark);
  return at == std::string::npos ? answer : answer.substr(at + mark.size(), 1);
}

}  // namespace

TEST_CASE("Routes: labels in place of versions") {
  const Repository repository;
  AddThreeVersions(repository);
  const TempFolder folder;
  const auto with_state = [&](ServerConfig& config) { WithState(config, folder.path()); };
  {
    TestDaemon daemon(repository, with_state);
    Client& client = daemon.client();
    Control control(daemon);
    CHECK(AnsweredBy(client, "") == "3");
    CHECK_THAT(AnsweredBy(client, "stable"),
               Catch::Contains("failed to get model version from specified version string"));
    REQUIRE(control.Label({{"stable", 1}, {"canary", 3}}).ok());
    CHECK(AnsweredBy(client, "stable") == "1");
    CHECK(AnsweredBy(client, "canary") == "3");
    CHECK(AnsweredBy(client, "") == "3");
    CHECK(AnsweredOverHttp(daemon.http_port(), "/labels/stable", "") == "1");
    CHECK_THAT(HttpGet(daemon.http_port(), "/v2/models/text/labels/stable/ready"),
               Catch::Contains("200 OK"));
    CHECK_THAT(AnsweredOverHttp(daemon.http_port(), "/labels/nobody", ""),
               Catch::Contains("400 Bad Request"));

    // All of them or none.
    const grpc::Status half = control.Label({{"another", 2}, {"stable", 9}});
    CHECK(half.error_code() == grpc::StatusCode::FAILED_PRECONDITION);
    CHECK_THAT(half.error_message(), Catch::Contains("version 9 is not served"));
    CHECK(AnsweredBy(client, "stable") == "1");
    CHECK_THAT(AnsweredBy(client, "another"), Catch::Contains("specified version string"));
    CHECK(control.Label({{"stable", 0}}).error_code() == grpc::StatusCode::INVALID_ARGUMENT);
    CHECK(control.Label({{"7", 2}}).error_code() == grpc::StatusCode::INVALID_ARGUMENT);

    REQUIRE(control.Label({{"stable", 2}}).ok());
    CHECK(AnsweredBy(client, "stable") == "2");
    REQUIRE(control.RollBack().ok());
    CHECK(AnsweredBy(client, "stable") == "1");
    REQUIRE(control.Label({}, {"canary"}).ok());
  }
  // They outlive the daemon, and every operation has its line.
  TestDaemon daemon(repository, with_state);
  CHECK(AnsweredBy(daemon.client(), "stable") == "1");
  CHECK_THAT(AnsweredBy(daemon.client(), "canary"), Catch::Contains("specified version string"));
  const std::string audit = VALUE(ReadFile(folder.path() + "/audit.jsonl"));
  CHECK(std::count(audit.begin(), audit.end(), '\n') == 7);
  CHECK_THAT(audit,
             Catch::Contains(R"("what":"rollback","model":"text","arguments":{"label":"stable"},)"
                             R"("result":"OK")") &&
                 Catch::Contains(R"("result":"FAILED_PRECONDITION","error":")"));
}

TEST_CASE("Routes: shares of traffic") {
  const Repository repository;
  AddThreeVersions(repository);
  const TempFolder folder;
  TestDaemon daemon(repository, [&](ServerConfig& config) {
    WithState(config, folder.path());
    config.mutable_repository()->set_control_mode("explicit");
    config.mutable_repository()->add_load_models("text");
  });
  Client& client = daemon.client();
  Control control(daemon);
  CHECK(control.Traffic({{"stable", 100}}).error_code() == grpc::StatusCode::INVALID_ARGUMENT);
  REQUIRE(control.Label({{"stable", 1}, {"canary", 2}}).ok());
  REQUIRE(control.Traffic({{"stable", 80}, {"canary", 20}}).ok());
  // Without keys in turn, with keys by them; the same key is answered by the same version.
  std::map<std::string, int> counts = Answers(client, 50, "");
  CHECK(counts["1"] + counts["2"] == 50);
  CHECK(counts["2"] >= 9);
  CHECK(counts["2"] <= 11);
  counts = Answers(client, 100, "user-");
  CHECK(counts["1"] + counts["2"] == 100);
  CHECK(counts["2"] >= 8);
  CHECK(counts["2"] <= 35);
  for (int i = 0; i < 20; ++i) {
    const std::string key = "user-" + std::to_string(i);
    const std::string version = AnsweredBy(client, "", key);
    CHECK(AnsweredBy(client, "", key) == version);
    CHECK(AnsweredOverHttp(daemon.http_port(), "", key) == version);
  }
  // Who names a version or a label gets it.
  CHECK(AnsweredBy(client, "3", "user-1") == "3");
  CHECK(AnsweredBy(client, "canary") == "2");
  const grpc::Status shared = control.Label({}, {"canary"});
  CHECK(shared.error_code() == grpc::StatusCode::FAILED_PRECONDITION);

  // A share that has nobody to answer leaves its requests to the others.
  std::filesystem::remove_all(repository.path() + "/text/2");
  REQUIRE(Load(client, "text").ok());
  counts = Answers(client, 20, "");
  CHECK(counts["1"] == 20);
  CHECK_THAT(AnsweredBy(client, "canary"), Catch::Contains("version 2 is not at ready state"));
  // And where no share has anybody, there is nobody.
  std::filesystem::rename(repository.path() + "/text/1", repository.path() + "/text/.1");
  REQUIRE(Load(client, "text").ok());
  CHECK_THAT(AnsweredBy(client, ""), Catch::Contains("has shares of traffic, and none of their"));
  CHECK(AnsweredBy(client, "3") == "3");
  std::filesystem::rename(repository.path() + "/text/.1", repository.path() + "/text/1");
  // A policy that counts versions does not take one away that has a label.
  REQUIRE(Load(client, "text", R"({"version_policy": {"latest": {"num_versions": 1}}})").ok());
  CHECK(AnsweredBy(client, "stable") == "1");
  CHECK(AnsweredBy(client, "") == "1");
  REQUIRE(control.Traffic({}).ok());
  CHECK(AnsweredBy(client, "") == "3");
}

// A label moves to and fro under load: each request is answered by one of the two versions, and
// none by the old one that was sent after the move.
TEST_CASE("Routes: a label that moves under load") {
  const Repository repository;
  AddThreeVersions(repository);
  const TempFolder folder;
  TestDaemon daemon(repository, [&](ServerConfig& config) { WithState(config, folder.path()); });
  Control control(daemon);
  REQUIRE(control.Label({{"stable", 1}}).ok());
  std::atomic<bool> ends{false};
  std::atomic<int> answered{0};
  std::atomic<int> failed{0};
  std::vector<std::jthread> clients;
  for (int c = 0; c < 4; ++c) {
    clients.push_back(StartThread("client", [&] {
      Client own(daemon.daemon().grpc_port());
      while (!ends) {
        const std::string version = AnsweredBy(own, "stable");
        ++(version == "1" || version == "2" ? answered : failed);
      }
    }));
  }
  for (int i = 0; i < 200; ++i) {
    const int64_t version = 2 - i % 2;
    REQUIRE(control.Label({{"stable", version}}).ok());
    CHECK(AnsweredBy(daemon.client(), "stable") == std::to_string(version));
  }
  ends = true;
  clients.clear();
  CHECK(failed == 0);
  CHECK(answered > 200);
}

// REST has what gRPC has: the same answers, the same errors, and a line for each operation.
TEST_CASE("Routes: the same over REST") {
  const Repository repository;
  AddThreeVersions(repository);
  const TempFolder folder;
  TestDaemon daemon(repository, [&](ServerConfig& config) {
    Explicit({"text"})(config);
    WithState(config, folder.path());
  });
  Client& client = daemon.client();
  const Rest rest(daemon.http_port());
  CHECK(rest.Ask("text/labels", R"({"labels":{"stable":1,"canary":3}})") ==
        R"(200 {"labels":{"canary":3,"stable":1},"previous":{},"traffic":[]})");
  CHECK(AnsweredBy(client, "stable") == "1");
  CHECK(rest.Ask("text/labels", R"({"labels":{"stable":2},"model_name":"text"})") ==
        R"(200 {"labels":{"canary":3,"stable":2},"previous":{"stable":1},"traffic":[]})");
  CHECK(
      rest.Ask("text/traffic",
               R"({"shares":[{"label":"stable","percent":99},{"label":"canary","percent":1}]})") ==
      R"(200 {"labels":{"canary":3,"stable":2},"previous":{"stable":1},"traffic":)"
      R"([{"label":"stable","percent":99},{"label":"canary","percent":1}]})");
  CHECK_THAT(rest.Ask("text/labels", R"({"remove":["canary"]})"), Catch::StartsWith("400 "));
  CHECK_THAT(rest.Ask("text/traffic", ""), Catch::EndsWith(R"("traffic":[]})"));
  CHECK(rest.Ask("text/rollback", "") ==
        R"(200 {"labels":{"canary":3,"stable":1},"previous":{"stable":2},"traffic":[]})");
  CHECK(AnsweredBy(client, "stable") == "1");
  CHECK_THAT(rest.Ask("text/rollback", R"({"label":"canary"})"), Catch::StartsWith("400 "));
  CHECK_THAT(rest.Ask("text/labels", R"({"remove":["canary"]})"), Catch::StartsWith("200 "));
  CHECK(rest.Ask("text/epoch", R"({"floor":5})") == R"(200 {"floor":5,"before":0})");
  CHECK_THAT(rest.Ask("text/epoch", R"({"floor":4})"),
             Catch::StartsWith("400 ") && Catch::Contains("the floor is 5"));

  // The list is gRPC's.
  ListModelsResponse listed;
  grpc::ClientContext context;
  Client::SetDeadline(context, std::chrono::seconds(30));
  REQUIRE(Stub(client.channel).ListModels(&context, ListModelsRequest(), &listed).ok());
  REQUIRE(listed.models_size() == 1);
  CHECK(listed.models(0).versions_size() == 3);
  CHECK(listed.models(0).epoch_floor() == 5);
  for (const char* path : {"", "/text"}) {
    const CurlAnswer list = rest.List(path);
    CHECK(list.status == 200);
    boost::json::value listed_json = MessageToJson(listed);
    boost::json::value got = boost::json::parse(list.body);
    for (boost::json::value* json : {&listed_json, &got}) {
      CHECK(json->as_object().erase("now_ms") == 1);  // That goes on.
    }
    CHECK(got == listed_json);
  }
  CHECK(rest.List("/nobody").status == 404);
  CHECK(rest.Ask("text/epoch", R"({"floor":4,"allow_lower":true})") ==
        R"(200 {"floor":4,"before":5})");

  // No signatures are asked for here: the same is said of each version.
  CHECK_THAT(rest.Ask("text/verify", ""), Catch::StartsWith(R"(200 {"versions":[{"version":1,)") &&
                                              Catch::Contains(R"({"version":3,)") &&
                                              !Catch::Contains(repository.path()));
  CHECK_THAT(rest.Ask("text/verify", R"({"version":9})"), Catch::StartsWith("404 "));
  CHECK(rest.Ask("text/drain", R"({"version":3})") == "200 {}");
  CHECK(AnsweredBy(client, "") == "2");
  CHECK_THAT(rest.Ask("text/drain", R"({"version":3})"), Catch::Contains("cannot be drained"));
  CHECK_THAT(rest.Ask("text/drain", R"({"version":-1})"), Catch::StartsWith("400 "));

  const std::string audit = VALUE(ReadFile(folder.path() + "/audit.jsonl"));
  CHECK(std::count(audit.begin(), audit.end(), '\n') == 16);
  CHECK_THAT(audit, Catch::Contains(R"("by":"ipv4:127.0.0.1:)") &&
                        Catch::Contains(R"("what":"epoch","model":"text","arguments":)"
                                        R"({"floor":"4","allow_lower":"true"},"result":"OK")"));
}

// What is wrong is told as gRPC tells it, and changes nothing.
TEST_CASE("Routes: what REST refuses") {
  const Repository repository;
  AddThreeVersions(repository);
  const TempFolder folder;
  TestDaemon daemon(repository, [&](ServerConfig& config) { WithState(config, folder.path()); });
  const Rest rest(daemon.http_port());
  struct Case {
    const char* path;
    const char* body;
    const char* answer;
  };
  for (const Case& wrong : std::vector<Case>{
           {"text/labels", R"({"labels":{"stable":9}})",
            "400 {\"error\":\"model 'text': version 9"},
           {"text/labels", R"({"labels":{"stable":0}})", "400 "},
           {"text/labels", R"({"labels":{"7":1}})", "400 "},
           {"text/labels", R"({"labels":{"stable":"one"}})", "400 "},
           {"text/labels", R"({"labels":[1]})", "400 "},
           {"text/labels", R"({"lables":{"stable":1}})", "lables"},
           {"text/labels", "[]", "400 "},
           {"text/labels", "{", "400 "},
           {"text/labels", R"({"model_name":"other","labels":{}})", "'model_name' is another"},
           {"text/labels", R"({"remove":["nobody"]})", "404 "},
           {"nobody/labels", R"({"labels":{"stable":1}})", "404 "},
           {"text/traffic", R"({"shares":[{"label":"stable","percent":100}]})", "400 "},
           {"text/rollback", "", "404 "},
           {"nobody/rollback", "", "404 "},
           {"text/epoch", R"({"floor":-1})", "400 "},
           {"nobody/epoch", R"({"floor":1})", "404 "}}) {
    INFO(wrong.path << ' ' << wrong.body);
    CHECK_THAT(rest.Ask(wrong.path, wrong.body), Catch::Contains(wrong.answer));
  }
  CHECK(Curl("-X PUT -d '{}' " + rest.Url("/text/labels")).status == 405);
  CHECK_THAT(rest.List("").body, Catch::Contains(R"("routes":{"labels":{},)"));
}

// What operators change is not for everybody.
TEST_CASE("Routes: labels are for operators") {
  const Repository repository;
  AddThreeVersions(repository);
  TestDaemon daemon(repository);
  Control control(daemon);
  CHECK(control.Label({{"stable", 1}}).error_code() == grpc::StatusCode::PERMISSION_DENIED);
  CHECK(control.Traffic({}).error_code() == grpc::StatusCode::PERMISSION_DENIED);
  CHECK(control.RollBack().error_code() == grpc::StatusCode::PERMISSION_DENIED);
  const Rest open(daemon.http_port());
  const Rest operators(daemon.daemon().admin_http_port());
  for (const char* path : {"text/labels", "text/traffic", "text/epoch", "text/verify"}) {
    INFO(path);
    CHECK_THAT(open.Ask(path, "{}"), Catch::StartsWith("403 "));
    CHECK_THAT(operators.Ask(path, "{}"), Catch::StartsWith("200 "));
  }
  CHECK_THAT(open.Ask("text/rollback", "{}"), Catch::StartsWith("403 "));
  CHECK_THAT(open.Ask("text/drain", "{}"), Catch::StartsWith("403 "));
  CHECK_THAT(operators.Ask("text/rollback", "{}"), Catch::StartsWith("404 "));
  CHECK(open.List("").status == 200);  // To look is for everybody.
}

}  // namespace omserve::server
