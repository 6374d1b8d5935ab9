// SPDX-License-Identifier: Apache-2.0
// A client of a port over loopback whose bytes are written by hand.
#pragma once

#include <netinet/in.h>
#include <poll.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <catch2/catch.hpp>
#include <chrono>
#include <filesystem>
#include <string>
#include <vector>

#include "runtime/base/clock.h"
#include "tests/loopback_address.h"

namespace omserve::server {

// The socket at the other end of a connection, whose program is this process too: a daemon that a
// test runs.
class FarEnd final {
 public:
  explicit FarEnd(int near_fd) {
    sockaddr_in6 near{};
    socklen_t size = sizeof(near);
    getsockname(near_fd, reinterpret_cast<sockaddr*>(&near), &size);
    for (const int fd : Fds()) {
      sockaddr_in6 peer{};  // Also of an IPv4 address, whose port is at the same place.
      size = sizeof(peer);
      if (getpeername(fd, reinterpret_cast<sockaddr*>(&peer), &size) == 0 &&
          peer.sin6_port == near.sin6_port && peer.sin6_family != AF_UNIX) {
        inode_ = SocketOf(fd);
      }
    }
  }
  // Returns when its program has let go of it.
  void AwaitClosed() const {
    const Clock::time_point patience = SteadyClock().Now() + std::chrono::seconds(60);
    while (SteadyClock().Now() < patience) {
      const std::vector<int> fds = Fds();
      if (inode_ == 0 || std::ranges::find(fds, inode_, &SocketOf) == fds.end()) {
        return;
      }
    }
    FAIL("the daemon does not close the connection");
  }

 private:
  static std::vector<int> Fds() {
    std::vector<int> fds;
    for (const auto& entry : std::filesystem::directory_iterator("/proc/self/fd")) {
      fds.push_back(std::stoi(entry.path().filename().string()));
    }
    return fds;
  }
  // 0: it is no socket, or none any longer.
  static ino_t SocketOf(int fd) {
    struct stat info {};
    return fstat(fd, &info) == 0 && S_ISSOCK(info.st_mode) ? info.st_ino : 0;
  }

  ino_t inode_ = 0;  // 0: it was closed before.
};

// A connection to the port that gives up in time.
class Peer final {
 public:
  explicit Peer(int port, int receive_bytes = 0) : fd_(socket(AF_INET, SOCK_STREAM, 0)) {
    const timeval patience{.tv_sec = 30};
    setsockopt(fd_, SOL_SOCKET, SO_RCVTIMEO, &patience, sizeof(patience));
    if (receive_bytes > 0) {
      setsockopt(fd_, SOL_SOCKET, SO_RCVBUF, &receive_bytes, sizeof(receive_bytes));
    }
    const sockaddr address = LoopbackAddress(port);
    REQUIRE(connect(fd_, &address, sizeof(address)) == 0);
  }
  Peer(const Peer&) = delete;
  Peer& operator=(const Peer&) = delete;
  ~Peer() { close(fd_); }
  // Instead of an end of the connection the daemon sees it reset when this is destroyed.
  void ResetAtEnd() const {
    const linger at_once{.l_onoff = 1, .l_linger = 0};
    setsockopt(fd_, SOL_SOCKET, SO_LINGER, &at_once, sizeof(at_once));
  }

  // After the other end has accepted it.
  FarEnd far_end() const { return FarEnd(fd_); }

  bool Send(const std::string& bytes) const {
    return send(fd_, bytes.data(), bytes.size(), MSG_NOSIGNAL) ==
           static_cast<ssize_t>(bytes.size());
  }
  // Until the daemon closes the connection, or `until` has come.
  std::string Receive(const std::string& until = "") const {
    std::string answer;
    std::array<char, 4096> chunk{};
    while (until.empty() || answer.find(until) == std::string::npos) {
      const ssize_t n = recv(fd_, chunk.data(), chunk.size(), 0);
      if (n <= 0) {
        return answer;
      }
      answer.append(chunk.data(), static_cast<size_t>(n));
    }
    return answer;
  }
  // What has come, at least a byte; empty when the daemon has closed the connection.
  std::string ReceiveSome() const {
    std::array<char, 4096> chunk{};
    const ssize_t n = recv(fd_, chunk.data(), chunk.size(), 0);
    return n <= 0 ? "" : std::string(chunk.data(), static_cast<size_t>(n));
  }
  // Whether something came within the time; nothing is read.
  bool HasAnswer(std::chrono::milliseconds within) const {
    pollfd readable{.fd = fd_, .events = POLLIN};
    return poll(&readable, 1, static_cast<int>(within.count())) > 0;
  }

 private:
  const int fd_;
};

}  // namespace omserve::server
