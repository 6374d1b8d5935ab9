// SPDX-License-Identifier: Apache-2.0
// Thousands of HTTP clients of one port, on one thread: some busy, some idle, some slow, some half
// dead.
#pragma once

#include <sys/types.h>

#include <chrono>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <string>
#include <vector>

#include "runtime/base/clock.h"

namespace omserve::load {

enum class Kind {
  kIdle,        // Asks at the beginning and at the end, on the same connection.
  kActive,      // Asks again as soon as it is answered.
  kSlow,        // Sends a body a little at a time, until shortly before the end.
  kDeadHeader,  // Stops in the header,
  kDeadBody,    // in the body,
  kDeadReader,  // or never reads.
};
inline constexpr size_t kKinds = 6;

struct Plan {
  size_t idle = 0;
  size_t active = 0;
  size_t slow = 0;
  size_t dead = 0;  // Of each of the three kinds.
  std::chrono::milliseconds duration{0};
  std::string head;  // Of the request that active and slow clients send, without its length,
  std::string body;  // which may be followed by blanks.
};

struct Outcome {
  size_t answered = 0;  // Requests of active clients, with 200.
  size_t failed = 0;    // Requests of idle, active and slow clients without.
  size_t idle_answered = 0;
  size_t slow_answered = 0;
  size_t dead_closed = 0;  // By the server.
  double p50_ms = 0;       // Of active clients.
  double p99_ms = 0;
  std::string first_failure;
};

// Thread-compatible.
class HttpClients final {
 public:
  HttpClients(int port, Plan plan, const Clock& clock);
  HttpClients(const HttpClients&) = delete;
  HttpClients& operator=(const HttpClients&) = delete;
  ~HttpClients();  // Closes what is open.

  // Connects all of them. Whether that worked.
  bool Connect();
  // Lets them do what they do for the plan's duration, then waits for what is owed.
  Outcome Run();

 private:
  struct Client;

  bool Connect(Kind kind, size_t count);
  void Begin(Client& client);
  void Send(Client& client, const std::string& bytes);
  void Flush(Client& client);
  void OnReadable(Client& client);
  void OnAnswer(Client& client, bool is_good);
  void OnClosed(Client& client);
  void Turn(std::chrono::milliseconds patience);
  void FeedSlow(double done);
  void Fail(const Client& client, const std::string& why);
  bool AnyOwed(Kind kind) const;

  const int port_;
  const Plan plan_;
  const Clock& clock_;
  const std::string request_;
  const int epoll_;
  std::vector<std::unique_ptr<Client>> clients_;
  std::vector<double> latencies_ms_;
  bool ending_ = false;
  Outcome outcome_;
};

}  // namespace omserve::load
