// SPDX-License-Identifier: Apache-2.0
// `omctl token new`: needs no server.
#include <fcntl.h>
#include <fmt/format.h>
#include <unistd.h>

#include "runtime/base/errors.h"
#include "server/core/auth/tokens.h"
#include "tools/omctl/commands.h"

namespace omserve::omctl {
namespace {

// Readable by this user alone from the beginning. A token that is there is never overwritten.
absl::Status WriteSecret(const std::string& path, const std::string& text) {
  const int fd = open(path.c_str(), O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0600);
  if (fd < 0) {
    return InvalidArgument("--out: '{}' cannot be made, or is there already", path);
  }
  const bool is_written = write(fd, text.data(), text.size()) == static_cast<ssize_t>(text.size());
  if (close(fd) != 0 || !is_written) {
    unlink(path.c_str());
    return Unavailable("--out: '{}' cannot be written", path);
  }
  return absl::OkStatus();
}

}  // namespace

absl::Status NewToken(const TokenCommand& command) {
  const std::string token = server::NewToken();
  if (token.empty()) {
    return Unavailable("the system has no randomness");
  }
  if (command.out.empty()) {
    fmt::print("{}\n", token);
  } else {
    RETURN_IF_ERROR(WriteSecret(command.out, token + "\n"));
  }
  std::string models;
  for (const std::string& model : command.models) {
    models += fmt::format("{}'{}'", models.empty() ? "" : ", ", model);
  }
  // The one goes to the client, the other to the server.
  fmt::print(command.out.empty() ? stderr : stdout,
             "  - name: {}\n    role: {}\n{}    token_sha256: {}\n", command.name, command.role,
             models.empty() ? "" : fmt::format("    models: [{}]\n", models),
             server::HexOf(server::HashOf(token)));
  return absl::OkStatus();
}

}  // namespace omserve::omctl
