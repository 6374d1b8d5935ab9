// SPDX-License-Identifier: Apache-2.0
#include "server/http/socket_thread.h"

#include <boost/asio/error.hpp>
#include <chrono>

#include "runtime/base/thread.h"
#include "server/http/connection.h"

namespace omserve::server {
namespace {

// How late a timeout may be noticed.
constexpr std::chrono::milliseconds kSweepInterval{250};

}  // namespace

SocketThread::~SocketThread() = default;

void SocketThread::Start(const std::string& name) {
  SweepLater();
  thread_ = StartThread(name, [this] { context_.run(); });
}

void SocketThread::Stop() {
  context_.stop();
  thread_ = {};
}

void SocketThread::Add(Connection& connection) { connections_.push_back(connection); }

void SocketThread::SweepLater() {
  sweep_.expires_after(kSweepInterval);
  sweep_.async_wait([this](const boost::system::error_code& error) {
    if (error) {
      return;
    }
    const Clock::time_point now = clock_.Now();
    for (auto it = connections_.begin(); it != connections_.end();) {
      auto& connection = static_cast<Connection&>(*it);
      ++it;  // The connection may leave the list.
      connection.CheckTime(now);
    }
    SweepLater();
  });
}

}  // namespace omserve::server
