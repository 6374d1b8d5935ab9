// SPDX-License-Identifier: Apache-2.0
// Models that come and go while others serve: versions switched under load, what another model
// notices of loads, and what sealing and signing add to a load. The daemon is a child on core 0
// with a device of known speed (the timed engine); who asks is on core 1. Only for loads from the
// disk the daemon has both, and who asks waits.
//
//   registry_bench [--only SUBSTRING] [--switches N] [--rounds N] [--megabytes N]
//                  [--benchmark_format=json]
#include <fcntl.h>
#include <fmt/format.h>
#include <grpcpp/grpcpp.h>
#include <poll.h>
#include <sys/mman.h>
#include <unistd.h>

#include <CLI/CLI.hpp>
#include <algorithm>
#include <atomic>
#include <chrono>
#include <cstdio>
#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <map>
#include <memory>
#include <string>
#include <thread>
#include <utility>
#include <vector>

#include "proto/inference/grpc_service.grpc.pb.h"
#include "runtime/base/descriptor.h"
#include "runtime/base/errors.h"
#include "runtime/base/file.h"
#include "runtime/base/thread.h"
#include "tests/bench/bench_rows.h"
#include "tests/bench/closed_loop.h"
#include "tests/bench/pinned_server.h"
#include "tests/onnx_bytes.h"
#include "tools/omc/compile.h"
#include "tools/omc/seal.h"
#include "tools/omc/sign.h"

namespace omserve::bench {
namespace {

using Steady = std::chrono::steady_clock;
using Stub = inference::GRPCInferenceService::Stub;

constexpr int kServerCore = 0;
constexpr int kClientCore = 1;
constexpr int64_t kWidth = 16;
constexpr int kClients = 2;
constexpr char kInfer[] = "/inference.GRPCInferenceService/ModelInfer";

struct Options {
  std::string only;
  int switches = 10'000;
  int rounds = 9;
  int megabytes = 256;
};

double MsSince(Steady::time_point start) {
  return std::chrono::duration<double, std::milli>(Steady::now() - start).count();
}

// y = x * w, with a constant of `extra_bytes` beside, that makes the file as large as a real one.
std::string OnnxOf(size_t extra_bytes) {
  testing::Message graph;
  graph.Sub(1, testing::Node("scale", "Mul", {"x", "w"}, "y")).Text(2, "scale");
  graph.Sub(5, testing::Floats("w", {1}, {2.0F}));
  if (extra_bytes > 0) {
    const auto count = static_cast<int64_t>(extra_bytes / sizeof(float));
    std::vector<float> values(static_cast<size_t>(count));
    for (size_t i = 0; i < values.size(); ++i) {
      values[i] = static_cast<float>(i * 2654435761U % 1000);
    }
    graph.Sub(5, testing::Floats("table", {count / kWidth, kWidth}, values));
    graph.Sub(1, testing::Node("most", "ReduceMax", {"table"}, "row"));
    graph.Sub(1, testing::Node("add", "Add", {"y", "row"}, "z"));
  }
  graph.Sub(11, testing::ValueInfo("x", testing::kOnnxFloat, {-1, kWidth}))
      .Sub(12, testing::ValueInfo(extra_bytes > 0 ? "z" : "y", testing::kOnnxFloat, {-1, kWidth}));
  return testing::OnnxModel(graph);
}

absl::Status AddModel(const std::string& folder, const std::string& name, int version,
                      const std::string& gears, const std::string& costs, size_t extra_bytes) {
  const std::string source = folder + ".onnx";
  RETURN_IF_ERROR(WriteFileAtomically(source, OnnxOf(extra_bytes)));
  ASSIGN_OR_RETURN(const omc::CompiledModel compiled,
                   omc::Compile({.model_path = source,
                                 .name = name,
                                 .gears = {.batch_gears = gears},
                                 .cost_us = costs,
                                 .ort_library = OMSERVE_BINARY_DIR "/lib/libonnxruntime.so.1"}));
  const std::string path = fmt::format("{}/{}/{}", folder, name, version);
  std::filesystem::create_directories(path);
  std::filesystem::remove(source);
  return WriteFileAtomically(path + "/model.om", compiled.file);
}

inference::ModelInferRequest RequestTo(const std::string& model) {
  inference::ModelInferRequest request;
  request.set_model_name(model);
  auto& input = *request.add_inputs();
  input.set_name("x");
  input.set_datatype("FP32");
  input.add_shape(1);
  input.add_shape(kWidth);
  request.add_raw_input_contents(std::string(kWidth * sizeof(float), '\1'));
  return request;
}

// A daemon, and calls to it.
class Rig final {
 public:
  Rig(std::unique_ptr<PinnedServer> server, std::string folder, bool from_disk)
      : server_(std::move(server)),
        folder_(std::move(folder)),
        from_disk_(from_disk),
        channel_(grpc::CreateChannel(fmt::format("127.0.0.1:{}", server_->grpc_port()),
                                     grpc::InsecureChannelCredentials())),
        stub_(inference::GRPCInferenceService::NewStub(channel_)) {}

