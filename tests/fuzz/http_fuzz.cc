// SPDX-License-Identifier: Apache-2.0
// A connection of the HTTP port, its limits and the router, on any bytes: whatever comes, in
// whatever pieces, every answer is one, and the connection ends when its client does.
//
// The first byte says how long the pieces are.
#include <sys/socket.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <boost/asio/local/stream_protocol.hpp>
#include <boost/asio/thread_pool.hpp>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <string>
#include <string_view>

#include "runtime/base/check.h"
#include "runtime/base/clock.h"
#include "server/http/connection.h"

namespace omserve::server {
namespace {

constexpr size_t kMostBytes = 64 * 1024;      // Fits into the socket's memory.
constexpr size_t kMostBodyBytes = 12 * 1024;  // Less than what is given to a worker.

std::vector<Route> Routes() {
  const auto echo = [](const HttpRequest& request) {
    return HttpReply{.body = request.parts.model + request.parts.version + request.body()};
  };
  std::vector<Route> routes;
  for (const char* pattern :
       {"/v2/models/{model}[/versions/{version}]/infer", "/v2/repository[/{repository}]/index"}) {
    routes.push_back(
        {.verb = "POST", .pattern = pattern, .handler = AtOnce(echo), .takes_long_body = true});
  }
  routes.push_back({.verb = "GET", .pattern = "/v2/models/{model}", .handler = AtOnce(echo)});
  routes.push_back({.verb = "GET",
                    .pattern = "/pieces",
                    .handler = [](const HttpRequest& /*request*/,
                                  const std::shared_ptr<HttpExchange>& exchange) {
                      exchange->Begin({.content_type = "text/plain"});
                      exchange->Send("one");
                      exchange->Send("two");
                      exchange->End();
                    }});
  return routes;
}

// What all runs share. Never destroyed: libFuzzer ends without.
struct Port {
  Router router{Routes()};
  boost::asio::thread_pool workers{1};
  HttpCounters counters;
  ConnectionShared shared{.router = router,
                          .clock = SteadyClock(),
                          .limits = {.max_body_bytes = kMostBodyBytes},
                          .counters = counters,
                          .workers = workers};
};

// Takes what the connection has sent. False: it has closed its side.
bool Drain(int fd, std::string& answers) {
  std::array<char, 4096> chunk{};
  while (true) {
    const ssize_t n = recv(fd, chunk.data(), chunk.size(), MSG_DONTWAIT);
    if (n <= 0) {
      return n < 0;
    }
    answers.append(chunk.data(), static_cast<size_t>(n));
  }
}

void Try(Port& port, size_t piece_bytes, std::string_view bytes) {
  std::array<int, 2> ends{};
  OMSERVE_CHECK(socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, ends.data()) == 0,
                "the system gives a pair of sockets");
  const int client = ends[0];
  std::string answers;
  {
    SocketThread thread(SteadyClock());
    HttpSocket socket(thread.context(),
                      boost::asio::generic::stream_protocol(boost::asio::local::stream_protocol()),
                      ends[1]);
    {
      const auto connection = std::make_shared<Connection>(std::move(socket), thread, port.shared);
      thread.Add(*connection);
      connection->Start();
    }
    bool is_open = true;
    while (is_open && !bytes.empty()) {
      const ssize_t sent =
          send(client, bytes.data(), std::min(piece_bytes, bytes.size()), MSG_NOSIGNAL);
      if (sent <= 0) {
        break;
      }
      bytes.remove_prefix(static_cast<size_t>(sent));
      thread.context().restart();
      thread.context().poll();
      is_open = Drain(client, answers);
    }
    shutdown(client, SHUT_WR);
    // Answers that did not fit into the socket's memory leave as room is made.
    constexpr int kMostTurns = 10'000;
    for (int turn = 0; port.counters.connections > 0 && turn < kMostTurns; ++turn) {
      thread.context().restart();
      thread.context().poll();
      Drain(client, answers);
    }
    OMSERVE_CHECK(port.counters.connections == 0, "a connection ends when its client does");
  }
  close(client);
  OMSERVE_CHECK(port.counters.answering == 0, "nobody waits for an answer");
  OMSERVE_CHECK(answers.empty() || answers.starts_with("HTTP/1."), "answers are of HTTP");
}

}  // namespace
}  // namespace omserve::server

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  using omserve::server::Port;
  static Port& port = *std::make_unique<Port>().release();
  if (size > 1 && size <= omserve::server::kMostBytes) {
    const std::string bytes(data + 1, data + size);
    omserve::server::Try(port, data[0] == 0 ? bytes.size() : data[0], bytes);
  }
  return 0;
}
