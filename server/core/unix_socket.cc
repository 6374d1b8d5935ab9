// SPDX-License-Identifier: Apache-2.0
#include "server/core/unix_socket.h"

#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

#include <cerrno>
#include <filesystem>
#include <system_error>

namespace omserve::server {
namespace {

// 0 when somebody listens, else the error number.
int Probe(const std::string& path) {
  sockaddr_un address{};
  address.sun_family = AF_UNIX;
  if (path.size() >= sizeof(address.sun_path)) {
    return ENAMETOOLONG;
  }
  path.copy(address.sun_path, path.size());
  const int probe = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
  if (probe < 0) {
    return errno;
  }
  const bool is_connected =
      connect(probe, static_cast<const sockaddr*>(static_cast<const void*>(&address)),
              sizeof(address)) == 0;
  const int error = is_connected ? 0 : errno;
  close(probe);
  return error;
}

}  // namespace

void RemoveAbandonedSocket(const std::string& path) {
  std::error_code ignored;  // Then it cannot be listened on, which says why.
  // Connecting to what is no socket is refused too.
  if (std::filesystem::is_socket(std::filesystem::symlink_status(path, ignored)) &&
      Probe(path) == ECONNREFUSED) {
    std::filesystem::remove(path, ignored);
  }
}

bool IsSocketInUse(const std::string& path) {
  const int error = Probe(path);
  return error == 0 || error == EAGAIN;  // As many wait there as may.
}

PrivateFiles::PrivateFiles(bool is_wanted) : is_wanted_(is_wanted) {
  if (is_wanted_) {
    before_ = umask(S_IRWXG | S_IRWXO);
  }
}

PrivateFiles::~PrivateFiles() {
  if (is_wanted_) {
    umask(before_);
  }
}

}  // namespace omserve::server
