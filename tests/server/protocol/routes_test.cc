// SPDX-License-Identifier: Apache-2.0
// Labels and shares of traffic: where requests go that name no version.
#include <algorithm>
#include <atomic>
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

// What operators change is not for everybody.
TEST_CASE("Routes: labels are for operators") {
  const Repository repository;
  AddThreeVersions(repository);
  TestDaemon daemon(repository);
  Control control(daemon);
  CHECK(control.Label({{"stable", 1}}).error_code() == grpc::StatusCode::PERMISSION_DENIED);
  CHECK(control.Traffic({}).error_code() == grpc::StatusCode::PERMISSION_DENIED);
  CHECK(control.RollBack().error_code() == grpc::StatusCode::PERMISSION_DENIED);
}

}  // namespace omserve::server
