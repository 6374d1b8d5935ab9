// SPDX-License-Identifier: Apache-2.0
#include "tools/omctl/bench/bench.h"

#include <fmt/format.h>
#include <unistd.h>

#include <algorithm>
#include <cstdio>
#include <thread>
#include <utility>

#include "runtime/base/errors.h"
#include "runtime/base/file.h"
#include "tools/omctl/bench/driver.h"
#include "tools/omctl/bench/plot.h"
#include "tools/omctl/bench/report.h"
#include "tools/omctl/bench/server_stages.h"

namespace omserve::bench {
namespace {

using Stub = inference::GRPCInferenceService::Stub;

// A request that has no deadline of its own is given up after so long.
constexpr std::chrono::seconds kPatience{60};
constexpr int kGrpcInFlight = 1024;
constexpr int kRestInFlight = 128;  // Each is a connection, and the daemon takes 256.

// The command with its texts understood.
struct Job {
  std::vector<LoadPoint> loads;
  MeasureOptions measure;
  Question question;
  Subject subject;
};

absl::StatusOr<Clock::duration> OptionalDuration(const std::string& text) {
  return text.empty() ? Clock::duration::zero() : ParseDuration(text);
}

absl::StatusOr<std::vector<LoadPoint>> MakeLoads(const BenchCommand& command) {
  std::vector<LoadPoint> loads;
  if (command.rate.empty()) {
    ASSIGN_OR_RETURN(const std::vector<int> counts,
                     ParseCountSweep(command.concurrency.empty() ? "1" : command.concurrency));
    for (const int count : counts) {
      loads.push_back({.concurrency = count});
    }
    return loads;
  }
  ASSIGN_OR_RETURN(const std::vector<double> rates, ParseSweep(command.rate));
  ASSIGN_OR_RETURN(const Arrivals arrivals, ParseArrivals(command.arrivals));
  for (const double rate : rates) {
    loads.push_back({.rate = rate,
                     .arrivals = arrivals,
                     .seed = command.inputs.seed,
                     .max_in_flight = command.max_in_flight > 0    ? command.max_in_flight
                                      : command.protocol == "grpc" ? kGrpcInFlight
                                                                   : kRestInFlight});
  }
  return loads;
}

absl::StatusOr<std::vector<TensorSpec>> FetchInputs(client::GrpcClient& client,
                                                    const BenchCommand& command) {
  inference::ModelMetadataRequest request;
  request.set_name(command.model);
  request.set_version(command.version);
  ASSIGN_OR_RETURN(const inference::ModelMetadataResponse metadata,
                   client.Call(&Stub::ModelMetadata, request));
  std::vector<TensorSpec> specs;
  for (const auto& input : metadata.inputs()) {
    specs.push_back({input.name(), DataTypeFromName(input.datatype()),
                     Dims(input.shape().begin(), input.shape().end())});
  }
  return specs;
}

std::string ProtocolName(const std::string& protocol) {
  return protocol == "grpc" ? "gRPC" : protocol == "rest" ? "REST" : "REST with JSON";
}

absl::StatusOr<Job> Understand(const BenchCommand& command, client::GrpcClient& client) {
  Job job;
  ASSIGN_OR_RETURN(job.loads, MakeLoads(command));
  ASSIGN_OR_RETURN(job.measure.warm_up, command.warm_up == "0" ? Clock::duration::zero()
                                                               : ParseDuration(command.warm_up));
  ASSIGN_OR_RETURN(job.measure.window, ParseDuration(command.window));
  ASSIGN_OR_RETURN(job.measure.duration, OptionalDuration(command.duration));
  ASSIGN_OR_RETURN(job.measure.deadline, OptionalDuration(command.deadline));
  job.measure.max_windows = command.max_windows;
  ASSIGN_OR_RETURN(job.question.timeout, OptionalDuration(command.timeout));
  job.question.model = command.model;
  job.question.version = command.version;
  job.question.outputs = command.outputs;
  job.question.priority = command.priority;
  ASSIGN_OR_RETURN(const std::vector<TensorSpec> specs, FetchInputs(client, command));
  ASSIGN_OR_RETURN(job.question.payloads, MakePayloads(specs, command.inputs));
  ASSIGN_OR_RETURN(const inference::ServerMetadataResponse server,
                   client.Call(&Stub::ServerMetadata, inference::ServerMetadataRequest()));
  job.subject = {.model = command.model,
                 .version = command.version,
                 .server = server.name() + " " + server.version(),
                 .protocol = ProtocolName(command.protocol),
                 .batch = command.inputs.batch,
                 .deadline = job.measure.deadline,
                 .client_threads = command.threads,
                 .processors = static_cast<int>(std::thread::hardware_concurrency())};
  return job;
}

absl::StatusOr<std::unique_ptr<Transport>> Connect(const omctl::CommonOptions& common,
                                                   const BenchCommand& command, const Job& job,
                                                   int calls, Transport::OnDone on_done) {
  ASSIGN_OR_RETURN(const client::ConnectOptions connect,
                   client::ReadConnectOptions(common.url(), common.files));
  TransportOptions options{.connect = connect,
                           .address = common.url(),
                           .threads = std::min(command.threads, calls),
                           .calls = calls,
                           .deadline = job.measure.deadline > Clock::duration::zero()
                                           ? job.measure.deadline
                                           : Clock::duration(kPatience)};
  if (command.protocol == "grpc") {
    return MakeGrpcTransport(job.question, options, std::move(on_done));
  }
  if (connect.tls) {
    return Unimplemented("--protocol {} speaks plain text only; measure TLS with --protocol grpc",
                         command.protocol);
  }
  options.address = command.rest_url;
  Question question = job.question;
  if (question.timeout == Clock::duration::zero()) {
    question.timeout = job.measure.deadline;  // REST has no deadline but this.
  }
  return MakeRestTransport(question, options, command.protocol == "rest-json", std::move(on_done));
}

// Lines on standard error; on a terminal each replaces the one before.
class Progress final {
 public:
  explicit Progress(bool quiet) : quiet_(quiet), terminal_(isatty(STDERR_FILENO) == 1) {}
  ~Progress() { Clear(); }

