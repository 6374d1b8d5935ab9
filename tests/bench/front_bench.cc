// SPDX-License-Identifier: Apache-2.0
// The front door against its floor: omserved and a bare gRPC echo, each on core 0, asked in turn by
// one lean client on core 1; and REST, and tensors in shared memory, against gRPC of the same
// daemon. Machines are noisy, so the
// two are interleaved for some rounds, and what counts are the medians and the ratio to the echo of
// the same round.
//
//   front_bench [--only SUBSTRING] [--rounds N] [--seconds S] [--omserved PROGRAM]
//               [--run-mode host|device] [--benchmark_format=json]
#include <fmt/format.h>

#include <cstdio>
#include <cstdlib>
#include <filesystem>
#include <functional>
#include <map>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "proto/inference/grpc_service.pb.h"
#include "runtime/base/errors.h"
#include "runtime/base/file.h"
#include "tests/bench/bench_rows.h"
#include "tests/bench/closed_loop.h"
#include "tests/bench/front_models.h"
#include "tests/bench/http_loop.h"
#include "tests/bench/pinned_server.h"
#include "tests/shared_object.h"

namespace omserve::bench {
namespace {

constexpr int kServerCore = 0;
constexpr int kClientCore = 1;
constexpr char kStreams[] = "acl-stream";  // The names of the CPU device's threads begin so.
constexpr char kMethod[] = "/inference.GRPCInferenceService/ModelInfer";
constexpr char kRegister[] = "/inference.GRPCInferenceService/SystemSharedMemoryRegister";

struct Options {
  std::string only;
  std::string omserved = OMSERVE_BINARY_DIR "/bin/omserved";
  std::string run_mode = "host";  // Of the CPU device: "device" is one memory for both.
  int rounds = 5;
  double seconds = 1.0;
  bool json = false;
};

struct Workload {
  std::string name;
  std::string model;
  int64_t width = 16;
  int concurrency = 1;
  std::string reference;  // The model that it is compared with; empty: the echo.
  enum class Rest { kNo, kBinary, kJson } rest = Rest::kNo;  // Compared with gRPC,
  bool is_shared = false;                                    // as are tensors in shared memory.

