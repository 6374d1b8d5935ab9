// SPDX-License-Identifier: Apache-2.0
// A client of a port over loopback whose bytes are written by hand.
#pragma once

#include <poll.h>
#include <sys/socket.h>
#include <unistd.h>

#include <array>
#include <catch2/catch.hpp>
#include <chrono>
#include <string>

#include "tests/loopback_address.h"

namespace omserve::server {

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
