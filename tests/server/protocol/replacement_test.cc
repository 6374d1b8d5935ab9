// SPDX-License-Identifier: Apache-2.0
// One load in another one's place: on probation and rolled back, where memory is too small for
// both, and where a model that nobody uses makes room until somebody does.
#include <sched.h>

#include <atomic>
#include <catch2/catch.hpp>
#include <chrono>
#include <filesystem>
#include <fstream>
#include <map>
#include <memory>
#include <set>
#include <sstream>
#include <string>
#include <thread>
#include <vector>

#include "proto/omserve/control.grpc.pb.h"
#include "runtime/base/file.h"
#include "runtime/base/thread.h"
#include "tests/onnx_bytes.h"
#include "tests/server/protocol/daemon_fixture.h"
#include "tests/server/protocol/repository_client.h"
#include "tests/status_test_util.h"
#include "tools/omc/compile.h"

namespace omserve::server {
namespace {

using Line = ListModelsResponse::Version;

// What `omctl models` shows of each version.
std::map<int64_t, Line> VersionsOf(Client& client, const std::string& model) {
  ::omserve::ModelControl::Stub stub(client.channel);
  grpc::ClientContext context;
  Client::SetDeadline(context, std::chrono::seconds(30));
  ListModelsRequest request;
  request.set_model_name(model);
  ListModelsResponse listed;
  REQUIRE(stub.ListModels(&context, request, &listed).ok());
  std::map<int64_t, Line> lines;
  for (const Line& line : listed.models(0).versions()) {
    lines[line.version()] = line;
  }
  return lines;
}

Line AwaitState(Client& client, const std::string& model, int64_t version,
                const std::string& state) {
  Line line;
  for (int i = 0; i < 600; ++i) {
    line = VersionsOf(client, model)[version];
    if (line.state() == state) {
      return line;
    }
    Pause(std::chrono::milliseconds(20));
  }
  FAIL("version " << version << " is " << line.state() << ", not " << state);
  return line;
}

// A device whose faults the test writes while it runs.
class Faults final {
 public:
  Faults() {
    Set("[]");
    REQUIRE_OK(WriteFileAtomically(
        folder_.path() + "/acl.json",
        R"({"hostacl": {"faults_file": ")" + folder_.path() + R"(/faults.json"}})"));
  }
  void Set(const std::string& rules) const {
    REQUIRE_OK(WriteFileAtomically(folder_.path() + "/faults.json", rules));
  }
  // The device looks at the file from time to time.
  void End(Client& client, const std::string& model) const {
    Set("[]");
    for (int i = 0; i < 500 && !Answers(client, model); ++i) {
      Pause(std::chrono::milliseconds(20));
    }
  }
  std::string acl_json() const { return folder_.path() + "/acl.json"; }
  std::string path() const { return folder_.path(); }