  void Tell(const std::string& text) {
    if (!quiet_) {
      Clear();
      fmt::print(stderr, "{}{}", text, terminal_ ? "" : "\n");
      std::fflush(stderr);
      shown_ = terminal_;
    }
  }

 private:
  void Clear() {
    if (std::exchange(shown_, false)) {
      fmt::print(stderr, "\r\x1b[K");
    }
  }

  const bool quiet_;
  const bool terminal_;
  bool shown_ = false;
};

absl::StatusOr<std::vector<PointResult>> MeasureAll(const omctl::CommonOptions& common,
                                                    const BenchCommand& command, const Job& job,
                                                    client::GrpcClient& client) {
  Progress progress(command.quiet);
  std::vector<PointResult> results;
  for (const LoadPoint& load : job.loads) {
    const std::string name = fmt::format("{}{} ({} of {})", load.open() ? "rate " : "concurrency ",
                                         LoadName(load), results.size() + 1, job.loads.size());
    progress.Tell(name + ": warming up");
    absl::StatusOr<PointResult> result = Measure(
        {.clock = SteadyClock(),
         .connect =
             [&](int calls, Transport::OnDone on_done) {
               return Connect(common, command, job, calls, std::move(on_done));
             },
         .read_server = [&] { return ReadServerStages(client, command.model, command.version); },
         .progress =
             [&](int number, const Window& window) {
               progress.Tell(fmt::format(
                   "{}: window {}: {:.0f} requests/s, p50 {:.3f} ms, p99 {:.3f} ms, {} failed",
                   name, number, window.PerSecond(window.ok()),
                   static_cast<double>(window.corrected.Percentile(50).count()) / 1e6,
                   static_cast<double>(window.corrected.Percentile(99).count()) / 1e6,
                   window.failed()));
             }},
        load, job.measure);
    if (!result.ok()) {
      return WithContext(result.status(), name);
    }
    results.push_back(*std::move(result));
  }
  return results;
}

}  // namespace

absl::Status Bench(const omctl::CommonOptions& common, const BenchCommand& command) {
  ASSIGN_OR_RETURN(const client::ConnectOptions connect,
                   client::ReadConnectOptions(common.url(), common.files));
  client::GrpcClient client(connect);
  ASSIGN_OR_RETURN(const Job job, Understand(command, client));
  ASSIGN_OR_RETURN(const std::vector<PointResult> results,
                   MeasureAll(common, command, job, client));
  fmt::print("{}{}", common.json ? ToJson(job.subject, results) : ToTable(job.subject, results),
             common.json ? "\n" : "");
  if (!command.csv.empty()) {
    RETURN_IF_ERROR(WriteFileAtomically(command.csv, ToCsv(results)));
  }
  if (!command.plot.empty()) {
    RETURN_IF_ERROR(WriteFileAtomically(command.plot, ToSvg(job.subject, results)));
  }
  return absl::OkStatus();
}

}  // namespace omserve::bench