  absl::Status Load(const std::string& model, const std::string& config = "") {
    inference::RepositoryModelLoadRequest request;
    request.set_model_name(model);
    if (!config.empty()) {
      (*request.mutable_parameters())["config"].set_string_param(config);
    }
    grpc::ClientContext context;
    inference::RepositoryModelLoadResponse response;
    const grpc::Status status = stub_->RepositoryModelLoad(&context, request, &response);
    return status.ok() ? absl::OkStatus() : Internal("{}", status.error_message());
  }
  absl::Status Unload(const std::string& model) {
    inference::RepositoryModelUnloadRequest request;
    request.set_model_name(model);
    grpc::ClientContext context;
    inference::RepositoryModelUnloadResponse response;
    const grpc::Status status = stub_->RepositoryModelUnload(&context, request, &response);
    return status.ok() ? absl::OkStatus() : Internal("{}", status.error_message());
  }
  double ResidentBytes() const {
    size_t pages = 0;
    size_t resident = 0;
    std::ifstream(fmt::format("/proc/{}/statm", server_->pid())) >> pages >> resident;
    return static_cast<double>(resident) * static_cast<double>(sysconf(_SC_PAGESIZE));
  }
  // Makes the next load of the model one from the disk, where that is what is measured.
  absl::Status Forget(const std::string& model) const {
    if (!from_disk_) {
      return absl::OkStatus();
    }
    const std::string path = fmt::format("{}/models/{}/1/model.om", folder_, model);
    const Descriptor file(open(path.c_str(), O_RDONLY | O_CLOEXEC));
    const bool forgotten = file.get() >= 0 && fdatasync(file.get()) == 0 &&
                           posix_fadvise(file.get(), 0, 0, POSIX_FADV_DONTNEED) == 0;
    return forgotten ? absl::OkStatus() : Unavailable("'{}' stays in the page cache", path);
  }
  int port() const { return server_->grpc_port(); }

 private:
  std::unique_ptr<PinnedServer> server_;
  const std::string folder_;
  const bool from_disk_;
  std::shared_ptr<grpc::Channel> channel_;
  std::unique_ptr<Stub> stub_;
};

// How the daemon of a row is set up.
struct Setting {
  std::vector<int> cores = {kServerCore};
  int load_niceness = 10;  // The default.
  bool from_disk = false;  // Files are not in the page cache.
};

absl::StatusOr<std::unique_ptr<Rig>> StartRig(const std::string& folder, const Setting& setting) {
  RETURN_IF_ERROR(
      WriteFileAtomically(folder + "/acl.json", R"({"hostacl": {"engine": "timed", "cores": 2}})"));
  RETURN_IF_ERROR(WriteFileAtomically(
      folder + "/omserve.yaml",
      fmt::format("device: {{config_file: {0}/acl.json}}\n"
                  "admin: {{control_on_public_ports: true}}\n"
                  "log: {{level: error}}\n"
                  "repository:\n  control_mode: explicit\n  load_models: [steady, switched]\n"
                  "  signatures: [{{mode: warn, public_keys_file: {0}/signer.pub}}]\n"
                  "  keys: [{{private_key_file: {0}/site.pem}}]\n  load_niceness: {1}\n",
                  folder, setting.load_niceness)));
  ASSIGN_OR_RETURN(auto server,
                   PinnedServer::Start(
                       OMSERVE_BINARY_DIR "/bin/omserved",
                       {"--config", folder + "/omserve.yaml", "--model-repository",
                        folder + "/models", "--grpc-address", "127.0.0.1", "--http-address",
                        "127.0.0.1", "--grpc-port", "0", "--http-port", "0", "--metrics-port", "0"},
                       folder + "/ready.json", setting.cores, kClientCore));
  return std::make_unique<Rig>(std::move(server), folder, setting.from_disk);
}

// Requests without a pause, on a thread of their own, until it is told to end.
class Asking final {
 public:
  Asking(int port, const std::string& model)
      : thread_(StartThread("asking", [this, port, model] { Run(port, model); })) {}
  void End() {
    ends_ = true;
    thread_.join();
  }

