// SPDX-License-Identifier: Apache-2.0
#include "tests/server/protocol/daemon_fixture.h"

#include <grpcpp/generic/generic_stub.h>
#include <poll.h>
#include <signal.h>
#include <spawn.h>
#include <sys/inotify.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#include <array>
#include <catch2/catch.hpp>
#include <cstdio>
#include <filesystem>

#include "config/server_config.h"
#include "runtime/base/bytes_tensor.h"
#include "runtime/base/file.h"
#include "runtime/base/log.h"
#include "tests/loopback_address.h"
#include "tests/status_test_util.h"
#include "tools/omc/compile.h"

extern char** environ;  // NOLINT: POSIX has it so.

namespace omserve::server {
namespace {

constexpr int kPatienceMs = 30'000;
const std::string kScenes = std::string(OMSERVE_SOURCE_DIR) + "/tools/demo/scenes/";

// Compiling takes longer than a test, so each model is compiled once per program.
const std::string& Compiled(const std::string& onnx, const std::string& gears) {
  static std::map<std::string, std::string> cache;
  std::string& file = cache[onnx + gears];
  if (file.empty()) {
    std::string shape;
    if (onnx == "text") {
      shape = "input_ids:-1,32;attention_mask:-1,32";
    } else if (onnx == "fusion") {
      shape = "text_features:-1,32,96;attention_mask:-1,32";
    }
    file = VALUE(omc::Compile({.model_path = kScenes + "models/" + onnx + ".onnx",
                               .name = onnx,
                               .gears = {.input_shape = shape, .batch_gears = gears},
                               .ort_library = OMSERVE_BINARY_DIR "/lib/libonnxruntime.so.1"}))
               .file;
  }
  return file;
}

// A connected socket that gives up in time.
int Connect(int port) {
  const int fd = socket(AF_INET, SOCK_STREAM, 0);
  REQUIRE(fd >= 0);
  const timeval patience{.tv_sec = kPatienceMs / 1000};
  setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &patience, sizeof(patience));
  const sockaddr address = LoopbackAddress(port);
  REQUIRE(connect(fd, &address, sizeof(address)) == 0);
  return fd;
}

template <typename T>
std::string Raw(const std::vector<T>& values) {
  return {static_cast<const char*>(static_cast<const void*>(values.data())),
          values.size() * sizeof(T)};
}

}  // namespace

TempFolder::TempFolder() {
  path_ = (std::filesystem::temp_directory_path() / "omserve-test-XXXXXX").string();
  REQUIRE(mkdtemp(path_.data()) != nullptr);
}

TempFolder::~TempFolder() {
  std::error_code ignored;
  std::filesystem::remove_all(path_, ignored);
}

void Repository::Write(const std::string& file, const std::string& contents) const {
  const std::filesystem::path path = std::filesystem::path(folder_.path()) / file;
  std::filesystem::create_directories(path.parent_path());
  REQUIRE_OK(WriteFileAtomically(path.string(), contents));
}

void Repository::AddModel(const std::string& onnx, const std::string& name,
                          const std::string& config, const std::string& gears, int version) const {
  Write(name + "/" + std::to_string(version) + "/model.om", Compiled(onnx, gears));
  if (!config.empty()) {
    Write(name + "/config.yaml", config);
  }
}

void Repository::AddWords(const std::string& config) const {
  AddText();
  Write("words/config.yaml",
        config +
            "name: words\n"
            "input:\n  - {name: text_input, data_type: TYPE_STRING, dims: [1]}\n"
            "output:\n  - {name: mask, data_type: TYPE_INT64, dims: [32]}\n"
            "  - {name: features, data_type: TYPE_FP32, dims: [32, 96]}\n"
            "pipeline:\n  step:\n"
            "    - name: tokenize\n"
            "      host: {op: tokenize, parameters: {vocab: vocab.json, length: \"32\"}}\n"
            "      input_map: {text: text_input}\n"
            "      output_map: {input_ids: ids, attention_mask: mask}\n"
            "    - name: text\n      model_name: text\n"
            "      input_map: {input_ids: ids, attention_mask: mask}\n"
            "      output_map: {text_features: features}\n");
  Write("words/vocab.json", SceneFile("models/vocab.json"));
}