  bool IsAgainstGrpc() const { return rest != Rest::kNo || is_shared; }
};

const std::vector<Workload>& Workloads() {
  static const std::vector<Workload> workloads = {
      {"identity16/c1", "identity16", 16, 1},
      {"identity16/c32", "identity16", 16, 32},
      {"identity150528/c8", "identity150528", 150528, 8},
      {"identity150528/c32", "identity150528", 150528, 32},
      {"mlp/c32", "mlp", 256, 32},
      {"tiny_diamond/c8", "tiny_diamond", 16, 8},
      {"tiny_diamond/c32", "tiny_diamond", 16, 32},
      {"mlp_diamond/c8", "mlp_diamond", 64, 8},
      {"mlp_diamond/c32", "mlp_diamond", 64, 32},
      {"rest16/c1", "identity16", 16, 1, "identity16", Workload::Rest::kBinary},
      {"rest16/c32", "identity16", 16, 32, "identity16", Workload::Rest::kBinary},
      {"rest16_json/c1", "identity16", 16, 1, "identity16", Workload::Rest::kJson},
      {"rest16_json/c32", "identity16", 16, 32, "identity16", Workload::Rest::kJson},
      {"rest150528/c8", "identity150528", 150528, 8, "identity150528", Workload::Rest::kBinary},
      {"shared150528/c8", "identity150528", 150528, 8, "identity150528", Workload::Rest::kNo, true},
      {"shared_picture/c8", "picture", 150528, 8, "picture", Workload::Rest::kNo, true},
      {"shared16/c32", "identity16", 16, 32, "identity16", Workload::Rest::kNo, true},
      {"one_step/c1", "one_step", 16, 1, "identity16"},
      {"one_step/c32", "one_step", 16, 32, "identity16"},
  };
  return workloads;
}

std::string RequestTo(const std::string& model, int64_t width) {
  inference::ModelInferRequest request;
  request.set_model_name(model);
  auto& input = *request.add_inputs();
  input.set_name("x");
  input.set_datatype("FP32");
  input.add_shape(1);
  input.add_shape(width);
  std::string& raw = *request.add_raw_input_contents();
  for (int64_t i = 0; i < width; ++i) {
    const float element = static_cast<float>(i % 100);
    raw.append(static_cast<const char*>(static_cast<const void*>(&element)), sizeof(element));
  }
  return request.SerializeAsString();
}

// The same over HTTP, with the tensor as bytes in both directions, or as JSON.
std::string RestRequestTo(const std::string& model, int64_t width, bool is_json) {
  std::string json =
      fmt::format(R"({{"inputs":[{{"name":"x","shape":[1,{}],"datatype":"FP32",)", width);
  std::string raw;
  std::string numbers;
  for (int64_t i = 0; i < width; ++i) {
    const float element = static_cast<float>(i % 100);
    raw.append(static_cast<const char*>(static_cast<const void*>(&element)), sizeof(element));
    numbers += (i > 0 ? "," : "") + std::to_string(i % 100);
  }
  std::string fields;
  if (is_json) {
    json += "\"data\":[" + numbers + "]}]}";
    raw.clear();
  } else {
    json += fmt::format(R"("parameters":{{"binary_data_size":{}}}}}],)"
                        R"("parameters":{{"binary_data_output":true}}}})",
                        raw.size());
    fields = fmt::format("Inference-Header-Content-Length: {}\r\n", json.size());
  }
  return fmt::format(
      "POST /v2/models/{}/infer HTTP/1.1\r\nHost: localhost\r\n{}"
      "Content-Length: {}\r\n\r\n{}{}",
      model, fields, json.size() + raw.size(), json, raw);
}

// One call's places in a region that the server knows by the object's key.
inference::ModelInferRequest SharedRequestTo(const std::string& model, int64_t width,
                                             const std::string& region, int64_t offset_bytes) {
  const int64_t tensor_bytes = width * static_cast<int64_t>(sizeof(float));
  inference::ModelInferRequest request;
  request.set_model_name(model);
  auto& input = *request.add_inputs();
  input.set_name("x");
  input.set_datatype("FP32");
  input.add_shape(1);
  input.add_shape(width);
  auto& output = *request.add_outputs();
  output.set_name("y");
  const auto place = [&](auto& parameters, int64_t at) {
    parameters["shared_memory_region"].set_string_param(region);
    parameters["shared_memory_offset"].set_int64_param(at);
    parameters["shared_memory_byte_size"].set_int64_param(tensor_bytes);
  };
  place(*input.mutable_parameters(), offset_bytes);
  place(*output.mutable_parameters(), offset_bytes + tensor_bytes);
  return request;
}

std::string Registration(const testing::SharedObject& object) {
  inference::SystemSharedMemoryRegisterRequest request;
  request.set_name(object.key());
  request.set_key(object.key());
  request.set_byte_size(object.bytes().size());
  return request.SerializeAsString();
}

// What one server did in one round.
struct Measured {
  double p50_us = 0;
  double p99_us = 0;
  double per_second = 0;
  double cpu_us = 0;     // Of the server's process, a call.
  double device_us = 0;  // The part of it that is the CPU device's streams, a chip's work.
  double host_us = 0;    // The rest.
};

class Side final {
 public:
  explicit Side(PinnedServer& server)
      : server_(server), grpc_(server.grpc_port()), http_(server.http_port()) {}

  absl::StatusOr<std::string> Ask(const std::string& bytes, bool over_http) {
    return over_http ? http_.CallOnce(bytes) : grpc_.CallOnce(kMethod, bytes);
  }

  absl::Status Register(const testing::SharedObject& object) {
    return grpc_.CallOnce(kRegister, Registration(object)).status();
  }

  absl::StatusOr<Measured> Measure(const std::vector<std::string>& messages, bool over_http,
                                   int concurrency, double seconds) {
    RETURN_IF_ERROR(Run(messages, over_http, concurrency, seconds / 4).status());
    const double before = server_.CpuSeconds();
    const double device_before = server_.CpuSecondsOf(kStreams);
    ASSIGN_OR_RETURN(const LoopResult loop, Run(messages, over_http, concurrency, seconds));
    const double calls = static_cast<double>(loop.all_calls);
    const double cpu_us = (server_.CpuSeconds() - before) * 1e6 / calls;
    const double device_us = (server_.CpuSecondsOf(kStreams) - device_before) * 1e6 / calls;
    return Measured{.p50_us = loop.p50_us,
                    .p99_us = loop.p99_us,
                    .per_second = static_cast<double>(loop.calls) / loop.seconds,
                    .cpu_us = cpu_us,
                    .device_us = device_us,
                    .host_us = cpu_us - device_us};
  }

 private:
  absl::StatusOr<LoopResult> Run(const std::vector<std::string>& messages, bool over_http,
                                 int concurrency, double seconds) {
    const std::chrono::duration<double> duration(seconds);
    return over_http ? http_.Run(messages.front(), concurrency, duration)
                     : grpc_.Run(kMethod, messages, concurrency, duration);
  }

