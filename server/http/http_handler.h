// SPDX-License-Identifier: Apache-2.0
// What a route of the HTTP port is given, and how it answers: at once or later.
#pragma once

#include <algorithm>
#include <boost/beast/http/message.hpp>
#include <cstddef>
#include <functional>
#include <memory>
#include <string>
#include <string_view>
#include <utility>

#include "runtime/base/clock.h"
#include "server/core/auth/access.h"
#include "server/http/http_reply.h"

namespace omserve::server {

// What stands in a path in place of a pattern's {model}, {version}, {region} and {repository},
// percent-decoded; empty where the pattern has none.
struct PathParts {
  std::string model;
  std::string version;
  std::string region;
  std::string repository;
};

// A request as it came, all of it.
class HttpRequest final {
 public:
  using Header = boost::beast::http::request_header<>;

  HttpRequest(PathParts path, Header header, std::string body, Clock::time_point when)
      : parts(std::move(path)),
        received(when),
        header_(std::move(header)),
        body_(std::move(body)) {}

  PathParts parts;
  Caller caller;               // Who asks, and was let in.
  Clock::time_point received;  // When the last of its bytes was there.

  const std::string& body() const { return body_; }
  // Of the header; empty where it is not there. The request keeps it.
  std::string_view Field(std::string_view name) const {
    const boost::beast::string_view value =
        header_[boost::beast::string_view(name.data(), name.size())];
    return {value.data(), value.size()};
  }
  // All fields of the name, joined with commas.
  std::string Fields(std::string_view name) const {
    std::string joined;
    const auto [first, last] =
        header_.equal_range(boost::beast::string_view(name.data(), name.size()));
    for (auto at = first; at != last; ++at) {
      joined += at == first ? "" : ",";
      joined.append(at->value().data(), at->value().size());
    }
    return joined;
  }
  // Calls `visit(name, value)` for each field of the header.
  template <typename Visit>
  void VisitFields(Visit visit) const {
    for (const auto& field : header_) {
      const boost::beast::string_view name = field.name_string();
      const boost::beast::string_view value = field.value();
      visit(std::string_view(name.data(), name.size()),
            std::string_view(value.data(), value.size()));
    }
  }
  // What follows "NAME=" in the target's query, as it came; empty where it is not there.
  std::string_view Query(std::string_view name) const {
    const std::string_view target(header_.target().data(), header_.target().size());
    const size_t question = target.find('?');
    std::string_view rest =
        question == std::string_view::npos ? std::string_view() : target.substr(question + 1);
    while (!rest.empty()) {
      const std::string_view part = rest.substr(0, rest.find('&'));
      if (part.size() > name.size() && part.starts_with(name) && part[name.size()] == '=') {
        return part.substr(name.size() + 1);
      }
      rest.remove_prefix(std::min(rest.size(), part.size() + 1));
    }
    return {};
  }

 private:
  Header header_;
  std::string body_;
};

// A request that is being answered. Thread-safe.
class HttpExchange {
 public:
  virtual ~HttpExchange() = default;
  // Exactly once, also when the client is gone, whom it then does not reach.
  virtual void Answer(HttpReply reply) = 0;
  // In place of Answer, an answer in pieces: Begin once, whose reply is sent but for a body, then
  // any number of Send, each of which goes out as soon as the client takes it, then End. A client
  // for whom more waits than a body may be long has gone.
  virtual void Begin(HttpReply head) = 0;
  virtual void Send(std::string piece) = 0;
  virtual void End() = 0;
  // `cancel` runs when the client goes before it is answered, and soon where it is gone already; on
  // the thread of the sockets, where it must not block. Once.
  virtual void OnGone(std::function<void()> cancel) = 0;
  // Runs `work`, which reads or writes so many bytes: on the thread of the sockets where they are
  // few, else on a worker's. From another thread than these it returns before; with `more_follow`
  // it may wait for the next call of an exchange of the same group, which comes at once.
  virtual void Run(size_t size_bytes, std::function<void()> work, bool more_follow = false) = 0;
  // The same for exchanges whose calls of Run may wait for each other.
  virtual const void* group() const = 0;
  // Whether it is the thread of the sockets that calls. Then AfterOthers runs `work` once for all
  // requests that are here by now, whose handlers ask for the same.
  virtual bool CanGather() const = 0;
  virtual void AfterOthers(std::function<void()> work) = 0;
};

// Called on the thread of the sockets, or on a worker's where the body is long; does not block.
// `request` is gone after the return.
using HttpHandler =
    std::function<void(const HttpRequest& request, const std::shared_ptr<HttpExchange>& exchange)>;

// A handler that has its answer at once.
inline HttpHandler AtOnce(std::function<HttpReply(const HttpRequest&)> answer) {
  return [answer = std::move(answer)](const HttpRequest& request,
                                      const std::shared_ptr<HttpExchange>& exchange) {
    exchange->Answer(answer(request));
  };
}

}  // namespace omserve::server
