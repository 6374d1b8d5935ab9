// SPDX-License-Identifier: Apache-2.0
#include "tests/server/protocol/relay.h"

#include <arpa/inet.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <poll.h>
#include <sys/socket.h>
#include <unistd.h>

#include <array>
#include <catch2/catch.hpp>
#include <cerrno>
#include <list>
#include <string>
#include <vector>

#include "runtime/base/mutex.h"
#include "tests/loopback_address.h"

namespace omserve::server {
namespace {

constexpr size_t kPieceBytes = size_t{64} << 10;

void SetNonBlocking(int fd) { fcntl(fd, F_SETFL, fcntl(fd, F_GETFL) | O_NONBLOCK); }

// What came at one socket and is to leave at another.
struct Way {
  int from;
  int to;
  std::string pending;

  short Wants(int fd) const {
    if (fd == from) {
      return pending.empty() ? POLLIN : 0;
    }
    return pending.empty() ? 0 : POLLOUT;
  }
  // Moves what can be moved now; false when there is nothing more to come, or to send it to.
  bool Move() {
    std::array<char, kPieceBytes> piece{};
    for (;;) {
      if (pending.empty()) {
        const ssize_t n = recv(from, piece.data(), piece.size(), 0);
        if (n <= 0) {
          return n < 0 && errno == EAGAIN;
        }
        pending.assign(piece.data(), static_cast<size_t>(n));
      }
      const ssize_t n = send(to, pending.data(), pending.size(), MSG_NOSIGNAL);
      if (n < 0) {
        return errno == EAGAIN;
      }
      pending.erase(0, static_cast<size_t>(n));
    }
  }
};

struct Wire {
  Way up;    // To the daemon.
  Way down;  // From it.
  // The daemon takes nothing any longer; what it has sent is still passed on.
  bool is_up_over = false;

  // False when all is over: the client is gone, or the daemon's last byte was passed on.
  bool Move(bool with_answers) {
    if (!is_up_over && !up.Move()) {
      is_up_over = true;
      std::array<char, 1> next{};
      if (recv(up.from, next.data(), next.size(), MSG_PEEK) == 0 && up.pending.empty()) {
        return false;
      }
    }
    return !with_answers || down.Move();
  }
};

}  // namespace

class Relay::Wires final {
 public:
  Wires(int to_port, int receive_bytes) : to_port_(to_port), receive_bytes_(receive_bytes) {
    listener_ = socket(AF_INET, SOCK_STREAM, 0);
    const sockaddr any_port = LoopbackAddress(0);
    REQUIRE(bind(listener_, &any_port, sizeof(any_port)) == 0);
    REQUIRE(listen(listener_, 16) == 0);
    sockaddr_in bound{};
    socklen_t size = sizeof(bound);
    REQUIRE(getsockname(listener_, static_cast<sockaddr*>(static_cast<void*>(&bound)), &size) == 0);
    port_ = ntohs(bound.sin_port);
    REQUIRE(pipe2(wake_.data(), O_NONBLOCK) == 0);
  }
  ~Wires() {
    const MutexLock lock(mu_);
    for (const Wire& wire : wires_) {
      Close(wire);
    }
    close(listener_);
    close(wake_[0]);
    close(wake_[1]);
  }

  int port() const { return port_; }

  void Run() {
    while (Await()) {
    }
  }
  void Stop() {
    {
      const MutexLock lock(mu_);
      stopped_ = true;
    }
    Wake();
  }
  void SetHeld(bool held) {
    {
      const MutexLock lock(mu_);
      held_ = held;
    }
    Wake();
  }
  void Reset() {
    {
      const MutexLock lock(mu_);
      for (const Wire& wire : wires_) {
        const linger at_once{.l_onoff = 1, .l_linger = 0};
        for (const int fd : {wire.up.from, wire.up.to}) {
          setsockopt(fd, SOL_SOCKET, SO_LINGER, &at_once, sizeof(at_once));
        }
        Close(wire);
      }
      wires_.clear();
    }
    Wake();
  }

 private:
  static void Close(const Wire& wire) {
    close(wire.up.from);
    close(wire.up.to);
  }
  void Wake() const {
    if (write(wake_[1], "w", 1) < 0) {
      return;  // Full: it is woken anyway.
    }
  }

  // One round of everything; false when it is to end. A socket that is looked at for nothing costs
  // a call: it does not block.
  bool Await() {
    std::vector<pollfd> looked = {{.fd = wake_[0], .events = POLLIN},
                                  {.fd = listener_, .events = POLLIN}};
    {
      const MutexLock lock(mu_);
      for (const Wire& wire : wires_) {
        for (const int fd : {wire.up.from, wire.up.to}) {
          const int up = wire.is_up_over ? 0 : wire.up.Wants(fd);
          const int down = held_ ? 0 : wire.down.Wants(fd);
          const auto events = static_cast<short>(up | down);
          looked.push_back({.fd = events == 0 ? -1 : fd, .events = events});
        }
      }
    }
    poll(looked.data(), looked.size(), -1);
    const MutexLock lock(mu_);
    std::array<char, 64> wakes{};
    while (read(wake_[0], wakes.data(), wakes.size()) > 0) {
    }
    if ((looked[1].revents & POLLIN) != 0) {
      AcceptLocked();
    }
    for (auto wire = wires_.begin(); wire != wires_.end();) {
      if (wire->Move(!held_)) {
        ++wire;
      } else {
        Close(*wire);
        wire = wires_.erase(wire);
      }
    }
    return !stopped_;
  }

  void AcceptLocked() ABSL_EXCLUSIVE_LOCKS_REQUIRED(mu_) {
    const int client = accept(listener_, nullptr, nullptr);
    const int daemon = socket(AF_INET, SOCK_STREAM, 0);
    if (receive_bytes_ > 0) {
      setsockopt(daemon, SOL_SOCKET, SO_RCVBUF, &receive_bytes_, sizeof(receive_bytes_));
    }
    const sockaddr address = LoopbackAddress(to_port_);
    if (connect(daemon, &address, sizeof(address)) != 0) {
      close(client);
      close(daemon);
      return;
    }
    SetNonBlocking(client);
    SetNonBlocking(daemon);
    wires_.push_back({.up = {.from = client, .to = daemon, .pending = {}},
                      .down = {.from = daemon, .to = client, .pending = {}},
                      .is_up_over = false});
  }

  const int to_port_;
  const int receive_bytes_;
  int listener_ = -1;
  int port_ = 0;
  std::array<int, 2> wake_{};

  mutable Mutex mu_;
  std::list<Wire> wires_ ABSL_GUARDED_BY(mu_);
  bool held_ ABSL_GUARDED_BY(mu_) = false;
  bool stopped_ ABSL_GUARDED_BY(mu_) = false;
};

Relay::Relay(int to_port, int receive_bytes)
    : wires_(std::make_unique<Wires>(to_port, receive_bytes)), thread_([this] { wires_->Run(); }) {}

Relay::~Relay() {
  wires_->Stop();
  thread_.join();
}

int Relay::port() const { return wires_->port(); }
void Relay::HoldAnswers() { wires_->SetHeld(true); }
void Relay::PassAnswers() { wires_->SetHeld(false); }
void Relay::Reset() { wires_->Reset(); }

}  // namespace omserve::server
