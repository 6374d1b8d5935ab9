// SPDX-License-Identifier: Apache-2.0
// How clients are sent away when the daemon ends, seen by clients whose bytes are written by hand.
#include <catch2/catch.hpp>
#include <cstdint>
#include <optional>
#include <string>
#include <thread>

#include "runtime/base/file.h"
#include "tests/server/protocol/daemon_fixture.h"
#include "tests/server/protocol/peer.h"
#include "tests/status_test_util.h"

namespace omserve::server {
namespace {

using Catch::Matchers::Contains;
using Catch::Matchers::StartsWith;

// A request waits until the drain sends it on alone, and then runs for a while.
constexpr char kPatientConfig[] =
    "dynamic_batching: {preferred_batch_size: [8], max_queue_delay_microseconds: 60000000}\n";

std::function<void(ServerConfig&)> Slowly(const Repository& repository) {
  // A file beside the models is no model.
  repository.Write("acl.json", R"({"hostacl": {"faults": [{"task": "execute", "slow": 2000.0}]}})");
  return [&repository](ServerConfig& config) {
    config.mutable_device()->set_config_file(repository.path() + "/acl.json");
  };
}

// HTTP/2 as far as a call needs it. Source: RFC 9113 and RFC 7541.
class RawCall final {
 public:
  explicit RawCall(int port) : peer_(port) {}

  void Send(const std::string& path, const std::string& message) {
    std::string header;
    for (const auto& [name, value] :
         std::vector<std::pair<std::string, std::string>>{{":method", "POST"},
                                                          {":scheme", "http"},
                                                          {":path", path},
                                                          {":authority", "h"},
                                                          {"te", "trailers"},
                                                          {"content-type", "application/grpc"}}) {
      header += '\0';  // A literal that is not indexed, with a new name.
      header += static_cast<char>(name.size());
      header += name;
      header += static_cast<char>(value.size());
      header += value;
    }
    std::string data(1, '\0');  // Not compressed.
    data += Number(message.size(), 4) + message;
    REQUIRE(peer_.Send("PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n" + Frame(kSettings, 0, 0, "") +
                       Frame(kHeaders, kEndHeaders, 1, header) +
                       Frame(kData, kEndStream, 1, data)));
  }

  // The kinds of frames that came, each by a letter, until the connection or the call ended: G for
  // GOAWAY, D for DATA, H for HEADERS. `tail` gets the last header.
  std::string Kinds(std::string* tail) {
    std::string kinds;
    for (std::optional<std::string> head = Take(9); head.has_value(); head = Take(9)) {
      const size_t size = Value(head->substr(0, 3));
      const auto type = static_cast<unsigned char>((*head)[3]);
      const auto flags = static_cast<unsigned char>((*head)[4]);
      const std::optional<std::string> payload = Take(size);
      if (!payload.has_value()) {
        break;
      }
      if (type == kGoAway) {
        kinds += 'G';
      } else if (type == kData) {
        kinds += 'D';
      } else if (type == kHeaders) {
        kinds += 'H';
        *tail = *payload;
        if ((flags & kEndStream) != 0) {
          break;
        }
      } else if ((type == kSettings || type == kPing) && (flags & kAck) == 0) {
        peer_.Send(Frame(type, kAck, 0, type == kPing ? *payload : ""));
      }
    }
    return kinds;
  }

 private:
  static constexpr unsigned char kData = 0;
  static constexpr unsigned char kHeaders = 1;
  static constexpr unsigned char kSettings = 4;
  static constexpr unsigned char kPing = 6;
  static constexpr unsigned char kGoAway = 7;
  static constexpr unsigned char kAck = 1;
  static constexpr unsigned char kEndStream = 1;
  static constexpr unsigned char kEndHeaders = 4;

  static std::string Number(size_t value, int bytes) {
    std::string text;
    for (int i = bytes - 1; i >= 0; --i) {
      text += static_cast<char>((value >> (8 * i)) & 255U);
    }
    return text;
  }
  static size_t Value(const std::string& bytes) {
    size_t value = 0;
    for (const char byte : bytes) {
      value = value * 256 + static_cast<unsigned char>(byte);
    }
    return value;
  }
  static std::string Frame(unsigned char type, unsigned char flags, size_t stream,
                           const std::string& payload) {
    return Number(payload.size(), 3) + static_cast<char>(type) + static_cast<char>(flags) +
           Number(stream, 4) + payload;
  }

