// SPDX-License-Identifier: Apache-2.0
// The real omctl says who it is: tokens that it made itself, and TLS.
#include <sys/stat.h>

#include <catch2/catch.hpp>
#include <string>

#include "runtime/base/file.h"
#include "server/core/auth/tokens.h"
#include "tests/server/protocol/certificates.h"
#include "tests/server/protocol/daemon_fixture.h"
#include "tests/tools/omctl/omctl_run.h"

namespace omserve::server {
namespace {

using Catch::Matchers::Contains;
using testing::CheckFails;
using testing::Outcome;
using testing::RunOmctl;

// From a token that was made to a client that is known.
TEST_CASE("omctl: a token") {
  const Outcome made = RunOmctl("token new gateway --model 'te*' --out gateway.token");
  REQUIRE(made.exit_code == 0);
  struct stat status {};
  REQUIRE(stat("gateway.token", &status) == 0);
  CHECK((status.st_mode & 0777) == 0600);
  REQUIRE_OK(WriteFileAtomically("clients.yaml", "clients:\n" + made.out));
  const Outcome shown = RunOmctl("token new ops --role admin");
  CHECK_THAT(shown.err, Contains("role: admin") &&
                            Contains(HexOf(HashOf(shown.out.substr(0, shown.out.size() - 1)))));
  CheckFails(RunOmctl("token new gateway --out gateway.token"), "INVALID_ARGUMENT");

  Repository repository;
  repository.AddText();
  TestDaemon daemon(repository,
                    [](ServerConfig& config) { config.mutable_auth()->set_file("clients.yaml"); });
  const std::string url = "--url 127.0.0.1:" + std::to_string(daemon.daemon().grpc_port());
  CHECK_THAT(RunOmctl(url + " --token-file gateway.token models").out, Contains("text"));
  CheckFails(RunOmctl(url + " models"), "UNAUTHENTICATED");
  REQUIRE_OK(WriteFileAtomically("two.token", "one two"));
  CheckFails(RunOmctl(url + " --token-file two.token models"), "INVALID_ARGUMENT");
  for (const char* protocol : {"grpc", "rest"}) {
    const Outcome bench =
        RunOmctl("bench " + url + " --rest-url 127.0.0.1:" + std::to_string(daemon.http_port()) +
                 " --token-file gateway.token --protocol " + protocol +
                 " text --quiet --warmup 0 --window 100ms --max-windows 1 --concurrency 1");
    INFO(bench.err);
    CHECK(bench.exit_code == 0);
  }
  std::remove("gateway.token");
}

TEST_CASE("omctl: TLS") {
  const Certificates files;
  files.MakeCa("ca");
  files.Make("server", "ca");
  files.Make("client", "ca");
  Repository repository;
  repository.AddText();
  TestDaemon daemon(repository, [&files](ServerConfig& config) {
    TlsConfig& tls = *config.mutable_grpc()->mutable_tls();
    tls.set_certificate_file(files.Path("server.pem"));
    tls.set_key_file(files.Path("server.key"));
    tls.set_client_ca_file(files.Path("ca.pem"));
  });
  const std::string url = "--url localhost:" + std::to_string(daemon.daemon().grpc_port());
  const std::string ca = " --tls-ca " + files.Path("ca.pem");
  const std::string client =
      " --tls-cert " + files.Path("client.pem") + " --tls-key " + files.Path("client.key");
  const Outcome good = RunOmctl(url + ca + client + " status");
  INFO(good.err);
  CHECK_THAT(good.out, Contains("live, ready"));
  CHECK(RunOmctl(url + ca + " status").exit_code == 1);
  CHECK(RunOmctl(url + ca + " --tls-cert " + files.Path("client.pem") + " status").exit_code == 1);
  CHECK(RunOmctl(url + " status").exit_code == 1);
}

// A capture is asked for over plain HTTP: no token leaves the machine by it, and nobody is led to
// think that it is TLS.
TEST_CASE("omctl: a capture keeps secrets") {
  REQUIRE_OK(WriteFileAtomically("secret.token", "secret"));
  for (const char* address : {"192.0.2.1:8004", "0.0.0.0:8004"}) {
    const Outcome outcome =
        RunOmctl("--token-file secret.token trace capture --rest-url " + std::string(address));
    CheckFails(outcome, "INVALID_ARGUMENT");
    CHECK_THAT(outcome.err, Contains("is not loopback"));
  }
  for (const char* option : {"--tls", "--tls-server-name models"}) {
    const Outcome outcome =
        RunOmctl(option + std::string(" trace capture --rest-url 127.0.0.1:8004"));
    CheckFails(outcome, "INVALID_ARGUMENT");
    CHECK_THAT(outcome.err, Contains("plain HTTP"));
  }
}

}  // namespace
}  // namespace omserve::server