 private:
  TempFolder folder_;
};

constexpr char kEveryExecutionFails[] = R"([{"task": "execute", "code": 507899, "every": 1}])";

std::string OnProbation(int seconds) {
  return fmt::format("replacement: {{probation: {{duration_seconds: {}, min_requests: 5}}}}\n",
                     seconds);
}

void Follow(const Faults& faults, ServerConfig& config) {
  Polling(config);
  config.mutable_device()->set_config_file(faults.acl_json());
  config.mutable_repository()->set_state_file(faults.path() + "/state.json");
  config.mutable_log()->set_audit_file(faults.path() + "/audit.jsonl");
  config.mutable_admin()->set_control_on_public_ports(true);
}

// A file of so many bytes: x + the largest row of a constant.
std::string LargeModel(const std::string& name, size_t size_bytes) {
  constexpr int64_t kWidth = 16;
  const auto rows = static_cast<int64_t>(size_bytes / sizeof(float) / kWidth);
  testing::Message graph;
  graph.Sub(5, testing::Floats("table", {rows, kWidth},
                               std::vector<float>(static_cast<size_t>(rows * kWidth), 1.0F)));
  graph.Sub(1, testing::Node("most", "ReduceMax", {"table"}, "row")).Text(2, "large");
  graph.Sub(1, testing::Node("add", "Add", {"x", "row"}, "y"));
  graph.Sub(11, testing::ValueInfo("x", testing::kOnnxFloat, {-1, kWidth}))
      .Sub(12, testing::ValueInfo("y", testing::kOnnxFloat, {-1, kWidth}));
  const TempFolder folder;
  const std::string path = folder.path() + "/model.onnx";
  REQUIRE_OK(WriteFileAtomically(path, testing::OnnxModel(graph)));
  return VALUE(omc::Compile({.model_path = path,
                             .name = name,
                             .gears = {.batch_gears = "1"},
                             .ort_library = OMSERVE_BINARY_DIR "/lib/libonnxruntime.so.1"}))
      .file;
}

inference::ModelInferRequest LargeRequest(const std::string& model) {
  inference::ModelInferRequest request;
  request.set_model_name(model);
  auto& input = *request.add_inputs();
  input.set_name("x");
  input.set_datatype("FP32");
  input.add_shape(1);
  input.add_shape(16);
  request.add_raw_input_contents(std::string(16 * sizeof(float), '\0'));
  return request;
}

std::string AnswerOf(Client& client, const std::string& model, std::string* version = nullptr) {
  inference::ModelInferResponse response;
  const grpc::Status status = client.Infer(LargeRequest(model), &response);
  if (version != nullptr) {
    *version = response.model_version();
  }
  return status.ok() ? "OK" : status.error_message();
}

// A device with room for one such model, not for two.
class SmallDevice final {
 public:
  SmallDevice() {
    REQUIRE_OK(WriteFileAtomically(folder_.path() + "/acl.json",
                                   R"({"hostacl": {"memory_bytes": 41943040}})"));
  }
  std::function<void(ServerConfig&)> With(std::function<void(ServerConfig&)> more) const {
    return [this, more = std::move(more)](ServerConfig& config) {
      config.mutable_device()->set_config_file(folder_.path() + "/acl.json");
      config.mutable_device()->set_memory_pool_bytes(int64_t{4} << 20);
      config.mutable_device()->set_pinned_pool_bytes(int64_t{4} << 20);
      config.mutable_admin()->set_control_on_public_ports(true);
      more(config);
    };
  }

