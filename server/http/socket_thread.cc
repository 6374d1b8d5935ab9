// SPDX-License-Identifier: Apache-2.0
#include "server/http/socket_thread.h"

#include <boost/asio/error.hpp>
#include <boost/asio/post.hpp>
#include <chrono>
#include <utility>

#include "runtime/base/thread.h"
#include "server/http/connection.h"

namespace omserve::server {
namespace {

// How late a timeout may be noticed.
constexpr std::chrono::milliseconds kSweepInterval{250};

}  // namespace

SocketThread::~SocketThread() {
  const MutexLock lock(mu_);
  posted_.clear();  // Holds connections, which do not outlive the context.
}

void SocketThread::Start(const std::string& name) {
  SweepLater();
  thread_ = StartThread(name, [this] { context_.run(); });
}

void SocketThread::Stop() {
  context_.stop();
  thread_ = {};
  for (ListedConnection& connection : connections_) {
    static_cast<Connection&>(connection).SayEnd();
  }
}

void SocketThread::Add(Connection& connection) { connections_.push_back(connection); }

void SocketThread::Post(std::function<void()> work, bool more_follow) {
  {
    const MutexLock lock(mu_);
    if (work != nullptr) {
      posted_.push_back(std::move(work));
    }
    if (more_follow || woken_ || posted_.empty()) {
      return;
    }
    woken_ = true;
  }
  boost::asio::post(context_, [this] { RunPosted(); });
}

void SocketThread::RunPosted() {
  std::vector<std::function<void()>> all;
  {
    const MutexLock lock(mu_);
    all.swap(posted_);
    woken_ = false;
  }
  for (const std::function<void()>& work : all) {
    work();
  }
}

void SocketThread::AfterOthers(std::function<void()> work) {
  if (is_after_others_) {
    return;
  }
  is_after_others_ = true;
  boost::asio::post(context_, [this, work = std::move(work)] {
    is_after_others_ = false;
    work();
  });
}

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
