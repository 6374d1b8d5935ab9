// SPDX-License-Identifier: Apache-2.0
// A daemon in this process or in a child, over models compiled on the spot, and the means to speak
// to it over loopback.
#pragma once

#include <grpcpp/grpcpp.h>
#include <sys/types.h>

#include <chrono>
#include <functional>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "proto/health/health.grpc.pb.h"
#include "proto/inference/grpc_service.grpc.pb.h"
#include "proto/omserve/server_config.pb.h"
#include "server/daemon.h"

namespace omserve::server {

// Everything under it goes with it.
class TempFolder final {
 public:
  TempFolder();
  TempFolder(const TempFolder&) = delete;
  TempFolder& operator=(const TempFolder&) = delete;
  ~TempFolder();
  const std::string& path() const { return path_; }

 private:
  std::string path_;
};

// A model repository under construction.
class Repository final {
 public:
  const std::string& path() const { return folder_.path(); }
  void Write(const std::string& file, const std::string& contents) const;

  // tools/demo/scenes/models/`onnx`.onnx for batches of `gears` as model `name`, version `version`.
  void AddModel(const std::string& onnx, const std::string& name, const std::string& config = "",
                const std::string& gears = "1,2,4,8", int version = 1) const;
  // The text model: input_ids and attention_mask, INT64 [rows,32], to text_features.
  void AddText(const std::string& name = "text", const std::string& config = "") const {
    AddModel("text", name, config);
  }
  // The text model and the pipeline `words`, from a question (text_input) to the mask of its words
  // (mask, INT64 [32]) and the features of the text model (features). `config` comes before its
  // own.
  void AddWords(const std::string& config = "") const;
  // The four models and the pipeline `scenes` of the demo.
  void AddScenes() const;

 private:
  TempFolder folder_;
};

std::string SceneFile(const std::string& file);  // The contents of tools/demo/scenes/`file`.

// Free ports on loopback, the CPU device, small pools.
ServerConfig TestConfig(const Repository& repository);

// A client of one daemon. Every call has a deadline, so that no test hangs.
class Client final {
 public:
  explicit Client(int grpc_port);

  template <typename Response, typename Request>
  grpc::Status Call(grpc::Status (inference::GRPCInferenceService::Stub::*method)(
                        grpc::ClientContext*, const Request&, Response*),
                    const Request& request, Response* response) {
    grpc::ClientContext context;
    SetDeadline(context, std::chrono::seconds(30));
    return (stub.get()->*method)(&context, request, response);
  }
  grpc::Status Infer(const inference::ModelInferRequest& request,
                     inference::ModelInferResponse* response) {
    return Call(&inference::GRPCInferenceService::Stub::ModelInfer, request, response);
  }
  // Requires that it succeeds.
  inference::ModelInferResponse Answer(const inference::ModelInferRequest& request);
  // Any bytes to any method.
  grpc::Status RawCall(const std::string& method, const std::string& bytes, std::string* answer);
  inference::ModelStatistics Statistics(const std::string& model);

  static void SetDeadline(grpc::ClientContext& context, std::chrono::milliseconds from_now);

  std::shared_ptr<grpc::Channel> channel;
  std::unique_ptr<inference::GRPCInferenceService::Stub> stub;
  std::unique_ptr<grpc::health::v1::Health::Stub> health;
};

// What the HTTP port sends back for `bytes`, until it closes the connection or, with `until`, until
// that is part of the answer.
std::string SendHttp(int port, const std::string& bytes, const std::string& until = "");
// "GET path", closing the connection after.
std::string HttpGet(int port, const std::string& path);
// "POST path" with `body`, closing the connection after. A client that closes its side first wants
// no answer to an inference: `until` as in SendHttp.
std::string HttpPost(int port, const std::string& path, const std::string& body,
                     const std::string& until = "");
// The value of a metric line that begins with `name`; nullopt where there is none.
std::optional<double> Metric(int http_port, const std::string& name);
// Between two looks at something that nobody tells of.
void Pause(std::chrono::milliseconds time);
// Asks until a metric has the value; fails the test after a while.
void AwaitMetric(int http_port, const std::string& name, double value);

// The daemon's objects in this process.
class TestDaemon final {
 public:
  explicit TestDaemon(const Repository& repository,
                      const std::function<void(ServerConfig&)>& change = nullptr,
                      bool exit_on_error = true);
  TestDaemon(const TestDaemon&) = delete;
  TestDaemon& operator=(const TestDaemon&) = delete;
  ~TestDaemon();

  Daemon& daemon() { return *daemon_; }
  int http_port() const { return daemon_->http_port(); }
  Client& client() { return *client_; }

 private:
  std::unique_ptr<Daemon> daemon_;
  std::unique_ptr<Client> client_;
};

// bin/omserved as a child.
class ChildDaemon final {
 public:
  // Starts it with free ports and a ready file, and waits until that is there.
  ChildDaemon(const Repository& repository, const std::vector<std::string>& more_flags)
      : ChildDaemon(repository.path(), more_flags) {}
  ChildDaemon(const std::string& repository, const std::vector<std::string>& more_flags);
  ChildDaemon(const ChildDaemon&) = delete;
  ChildDaemon& operator=(const ChildDaemon&) = delete;
  ~ChildDaemon();

  int grpc_port() const { return Number("grpc_port"); }
  int http_port() const { return Number("http_port"); }
  int Number(const std::string& key) const;
  const std::string& ready_json() const { return ready_json_; }
  bool ready_file_exists() const;
  void Signal(int number) const;
  // The exit status; -N when signal N ended it.
  int Wait();

 private:
  TempFolder folder_;
  std::string ready_json_;
  pid_t pid_ = -1;
};

struct ProgramResult {
  int status = 0;
  std::string output;  // Both streams.
};
// Runs bin/omserved to its end.
ProgramResult RunOmserved(const std::string& arguments);

// A request to a text model: `rows` equal rows.
inference::ModelInferRequest TextRequest(const std::string& model, int rows);
// A request to the pipeline `scenes` with a sample's picture and question.
inference::ModelInferRequest SceneRequest(const std::string& picture, const std::string& question);

}  // namespace omserve::server
