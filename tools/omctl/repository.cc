// SPDX-License-Identifier: Apache-2.0
// `omctl load` and `omctl unload`: a server's models, with what becomes of them.
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
using Line = inference::RepositoryIndexResponse::ModelIndex;

constexpr std::chrono::milliseconds kLook{200};  // Between two looks at the index.

absl::StatusOr<std::vector<Line>> LinesOf(client::GrpcClient& client, const std::string& model) {
  ASSIGN_OR_RETURN(const inference::RepositoryIndexResponse index,
                   client.Call(&Stub::RepositoryIndex, inference::RepositoryIndexRequest()));
  std::vector<Line> lines;
  for (const Line& line : index.models()) {
    if (line.name() == model) {
      lines.push_back(line);
    }
  }
  return lines;
}

// Tells on standard error what has changed since the last look.
class Progress final {
 public:
  explicit Progress(bool quiet) : quiet_(quiet) {}

  void Tell(const std::vector<Line>& lines) {
    for (const Line& line : lines) {
      std::string& told = told_[line.version()];
      if (!quiet_ && told != line.state()) {
        fmt::print(stderr, "{} version {}: {}\n", line.name(),
                   line.version().empty() ? "-" : line.version(), line.state());
      }
      told = line.state();
    }
  }

 private:
  const bool quiet_;
  std::map<std::string, std::string> told_;  // State by version.
};

void PrintLines(const CommonOptions& common, const std::vector<Line>& lines) {
  if (common.json) {
    json::array array;
    for (const Line& line : lines) {
      json::object object{
          {"name", line.name()}, {"version", line.version()}, {"state", line.state()}};
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
    table.push_back(
        {line.name(), line.version().empty() ? "-" : line.version(), line.state(), line.reason()});
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

}  // namespace

absl::Status Load(const CommonOptions& common, const LoadCommand& command) {
  ASSIGN_OR_RETURN(const client::ConnectOptions connect,
                   client::ReadConnectOptions(common.control_url(), common.files));
  client::GrpcClient client(connect);
  ASSIGN_OR_RETURN(const inference::RepositoryModelLoadRequest request, LoadRequest(command));
  Ticker ticker;
  std::jthread looks = StartThread("looks", [&] {
    Progress progress(common.json);
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
    PrintLines(common, *lines);
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
  // It takes no requests any longer; those that it has go on.
  Progress progress(common.json);
  Ticker ticker;
  const Clock::time_point end = SteadyClock().Now() + std::chrono::seconds(command.timeout_s);
  while (true) {
    ASSIGN_OR_RETURN(const std::vector<Line> lines, LinesOf(client, command.model));
    progress.Tell(lines);
    const bool busy = std::any_of(lines.begin(), lines.end(),
                                  [](const Line& line) { return line.state() == "UNLOADING"; });
    if (!busy || SteadyClock().Now() >= end) {
      PrintLines(common, lines);
      return busy ? DeadlineExceeded("'{}' still has requests after {} s; it goes with the last",
                                     command.model, command.timeout_s)
                  : absl::OkStatus();
    }
    ticker.Wait();
  }
}

}  // namespace omserve::omctl