  PinnedServer& server_;
  ClosedLoop grpc_;
  HttpLoop http_;
};

double MedianOf(const std::vector<Measured>& rounds, double Measured::*figure) {
  std::vector<double> values;
  for (const Measured& round : rounds) {
    values.push_back(round.*figure);
  }
  return Median(std::move(values));
}

double MedianRatio(const std::vector<Measured>& ours, const std::vector<Measured>& theirs,
                   double Measured::*figure) {
  std::vector<double> ratios;
  for (size_t i = 0; i < ours.size(); ++i) {
    ratios.push_back(ours[i].*figure / theirs[i].*figure);
  }
  return Median(std::move(ratios));
}

Row Summary(const Workload& workload, const std::vector<Measured>& ours,
            const std::vector<Measured>& theirs) {
  const std::string other = workload.IsAgainstGrpc()     ? "grpc"
                            : workload.reference.empty() ? "echo"
                                                         : "bare";
  Row row{.name = workload.name,
          .figures = {{"p50_us", MedianOf(ours, &Measured::p50_us)},
                      {"p99_us", MedianOf(ours, &Measured::p99_us)},
                      {"per_second", MedianOf(ours, &Measured::per_second)},
                      {"cpu_us", MedianOf(ours, &Measured::cpu_us)},
                      {"device_us", MedianOf(ours, &Measured::device_us)},
                      {other + "_p50_us", MedianOf(theirs, &Measured::p50_us)},
                      {other + "_per_second", MedianOf(theirs, &Measured::per_second)},
                      {other + "_cpu_us", MedianOf(theirs, &Measured::cpu_us)},
                      {"p50_ratio", MedianRatio(ours, theirs, &Measured::p50_us)},
                      {"cpu_ratio", MedianRatio(ours, theirs, &Measured::cpu_us)},
                      {"rate_ratio", MedianRatio(ours, theirs, &Measured::per_second)},
                      {"host_ratio", MedianRatio(ours, theirs, &Measured::host_us)}}};
  return row;
}

// The messages of the workload's calls; of shared ones, each with places of its own in `object`.
std::vector<std::string> MessagesOf(const Workload& workload,
                                    const std::optional<testing::SharedObject>& object) {
  if (!object.has_value()) {
    return {workload.rest == Workload::Rest::kNo
                ? RequestTo(workload.model, workload.width)
                : RestRequestTo(workload.model, workload.width,
                                workload.rest == Workload::Rest::kJson)};
  }
  std::vector<std::string> messages;
  for (int call = 0; call < workload.concurrency; ++call) {
    messages.push_back(SharedRequestTo(workload.model, workload.width, object->key(),
                                       call * 2 * workload.width * int64_t{sizeof(float)})
                           .SerializeAsString());
  }
  return messages;
}

absl::Status CheckAnswer(const Workload& workload, const std::string& answer,
                         const std::optional<testing::SharedObject>& object) {
  const size_t tensor_bytes = static_cast<size_t>(workload.width) * sizeof(float);
  inference::ModelInferResponse response;
  bool is_right = false;
  if (workload.rest != Workload::Rest::kNo) {
    is_right = answer.starts_with("HTTP/1.1 200 ");
  } else if (response.ParseFromString(answer) && response.raw_output_contents_size() == 1) {
    is_right = object.has_value()
                   ? object->Read(0, tensor_bytes) == object->Read(tensor_bytes, tensor_bytes)
                   : response.raw_output_contents(0).size() == tensor_bytes;
  }
  return is_right ? absl::OkStatus()
                  : Internal("{}: the answer is not the tensor that was asked for", workload.name);
}

absl::StatusOr<Row> RunWorkload(const Workload& workload, const Options& options, Side& omserved,
                                Side& echo) {
  const bool is_rest = workload.rest != Workload::Rest::kNo;
  std::optional<testing::SharedObject> object;
  if (workload.is_shared) {
    const auto calls = static_cast<size_t>(workload.concurrency);
    object.emplace(calls * 2 * static_cast<size_t>(workload.width) * sizeof(float));
    object->Write(0, std::string(static_cast<size_t>(workload.width) * sizeof(float), '1'));
    RETURN_IF_ERROR(omserved.Register(*object));
  }
  const std::vector<std::string> messages = MessagesOf(workload, object);
  const std::vector<std::string> reference_messages = {
      RequestTo(workload.reference.empty() ? workload.model : workload.reference, workload.width)};
  Side& reference = workload.reference.empty() ? echo : omserved;
  ASSIGN_OR_RETURN(const std::string answer, omserved.Ask(messages.front(), is_rest));
  RETURN_IF_ERROR(CheckAnswer(workload, answer, object));
  std::vector<Measured> ours;
  std::vector<Measured> theirs;
  for (int round = 0; round < options.rounds; ++round) {
    ASSIGN_OR_RETURN(
        theirs.emplace_back(),
        reference.Measure(reference_messages, false, workload.concurrency, options.seconds));
    ASSIGN_OR_RETURN(ours.emplace_back(),
                     omserved.Measure(messages, is_rest, workload.concurrency, options.seconds));
  }
  return Summary(workload, ours, theirs);
}

absl::StatusOr<std::vector<Row>> RunAll(const Options& options, const std::string& folder) {
  const std::string build = OMSERVE_BINARY_DIR;
  const std::string models = folder + "/models";
  std::error_code ignored;
  std::filesystem::create_directories(models, ignored);
  RETURN_IF_ERROR(MakeFrontModels(models, build + "/lib/libonnxruntime.so.1"));
  const std::string settings = folder + "/omserve.yaml";
  RETURN_IF_ERROR(WriteFileAtomically(
      settings, fmt::format("device: {{host: {{run_mode: {}}}}}\n", options.run_mode)));
  ASSIGN_OR_RETURN(
      const auto omserved_process,
      PinnedServer::Start(
          options.omserved,
          {"--config",           settings,    "--model-repository", models,
           "--grpc-address",     "127.0.0.1", "--http-address",     "127.0.0.1",
           "--allow-client-shm", "true",      "--grpc-port",        "0",
           "--http-port",        "0",         "--metrics-port",     "0",
           "--log-level",        "warning",   "--device-library",   build + "/lib/libascendcl.so"},
          folder + "/omserved.json", {kServerCore}, kClientCore));
  ASSIGN_OR_RETURN(const auto echo_process,
                   PinnedServer::Start(build + "/tests/bin/front_echo", {}, folder + "/echo.json",
                                       {kServerCore}, kClientCore));
  Side omserved(*omserved_process);
  Side echo(*echo_process);
  std::vector<Row> rows;
  for (const Workload& workload : Workloads()) {
    if (workload.name.find(options.only) == std::string::npos) {
      continue;
    }
    ASSIGN_OR_RETURN(rows.emplace_back(), RunWorkload(workload, options, omserved, echo));
    std::string line = fmt::format("{:<20}", rows.back().name);
    for (const auto& [figure, value] : rows.back().figures) {
      line += fmt::format(" {}={:.4g}", figure, value);
    }
    fmt::print(options.json ? stderr : stdout, "{}\n", line);
    std::fflush(stdout);
  }
  return rows;
}

bool ParseArguments(int argc, char** argv, Options* options) {
  for (int i = 1; i < argc; ++i) {
    const std::string_view argument = argv[i];
    const bool has_value = i + 1 < argc;
    if (argument == "--benchmark_format=json") {
      options->json = true;
    } else if (argument == "--only" && has_value) {
      options->only = argv[++i];
    } else if (argument == "--omserved" && has_value) {
      options->omserved = argv[++i];
    } else if (argument == "--run-mode" && has_value) {
      options->run_mode = argv[++i];
    } else if (argument == "--rounds" && has_value) {
      options->rounds = std::atoi(argv[++i]);
    } else if (argument == "--seconds" && has_value) {
      options->seconds = std::atof(argv[++i]);
    } else {
      return false;
    }
  }
  return options->rounds > 0 && options->seconds > 0;
}

int Main(int argc, char** argv) {
  Options options;
  if (!ParseArguments(argc, argv, &options)) {
    fmt::print(stderr,
               "usage: front_bench [--only SUBSTRING] [--rounds N] [--seconds S] "
               "[--omserved PROGRAM] [--run-mode host|device] [--benchmark_format=json]\n");
    return 2;
  }
  std::string folder = (std::filesystem::temp_directory_path() / "front-bench-XXXXXX").string();
  if (mkdtemp(folder.data()) == nullptr) {
    return 1;
  }
  const absl::StatusOr<std::vector<Row>> rows = RunAll(options, folder);
  std::error_code ignored;
  std::filesystem::remove_all(folder, ignored);
  if (!rows.ok()) {
    fmt::print(stderr, "front_bench: {}\n", MessageOf(rows.status()));
    return 1;
  }
  if (options.json) {
    fmt::print("{}\n", ToJson(*rows, fmt::format("{} rounds of {} s, server on core {}, client on "
                                                 "core {}",
                                                 options.rounds, options.seconds, kServerCore,
                                                 kClientCore)));
  }
  return 0;
}

}  // namespace
}  // namespace omserve::bench

int main(int argc, char** argv) { return omserve::bench::Main(argc, argv); }