  std::optional<std::string> Take(size_t size) {
    while (came_.size() < size) {
      const std::string more = peer_.ReceiveSome();
      if (more.empty()) {
        return std::nullopt;
      }
      came_ += more;
    }
    std::string taken = came_.substr(0, size);
    came_.erase(0, size);
    return taken;
  }

  const Peer peer_;
  std::string came_;
};

// gRPC's clients learn that they are to go elsewhere before what was accepted is answered, and not
// after.
TEST_CASE("Drain: gRPC sends clients away first", "[protocol]") {
  Repository repository;
  repository.AddText("patient", kPatientConfig);
  TestDaemon daemon(repository, Slowly(repository));
  RawCall call(daemon.daemon().grpc_port());
  call.Send("/inference.GRPCInferenceService/ModelInfer",
            TextRequest("patient", 1).SerializeAsString());
  AwaitMetric(daemon.http_port(), "omserve_queue_rows{model=\"patient\",version=\"1\"}", 1);
  absl::Status stopped;
  std::jthread stopper([&] { stopped = daemon.daemon().Stop(); });
  std::string trailers;
  const std::string kinds = call.Kinds(&trailers);
  stopper.join();
  CHECK(stopped.ok());
  CAPTURE(kinds);
  const size_t away = kinds.find('G');
  const size_t answer = kinds.find('D');
  REQUIRE(away != std::string::npos);
  REQUIRE(answer != std::string::npos);
  CHECK(away < answer);
  CHECK_THAT(trailers, Contains(std::string("grpc-status") + '\1' + '0'));
}

// HTTP answers of a drain end their connection; until then they do not.
TEST_CASE("Drain: HTTP answers are the last of their connection", "[protocol]") {
  Repository repository;
  repository.AddText("patient", kPatientConfig);
  TestDaemon daemon(repository);
  const Peer peer(daemon.http_port());
  REQUIRE(peer.Send("GET /v2/health/live HTTP/1.1\r\nHost: h\r\n\r\n"));
  CHECK_THAT(peer.Receive("true}"), !Contains("Connection: close"));
  std::string data = "1";
  for (int i = 1; i < 32; ++i) {
    data += ",1";
  }
  std::string body = R"({"inputs":[)";
  for (const char* name : {"input_ids", "attention_mask"}) {
    body += std::string(body.back() == '[' ? "" : ",") + R"({"name":")" + name +
            R"(","datatype":"INT64","shape":[1,32],"data":[)" + data + "]}";
  }
  body += "]}";
  REQUIRE(peer.Send("POST /v2/models/patient/infer HTTP/1.1\r\nHost: h\r\nContent-Length: " +
                    std::to_string(body.size()) + "\r\n\r\n" + body));
  AwaitMetric(daemon.daemon().metrics_port(), "omserve_queue_rows{model=\"patient\",version=\"1\"}",
              1);
  REQUIRE_OK(daemon.daemon().Stop());
  CHECK_THAT(peer.Receive(), StartsWith("HTTP/1.1 200 ") && Contains("Connection: close\r\n"));
}

// During the delay the daemon is not ready, and clients are neither refused nor sent away.
TEST_CASE("Drain: the delay before it", "[protocol]") {
  Repository repository;
  repository.AddText();
  TestDaemon daemon(repository, [](ServerConfig& config) {
    config.mutable_shutdown()->set_drain_delay_ms(6000);
  });
  const int port = daemon.http_port();
  absl::Status stopped;
  std::jthread stopper([&] { stopped = daemon.daemon().Stop(); });
  const Clock::time_point patience = SteadyClock().Now() + std::chrono::seconds(30);
  std::string ready;
  while (ready.find("{\"ready\":false}") == std::string::npos && SteadyClock().Now() < patience) {
    ready = HttpGet(port, "/v2/health/ready");
  }
  const Peer peer(port);
  REQUIRE(peer.Send("GET /v2/health/ready HTTP/1.1\r\nHost: h\r\n\r\n"));
  CHECK_THAT(peer.Receive("false}"), StartsWith("HTTP/1.1 400 ") && !Contains("Connection: close"));
  inference::ModelInferResponse response;
  CHECK(daemon.client().Infer(TextRequest("text", 1), &response).ok());
  stopper.join();
  CHECK(stopped.ok());
}

}  // namespace
}  // namespace omserve::server
