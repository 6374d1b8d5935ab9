// SPDX-License-Identifier: Apache-2.0
// TLS on the HTTP port, with the real curl and certificates that the test makes.
#include <catch2/catch.hpp>
#include <string>

#include "runtime/base/file.h"
#include "tests/server/protocol/certificates.h"
#include "tests/server/protocol/curl.h"
#include "tests/server/protocol/daemon_fixture.h"
#include "tests/server/protocol/peer.h"
#include "tests/status_test_util.h"

namespace omserve::server {
namespace {

using Catch::Matchers::Contains;
using Catch::Matchers::StartsWith;

constexpr char kClosed[] = "omserve_http_closed_connections_total{reason=\"";

std::function<void(ServerConfig&)> Secured(const Certificates& files,
                                           const std::string& client_ca = "") {
  return [&files, client_ca](ServerConfig& config) {
    files.Secure(*config.mutable_http()->mutable_tls(), client_ca);
  };
}

// A call over TLS; `more` are curl's own options.
CurlAnswer Ask(const Certificates& files, int port, const std::string& path,
               const std::string& more = "", const std::string& ca = "ca.pem") {
  return Curl("--cacert '" + files.Path(ca) + "' " + more +
              " 'https://localhost:" + std::to_string(port) + path +
              "' --resolve localhost:" + std::to_string(port) + ":127.0.0.1");
}

std::string InferBody(int rows) {
  std::string body = R"({"inputs":[)";
  for (const char* name : {"input_ids", "attention_mask"}) {
    body += fmt::format(R"({}{{"name":"{}","datatype":"INT64","shape":[{},32],"data":[1)",
                        body.back() == '[' ? "" : ",", name, rows);
    for (int i = 1; i < rows * 32; ++i) {
      body += ",1";
    }
    body += "]}";
  }
  return body + "]}";
}

// Each version of TLS that is spoken, small answers and long ones, compressed, both ways at length;
// TLS 1.1, strangers and plain text are told.
TEST_CASE("HTTP over TLS", "[1.2]") {
  const Certificates files;
  files.MakeCa("ca");
  files.Make("server", "ca");
  files.MakeCa("other");
  Repository repository;
  repository.AddText("text", "max_batch_size: 256\n");
  TestDaemon daemon(repository, Secured(files));
  const int port = daemon.http_port();
  for (const char* version : {"--tls-max 1.2", "--tlsv1.3", "--http2"}) {
    CAPTURE(version);
    const CurlAnswer ready = Ask(files, port, "/v2/health/ready", version);
    CHECK(ready.status == 200);
    CHECK(ready.body == R"({"ready":true})");
  }
  REQUIRE_OK(WriteFileAtomically("body", InferBody(256)));
  const CurlAnswer plain = Ask(files, port, "/v2/models/text/infer", "--data-binary @body");
  REQUIRE(plain.status == 200);
  CHECK(plain.body.size() > 100'000);
  const CurlAnswer compressed =
      Ask(files, port, "/v2/models/text/infer", "--compressed --data-binary @body");
  CHECK(compressed.body == plain.body);
  CHECK_THAT(compressed.header, Contains("Content-Encoding: "));
  CHECK(Ask(files, port, "/v2/health/ready", "", "other.pem").exit_code == 60);
  CHECK(Ask(files, port, "/v2/health/ready", "--tls-max 1.1 --ciphers DEFAULT@SECLEVEL=0")
            .exit_code == 35);
  CHECK_THAT(HttpGet(port, "/v2/health/ready"),
             StartsWith("HTTP/1.1 400 ") && Contains("this port speaks TLS"));
  const int scrapes = daemon.daemon().metrics_port();
  AwaitMetric(scrapes, std::string(kClosed) + "handshake\"}", 3);
}

// A certificate that is renewed, here by another authority, counts for new connections; those that
// are there go on. What cannot be used changes nothing.
TEST_CASE("HTTP over TLS: a certificate that changes") {
  const Certificates files;
  files.MakeCa("ca");
  files.Make("server", "ca");
  files.MakeCa("other");
  files.Make("renewed", "other");
  Repository repository;
  repository.AddText();
  TestDaemon daemon(repository, Secured(files));
  const int port = daemon.http_port();
  const int scrapes = daemon.daemon().metrics_port();
  REQUIRE_OK(WriteFileAtomically(files.Path("server.pem"), files.Read("renewed.pem")));
  AwaitMetric(scrapes, "omserve_http_tls_reloads_total{result=\"unusable\"}", 1);
  CHECK(Ask(files, port, "/v2/health/ready").status == 200);
  // Two requests of one connection, the second of which comes when the certificate is another.
  REQUIRE_OK(WriteFileAtomically("wait.sh",
                                 "while ! grep -q -s now go; do sleep 0.05; done\n"
                                 "printf 'GET /v2/health/live HTTP/1.1\\r\\nHost: h\\r\\n"
                                 "Connection: close\\r\\n\\r\\n'\n"));
  REQUIRE_OK(WriteFileAtomically("go", ""));
  const std::string command =
      "(printf 'GET /v2/health/live HTTP/1.1\\r\\nHost: h\\r\\n\\r\\n'; sh wait.sh; sleep 1) | "
      "timeout 30 openssl s_client -quiet -connect 127.0.0.1:" +
      std::to_string(port) + " >both 2>/dev/null &";
  REQUIRE(std::system(command.c_str()) == 0);  // NOLINT: the tests have one thread.
  const auto await = [](const std::function<bool()>& holds) {
    const Clock::time_point patience = SteadyClock().Now() + std::chrono::seconds(30);
    while (!holds() && SteadyClock().Now() < patience) {
      Pause(std::chrono::milliseconds(50));
    }
    CHECK(holds());
  };
  const auto answers = [] {
    const std::string both = ReadFile("both").value_or("");
    size_t count = 0;
    for (size_t at = both.find("{\"live\":true}"); at != std::string::npos;
         at = both.find("{\"live\":true}", at + 1)) {
      ++count;
    }
    return count;
  };
  await([&] { return answers() == 1; });
  REQUIRE_OK(WriteFileAtomically(files.Path("server.key"), files.Read("renewed.key")));
  AwaitMetric(scrapes, "omserve_http_tls_reloads_total{result=\"used\"}", 1);
  CHECK(Ask(files, port, "/v2/health/ready").exit_code == 60);
  CHECK(Ask(files, port, "/v2/health/ready", "", "other.pem").status == 200);
  REQUIRE_OK(WriteFileAtomically("go", "now"));
  await([&] { return answers() == 2; });
}

// Both sides show a certificate.
TEST_CASE("HTTP over mutual TLS") {
  const Certificates files;
  files.MakeBothSides();
  Repository repository;
  repository.AddText();
  TestDaemon daemon(repository, Secured(files, "clients.pem"));
  const int port = daemon.http_port();
  const auto with = [&files](const std::string& name) {
    return "--cert '" + files.Path(name + ".pem") + "' --key '" + files.Path(name + ".key") + "'";
  };
  CHECK(Ask(files, port, "/v2/health/ready", with("client")).status == 200);
  CHECK(Ask(files, port, "/v2/health/ready", with("client") + " --tls-max 1.2").status == 200);
  CHECK(Ask(files, port, "/v2/health/ready", with("stranger")).exit_code != 0);
  CHECK(Ask(files, port, "/v2/health/ready").exit_code != 0);
}

// Handshakes that do not end are given up, and only so many are awaited.
TEST_CASE("HTTP over TLS: handshakes that take long") {
  const Certificates files;
  files.MakeCa("ca");
  files.Make("server", "ca");
  Repository repository;
  repository.AddText();
  TestDaemon daemon(repository, [&files](ServerConfig& config) {
    Secured(files)(config);
    config.mutable_http()->set_max_handshakes(2);
    config.mutable_http()->set_header_timeout_ms(1500);
  });
  const int port = daemon.http_port();
  const int scrapes = daemon.daemon().metrics_port();
  const Peer first(port);
  const Peer second(port);
  CHECK(second.Send("\x16\x03\x01"));  // As a handshake begins.
  AwaitMetric(scrapes, "omserve_http_connections", 3);
  const Peer third(port);
  CHECK(third.Receive().empty());
  AwaitMetric(scrapes, std::string(kClosed) + "handshakes\"}", 1);
  CHECK(first.Receive().empty());
  CHECK(second.Receive().empty());
  AwaitMetric(scrapes, std::string(kClosed) + "slow_handshake\"}", 2);
  CHECK(Ask(files, port, "/v2/health/ready").status == 200);
}

}  // namespace
}  // namespace omserve::server
