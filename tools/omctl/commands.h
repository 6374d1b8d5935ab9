// SPDX-License-Identifier: Apache-2.0
// The commands of omctl. Each prints its result to standard output and returns what went wrong.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "absl/status/status.h"
#include "tools/client/connect.h"

namespace omserve::omctl {

// For all commands.
struct CommonOptions {
  std::optional<std::string> given_url;
  // Of what is asked of the daemon, and of operations that are for its operators' port.
  std::string url() const { return given_url.value_or("127.0.0.1:8001"); }
  std::string control_url() const { return given_url.value_or("127.0.0.1:8003"); }
  client::ConnectFiles files;
  bool json = false;
};

struct InferCommand {
  std::string model;
  std::string version;
  // NAME=VALUE or VALUE; a value without a name goes to the first BYTES input whose name contains
  // "image" / "text", else to the first BYTES input that is still free.
  std::vector<std::string> images;
  std::vector<std::string> texts;
  std::vector<std::string> inputs;  // NAME=VALUE, see tensor_text.h.
  std::vector<std::string> outputs;
  int timeout_ms = 30000;
  bool trace = false;
};

struct DeviceCommand {
  std::string library;   // libascendcl.so; empty: as omserved finds it.
  std::string config;    // omserved's settings file; empty for none.
  bool symbols = false;  // All functions, not only those that are missing.
};

struct DeviceErrorsCommand {
  std::string code;       // A number, or a part of names; empty for all codes.
  bool markdown = false;  // The page docs/device-errors.md.
};

struct TraceCaptureCommand {
  std::string rest_url = "127.0.0.1:8004";  // The port of operators.
  double seconds = 5;
  std::string output = "trace.json";
};

struct TokenCommand {
  std::string name;
  std::string role = "infer";
  std::vector<std::string> models;
  std::string out;  // The file that the token is written to; empty: it is printed.
};

struct LoadCommand {
  std::string model;
  std::string config;              // A JSON file, in place of the model's own configuration.
  std::vector<std::string> files;  // VERSION/PATH=FILE, in place of the model's own folder.
  int timeout_s = 600;
};

struct UnloadCommand {
  std::string model;
  bool dependents = false;
  int timeout_s = 60;  // How long the last request is waited for.
};

struct DrainCommand {
  std::string model;
  int64_t version = 0;  // 0: all.
  int timeout_s = 60;   // How long the last request is waited for.
};

struct VerifyCommand {
  std::string model;
  int64_t version = 0;  // 0: all that there are.
};

struct LabelCommand {
  std::string model;
  std::vector<std::string> labels;  // LABEL=VERSION.
  std::vector<std::string> remove;
};

struct TrafficCommand {
  std::string model;
  std::vector<std::string> shares;  // LABEL=PERCENT.
  bool clear = false;
};

struct RollBackCommand {
  std::string model;
  std::string label = "stable";
};

struct EpochCommand {
  std::string model;
  std::optional<uint64_t> floor;  // Else it is shown.
  bool allow_lower = false;
};

absl::Status Infer(const CommonOptions& common, const InferCommand& command);
absl::Status Models(const CommonOptions& common);
absl::Status Status(const CommonOptions& common);
absl::Status CaptureTrace(const CommonOptions& common, const TraceCaptureCommand& command);
absl::Status Load(const CommonOptions& common, const LoadCommand& command);
absl::Status Unload(const CommonOptions& common, const UnloadCommand& command);
absl::Status Drain(const CommonOptions& common, const DrainCommand& command);
absl::Status Verify(const CommonOptions& common, const VerifyCommand& command);
absl::Status Label(const CommonOptions& common, const LabelCommand& command);
absl::Status Traffic(const CommonOptions& common, const TrafficCommand& command);
absl::Status RollBack(const CommonOptions& common, const RollBackCommand& command);
absl::Status Epoch(const CommonOptions& common, const EpochCommand& command);

// Local: need no server.
absl::Status Device(const CommonOptions& common, const DeviceCommand& command);
absl::Status DeviceErrors(const CommonOptions& common, const DeviceErrorsCommand& command);

// A new bearer token, and what stands for it in the server's file of clients. Local.
absl::Status NewToken(const TokenCommand& command);

// The completion script for "bash" or "zsh".
absl::Status Completion(const std::string& shell);

}  // namespace omserve::omctl
