// SPDX-License-Identifier: Apache-2.0
// `omctl load`, `unload` and `drain`: a server's models, with what becomes of them; `omctl verify`:
// what their files are found to be.
#include <fmt/format.h>

#include <algorithm>
#include <boost/json.hpp>
#include <chrono>
#include <cstdio>
#include <map>
#include <string>
#include <thread>
#include <utility>
#include <vector>

#include "proto/omserve/control.pb.h"
#include "runtime/base/clock.h"
#include "runtime/base/errors.h"
#include "runtime/base/file.h"
#include "runtime/base/mutex.h"
#include "runtime/base/thread.h"
#include "tools/client/grpc_client.h"
#include "tools/client/table.h"
#include "tools/omctl/commands.h"

namespace omserve::omctl {
namespace {

namespace json = boost::json;
using Stub = inference::GRPCInferenceService::Stub;
using Line = ListModelsResponse::Version;

constexpr std::chrono::milliseconds kLook{200};  // Between two looks at the states.

absl::StatusOr<std::vector<Line>> LinesOf(client::GrpcClient& client, const std::string& model) {
  ListModelsRequest request;
  request.set_model_name(model);
  ASSIGN_OR_RETURN(const ListModelsResponse listed,
                   client.Call(&ModelControl::Stub::ListModels, request));
  std::vector<Line> lines;
  for (const ListModelsResponse::Model& found : listed.models()) {
    lines.insert(lines.end(), found.versions().begin(), found.versions().end());
  }
  return lines;
}

std::string VersionText(const Line& line) {
  return line.version() == 0 ? "-" : std::to_string(line.version());
}

// Tells on standard error what has changed since the last look.
class Progress final {
 public:
  Progress(std::string model, bool quiet) : model_(std::move(model)), quiet_(quiet) {}

  void Tell(const std::vector<Line>& lines) {
    for (const Line& line : lines) {
      std::string& told = told_[line.version()];
      std::string state = line.next_state().empty() ? line.state() : line.next_state();
      if (state == "DRAINING") {
        state += fmt::format(", held by {} requests and pipelines", line.holders());
      }
      if (!quiet_ && told != state) {
        fmt::print(stderr, "{} version {}: {}: {}\n", model_, VersionText(line), state,
                   line.last_transition());
      }
      told = state;
    }
  }

 private:
  const std::string model_;
  const bool quiet_;
  std::map<int64_t, std::string> told_;  // State by version.
};

void PrintLines(const CommonOptions& common, const std::string& model,
                const std::vector<Line>& lines) {
  if (common.json) {
    json::array array;
    for (const Line& line : lines) {
      json::object object{{"name", model},
                          {"version", line.version() == 0 ? "" : std::to_string(line.version())},
                          {"state", line.state()}};
      if (!line.reason().empty()) {
        object["reason"] = line.reason();
      }
      array.push_back(std::move(object));
    }
    fmt::print("{}\n", json::serialize(array));
    return;
  }
  std::vector<std::vector<std::string>> table = {{"MODEL", "VERSION", "STATE", "REASON"}};
  for (const Line& line : lines) {
    table.push_back({model, VersionText(line), line.state(), line.reason()});
  }
  fmt::print("{}", client::FormatTable(table));
}

absl::StatusOr<inference::RepositoryModelLoadRequest> LoadRequest(const LoadCommand& command) {
  inference::RepositoryModelLoadRequest request;
  request.set_model_name(command.model);
  if (!command.config.empty()) {
    ASSIGN_OR_RETURN(const std::string text, ReadFile(command.config));
    (*request.mutable_parameters())["config"].set_string_param(text);
  }
  for (const std::string& given : command.files) {
    const size_t equals = given.find('=');
    if (equals == std::string::npos) {
      return InvalidArgument("--file {}: expected VERSION/PATH=FILE", given);
    }
    ASSIGN_OR_RETURN(const std::string bytes, ReadFile(given.substr(equals + 1)));
    (*request.mutable_parameters())["file:" + given.substr(0, equals)].set_bytes_param(bytes);
  }
  return request;
}

// Waits a look's length; false as soon as `over`.
class Ticker final {
 public:
  void End() {
    const MutexLock lock(mu_);
    over_ = true;
    changed_.NotifyAll();
  }
  bool Wait() {
    const Clock::time_point until = SteadyClock().Now() + kLook;
    const MutexLock lock(mu_);
    while (!over_ && SteadyClock().WaitUntil(changed_, mu_, until)) {
    }
    return !over_;
  }

