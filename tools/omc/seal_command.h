// SPDX-License-Identifier: Apache-2.0
// The command line of `omc seal`, `omc open` and `omc rekey`.
#pragma once

#include <CLI/CLI.hpp>
#include <optional>
#include <string>

#include "absl/status/statusor.h"
#include "tools/omc/seal.h"

namespace omserve::omc {

// Filled by CLI11 through the addresses that AddSealCommands gives it: stays where it is.
struct SealCommands {
  SealArguments seal;
  OpenArguments open;
  RekeyArguments rekey;
};

void AddSealCommands(CLI::App& app, SealCommands& commands);

// Runs the one of the three that was parsed; nothing when another command was.
std::optional<absl::StatusOr<std::string>> RunSealCommand(const CLI::App& app,
                                                          const SealCommands& commands);

}  // namespace omserve::omc
