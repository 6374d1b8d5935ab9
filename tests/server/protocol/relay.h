// SPDX-License-Identifier: Apache-2.0
// A wire between clients and a port of a daemon, which a test can stop or cut.
#pragma once

#include <memory>
#include <thread>

namespace omserve::server {

// Thread-safe. Connections come from loopback and go to loopback; either side's end ends both.
class Relay final {
 public:
  // `receive_bytes`: what the system takes of the daemon's before this does; 0: as it likes.
  explicit Relay(int to_port, int receive_bytes = 0);
  Relay(const Relay&) = delete;
  Relay& operator=(const Relay&) = delete;
  ~Relay();  // Closes what is open.

  int port() const;
  // From the return on nothing of what the daemon sends is passed on, its end neither.
  void HoldAnswers();
  void PassAnswers();
  // Resets all connections, both ways: what was on its way is lost.
  void Reset();

 private:
  class Wires;
  const std::unique_ptr<Wires> wires_;
  std::jthread thread_;
};

}  // namespace omserve::server
