// SPDX-License-Identifier: Apache-2.0
// TLS on the gRPC port, with certificates that the test makes.
#include <grpcpp/security/credentials.h>

#include <catch2/catch.hpp>
#include <string>

#include "runtime/base/file.h"
#include "server/core/tls_files.h"
#include "tests/server/protocol/certificates.h"
#include "tests/server/protocol/daemon_fixture.h"
#include "tests/status_test_util.h"

namespace omserve::server {
namespace {

// A call over a connection of its own.
grpc::Status InferOver(int port, const std::shared_ptr<grpc::ChannelCredentials>& credentials) {
  grpc::ChannelArguments arguments;
  arguments.SetSslTargetNameOverride("localhost");
  arguments.SetInt(GRPC_ARG_USE_LOCAL_SUBCHANNEL_POOL, 1);
  const auto channel =
      grpc::CreateCustomChannel("127.0.0.1:" + std::to_string(port), credentials, arguments);
  const auto stub = inference::GRPCInferenceService::NewStub(channel);
  grpc::ClientContext context;
  Client::SetDeadline(context, std::chrono::seconds(10));
  inference::ModelInferResponse response;
  return stub->ModelInfer(&context, TextRequest("text", 1), &response);
}

std::shared_ptr<grpc::ChannelCredentials> Trusting(const std::string& ca,
                                                   const std::string& key = "",
                                                   const std::string& certificate = "") {
  return grpc::SslCredentials({ca, key, certificate});
}

std::function<void(ServerConfig&)> Secured(const Certificates& files,
                                           const std::string& client_ca) {
  return [&files, client_ca](ServerConfig& config) {
    files.Secure(*config.mutable_grpc()->mutable_tls(), client_ca);
  };
}

// Who trusts the server is served; who does not, or speaks plain text, is not. A certificate that
// is renewed, here by another authority, counts for new connections while the daemon runs.
TEST_CASE("gRPC over TLS, with a certificate that changes") {
  const Certificates files;
  files.MakeCa("ca");
  files.Make("server", "ca");
  files.MakeCa("other");
  Repository repository;
  repository.AddText();
  TestDaemon daemon(repository, Secured(files, ""));
  const int port = daemon.daemon().grpc_port();
  CHECK(InferOver(port, Trusting(files.Read("ca.pem"))).ok());
  CHECK(InferOver(port, Trusting(files.Read("other.pem"))).error_code() ==
        grpc::StatusCode::UNAVAILABLE);
  CHECK_FALSE(InferOver(port, grpc::InsecureChannelCredentials()).ok());
  files.Make("renewed", "other");
  REQUIRE_OK(WriteFileAtomically(files.Path("server.key"), files.Read("renewed.key")));
  REQUIRE_OK(WriteFileAtomically(files.Path("server.pem"), files.Read("renewed.pem")));
  const Clock::time_point patience = SteadyClock().Now() + std::chrono::seconds(30);
  bool renewed = false;
  while (!renewed && SteadyClock().Now() < patience) {
    Pause(std::chrono::milliseconds(50));
    renewed = InferOver(port, Trusting(files.Read("other.pem"))).ok();
  }
  CHECK(renewed);
}

// Both sides show a certificate.
TEST_CASE("gRPC over mutual TLS") {
  const Certificates files;
  files.MakeBothSides();
  Repository repository;
  repository.AddText();
  TestDaemon daemon(repository, Secured(files, "clients.pem"));
  const int port = daemon.daemon().grpc_port();
  const std::string ca = files.Read("ca.pem");
  CHECK(InferOver(port, Trusting(ca, files.Read("client.key"), files.Read("client.pem"))).ok());
  CHECK_FALSE(InferOver(port, Trusting(ca)).ok());
  CHECK_FALSE(
      InferOver(port, Trusting(ca, files.Read("stranger.key"), files.Read("stranger.pem"))).ok());
}

std::string Complaint(const TlsFiles& files) {
  const absl::Status status = CheckTlsFiles(files);
  CHECK(status.code() == absl::StatusCode::kInvalidArgument);
  return std::string(MessageOf(status));
}

// Files that cannot serve are told before the daemon serves anything, each with what is wrong.
TEST_CASE("TLS files that are wrong are refused") {
  const Certificates files;
  files.MakeCa("ca");
  files.Make("server", "ca");
  files.Make("another", "ca");
  files.Make("old", "ca", /*days=*/-1);
  const TlsFiles good{.certificate = files.Path("server.pem"), .key = files.Path("server.key")};
  REQUIRE_OK(CheckTlsFiles(good));
  TlsFiles wrong = good;
  wrong.certificate = files.Path("nothing.pem");
  CHECK_THAT(Complaint(wrong), Catch::StartsWith("tls.certificate_file cannot be read: "));
  wrong.certificate = files.Path("server.key");
  CHECK_THAT(Complaint(wrong), Catch::Contains("holds no certificate"));
  wrong = good;
  wrong.key = files.Path("another.key");
  CHECK_THAT(Complaint(wrong), Catch::Contains("is not the key of"));
  wrong.key = files.Path("server.pem");
  CHECK_THAT(Complaint(wrong), Catch::Contains("holds no private key that can be read"));
  wrong = {.certificate = files.Path("old.pem"), .key = files.Path("old.key")};
  CHECK_THAT(Complaint(wrong), Catch::Contains("has expired; renew it"));
  wrong = good;
  wrong.client_ca = files.Path("server.key");
  CHECK_THAT(Complaint(wrong), Catch::StartsWith("tls.client_ca_file: "));
}

}  // namespace
}  // namespace omserve::server
