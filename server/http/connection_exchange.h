// SPDX-License-Identifier: Apache-2.0
// The exchange that a connection gives to a handler. Private to the connection.
#pragma once

#include <boost/asio/dispatch.hpp>
#include <boost/asio/post.hpp>
#include <cstddef>
#include <functional>
#include <memory>
#include <utility>

#include "server/http/connection.h"

namespace omserve::server {

// A shorter body is read and written where it is: handing it over costs more. JSON of so many bytes
// takes a few milliseconds.
inline constexpr size_t kShortBytes = 64 * 1024;

// Its state is of the socket's thread, which the calls of others reach by posting.
class Connection::Exchange final : public HttpExchange,
                                   public std::enable_shared_from_this<Exchange> {
 public:
  explicit Exchange(std::shared_ptr<Connection> connection) : connection_(std::move(connection)) {}

  void Answer(HttpReply reply) override {
    OnThread([reply = std::move(reply)](Exchange& self) mutable {
      self.cancel_ = nullptr;
      self.answered_ = true;
      if (!self.gone_) {
        self.connection_->exchange_.reset();
        self.connection_->Answer(std::move(reply));
      }
    });
  }

  void Begin(HttpReply head) override {
    OnThread([head = std::move(head)](Exchange& self) mutable {
      if (!self.gone_) {
        self.connection_->BeginStream(std::move(head));
      }
    });
  }

  void Send(std::string piece) override {
    OnThread([piece = std::move(piece)](Exchange& self) {
      if (!self.gone_) {
        self.connection_->SendPiece(piece);
      }
    });
  }

  void End() override {
    OnThread([](Exchange& self) {
      self.cancel_ = nullptr;
      self.answered_ = true;
      if (!self.gone_) {
        self.connection_->exchange_.reset();
        self.connection_->EndStream();
      }
    });
  }

  void OnGone(std::function<void()> cancel) override {
    OnThread([cancel = std::move(cancel)](Exchange& self) mutable {
      if (self.gone_) {
        cancel();
      } else if (!self.answered_) {
        self.cancel_ = std::move(cancel);
      }
    });
  }

  void Run(size_t size_bytes, std::function<void()> work, bool more_follow) override {
    SocketThread& thread = connection_->thread_;
    if (size_bytes <= kShortBytes) {
      thread.Post(std::move(work), more_follow);
      return;
    }
    boost::asio::post(connection_->shared_.workers, std::move(work));
    if (!more_follow) {
      thread.Post(nullptr, false);  // What waited for this one.
    }
  }

  const void* group() const override { return &connection_->thread_; }
  bool CanGather() const override {
    return connection_->stream_.socket().get_executor().running_in_this_thread();
  }
  void AfterOthers(std::function<void()> work) override {
    connection_->thread_.AfterOthers(std::move(work));
  }

  // The client is gone. On the socket's thread.
  void Leave() {
    gone_ = true;
    if (const std::function<void()> cancel = std::exchange(cancel_, nullptr)) {
      cancel();
    }
  }

 private:
  template <typename Work>
  void OnThread(Work work) {
    boost::asio::dispatch(
        connection_->stream_.socket().get_executor(),
        [self = shared_from_this(), work = std::move(work)]() mutable { work(*self); });
  }

  const std::shared_ptr<Connection> connection_;
  std::function<void()> cancel_;
  bool gone_ = false;
  bool answered_ = false;
};

}  // namespace omserve::server
