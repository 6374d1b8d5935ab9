// SPDX-License-Identifier: Apache-2.0
// A thread of an HTTP port, with the connections that stay with it.
#pragma once

#include <boost/asio/generic/stream_protocol.hpp>
#include <boost/asio/io_context.hpp>
#include <boost/asio/steady_timer.hpp>
#include <boost/intrusive/list.hpp>
#include <string>
#include <thread>

#include "runtime/base/clock.h"

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
  // Ends the thread at once and joins it. What is pending goes with this.
  void Stop();

  boost::asio::io_context& context() { return context_; }
  // On the thread.
  void Add(Connection& connection);

 private:
  void SweepLater();

  const Clock& clock_;
  // Before the context, whose pending operations hold the connections that are in here.
  boost::intrusive::list<ListedConnection, boost::intrusive::constant_time_size<false>>
      connections_;
  boost::asio::io_context context_{1};
  // One look at all connections, now and then, is less than a timer for each read and write.
  boost::asio::steady_timer sweep_{context_};
  std::jthread thread_;
};

}  // namespace omserve::server