 private:
  Mutex mu_;
  CondVar changed_;
  bool over_ ABSL_GUARDED_BY(mu_) = false;
};

// It takes no requests any longer; those that it has go on.
absl::Status AwaitDrained(const CommonOptions& common, client::GrpcClient& client,
                          const std::string& model, int timeout_s) {
  Progress progress(model, common.json);
  Ticker ticker;
  const Clock::time_point end = SteadyClock().Now() + std::chrono::seconds(timeout_s);
  while (true) {
    ASSIGN_OR_RETURN(const std::vector<Line> lines, LinesOf(client, model));
    progress.Tell(lines);
    const bool busy = std::any_of(lines.begin(), lines.end(),
                                  [](const Line& line) { return line.state() == "DRAINING"; });
    if (!busy || SteadyClock().Now() >= end) {
      PrintLines(common, model, lines);
      return busy ? DeadlineExceeded("'{}' still has requests after {} s; it goes with the last",
                                     model, timeout_s)
                  : absl::OkStatus();
    }
    ticker.Wait();
  }
}

}  // namespace

absl::Status Load(const CommonOptions& common, const LoadCommand& command) {
  ASSIGN_OR_RETURN(const client::ConnectOptions connect,
                   client::ReadConnectOptions(common.control_url(), common.files));
  client::GrpcClient client(connect);
  ASSIGN_OR_RETURN(const inference::RepositoryModelLoadRequest request, LoadRequest(command));
  Ticker ticker;
  std::jthread looks = StartThread("looks", [&] {
    Progress progress(command.model, common.json);
    while (ticker.Wait()) {
      if (const auto lines = LinesOf(client, command.model); lines.ok()) {
        progress.Tell(*lines);
      }
    }
  });
  const absl::Status loaded =
      client.Call(&Stub::RepositoryModelLoad, request, std::chrono::seconds(command.timeout_s))
          .status();
  ticker.End();
  looks.join();
  if (const auto lines = LinesOf(client, command.model); lines.ok()) {
    PrintLines(common, command.model, *lines);
  }
  return loaded;
}

absl::Status Unload(const CommonOptions& common, const UnloadCommand& command) {
  ASSIGN_OR_RETURN(const client::ConnectOptions connect,
                   client::ReadConnectOptions(common.control_url(), common.files));
  client::GrpcClient client(connect);
  inference::RepositoryModelUnloadRequest request;
  request.set_model_name(command.model);
  (*request.mutable_parameters())["unload_dependents"].set_bool_param(command.dependents);
  RETURN_IF_ERROR(client.Call(&Stub::RepositoryModelUnload, request).status());
  return AwaitDrained(common, client, command.model, command.timeout_s);
}

absl::Status Drain(const CommonOptions& common, const DrainCommand& command) {
  ASSIGN_OR_RETURN(const client::ConnectOptions connect,
                   client::ReadConnectOptions(common.control_url(), common.files));
  client::GrpcClient client(connect);
  DrainModelRequest request;
  request.set_model_name(command.model);
  request.set_version(command.version);
  RETURN_IF_ERROR(client.Call(&ModelControl::Stub::DrainModel, request).status());
  return AwaitDrained(common, client, command.model, command.timeout_s);
}

absl::Status Verify(const CommonOptions& common, const VerifyCommand& command) {
  ASSIGN_OR_RETURN(const client::ConnectOptions connect,
                   client::ReadConnectOptions(common.control_url(), common.files));
  client::GrpcClient client(connect);
  VerifyModelRequest request;
  request.set_model_name(command.model);
  request.set_version(command.version);
  json::array array;
  std::vector<std::vector<std::string>> table = {
      {"MODEL", "VERSION", "RESULT", "SIGNER", "EPOCH", "FILES", "BYTES"}};
  int done = 0;
  int bad = 0;
  RETURN_IF_ERROR(client.CallStream(
      &ModelControl::Stub::VerifyModel, request, [&](const VerifyModelResponse& found) {
        ++done;
        bad += found.is_good() ? 0 : 1;
        const std::string result = found.is_good() ? "good" : found.reason();
        if (!common.json) {
          fmt::print(stderr, "{} version {} ({} of {}): {}\n", command.model, found.version(), done,
                     found.versions(), result);
        }
        array.push_back(json::object{{"model", command.model},
                                     {"version", found.version()},
                                     {"is_good", found.is_good()},
                                     {"reason", found.reason()},
                                     {"signer", found.signer()},
                                     {"security_epoch", found.security_epoch()},
                                     {"files", found.files()},
                                     {"size_bytes", found.size_bytes()}});
        table.push_back({command.model, std::to_string(found.version()), result,
                         found.is_good() ? found.signer() : "-",
                         found.is_good() ? std::to_string(found.security_epoch()) : "-",
                         found.is_good() ? std::to_string(found.files()) : "-",
                         found.is_good() ? std::to_string(found.size_bytes()) : "-"});
      }));
  if (common.json) {
    fmt::print("{}\n", json::serialize(array));
  } else {
    fmt::print("{}", client::FormatTable(table));
  }
  return bad == 0 ? absl::OkStatus()
                  : FailedPrecondition("{} of {} versions of '{}' are not well signed", bad, done,
                                       command.model);
}

}  // namespace omserve::omctl