void Repository::AddScenes() const {
  for (const char* model : {"vision_a", "vision_b", "text", "fusion"}) {
    AddModel(model, model);
  }
  Write("scenes/config.yaml", SceneFile("repository/scenes/config.yaml"));
  Write("scenes/vocab.json", SceneFile("models/vocab.json"));
  Write("scenes/answers.json", SceneFile("models/answers.json"));
}

std::string SceneFile(const std::string& file) { return VALUE(ReadFile(kScenes + file)); }

ServerConfig TestConfig(const Repository& repository) {
  ServerConfig config = config::DefaultServerConfig();
  config.add_model_repository(repository.path());
  config.mutable_grpc()->set_address("127.0.0.1");
  config.mutable_grpc()->set_port(0);
  config.mutable_http()->set_address("127.0.0.1");
  config.mutable_http()->set_port(0);
  config.mutable_metrics()->set_port(0);
  config.mutable_device()->set_library(OMSERVE_BINARY_DIR "/lib/libascendcl.so");
  config.mutable_device()->set_memory_pool_bytes(int64_t{64} << 20);
  config.mutable_device()->set_pinned_pool_bytes(int64_t{64} << 20);
  config.mutable_scheduler()->set_warm_up_runs(0);  // Tests count executions.
  config.mutable_log()->set_level("warning");
  return config;
}

Client::Client(int grpc_port) {
  grpc::ChannelArguments arguments;
  arguments.SetInt(GRPC_ARG_ENABLE_HTTP_PROXY, 0);
  arguments.SetInt(GRPC_ARG_USE_LOCAL_SUBCHANNEL_POOL, 1);
  arguments.SetMaxReceiveMessageSize(-1);
  channel = grpc::CreateCustomChannel("127.0.0.1:" + std::to_string(grpc_port),
                                      grpc::InsecureChannelCredentials(), arguments);
  stub = inference::GRPCInferenceService::NewStub(channel);
  health = grpc::health::v1::Health::NewStub(channel);
}

void Client::SetDeadline(grpc::ClientContext& context, std::chrono::milliseconds from_now) {
  context.set_deadline(std::chrono::system_clock::now() + from_now);
}

inference::ModelInferResponse Client::Answer(const inference::ModelInferRequest& request) {
  inference::ModelInferResponse response;
  const grpc::Status status = Infer(request, &response);
  INFO(status.error_message());
  REQUIRE(status.ok());
  return response;
}

grpc::Status Client::RawCall(const std::string& method, const std::string& bytes,
                             std::string* answer) {
  grpc::GenericStub generic(channel);
  grpc::ClientContext context;
  SetDeadline(context, std::chrono::seconds(30));
  grpc::CompletionQueue queue;
  const grpc::Slice slice(bytes);
  const grpc::ByteBuffer request(&slice, 1);
  grpc::ByteBuffer response;
  grpc::Status status;
  const auto call = generic.PrepareUnaryCall(&context, method, request, &queue);
  call->StartCall();
  call->Finish(&response, &status, nullptr);
  void* tag = nullptr;
  bool ok = false;
  REQUIRE(queue.Next(&tag, &ok));
  std::vector<grpc::Slice> slices;
  if (status.ok() && response.Dump(&slices).ok()) {
    for (const grpc::Slice& part : slices) {
      answer->append(static_cast<const char*>(static_cast<const void*>(part.begin())), part.size());
    }
  }
  return status;
}

inference::ModelStatistics Client::Statistics(const std::string& model) {
  inference::ModelStatisticsRequest request;
  request.set_name(model);
  inference::ModelStatisticsResponse response;
  const grpc::Status status =
      Call(&inference::GRPCInferenceService::Stub::ModelStatistics, request, &response);
  INFO(status.error_message());
  REQUIRE(status.ok());
  REQUIRE(response.model_stats_size() == 1);
  return response.model_stats(0);
}

