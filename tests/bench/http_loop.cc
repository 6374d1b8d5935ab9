// SPDX-License-Identifier: Apache-2.0
#include "tests/bench/http_loop.h"

#include <netinet/in.h>
#include <netinet/tcp.h>
#include <poll.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <cstdlib>
#include <cstring>

#include "runtime/base/errors.h"
#include "tests/loopback_address.h"

namespace omserve::bench {
namespace {

using Now = std::chrono::steady_clock;

// Of the answer at the beginning of `bytes`; 0 where it is not whole yet.
size_t AnswerBytes(const std::string& bytes) {
  const size_t end = bytes.find("\r\n\r\n");
  const size_t at = bytes.find("Content-Length: ");
  if (end == std::string::npos || at == std::string::npos || at > end) {
    return 0;
  }
  const size_t whole = end + 4 + static_cast<size_t>(std::atoll(bytes.c_str() + at + 16));
  return bytes.size() >= whole ? whole : 0;
}

}  // namespace

HttpLoop::~HttpLoop() {
  for (const Connection& connection : connections_) {
    close(connection.fd);
  }
  if (epoll_ >= 0) {
    close(epoll_);
  }
}

absl::Status HttpLoop::Connect(int concurrency) {
  if (epoll_ < 0) {
    epoll_ = epoll_create1(EPOLL_CLOEXEC);
  }
  const sockaddr address = LoopbackAddress(port_);
  while (connections_.size() < static_cast<size_t>(concurrency)) {
    const int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    const int yes = 1;
    if (fd < 0 || connect(fd, &address, sizeof(address)) != 0 ||
        setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &yes, sizeof(yes)) != 0) {
      return Unavailable("cannot connect to port {}: {}", port_, std::strerror(errno));
    }
    epoll_event event{.events = EPOLLIN, .data = {.u64 = connections_.size()}};
    epoll_ctl(epoll_, EPOLL_CTL_ADD, fd, &event);
    connections_.push_back({.fd = fd});
  }
  return absl::OkStatus();
}

absl::Status HttpLoop::Send(Connection& connection, const std::string& request) {
  connection.start = Now::now();
  size_t sent = 0;
  while (sent < request.size()) {
    const ssize_t n =
        send(connection.fd, request.data() + sent, request.size() - sent, MSG_NOSIGNAL);
    if (n <= 0) {
      return Unavailable("cannot send: {}", std::strerror(errno));
    }
    sent += static_cast<size_t>(n);
  }
  return absl::OkStatus();
}

absl::StatusOr<bool> HttpLoop::Receive(Connection& connection) {
  std::array<char, 65536> chunk{};
  const ssize_t n = recv(connection.fd, chunk.data(), chunk.size(), 0);
  if (n <= 0) {
    return Unavailable("the connection was closed");
  }
  connection.in.append(chunk.data(), static_cast<size_t>(n));
  const size_t whole = AnswerBytes(connection.in);
  if (whole == 0) {
    return false;
  }
  if (!connection.in.starts_with("HTTP/1.1 200 ")) {
    return Internal("{}", connection.in);
  }
  connection.in.erase(0, whole);
  return true;
}

absl::StatusOr<std::string> HttpLoop::CallOnce(const std::string& request) {
  RETURN_IF_ERROR(Connect(1));
  Connection& connection = connections_.front();
  RETURN_IF_ERROR(Send(connection, request));
  std::string answer;
  std::array<char, 65536> chunk{};
  while (AnswerBytes(answer) == 0) {
    const ssize_t n = recv(connection.fd, chunk.data(), chunk.size(), 0);
    if (n <= 0) {
      return Unavailable("the connection was closed");
    }
    answer.append(chunk.data(), static_cast<size_t>(n));
  }
  return answer;
}

absl::StatusOr<LoopResult> HttpLoop::Run(const std::string& request, int concurrency,
                                         std::chrono::duration<double> duration) {
  RETURN_IF_ERROR(Connect(concurrency));
  std::vector<float> latencies_us;
  latencies_us.reserve(1 << 20);
  const Now::time_point start = Now::now();
  const Now::time_point end = start + std::chrono::duration_cast<Now::duration>(duration);
  for (int i = 0; i < concurrency; ++i) {
    RETURN_IF_ERROR(Send(connections_[static_cast<size_t>(i)], request));
  }
  Now::time_point last = start;
  std::array<epoll_event, 64> events{};
  for (int left = concurrency; left > 0;) {
    const int ready = epoll_wait(epoll_, events.data(), static_cast<int>(events.size()), -1);
    for (int i = 0; i < ready; ++i) {
      Connection& connection = connections_[events[static_cast<size_t>(i)].data.u64];
      ASSIGN_OR_RETURN(const bool is_whole, Receive(connection));
      if (!is_whole) {
        continue;
      }
      const Now::time_point now = Now::now();
      if (now >= end) {
        --left;
        continue;
      }
      latencies_us.push_back(
          std::chrono::duration<float, std::micro>(now - connection.start).count());
      last = now;
      RETURN_IF_ERROR(Send(connection, request));
    }
  }
  return Summary(latencies_us, concurrency, last - start);
}

}  // namespace omserve::bench
