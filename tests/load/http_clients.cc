// SPDX-License-Identifier: Apache-2.0
#include "tests/load/http_clients.h"

#include <fmt/format.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <cstring>
#include <utility>

#include "tests/loopback_address.h"

namespace omserve::load {
namespace {

using std::chrono::milliseconds;

constexpr char kProbe[] = "GET /v2/health/live HTTP/1.1\r\nHost: h\r\n\r\n";
constexpr size_t kSlowBodyBytes = 64 * 1024;
constexpr size_t kSlowPieceBytes = 512;
constexpr milliseconds kPatience{60'000};  // For what is owed at the end.

std::string WithLength(const std::string& head, const std::string& body, size_t length) {
  return head + "Content-Length: " + std::to_string(length) + "\r\n\r\n" + body;
}

// The length of the answer at the beginning of `bytes`; 0 where it is not whole yet.
size_t AnswerBytes(const std::string& bytes) {
  const size_t end = bytes.find("\r\n\r\n");
  const size_t at = bytes.find("Content-Length: ");
  if (end == std::string::npos || at == std::string::npos || at > end) {
    return 0;
  }
  const size_t whole = end + 4 + static_cast<size_t>(std::atoll(bytes.c_str() + at + 16));
  return bytes.size() >= whole ? whole : 0;
}

double Percentile(std::vector<double>& values, double part) {
  if (values.empty()) {
    return 0;
  }
  const auto nth =
      values.begin() + static_cast<std::ptrdiff_t>(part * static_cast<double>(values.size() - 1));
  std::nth_element(values.begin(), nth, values.end());
  return *nth;
}

}  // namespace

struct HttpClients::Client {
  Kind kind;
  int fd = -1;
  std::string out;       // Not sent yet.
  std::string in;        // Not understood yet.
  size_t fed_bytes = 0;  // Of a slow body.
  bool owed = false;     // An answer is.
  Clock::time_point asked;
};

HttpClients::HttpClients(int port, Plan plan, const Clock& clock)
    : port_(port),
      plan_(std::move(plan)),
      clock_(clock),
      request_(WithLength(plan_.head, plan_.body, plan_.body.size())),
      epoll_(epoll_create1(EPOLL_CLOEXEC)) {}

HttpClients::~HttpClients() {
  for (const auto& client : clients_) {
    if (client->fd >= 0) {
      close(client->fd);
    }
  }
  close(epoll_);
}

bool HttpClients::Connect() {
  return Connect(Kind::kIdle, plan_.idle) && Connect(Kind::kActive, plan_.active) &&
         Connect(Kind::kSlow, plan_.slow) && Connect(Kind::kDeadHeader, plan_.dead) &&
         Connect(Kind::kDeadBody, plan_.dead) && Connect(Kind::kDeadReader, plan_.dead);
}

bool HttpClients::Connect(Kind kind, size_t count) {
  const sockaddr address = LoopbackAddress(port_);
  for (size_t i = 0; i < count; ++i) {
    auto client = std::make_unique<Client>(Client{.kind = kind});
    client->fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    if (kind == Kind::kDeadReader) {
      const int little = 4096;
      setsockopt(client->fd, SOL_SOCKET, SO_RCVBUF, &little, sizeof(little));
    }
    if (client->fd < 0 || connect(client->fd, &address, sizeof(address)) != 0) {
      outcome_.first_failure = fmt::format("cannot connect: {}", std::strerror(errno));
      return false;
    }
    epoll_event event{.events = EPOLLIN | EPOLLOUT | EPOLLRDHUP | EPOLLET,
                      .data = {.ptr = client.get()}};
    epoll_ctl(epoll_, EPOLL_CTL_ADD, client->fd, &event);
    clients_.push_back(std::move(client));
  }
  return true;
}

void HttpClients::Begin(Client& client) {
  switch (client.kind) {
    case Kind::kIdle:
      Send(client, kProbe);
      break;
    case Kind::kActive:
      Send(client, request_);
      break;
    case Kind::kSlow:
      Send(client, WithLength(plan_.head, plan_.body, kSlowBodyBytes));
      client.fed_bytes = plan_.body.size();
      break;
    case Kind::kDeadHeader:
      Send(client, "POST /v2/models/x/infer HTTP/1.1\r\nHo");
      break;
    case Kind::kDeadBody:
      Send(client, WithLength(plan_.head, plan_.body.substr(0, 10), 1 << 20));
      break;
    case Kind::kDeadReader: {
      std::string many;  // Of which the answers fill all buffers on the way.
      for (int i = 0; i < 2000; ++i) {
        many += "GET /metrics HTTP/1.1\r\nHost: h\r\n\r\n";
      }
      Send(client, many);
      break;
    }
  }
}

void HttpClients::Send(Client& client, const std::string& bytes) {
  client.out += bytes;
  client.owed = true;
  client.asked = clock_.Now();
  Flush(client);
}

void HttpClients::Flush(Client& client) {
  while (client.fd >= 0 && !client.out.empty()) {
    const ssize_t n =
        send(client.fd, client.out.data(), client.out.size(), MSG_NOSIGNAL | MSG_DONTWAIT);
    if (n <= 0) {
      return;  // Later, or it is closed, which is seen elsewhere.
    }
    client.out.erase(0, static_cast<size_t>(n));
  }
}

void HttpClients::OnReadable(Client& client) {
  if (client.kind == Kind::kDeadReader) {
    return;
  }
  std::array<char, 16384> chunk{};
  while (client.fd >= 0) {
    const ssize_t n = recv(client.fd, chunk.data(), chunk.size(), MSG_DONTWAIT);
    if (n == 0 || (n < 0 && errno != EAGAIN)) {
      OnClosed(client);
      return;
    }
    if (n < 0) {
      return;
    }
    client.in.append(chunk.data(), static_cast<size_t>(n));
    while (const size_t whole = AnswerBytes(client.in)) {
      const bool is_good = client.in.starts_with("HTTP/1.1 200 ");
      if (!is_good && client.kind < Kind::kDeadHeader) {
        Fail(client, client.in.substr(0, 300));
      }
      client.in.erase(0, whole);
      OnAnswer(client, is_good);
    }
  }
}

void HttpClients::OnAnswer(Client& client, bool is_good) {
  client.owed = false;
  switch (client.kind) {
    case Kind::kIdle:
      outcome_.idle_answered += is_good && ending_;
      break;
    case Kind::kActive:
      outcome_.answered += is_good;
      latencies_ms_.push_back(
          std::chrono::duration<double, std::milli>(clock_.Now() - client.asked).count());
      if (!ending_) {
        Send(client, request_);
      }
      break;
    case Kind::kSlow:
      outcome_.slow_answered += is_good;
      break;
    case Kind::kDeadHeader:
    case Kind::kDeadBody:
    case Kind::kDeadReader:
      break;
  }
}

void HttpClients::OnClosed(Client& client) {
  close(std::exchange(client.fd, -1));
  if (client.kind >= Kind::kDeadHeader) {
    ++outcome_.dead_closed;
  } else {
    Fail(client, "the connection was closed");
  }
  client.owed = false;
}

void HttpClients::Fail(const Client& client, const std::string& why) {
  ++outcome_.failed;
  if (outcome_.first_failure.empty()) {
    outcome_.first_failure = fmt::format("kind {}: {}", static_cast<int>(client.kind), why);
  }
}

void HttpClients::Turn(milliseconds patience) {
  std::array<epoll_event, 512> events{};
  const int count = epoll_wait(epoll_, events.data(), static_cast<int>(events.size()),
                               static_cast<int>(patience.count()));
  for (int i = 0; i < count; ++i) {
    const epoll_event& event = events[static_cast<size_t>(i)];
    Client& client = *static_cast<Client*>(event.data.ptr);
    if (client.fd < 0) {
      continue;
    }
    if ((event.events & EPOLLOUT) != 0) {
      Flush(client);
    }
    if (client.kind == Kind::kDeadReader &&
        (event.events & (EPOLLHUP | EPOLLERR | EPOLLRDHUP)) != 0) {
      OnClosed(client);
    } else if ((event.events & ~uint32_t{EPOLLOUT}) != 0) {
      OnReadable(client);
    }
  }
}

void HttpClients::FeedSlow(double done) {
  const auto due = static_cast<size_t>(std::min(1.0, done) * kSlowBodyBytes);
  for (const auto& client : clients_) {
    if (client->kind != Kind::kSlow || client->fd < 0) {
      continue;
    }
    const bool is_last = done >= 1 && client->fed_bytes < kSlowBodyBytes;
    if (is_last || client->fed_bytes + kSlowPieceBytes <= due) {
      const size_t piece = due - client->fed_bytes;
      client->fed_bytes += piece;
      Send(*client, std::string(piece, ' '));
    }
  }
}

bool HttpClients::AnyOwed(Kind kind) const {
  return std::ranges::any_of(clients_, [kind](const auto& client) {
    return client->kind == kind && client->fd >= 0 && client->owed;
  });
}

Outcome HttpClients::Run() {
  for (const auto& client : clients_) {
    Begin(*client);
    if (clients_.size() > 1000) {
      Turn(milliseconds(0));  // Not all in one burst.
    }
  }
  const Clock::time_point start = clock_.Now();
  const auto part = [&](Clock::time_point now) {
    return std::chrono::duration<double>(now - start) /
           std::chrono::duration<double>(plan_.duration);
  };
  constexpr double kSlowUntil = 0.8;
  for (Clock::time_point now = start; now - start < plan_.duration; now = clock_.Now()) {
    FeedSlow(part(now) / kSlowUntil);
    Turn(milliseconds(20));
  }
  ending_ = true;
  FeedSlow(1);
  const Clock::time_point until = clock_.Now() + kPatience;
  while (clock_.Now() < until && (AnyOwed(Kind::kActive) || AnyOwed(Kind::kIdle) ||
                                  AnyOwed(Kind::kSlow) || outcome_.dead_closed < 3 * plan_.dead)) {
    Turn(milliseconds(20));
  }
  for (const auto& client : clients_) {
    if (client->kind == Kind::kIdle && client->fd >= 0) {
      Send(*client, kProbe);
    }
  }
  while (clock_.Now() < until && AnyOwed(Kind::kIdle)) {
    Turn(milliseconds(20));
  }
  outcome_.p50_ms = Percentile(latencies_ms_, 0.5);
  outcome_.p99_ms = Percentile(latencies_ms_, 0.99);
  return outcome_;
}

}  // namespace omserve::load
