// SPDX-License-Identifier: Apache-2.0
#include "runtime/sealed/key_source.h"

#include <fcntl.h>
#include <unistd.h>

#include <cerrno>
#include <cstring>
#include <utility>

#include "runtime/base/descriptor.h"
#include "runtime/base/errno_text.h"
#include "runtime/base/errors.h"

namespace omserve::sealed {
namespace {

constexpr size_t kMostBytes = size_t{64} << 10U;

absl::StatusOr<SecretBytes> ReadToEnd(int fd, const std::string& name) {
  ASSIGN_OR_RETURN(SecretBytes secret, SecretBytes::Allocate(kMostBytes + 1));
  size_t done = 0;
  while (done < secret.size_bytes()) {
    const ssize_t got = read(fd, secret.bytes().data() + done, secret.size_bytes() - done);
    if (got < 0 && errno == EINTR) {
      continue;
    }
    if (got < 0) {
      return InvalidArgument("{}: cannot be read: {}", name, ErrnoText());
    }
    if (got == 0) {
      secret.Shrink(done);
      return secret;
    }
    done += static_cast<size_t>(got);
  }
  return InvalidArgument("{}: more than {} bytes, expected a key", name, kMostBytes);
}

absl::StatusOr<SecretBytes> Read(const SecretFile& file, const std::string& name) {
  const Descriptor fd(open(file.path.c_str(), O_RDONLY | O_CLOEXEC));
  if (fd.get() < 0) {
    return errno == ENOENT ? NotFound("{}: no such file", name)
                           : InvalidArgument("{}: cannot be opened: {}", name, ErrnoText());
  }
  return ReadToEnd(fd.get(), name);
}

absl::StatusOr<SecretBytes> Read(const SecretDescriptor& descriptor, const std::string& name) {
  return ReadToEnd(descriptor.fd, name);
}

absl::StatusOr<SecretBytes> Read(const SecretVariable& variable, const std::string& name) {
  if (variable.value == nullptr) {
    return NotFound("{}: the variable is not set", name);
  }
  return SecretBytes::CopyOf(std::as_bytes(std::span(variable.value, std::strlen(variable.value))));
}

absl::StatusOr<SecretBytes> Read(const HelperCommand& command, const std::string& /*name*/) {
  return RunHelperCommand(command);
}

struct Namer {
  std::string operator()(const SecretFile& file) const {
    return fmt::format("key file '{}'", file.path);
  }
  std::string operator()(const SecretDescriptor& descriptor) const {
    return fmt::format("key descriptor {}", descriptor.fd);
  }
  std::string operator()(const SecretVariable& variable) const {
    return fmt::format("key variable '{}'", variable.name);
  }
  std::string operator()(const HelperCommand& command) const {
    return fmt::format("key command '{}'",
                       command.arguments.empty() ? "" : command.arguments.front());
  }
};

}  // namespace

std::string NameOf(const SecretSource& source) { return std::visit(Namer{}, source); }

absl::StatusOr<SecretBytes> ReadSecret(const SecretSource& source) {
  const std::string name = NameOf(source);
  ASSIGN_OR_RETURN(SecretBytes secret,
                   std::visit([&](const auto& from) { return Read(from, name); }, source));
  if (secret.empty()) {
    return InvalidArgument("{}: empty, expected a key", name);
  }
  return secret;
}

}  // namespace omserve::sealed