std::string SendHttp(int port, const std::string& bytes, const std::string& until) {
  const int fd = Connect(port);
  std::string answer;
  size_t sent = 0;
  while (sent < bytes.size()) {
    const ssize_t n = send(fd, bytes.data() + sent, bytes.size() - sent, MSG_NOSIGNAL);
    if (n <= 0) {
      break;  // The server has seen enough.
    }
    sent += static_cast<size_t>(n);
  }
  // A half-closed connection is a client that left to the server: its slow answers are dropped.
  if (until.empty() && bytes.find("Connection: close") == std::string::npos) {
    shutdown(fd, SHUT_WR);
  }
  std::array<char, 65536> chunk{};
  while (until.empty() || answer.find(until) == std::string::npos) {
    const ssize_t n = recv(fd, chunk.data(), chunk.size(), 0);
    if (n <= 0) {
      break;
    }
    answer.append(chunk.data(), static_cast<size_t>(n));
  }
  close(fd);
  return answer;
}

std::string HttpGet(int port, const std::string& path) {
  return SendHttp(port, "GET " + path + " HTTP/1.1\r\nHost: h\r\nConnection: close\r\n\r\n");
}

std::string HttpPost(int port, const std::string& path, const std::string& body,
                     const std::string& until) {
  return SendHttp(port,
                  "POST " + path + " HTTP/1.1\r\nHost: h\r\nConnection: close\r\nContent-Length: " +
                      std::to_string(body.size()) + "\r\n\r\n" + body,
                  until);
}

std::optional<double> Metric(int http_port, const std::string& name) {
  const std::string text = HttpGet(http_port, "/metrics");
  const size_t at = text.find("\n" + name);
  if (at == std::string::npos) {
    return std::nullopt;
  }
  const size_t end = text.find('\n', at + 1);
  const std::string line = text.substr(at + 1, end - at - 1);
  return std::stod(line.substr(line.rfind(' ') + 1));
}

void Pause(std::chrono::milliseconds time) {
  Mutex mu;
  CondVar nobody_notifies;
  const MutexLock lock(mu);
  SteadyClock().WaitUntil(nobody_notifies, mu, SteadyClock().Now() + time);
}

void AwaitMetric(int http_port, const std::string& name, double value) {
  const Clock::time_point patience = SteadyClock().Now() + std::chrono::milliseconds(kPatienceMs);
  while (SteadyClock().Now() < patience) {
    if (Metric(http_port, name) == value) {
      return;
    }
  }
  FAIL(name << " did not become " << value);
}

TestDaemon::TestDaemon(const Repository& repository,
                       const std::function<void(ServerConfig&)>& change, bool exit_on_error) {
  InitLog({.level = LogLevel::kOff});  // Tests look at answers and metrics.
  ServerConfig config = TestConfig(repository);
  if (change) {
    change(config);
  }
  daemon_ = VALUE(Daemon::Start(
      {.config = config, .version = "1.2.3", .exit_on_error = exit_on_error}, SteadyClock()));
  client_ = std::make_unique<Client>(daemon_->grpc_port());
}

TestDaemon::~TestDaemon() {
  client_.reset();
  const absl::Status stopped = daemon_->Stop();
  CHECK(std::string(MessageOf(stopped)).empty());
}

