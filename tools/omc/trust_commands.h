// SPDX-License-Identifier: Apache-2.0
// The command lines of `omc sign` and `omc verify`.
#pragma once

#include <CLI/CLI.hpp>
#include <optional>
#include <string>

#include "absl/status/statusor.h"
#include "tools/omc/sign.h"
#include "tools/omc/verify.h"

namespace omserve::omc {

class TrustCommands final {
 public:
  // Adds both to `app`, which parses into this object: both live until Run has returned.
  explicit TrustCommands(CLI::App& app);
  TrustCommands(const TrustCommands&) = delete;
  TrustCommands& operator=(const TrustCommands&) = delete;

  // Does what was parsed, and gives what to print; nullopt where it was another command.
  std::optional<absl::StatusOr<std::string>> Run() const;

 private:
  void AddSign(CLI::App& app);
  void AddVerify(CLI::App& app);

  SignOptions sign_;
  VerifyOptions verify_;
  const CLI::App* sign_command_ = nullptr;
  const CLI::App* verify_command_ = nullptr;
};

}  // namespace omserve::omc