 private:
  TempFolder folder_;
};

constexpr size_t kLargeBytes = size_t{20} << 20;

}  // namespace

// Requests go on all the while; those that the bad version failed are all that fail.
TEST_CASE("Replacement: a version that fails its requests is rolled back", "[registry]") {
  const Repository repository;
  const Faults faults;
  repository.AddModel("text", "text", OnProbation(600), "1", 1);
  {
    TestDaemon daemon(repository, [&](ServerConfig& config) { Follow(faults, config); });
    Client& client = daemon.client();
    for (int i = 0; i < 10; ++i) {
      CHECK(VersionOf(client, "text") == "1");
    }
    repository.AddModel("text", "text", OnProbation(600), "1", 2);
    const Line second = AwaitState(client, "text", 2, "READY");
    CHECK_THAT(second.last_transition(),
               Catch::Contains("on probation for 600 s beside version 1"));
    CHECK(VersionsOf(client, "text")[1].state() == "READY");
    CHECK(VersionOf(client, "text") == "2");
    faults.Set(kEveryExecutionFails);
    int failed = 0;
    for (int i = 0; i < 2000 && VersionsOf(client, "text")[2].state() == "READY"; ++i) {
      failed += Answers(client, "text") ? 0 : 1;
    }
    faults.End(client, "text");
    CHECK(failed >= 5);
    const Line bad = AwaitState(client, "text", 2, "FAILED");
    CHECK_THAT(bad.reason(),
               Catch::Contains("rolled back to version 1") && Catch::Contains("requests failed"));
    CHECK(VersionOf(client, "text") == "1");
    CHECK(Metric(daemon.http_port(), "omserve_model_rollbacks_total") == 1);
    CHECK_THAT(VALUE(ReadFile(faults.path() + "/audit.jsonl")),
               Catch::Contains(R"("what":"rollback")"));
    Pause(std::chrono::milliseconds(1500));  // Its files are as they were: it stays out.
    CHECK(VersionOf(client, "text") == "1");
  }
  {
    // Another daemon knows, too, and takes files that have changed.
    TestDaemon daemon(repository, [&](ServerConfig& config) { Follow(faults, config); });
    CHECK(VersionOf(daemon.client(), "text") == "1");
    const Line passed = VersionsOf(daemon.client(), "text")[2];
    CHECK(passed.state() == "DISCOVERED");
    CHECK_THAT(passed.reason(), Catch::Contains("it was rolled back"));
    repository.AddModel("text", "text", OnProbation(600), "1,2", 2);
    AwaitState(daemon.client(), "text", 2, "READY");
    CHECK(VersionOf(daemon.client(), "text") == "2");
  }
}

TEST_CASE("Replacement: files that were replaced are gone back on", "[registry]") {
  const Repository repository;
  const Faults faults;
  repository.AddModel("text", "text", OnProbation(600), "1", 1);
  TestDaemon daemon(repository, [&](ServerConfig& config) { Follow(faults, config); });
  Client& client = daemon.client();
  const uint64_t load = VersionsOf(client, "text")[1].load();
  for (int i = 0; i < 10; ++i) {
    CHECK(Answers(client, "text"));
  }
  repository.AddModel("text", "text", OnProbation(600), "1,2", 1);
  for (int i = 0; i < 600 && VersionsOf(client, "text")[1].load() == load; ++i) {
    Pause(std::chrono::milliseconds(20));
  }
  CHECK(VersionsOf(client, "text")[1].load() != load);
  faults.Set(kEveryExecutionFails);
  for (int i = 0; i < 2000 && VersionsOf(client, "text")[1].load() != load; ++i) {
    Answers(client, "text");
  }
  faults.End(client, "text");
  const Line line = VersionsOf(client, "text")[1];
  CHECK(line.load() == load);
  CHECK(line.state() == "READY");
  CHECK_THAT(line.last_transition(), Catch::Contains("rolled back to version 1"));
  CHECK(Answers(client, "text"));
}

TEST_CASE("Replacement: the version before goes when probation is over", "[registry]") {
  const Repository repository;
  const Faults faults;
  repository.AddModel("text", "text", OnProbation(1), "1", 1);
  TestDaemon daemon(repository, [&](ServerConfig& config) { Follow(faults, config); });
  repository.AddModel("text", "text", OnProbation(1), "1", 2);
  AwaitState(daemon.client(), "text", 2, "READY");
  const Line before = AwaitState(daemon.client(), "text", 1, "UNLOADED");
  CHECK(before.last_transition() == "unloaded");
  CHECK(VersionOf(daemon.client(), "text") == "2");
}

TEST_CASE("Replacement: every state is told with its reason and counted", "[registry]") {
  const Repository repository;
  repository.AddText();
  repository.Write("broken/1/model.om", "nonsense");
  TestDaemon daemon(repository, Explicit({}));
  Client& client = daemon.client();
  CHECK(VersionsOf(client, "text")[0].state() == "DISCOVERED");
  REQUIRE(Load(client, "text").ok());
  const Line ready = VersionsOf(client, "text")[1];
  CHECK(ready.state() == "READY");
  CHECK(ready.last_transition() == "every gear has run");
  CHECK(ready.since_ms() > 0);
  CHECK(Answers(client, "text"));
  CHECK(VersionsOf(client, "text")[1].requests() == 1);
  CHECK_FALSE(Load(client, "broken").ok());
  const Line failed = VersionsOf(client, "broken")[1];
  CHECK(failed.state() == "FAILED");
  CHECK(failed.last_transition() == failed.reason());
  REQUIRE(Unload(client, "text").ok());
  AwaitState(client, "text", 1, "UNLOADED");
  const auto into = [&](const std::string& model, const std::string& state) {
    return Metric(daemon.http_port(), "omserve_model_transitions_total{model=\"" + model +
                                          "\",state=\"" + state + "\"}");
  };
  for (const char* state : {"VERIFYING", "LOADING", "WARMING", "READY", "DRAINING", "UNLOADED"}) {
    INFO(state);
    CHECK(into("text", state) == 1);
  }
  CHECK(into("broken", "VERIFYING") == 1);
  CHECK(into("broken", "FAILED") == 1);
  CHECK(into("broken", "READY") == 0);
}

TEST_CASE("Replacement: with memory first what serves makes room for what comes", "[registry]") {
  const Repository repository;
  const SmallDevice device;
  const std::string file = LargeModel("a", kLargeBytes);
  repository.Write("a/1/model.om", file);
  TestDaemon daemon(repository, device.With(Explicit({"a"})));
  Client& client = daemon.client();
  repository.Write("a/2/model.om", file);
  // Availability first: refused with the numbers, and the first goes on.
  const grpc::Status refused = Load(client, "a");
  CHECK_THAT(refused.error_message(), Catch::Contains("bytes of device memory"));
  std::string version;
  CHECK(AnswerOf(client, "a", &version) == "OK");
  CHECK(version == "1");
  repository.Write("a/config.yaml", "replacement: {memory_first: true}\n");
  REQUIRE(Load(client, "a").ok());
  CHECK(AnswerOf(client, "a", &version) == "OK");
  CHECK(version == "2");
  CHECK(VersionsOf(client, "a")[1].state() == "UNLOADED");
  REQUIRE(Load(client, "a").ok());  // The same version once more.
  CHECK(AnswerOf(client, "a", &version) == "OK");
  CHECK(version == "2");
  // What cannot be loaded in its place either: the one before comes back.
  repository.Write("a/3/model.om", LargeModel("a", size_t{60} << 20));
  CHECK_FALSE(Load(client, "a").ok());
  CHECK(AnswerOf(client, "a", &version) == "OK");
  CHECK(version == "2");
}

TEST_CASE("Replacement: an idle model makes room and comes back when it is asked for",
          "[registry]") {
  const Repository repository;
  const SmallDevice device;
  repository.Write("a/1/model.om", LargeModel("a", kLargeBytes));
  repository.Write("b/1/model.om", LargeModel("b", kLargeBytes));
  TestDaemon daemon(repository, device.With([](ServerConfig& config) {
    Explicit({"a"})(config);
    config.mutable_repository()->set_evict_idle_seconds(1);
  }));
  Client& client = daemon.client();
  CHECK(AnswerOf(client, "a") == "OK");
  CHECK_FALSE(Load(client, "b").ok());  // It was used a moment ago.
  Pause(std::chrono::milliseconds(1200));
  REQUIRE(Load(client, "b").ok());
  CHECK(AnswerOf(client, "b") == "OK");
  CHECK_THAT(VersionsOf(client, "a")[1].reason(), Catch::Contains("made room for 'b'"));
  // Nobody is idle: who asks for `a` waits no longer than is of use, and is told why.
  CHECK_THAT(AnswerOf(client, "a"), Catch::Contains("bytes of device memory"));
  Pause(std::chrono::milliseconds(1200));
  // Over every way in, at once.
  std::atomic<int> good{0};
  std::vector<std::jthread> askers;
  for (int i = 0; i < 8; ++i) {
    askers.push_back(StartThread("asker", [&] { good += AnswerOf(client, "a") == "OK" ? 1 : 0; }));
  }
  askers.clear();
  CHECK(good == 8);
  CHECK(VersionsOf(client, "a")[1].state() == "READY");
  Pause(std::chrono::milliseconds(1200));
  const std::string body = R"({"inputs":[{"name":"x","datatype":"FP32","shape":[1,16],"data":[)"
                           R"(0,0,0,0,0,0,0,0,0,0,0,0,0,0,0,0]}]})";
  CHECK_THAT(HttpPost(daemon.http_port(), "/v2/models/b/infer", body, "}]}"),
             Catch::Contains(R"("model_name":"b")"));
  Pause(std::chrono::milliseconds(1200));
  {
    grpc::ClientContext context;
    Client::SetDeadline(context, std::chrono::seconds(30));
    const auto stream = client.stub->ModelStreamInfer(&context);
    REQUIRE(stream->Write(LargeRequest("a")));
    inference::ModelStreamInferResponse answer;
    REQUIRE(stream->Read(&answer));
    CHECK(answer.error_message().empty());
    CHECK(answer.infer_response().model_name() == "a");
    stream->WritesDone();
    CHECK(stream->Finish().ok());
  }
  CHECK(Metric(daemon.http_port(), "omserve_models_returned_total") == 3);
  // What was taken away by hand does not come back by itself.
  REQUIRE(Unload(client, "b").ok());
  CHECK_THAT(AnswerOf(client, "b"), Catch::Contains("unloaded"));
}

// What fits not even on an empty device sends nobody away.
TEST_CASE("Replacement: a model that is too large leaves the idle ones", "[registry]") {
  const Repository repository;
  const SmallDevice device;
  repository.Write("a/1/model.om", LargeModel("a", kLargeBytes));
  repository.Write("huge/1/model.om", LargeModel("huge", size_t{60} << 20));
  TestDaemon daemon(repository, device.With([](ServerConfig& config) {
    Explicit({"a"})(config);
    config.mutable_repository()->set_evict_idle_seconds(1);
  }));
  Client& client = daemon.client();
  Pause(std::chrono::milliseconds(1200));
  CHECK_FALSE(Load(client, "huge").ok());
  CHECK(VersionsOf(client, "a")[1].state() == "READY");
  CHECK(Metric(daemon.http_port(), "omserve_models_parked_total") == 0);
}

// A pipeline has no memory of its own: it goes for the sake of its steps.
TEST_CASE("Replacement: an idle pipeline makes room with its steps", "[registry]") {
  const Repository repository;
  const SmallDevice device;
  repository.Write("a/1/model.om", LargeModel("a", kLargeBytes));
  repository.Write("b/1/model.om", LargeModel("b", kLargeBytes));
  repository.Write("over/config.yaml",
                   "input:\n  - {name: x, data_type: TYPE_FP32, dims: [1, 16]}\n"
                   "output:\n  - {name: y, data_type: TYPE_FP32, dims: [1, 16]}\n"
                   "pipeline:\n  step:\n    - {name: a, model_name: a, input_map: {x: x}, "
                   "output_map: {y: y}}\n");
  TestDaemon daemon(repository, device.With([](ServerConfig& config) {
    Explicit({"over"})(config);
    config.mutable_repository()->set_evict_idle_seconds(1);
  }));
  Client& client = daemon.client();
  CHECK(AnswerOf(client, "over") == "OK");
  CHECK_FALSE(Load(client, "b").ok());  // It was used a moment ago.
  Pause(std::chrono::milliseconds(1200));
  REQUIRE(Load(client, "b").ok());
  CHECK(VersionsOf(client, "a")[1].state() == "UNLOADED");
  CHECK(VersionsOf(client, "over")[1].state() == "UNLOADED");
  CHECK(AnswerOf(client, "b") == "OK");
  Pause(std::chrono::milliseconds(1200));
  CHECK(AnswerOf(client, "over") == "OK");
}

// Who waits when the daemon ends is answered.
TEST_CASE("Replacement: requests that wait for a model are answered at the end", "[registry]") {
  const Repository repository;
  const SmallDevice device;
  repository.Write("a/1/model.om", LargeModel("a", kLargeBytes));
  repository.Write("b/1/model.om", LargeModel("b", kLargeBytes));
  auto daemon = std::make_unique<TestDaemon>(repository, device.With([](ServerConfig& config) {
    Explicit({"a"})(config);
    config.mutable_repository()->set_evict_idle_seconds(1);
    config.mutable_repository()->set_load_bytes_per_second(8 << 20);
  }));
  Client client(daemon->daemon().grpc_port());
  Pause(std::chrono::milliseconds(1200));
  REQUIRE(Load(client, "b").ok());
  Pause(std::chrono::milliseconds(1200));
  std::string told;
  std::jthread asker = StartThread("asker", [&] { told = AnswerOf(client, "a"); });
  AwaitState(client, "a", 1, "VERIFYING");
  daemon.reset();
  asker.join();
  CHECK_FALSE(told == "OK");
  CHECK_FALSE(told.empty());
}

// The scheduling policies of this process's threads, by name.
std::map<std::string, std::set<int>> PoliciesOfThreads() {
  constexpr int kPolicy = 41;  // Of proc(5), where the state is 3; the name in field 2 has spaces.
  std::map<std::string, std::set<int>> policies;
  for (const auto& task : std::filesystem::directory_iterator("/proc/self/task")) {
    std::ifstream name_file(task.path() / "comm");
    std::ifstream stat_file(task.path() / "stat");
    std::string name;
    std::string text;
    if (!std::getline(name_file, name) || !std::getline(stat_file, text)) {
      continue;  // It has just ended.
    }
    std::istringstream fields(text.substr(text.rfind(')') + 1));
    std::string field;
    for (int i = 3; i <= kPolicy && fields >> field; ++i) {
    }
    policies[name].insert(std::stoi(field));
  }
  return policies;
}

// A thread inherits from the one that started it: what a load starts may be what serves later.
TEST_CASE("Replacement: threads that load yield, and none that serves", "[registry]") {
  const Repository repository;
  repository.Write("a/1/model.om", LargeModel("a", size_t{1} << 20));
  TestDaemon daemon(repository, [](ServerConfig& config) {
    Explicit({})(config);
    config.mutable_repository()->set_load_niceness(kOnlyWhenIdle);
    config.mutable_scheduler()->set_warm_up_runs(2);
  });
  Client client(daemon.daemon().grpc_port());
  REQUIRE(Load(client, "a").ok());
  REQUIRE(AnswerOf(client, "a") == "OK");
  std::map<std::string, std::set<int>> policies = PoliciesOfThreads();
  CHECK(policies["models"] == std::set<int>{SCHED_IDLE});
  CHECK(policies["unload"] == std::set<int>{SCHED_IDLE});
  for (const auto& [name, of] : policies) {
    INFO(name);
    CHECK((!of.contains(SCHED_IDLE) || name == "models" || name == "unload"));
  }
}

}  // namespace omserve::server