  std::vector<float> latencies_us;
  size_t failed = 0;
  size_t of_version[3] = {};  // By version; 0: of another.

 private:
  void Run(int port, const std::string& model) {
    const auto stub = inference::GRPCInferenceService::NewStub(grpc::CreateCustomChannel(
        fmt::format("127.0.0.1:{}", port), grpc::InsecureChannelCredentials(), [] {
          grpc::ChannelArguments own;
          own.SetInt("grpc.use_local_subchannel_pool", 1);
          return own;
        }()));
    const inference::ModelInferRequest request = RequestTo(model);
    while (!ends_) {
      grpc::ClientContext context;
      inference::ModelInferResponse response;
      const Steady::time_point start = Steady::now();
      const grpc::Status status = stub->ModelInfer(&context, request, &response);
      latencies_us.push_back(static_cast<float>(MsSince(start) * 1e3));
      failed += status.ok() ? 0 : 1;
      const bool known = response.model_version() == "1" || response.model_version() == "2";
      ++of_version[status.ok() && known ? response.model_version()[0] - '0' : 0];
    }
  }

  std::atomic<bool> ends_{false};
  std::jthread thread_;
};

double MedianOf(const std::vector<float>& values, size_t from, size_t to) {
  return Median({values.begin() + static_cast<std::ptrdiff_t>(from),
                 values.begin() + static_cast<std::ptrdiff_t>(to)});
}

// One version serves in turn with the other; requests name none.
absl::StatusOr<Row> Switches(const Options& options, Rig& rig) {
  std::vector<std::unique_ptr<Asking>> clients;
  for (int i = 0; i < kClients; ++i) {
    clients.push_back(std::make_unique<Asking>(rig.port(), "switched"));
  }
  size_t failures = 0;
  double before = 0;
  std::vector<double> load_ms;
  const int warm = options.switches / 10;  // Until pools and caches have their size.
  for (int i = 0; i < options.switches + warm; ++i) {
    if (i == warm) {
      before = rig.ResidentBytes();
    }
    const Steady::time_point start = Steady::now();
    const absl::Status loaded = rig.Load(
        "switched",
        fmt::format(R"({{"version_policy":{{"specific":{{"versions":[{}]}}}}}})", i % 2 + 1));
    failures += loaded.ok() ? 0 : 1;
    load_ms.push_back(MsSince(start));
  }
  Row row;
  size_t requests = 0;
  size_t failed = 0;
  size_t strange = 0;
  std::vector<double> early;
  std::vector<double> late;
  for (const auto& client : clients) {
    client->End();
    requests += client->latencies_us.size();
    failed += client->failed;
    strange += client->of_version[0];
    const size_t tenth = client->latencies_us.size() / 10;
    early.push_back(MedianOf(client->latencies_us, tenth, 2 * tenth));
    late.push_back(MedianOf(client->latencies_us, 9 * tenth, 10 * tenth));
  }
  poll(nullptr, 0, 1000);  // The last ones are freed.
  row.figures = {{"switches", static_cast<double>(options.switches)},
                 {"switch_failures", static_cast<double>(failures)},
                 {"requests", static_cast<double>(requests)},
                 {"request_failures", static_cast<double>(failed)},
                 {"of_no_version", static_cast<double>(strange)},
                 {"switch_ms", Median(load_ms)},
                 {"early_p50_us", Median(early)},
                 {"late_p50_us", Median(late)},
                 {"late_ratio", Median(late) / Median(early)},
                 {"grown_bytes", rig.ResidentBytes() - before}};
  return row;
}

// What `steady` notices of a model that is loaded and unloaded beside it all the time.
absl::StatusOr<Row> Neighbour(const Options& options, Rig& rig) {
  ClosedLoop loop(rig.port());
  const std::vector<std::string> messages = {RequestTo("steady").SerializeAsString()};
  const std::chrono::duration<double> window(1.0);
  std::vector<double> quiet;
  std::vector<double> busy;
  std::vector<double> ratios;
  std::atomic<int> loads{0};
  for (int round = 0; round < options.rounds; ++round) {
    ASSIGN_OR_RETURN(const LoopResult alone, loop.Run(kInfer, messages, 4, window));
    std::atomic<bool> ends{false};
    absl::Status failure;
    std::jthread loading = StartThread("loading", [&] {
      while (!ends && failure.ok()) {
        failure.Update(rig.Load("neighbour"));
        failure.Update(rig.Unload("neighbour"));
        ++loads;
        poll(nullptr, 0, 20);
      }
    });
    const absl::StatusOr<LoopResult> beside = loop.Run(kInfer, messages, 4, window);
    ends = true;
    loading.join();
    RETURN_IF_ERROR(failure);
    RETURN_IF_ERROR(beside.status());
    quiet.push_back(alone.p99_us);
    busy.push_back(beside->p99_us);
    ratios.push_back(beside->p99_us / alone.p99_us);
  }
  return Row{.figures = {{"quiet_p99_us", Median(quiet)},
                         {"busy_p99_us", Median(busy)},
                         {"p99_ratio", Median(ratios)},
                         {"loads_per_second", loads / (options.rounds * window.count())}}};
}

// Takes memory and gives it back. A virtual machine may have handed its free pages to its host, and
// then takes seconds to have a GB of them again, which are not the load's.
void TakeBackMemory(size_t size_bytes) {
  void* memory =
      mmap(nullptr, size_bytes, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
  if (memory != MAP_FAILED) {
    madvise(memory, size_bytes, MADV_HUGEPAGE);
    for (size_t at = 0; at < size_bytes; at += 4096) {
      static_cast<volatile char*>(memory)[at] = 1;
    }
    munmap(memory, size_bytes);
  }
}

// A large model: plain, sealed, signed, and both, in turns.
absl::StatusOr<Row> Protection(const Options& options, Rig& rig) {
  const std::vector<std::string> models = {"plain", "sealed", "signed", "both"};
  std::map<std::string, std::vector<double>> ms;
  std::map<std::string, std::vector<double>> ratios;
  for (int round = 0; round <= options.rounds; ++round) {
    double plain = 0;
    for (const std::string& model : models) {
      RETURN_IF_ERROR(rig.Forget(model));
      // The file, its plain text, the disk's cache of it, and some more.
      TakeBackMemory(size_t{4} * static_cast<size_t>(options.megabytes) << 20);
      const Steady::time_point start = Steady::now();
      RETURN_IF_ERROR(rig.Load(model));
      const double took = MsSince(start);
      RETURN_IF_ERROR(rig.Unload(model));
      plain = model == "plain" ? took : plain;
      if (round > 0) {  // The first fills the page cache.
        ms[model].push_back(took);
        ratios[model].push_back(took / plain);
      }
    }
  }
  Row row;
  for (const std::string& model : models) {
    row.figures.emplace_back(model + "_ms", Median(ms[model]));
  }
  for (const char* model : {"sealed", "signed", "both"}) {
    row.figures.emplace_back(std::string(model) + "_ratio", Median(ratios[model]));
  }
  return row;
}

absl::Status Shell(const std::string& command) {
  return std::system((command + " >/dev/null 2>&1").c_str()) == 0  // NOLINT: one thread.
             ? absl::OkStatus()
             : Unavailable("'{}' failed", command);
}

absl::Status Prepare(const Options& options, const std::string& folder) {
  const std::string models = folder + "/models";
  std::filesystem::create_directories(models);
  constexpr char kGears[] = "1,4";
  constexpr char kCosts[] = "1:100,4:150";
  RETURN_IF_ERROR(AddModel(models, "steady", 1, kGears, kCosts, 0));
  for (const int version : {1, 2}) {
    RETURN_IF_ERROR(AddModel(models, "switched", version, kGears, kCosts, 0));
  }
  RETURN_IF_ERROR(AddModel(models, "neighbour", 1, kGears, kCosts, size_t{16} << 20));
  RETURN_IF_ERROR(Shell(
      fmt::format("openssl ecparam -name prime256v1 -genkey -noout -out {}/signer.pem", folder)));
  RETURN_IF_ERROR(
      Shell(fmt::format("openssl pkey -in {0}/signer.pem -pubout -out {0}/signer.pub", folder)));
  RETURN_IF_ERROR(Shell(
      fmt::format("openssl ecparam -name prime256v1 -genkey -noout -out {}/site.pem", folder)));
  RETURN_IF_ERROR(
      Shell(fmt::format("openssl pkey -in {0}/site.pem -pubout -out {0}/site.pub", folder)));
  RETURN_IF_ERROR(
      AddModel(models, "plain", 1, "1", "1:100", static_cast<size_t>(options.megabytes) << 20));
  for (const std::string model : {"sealed", "signed", "both"}) {
    std::filesystem::copy(models + "/plain", models + "/" + model,
                          std::filesystem::copy_options::recursive);
    const std::string om = fmt::format("{}/{}/1/model.om", models, model);
    if (model != "signed") {
      RETURN_IF_ERROR(
          omc::Seal({.path = om, .output_path = om, .recipients = {folder + "/site.pub"}})
              .status());
    }
    if (model != "sealed") {
      RETURN_IF_ERROR(omc::SignFolder({.model_folder = models + "/" + model,
                                       .version = 1,
                                       .key_path = folder + "/signer.pem",
                                       .shard_bytes = size_t{16} << 20})
                          .status());
    }
  }
  return absl::OkStatus();
}

struct Plan {
  std::string name;
  Setting setting;
  absl::StatusOr<Row> (*run)(const Options&, Rig&);
};

absl::StatusOr<std::vector<Row>> RunAll(const Options& options, const std::string& folder) {
  RETURN_IF_ERROR(Prepare(options, folder));
  std::vector<Row> rows;
  const std::string size = fmt::format("/{}MB", options.megabytes);
  const Plan all[] = {
      {.name = "switches", .run = &Switches},
      {.name = "neighbour", .setting = {.load_niceness = kOnlyWhenIdle}, .run = &Neighbour},
      {.name = "neighbour_nice10", .run = &Neighbour},
      {.name = "load" + size, .run = &Protection},
      {.name = "load_from_disk" + size,
       .setting = {.cores = {kServerCore, kClientCore}, .from_disk = true},
       .run = &Protection}};
  for (const Plan& plan : all) {
    if (plan.name.find(options.only) == std::string::npos) {
      continue;
    }
    ASSIGN_OR_RETURN(const std::unique_ptr<Rig> rig, StartRig(folder, plan.setting));
    ASSIGN_OR_RETURN(rows.emplace_back(), plan.run(options, *rig));
    rows.back().name = plan.name;
  }
  return rows;
}

int Run(int argc, char** argv) {
  CLI::App app("What loads, switches and unloads of models cost", "registry_bench");
  Options options;
  std::string format;
  app.add_option("--only", options.only, "Rows whose name contains this");
  app.add_option("--switches", options.switches)->check(CLI::Range(10, 10'000'000));
  app.add_option("--rounds", options.rounds)->check(CLI::Range(1, 1000));
  app.add_option("--megabytes", options.megabytes, "Of the large model")
      ->check(CLI::Range(1, 4096));
  app.add_option("--benchmark_format", format, "json, or else a table");
  CLI11_PARSE(app, argc, argv);
  std::string folder = (std::filesystem::temp_directory_path() / "registry-bench-XXXXXX").string();
  if (mkdtemp(folder.data()) == nullptr) {
    return 1;
  }
  const absl::StatusOr<std::vector<Row>> rows = RunAll(options, folder);
  std::filesystem::remove_all(folder);
  if (!rows.ok()) {
    fmt::print(stderr, "registry_bench: {}\n", MessageOf(rows.status()));
    return 1;
  }
  if (format == "json") {
    fmt::print("{}\n", ToJson(*rows, "daemon on one core, timed engine"));
    return 0;
  }
  for (const Row& row : *rows) {
    fmt::print("{:<12}", row.name);
    for (const auto& [figure, value] : row.figures) {
      fmt::print(" {}={:.4g}", figure, value);
    }
    fmt::print("\n");
  }
  return 0;
}

}  // namespace
}  // namespace omserve::bench

int main(int argc, char** argv) { return omserve::bench::Run(argc, argv); }