ChildDaemon::ChildDaemon(const std::string& repository,
                         const std::vector<std::string>& more_flags) {
  const std::string ready = folder_.path() + "/ready.json";
  std::vector<std::string> arguments = {OMSERVE_BINARY_DIR "/bin/omserved",
                                        "--model-repository",
                                        repository,
                                        "--grpc-port",
                                        "0",
                                        "--http-port",
                                        "0",
                                        "--metrics-port",
                                        "0",
                                        "--grpc-address",
                                        "127.0.0.1",
                                        "--http-address",
                                        "127.0.0.1",
                                        "--log-level",
                                        "error",
                                        "--device-library",
                                        OMSERVE_BINARY_DIR "/lib/libascendcl.so",
                                        "--ready-file",
                                        ready};
  arguments.insert(arguments.end(), more_flags.begin(), more_flags.end());
  std::vector<char*> argv;
  for (std::string& argument : arguments) {
    argv.push_back(argument.data());
  }
  argv.push_back(nullptr);
  const int watch = inotify_init1(IN_CLOEXEC);
  REQUIRE(inotify_add_watch(watch, folder_.path().c_str(), IN_MOVED_TO) >= 0);
  REQUIRE(posix_spawn(&pid_, argv[0], nullptr, nullptr, argv.data(), environ) == 0);
  // The ready file is renamed into place, so it is whole when it is seen.
  pollfd moved{.fd = watch, .events = POLLIN};
  constexpr int kLookMs = 200;
  for (int waited = 0; waited < kPatienceMs && poll(&moved, 1, kLookMs) == 0; waited += kLookMs) {
    int status = 0;
    if (waitpid(pid_, &status, WNOHANG) == pid_) {
      pid_ = -1;
      FAIL("omserved ended before it was ready");
    }
  }
  close(watch);
  ready_json_ = VALUE(ReadFile(ready));
}

ChildDaemon::~ChildDaemon() {
  if (pid_ > 0) {
    kill(pid_, SIGKILL);
    Wait();
  }
}

int ChildDaemon::Number(const std::string& key) const {
  const size_t at = ready_json_.find("\"" + key + "\":");
  REQUIRE(at != std::string::npos);
  return std::stoi(ready_json_.substr(at + key.size() + 3));
}

bool ChildDaemon::ready_file_exists() const {
  return std::filesystem::exists(folder_.path() + "/ready.json");
}

void ChildDaemon::Signal(int number) const { REQUIRE(kill(pid_, number) == 0); }

int ChildDaemon::Wait() {
  int status = 0;
  REQUIRE(waitpid(pid_, &status, 0) == pid_);
  pid_ = -1;
  return WIFEXITED(status) ? WEXITSTATUS(status) : -WTERMSIG(status);
}

ProgramResult RunOmserved(const std::string& arguments) {
  const std::string command =
      "'" OMSERVE_BINARY_DIR "/bin/omserved' " + arguments + " 2>&1 </dev/null";
  FILE* pipe = popen(command.c_str(), "r");
  REQUIRE(pipe != nullptr);
  ProgramResult result;
  std::array<char, 4096> chunk{};
  for (size_t n = 0; (n = fread(chunk.data(), 1, chunk.size(), pipe)) > 0;) {
    result.output.append(chunk.data(), n);
  }
  const int status = pclose(pipe);
  result.status = WIFEXITED(status) ? WEXITSTATUS(status) : -1;
  return result;
}

inference::ModelInferRequest TextRequest(const std::string& model, int rows) {
  inference::ModelInferRequest request;
  request.set_model_name(model);
  std::vector<int64_t> ids;
  std::vector<int64_t> mask;
  for (int row = 0; row < rows; ++row) {
    for (int i = 0; i < 32; ++i) {
      ids.push_back(i < 5 ? i + 1 : 0);
      mask.push_back(i < 5 ? 1 : 0);
    }
  }
  for (const char* name : {"input_ids", "attention_mask"}) {
    auto& input = *request.add_inputs();
    input.set_name(name);
    input.set_datatype("INT64");
    input.add_shape(rows);
    input.add_shape(32);
  }
  request.add_raw_input_contents(Raw(ids));
  request.add_raw_input_contents(Raw(mask));
  return request;
}

inference::ModelInferRequest SceneRequest(const std::string& picture, const std::string& question) {
  inference::ModelInferRequest request;
  request.set_model_name("scenes");
  for (const auto& [name, value] :
       std::map<std::string, std::string>{{"image", picture}, {"text", question}}) {
    auto& input = *request.add_inputs();
    input.set_name(name);
    input.set_datatype("BYTES");
    input.add_shape(1);
    input.add_shape(1);
    REQUIRE_OK(AppendBytesElement(value, request.add_raw_input_contents()));
  }
  return request;
}

}  // namespace omserve::server
