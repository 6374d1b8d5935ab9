// SPDX-License-Identifier: Apache-2.0
// A thread of an HTTP port, with the connections that stay with it.
#pragma once

#include <boost/asio/generic/stream_protocol.hpp>
#include <boost/asio/io_context.hpp>
#include <boost/asio/steady_timer.hpp>
#include <boost/intrusive/list.hpp>
#include <functional>
#include <string>
#include <thread>
#include <vector>

#include "absl/base/thread_annotations.h"
#include "runtime/base/clock.h"
#include "runtime/base/mutex.h"

namespace omserve::server {

// Of a TCP connection or of a Unix one; always non-blocking.
using HttpSocket = boost::asio::basic_stream_socket<boost::asio::generic::stream_protocol,
                                                    boost::asio::io_context::executor_type>;

class Connection;

// In the list of its thread while it is open. It leaves the list on that thread, or when the
// thread has ended.
using ListedConnection =
    boost::intrusive::list_base_hook<boost::intrusive::link_mode<boost::intrusive::auto_unlink>>;

// `connections` is confined to the thread.
class SocketThread final {
 public:
  explicit SocketThread(const Clock& clock) : clock_(clock) {}
  SocketThread(const SocketThread&) = delete;
  SocketThread& operator=(const SocketThread&) = delete;
  ~SocketThread();  // After Stop.

  void Start(const std::string& name);
  // Ends the thread at once and joins it, and has its connections say so. What is pending goes with
  // this.
  void Stop();

  boost::asio::io_context& context() { return context_; }
  // On the thread.
  void Add(Connection& connection);
  // Runs `work` on the thread, in the order of the calls; null: nothing. From any thread, not
  // waiting; with `more_follow` only after a call without. Waking a thread costs more than what it
  // then does for an answer.
  void Post(std::function<void()> work, bool more_follow);
  // Runs `work` on the thread when what is ready by now is done, once for all calls until then.
  // On the thread.
  void AfterOthers(std::function<void()> work);

 private:
  void SweepLater();
  void RunPosted();

  const Clock& clock_;

  Mutex mu_;
  std::vector<std::function<void()>> posted_ ABSL_GUARDED_BY(mu_);
  bool woken_ ABSL_GUARDED_BY(mu_) = false;  // RunPosted is to come.

  // Confined to the thread.
  bool is_after_others_ = false;
  // Before the context, whose pending operations hold the connections that are in here.
  boost::intrusive::list<ListedConnection, boost::intrusive::constant_time_size<false>>
      connections_;
  boost::asio::io_context context_{1};
  // One look at all connections, now and then, is less than a timer for each read and write.
  boost::asio::steady_timer sweep_{context_};
  std::jthread thread_;
};

}  // namespace omserve::server
