// SPDX-License-Identifier: Apache-2.0
// Gives up calls whose clients do not take their answers. What an application does not read gRPC's
// flow control keeps back for as long as the connection lives, and the pinned memory with it that
// the answer is in; the connection itself looks well.
#pragma once

#include <grpcpp/grpcpp.h>

#include <atomic>
#include <boost/intrusive/list.hpp>
#include <chrono>
#include <cstddef>
#include <cstdint>
#include <map>
#include <string>

namespace omserve::server {

class AnswerWatch;

// A call that may have to be given up. Of its queue's thread, but for BeginAnswer.
class WatchedCall : public boost::intrusive::list_base_hook<
                        boost::intrusive::link_mode<boost::intrusive::auto_unlink>> {
 public:
  virtual ~WatchedCall() = default;

  // From now on, to the end of this, which comes before `watch` ends. The client is there.
  void Watch(AnswerWatch& watch);
  // gRPC is given an answer of so many bytes. Any thread, after Watch.
  void BeginAnswer(size_t size_bytes);
  // It is on its way to the client, or (not `ok`) never will be.
  void EndAnswer(bool ok);

 private:
  friend class AnswerWatch;
  static constexpr int64_t kNone = 0;

  // Whose connection it came by.
  virtual std::string Peer() const = 0;
  // Ends it; its tags tell of that.
  virtual void GiveUp() = 0;

  AnswerWatch* watch_ = nullptr;
  // Of the watch's seconds: when the answer was begun, and when it is given up.
  std::atomic<int64_t> began_at_ = kNone;
  std::atomic<int64_t> ends_at_ = kNone;
};

class WatchedGrpcCall final : public WatchedCall {
 public:
  explicit WatchedGrpcCall(grpc::ServerContext& context) : context_(context) {}

 private:
  std::string Peer() const override { return context_.peer(); }
  void GiveUp() override { context_.TryCancel(); }

  grpc::ServerContext& context_;
};

// The calls of one queue.
class AnswerWatch final {
 public:
  // An answer may take so long, and longer where it is large (a second for each 64 KiB), or where
  // others of its connection that had waited too went out meanwhile: then the line is slow.
  explicit AnswerWatch(std::chrono::milliseconds patience)
      : patience_s_(std::chrono::ceil<std::chrono::seconds>(patience).count()) {}

  // To be called each second, on the queue's thread.
  void Tick();

 private:
  friend class WatchedCall;
  using Calls = boost::intrusive::list<WatchedCall, boost::intrusive::constant_time_size<false>>;

  bool HasProgress(const std::string& peer, int64_t now) const;

  const int64_t patience_s_;
  std::atomic<int64_t> seconds_ = 1;
  Calls calls_;
  // By peer, when the last answer that had waited went out; for as long as that matters.
  std::map<std::string, int64_t> progress_;
};

}  // namespace omserve::server
