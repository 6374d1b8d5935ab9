// SPDX-License-Identifier: Apache-2.0
// Who may do what, over both protocols: tokens, certificates, roles, models, restricted methods,
// and ports for operators and probes.
#include <grpcpp/security/credentials.h>

#include <boost/json.hpp>
#include <catch2/catch.hpp>
#include <filesystem>
#include <string>

#include "runtime/base/file.h"
#include "runtime/base/log.h"
#include "server/core/auth/tokens.h"
#include "tests/server/protocol/certificates.h"
#include "tests/server/protocol/curl.h"
#include "tests/server/protocol/daemon_fixture.h"
#include "tests/status_test_util.h"

namespace omserve::server {
namespace {

using Catch::Matchers::Contains;
using Catch::Matchers::StartsWith;
using grpc::StatusCode;
using Stub = inference::GRPCInferenceService::Stub;

constexpr char kRefused[] = "omserve_access_refused_calls_total{reason=\"";

// A file of clients: `reader` may use text, `ops` may do everything, and the certificate of
// CN=robot may use all models.
std::string ClientsText() {
  return "clients:\n"
         "  - {name: reader, role: infer, models: [te*], token_sha256: " +
         HexOf(HashOf("reader-token")) +
         "}\n"
         "  - {name: loader, role: control, token_sha256: " +
         HexOf(HashOf("loader-token")) +
         "}\n"
         "  - {name: ops, role: admin, token_sha256: " +
         HexOf(HashOf("ops-token")) +
         "}\n"
         "  - {name: robot, role: infer, subject: CN=robot}\n"
         "  - {name: mesh, role: infer, certificate_name: 'spiffe://omserve/mesh'}\n";
}

std::function<void(ServerConfig&)> WithClients() {
  REQUIRE_OK(WriteFileAtomically("clients.yaml", ClientsText()));
  return [](ServerConfig& config) { config.mutable_auth()->set_file("clients.yaml"); };
}

struct Asked {
  StatusCode code = StatusCode::OK;
  std::string message;
};

// A unary call with metadata.
template <typename Request, typename Response>
Asked Call(Client& client,
           grpc::Status (Stub::*method)(grpc::ClientContext*, const Request&, Response*),
           const Request& request, Response* response,
           const std::map<std::string, std::string>& metadata) {
  grpc::ClientContext context;
  Client::SetDeadline(context, std::chrono::seconds(30));
  for (const auto& [name, value] : metadata) {
    context.AddMetadata(name, value);
  }
  const grpc::Status status = (client.stub.get()->*method)(&context, request, response);
  return {status.error_code(), status.error_message()};
}

Asked Infer(Client& client, const std::string& model, const std::string& token) {
  std::map<std::string, std::string> metadata;
  if (!token.empty()) {
    metadata["authorization"] = "Bearer " + token;
  }
  inference::ModelInferResponse response;
  return Call(client, &Stub::ModelInfer, TextRequest(model, 1), &response, metadata);
}

std::string WithToken(const std::string& token) {
  return "-H 'Authorization: Bearer " + token + "' ";
}

std::string Url(int port, const std::string& path) {
  return "'http://127.0.0.1:" + std::to_string(port) + path + "'";
}

TEST_CASE("Access: tokens over gRPC", "[1.16]") {
  Repository repository;
  repository.AddText("text");
  repository.AddText("other");
  TestDaemon daemon(repository, WithClients());
  Client& client = daemon.client();
  CHECK(Infer(client, "text", "reader-token").code == StatusCode::OK);
  CHECK(Infer(client, "other", "ops-token").code == StatusCode::OK);
  const Asked nobody = Infer(client, "text", "");
  CHECK(nobody.code == StatusCode::UNAUTHENTICATED);
  CHECK_THAT(nobody.message, Contains("Bearer TOKEN"));
  CHECK(Infer(client, "text", "wrong-token").code == StatusCode::UNAUTHENTICATED);
  const Asked other = Infer(client, "other", "reader-token");
  CHECK(other.code == StatusCode::PERMISSION_DENIED);
  CHECK(other.message == "client 'reader' may not use model 'other'");
  // Whether a model is there is nobody's business who may not use it.
  CHECK(Infer(client, "nothing", "reader-token").code == StatusCode::PERMISSION_DENIED);
  // Lists have what the client may use.
  inference::RepositoryIndexResponse index;
  CHECK(Call(client, &Stub::RepositoryIndex, inference::RepositoryIndexRequest(), &index,
             {{"authorization", "Bearer reader-token"}})
            .code == StatusCode::OK);
  REQUIRE(index.models_size() == 1);
  CHECK(index.models(0).name() == "text");
  inference::ModelStatisticsResponse statistics;
  CHECK(Call(client, &Stub::ModelStatistics, inference::ModelStatisticsRequest(), &statistics,
             {{"authorization", "Bearer reader-token"}})
            .code == StatusCode::OK);
  CHECK(statistics.model_stats_size() == 1);
  // Probes are for everybody.
  inference::ServerReadyResponse ready;
  CHECK(Call(client, &Stub::ServerReady, inference::ServerReadyRequest(), &ready, {}).code ==
        StatusCode::OK);
  CHECK(Metric(daemon.http_port(), std::string(kRefused) + "model\"}") == 2);
  CHECK(Metric(daemon.http_port(), std::string(kRefused) + "no_credentials\"}") == 1);
  CHECK(Metric(daemon.http_port(), std::string(kRefused) + "unknown_token\"}") == 1);
}

// In a stream, who may call at all is told for the stream, and a model for its request.
TEST_CASE("Access: streams") {
  Repository repository;
  repository.AddText("text");
  repository.AddText("other");
  TestDaemon daemon(repository, WithClients());
  {
    grpc::ClientContext context;
    Client::SetDeadline(context, std::chrono::seconds(30));
    const auto stream = daemon.client().stub->ModelStreamInfer(&context);
    CHECK(stream->Finish().error_code() == StatusCode::UNAUTHENTICATED);
  }
  grpc::ClientContext context;
  Client::SetDeadline(context, std::chrono::seconds(30));
  context.AddMetadata("authorization", "Bearer reader-token");
  const auto stream = daemon.client().stub->ModelStreamInfer(&context);
  REQUIRE(stream->Write(TextRequest("other", 1)));
  REQUIRE(stream->Write(TextRequest("text", 1)));
  stream->WritesDone();
  inference::ModelStreamInferResponse response;
  REQUIRE(stream->Read(&response));
  CHECK_THAT(response.error_message(), Contains("may not use model 'other'"));
  REQUIRE(stream->Read(&response));
  CHECK(response.error_message().empty());
  CHECK(stream->Finish().ok());
}

TEST_CASE("Access: tokens over HTTP") {
  Repository repository;
  repository.AddText("text");
  repository.AddText("other");
  TestDaemon daemon(repository, WithClients());
  const int port = daemon.http_port();
  const CurlAnswer nobody = Curl(Url(port, "/v2/models/text"));
  CHECK(nobody.status == 401);
  CHECK_THAT(nobody.header, Contains("WWW-Authenticate: Bearer realm=\"omserve\"\r\n"));
  CHECK(Curl(WithToken("reader-token") + Url(port, "/v2/models/text")).status == 200);
  CHECK(Curl(WithToken("wrong") + Url(port, "/v2/models/text")).status == 401);
  const CurlAnswer other = Curl(WithToken("reader-token") + Url(port, "/v2/models/other"));
  CHECK(other.status == 403);
  CHECK(other.body == R"({"error":"client 'reader' may not use model 'other'"})");
  CHECK(Curl(WithToken("reader-token") + Url(port, "/v2/models/%6fther")).status == 403);
  CHECK(Curl(Url(port, "/v2/health/ready")).status == 200);
  CHECK(Curl(Url(port, "/v2/models/text/ready")).status == 200);
  CHECK(Curl(Url(port, "/metrics")).status == 200);
  const CurlAnswer index =
      Curl(WithToken("reader-token") + "-X POST " + Url(port, "/v2/repository/index"));
  CHECK_THAT(index.body, Contains("\"text\"") && !Contains("other"));
  const CurlAnswer list = Curl(WithToken("reader-token") + Url(port, "/v2/repository/models"));
  CHECK_THAT(list.body, Contains("\"text\"") && !Contains("other"));
  CHECK(Curl(WithToken("reader-token") + Url(port, "/v2/repository/models/other")).status == 403);
  const CurlAnswer statistics = Curl(WithToken("reader-token") + Url(port, "/v2/models/stats"));
  CHECK_THAT(statistics.body, Contains("\"text\"") && !Contains("other"));
  // A long body is not read before it is known that nobody may send it, and the connection that a
  // short one came on goes on.
  REQUIRE_OK(WriteFileAtomically("long", std::string(4 << 20, ' ')));
  CHECK(Curl("--data-binary @long " + Url(port, "/v2/models/text/infer")).status == 401);
  const CurlAnswer two = Curl(Url(port, "/v2/models/text") + " --next -o second -w '' -sS " +
                              WithToken("reader-token") + Url(port, "/v2/models/text"));
  CHECK(two.status == 401);
  CHECK_THAT(VALUE(ReadFile("second")), StartsWith("{\"name\":\"text\""));
}

// Writing the settings of the log is for admins, on the port for operators; who did it is told.
TEST_CASE("Access: roles", "[1.13]") {
  Repository repository;
  repository.AddText();
  TestDaemon daemon(repository, WithClients());
  InitLog({.level = LogLevel::kInfo, .json = false, .file = "access.log"});
  const int port = daemon.daemon().admin_http_port();
  const auto post = [port](const std::string& token) {
    return Curl(WithToken(token) + "-d '{\"log_verbose_level\":0}' " + Url(port, "/v2/logging"));
  };
  CHECK(post("reader-token").status == 403);
  const CurlAnswer loader = post("loader-token");
  CHECK(loader.status == 403);
  CHECK(loader.body == R"({"error":"client 'loader' has the role control, and this needs admin"})");
  CHECK(post("ops-token").status == 200);
  CHECK(Curl(WithToken("reader-token") + Url(port, "/v2/logging")).status == 200);
  Client operators(daemon.daemon().admin_grpc_port());
  inference::LogSettingsRequest request;
  (*request.mutable_settings())["log_verbose_level"].set_uint32_param(0);
  inference::LogSettingsResponse response;
  CHECK(Call(operators, &Stub::LogSettings, request, &response,
             {{"authorization", "Bearer loader-token"}})
            .code == StatusCode::PERMISSION_DENIED);
  CHECK(Call(operators, &Stub::LogSettings, request, &response,
             {{"authorization", "Bearer ops-token"}})
            .code == StatusCode::OK);
  const auto move = [port](const std::string& token) {
    return Curl(WithToken(token) + "-d '{\"labels\":{\"stable\":1}}' " +
                Url(port, "/v2/repository/models/text/labels"));
  };
  CHECK(move("reader-token").status == 403);
  CHECK(move("loader-token").status == 200);
  inference::RepositoryModelLoadRequest load;
  load.set_model_name("text");
  inference::RepositoryModelLoadResponse loaded;
  CHECK(Call(operators, &Stub::RepositoryModelLoad, load, &loaded,
             {{"authorization", "Bearer reader-token"}})
            .code == StatusCode::PERMISSION_DENIED);
  CHECK(Call(operators, &Stub::RepositoryModelLoad, load, &loaded,
             {{"authorization", "Bearer loader-token"}})
            .code != StatusCode::PERMISSION_DENIED);
  const std::string text = VALUE(ReadFile("access.log"));
  CHECK_THAT(text, Contains("log settings changed by=ops@ipv4:127.0.0.1:"));
  CHECK_THAT(text, !Contains("ops-token"));
  InitLog({.level = LogLevel::kOff});
}

// The subject of a certificate, or one of its names, says who it is; a token comes before it.
TEST_CASE("Access: certificates") {
  const Certificates files;
  files.MakeCa("ca");
  files.Make("server", "ca");
  files.Make("robot", "ca");
  files.Make("meshed", "ca", 2, "DNS:x,URI:spiffe://omserve/mesh");
  files.Make("stranger", "ca");
  Repository repository;
  repository.AddText();
  const auto with_clients = WithClients();
  TestDaemon daemon(repository, [&](ServerConfig& config) {
    with_clients(config);
    for (TlsConfig* tls :
         {config.mutable_grpc()->mutable_tls(), config.mutable_http()->mutable_tls()}) {
      tls->set_certificate_file(files.Path("server.pem"));
      tls->set_key_file(files.Path("server.key"));
      tls->set_client_ca_file(files.Path("ca.pem"));
    }
  });
  const auto ask_http = [&](const std::string& name, const std::string& more) {
    return Curl("--cacert '" + files.Path("ca.pem") + "' --cert '" + files.Path(name + ".pem") +
                "' --key '" + files.Path(name + ".key") + "' " + more +
                " 'https://127.0.0.1:" + std::to_string(daemon.http_port()) + "/v2/models/text'")
        .status;
  };
  CHECK(ask_http("robot", "") == 200);
  CHECK(ask_http("meshed", "") == 200);
  CHECK(ask_http("stranger", "") == 401);
  CHECK(ask_http("stranger", WithToken("reader-token")) == 200);
  CHECK(ask_http("robot", WithToken("wrong")) == 401);
  const auto ask_grpc = [&](const std::string& name) {
    grpc::ChannelArguments arguments;
    arguments.SetSslTargetNameOverride("localhost");
    arguments.SetInt(GRPC_ARG_USE_LOCAL_SUBCHANNEL_POOL, 1);
    const auto channel = grpc::CreateCustomChannel(
        "127.0.0.1:" + std::to_string(daemon.daemon().grpc_port()),
        grpc::SslCredentials(
            {files.Read("ca.pem"), files.Read(name + ".key"), files.Read(name + ".pem")}),
        arguments);
    grpc::ClientContext context;
    Client::SetDeadline(context, std::chrono::seconds(30));
    inference::ModelInferResponse response;
    return Stub(channel).ModelInfer(&context, TextRequest("text", 1), &response).error_code();
  };
  CHECK(ask_grpc("robot") == StatusCode::OK);
  CHECK(ask_grpc("meshed") == StatusCode::OK);
  CHECK(ask_grpc("stranger") == StatusCode::UNAUTHENTICATED);
}

// As Triton has it, with its words: gRPC by metadata with a prefix, HTTP by a header.
TEST_CASE("Access: restricted protocols", "[1.15/restricted]") {
  Repository repository;
  repository.AddText();
  TestDaemon daemon(repository, [](ServerConfig& config) {
    for (RestrictedConfig* restricted : {config.mutable_auth()->add_grpc_restricted(),
                                         config.mutable_auth()->add_http_restricted()}) {
      restricted->add_groups("inference");
      restricted->add_groups("health");
      restricted->set_key("a-key");
      restricted->set_value("a-value");
    }
  });
  Client& client = daemon.client();
  inference::ModelInferResponse response;
  const inference::ModelInferRequest request = TextRequest("text", 1);
  const Asked refused = Call(client, &Stub::ModelInfer, request, &response, {});
  CHECK(refused.code == StatusCode::UNAVAILABLE);
  CHECK(refused.message ==
        "This protocol is restricted, expecting header 'triton-grpc-protocol-a-key'");
  CHECK(Call(client, &Stub::ModelInfer, request, &response,
             {{"triton-grpc-protocol-a-key", "another"}})
            .code == StatusCode::UNAVAILABLE);
  CHECK(Call(client, &Stub::ModelInfer, request, &response,
             {{"triton-grpc-protocol-a-key", "a-value"}})
            .code == StatusCode::OK);
  inference::ServerMetadataResponse metadata;
  CHECK(
      Call(client, &Stub::ServerMetadata, inference::ServerMetadataRequest(), &metadata, {}).code ==
      StatusCode::OK);
  {
    grpc::ClientContext context;
    Client::SetDeadline(context, std::chrono::seconds(30));
    const auto watch = client.health->Watch(&context, grpc::health::v1::HealthCheckRequest());
    CHECK(watch->Finish().error_code() == StatusCode::UNAVAILABLE);
  }
  const CurlAnswer http = Curl(Url(daemon.http_port(), "/v2/health/ready"));
  CHECK(http.status == 403);
  CHECK(http.body == R"({"error":"This API is restricted, expecting header 'a-key'"})");
  CHECK(Curl("-H 'A-Key: a-value' " + Url(daemon.http_port(), "/v2/health/ready")).status == 200);
  CHECK(Curl(Url(daemon.http_port(), "/v2")).status == 200);
  CHECK(Metric(daemon.http_port(), std::string(kRefused) + "restricted\"}") == 4);
}

// Ports for probes answer in plain text and everybody, and nothing but probes, while the others ask
// for certificates and tokens.
TEST_CASE("Access: ports for probes") {
  const Certificates files;
  files.MakeCa("ca");
  files.Make("server", "ca");
  Repository repository;
  repository.AddText();
  const auto with_clients = WithClients();
  TestDaemon daemon(repository, [&](ServerConfig& config) {
    with_clients(config);
    config.mutable_health()->set_http_port(0);
    config.mutable_health()->set_grpc_port(0);
    config.mutable_health()->set_address("127.0.0.1");
    for (TlsConfig* tls :
         {config.mutable_grpc()->mutable_tls(), config.mutable_http()->mutable_tls()}) {
      tls->set_certificate_file(files.Path("server.pem"));
      tls->set_key_file(files.Path("server.key"));
      tls->set_client_ca_file(files.Path("ca.pem"));
    }
  });
  const int port = daemon.daemon().health_http_port();
  for (const char* path : {"live", "started", "ready", "converged"}) {
    CHECK_THAT(HttpGet(port, std::string("/v2/health/") + path), StartsWith("HTTP/1.1 200 "));
  }
  CHECK_THAT(HttpGet(port, "/v2/models/text/ready"), StartsWith("HTTP/1.1 200 "));
  CHECK_THAT(HttpGet(port, "/v2/models/text"), StartsWith("HTTP/1.1 404 "));
  CHECK_THAT(HttpGet(port, "/metrics"), StartsWith("HTTP/1.1 404 "));
  Client probes(daemon.daemon().health_grpc_port());
  grpc::ClientContext context;
  Client::SetDeadline(context, std::chrono::seconds(30));
  grpc::health::v1::HealthCheckResponse response;
  REQUIRE(probes.health->Check(&context, grpc::health::v1::HealthCheckRequest(), &response).ok());
  CHECK(response.status() == grpc::health::v1::HealthCheckResponse::SERVING);
  inference::ModelInferResponse answer;
  CHECK(probes.Infer(TextRequest("text", 1), &answer).error_code() == StatusCode::UNIMPLEMENTED);
  CHECK_THAT(HttpGet(daemon.http_port(), "/v2/health/ready"), StartsWith("HTTP/1.1 400 "));
}

// Unix sockets for gRPC and for operators, which are for the daemon's user alone; one that is in
// use is not taken, and they go with the daemon.
TEST_CASE("Access: Unix sockets") {
  Repository repository;
  repository.AddText();
  const TempFolder folder;
  const std::string public_socket = folder.path() + "/grpc";
  const std::string grpc_socket = folder.path() + "/admin-grpc";
  const std::string http_socket = folder.path() + "/admin-http";
  const auto use_sockets = [&](ServerConfig& config) {
    config.mutable_grpc()->set_unix_socket(public_socket);
    config.mutable_admin()->set_grpc_unix_socket(grpc_socket);
    config.mutable_admin()->set_http_unix_socket(http_socket);
  };
  const auto infer_over = [](const std::string& path) {
    const auto channel = grpc::CreateChannel("unix:" + path, grpc::InsecureChannelCredentials());
    grpc::ClientContext context;
    Client::SetDeadline(context, std::chrono::seconds(30));
    inference::ModelInferResponse response;
    return Stub(channel).ModelInfer(&context, TextRequest("text", 1), &response).error_code();
  };
  {
    TestDaemon daemon(repository, use_sockets);
    CHECK(daemon.daemon().grpc_port() == 0);
    CHECK(infer_over(public_socket) == StatusCode::OK);
    CHECK(infer_over(grpc_socket) == StatusCode::OK);
    for (const std::string& path : {grpc_socket, http_socket}) {
      CHECK((std::filesystem::status(path).permissions() &
             (std::filesystem::perms::group_all | std::filesystem::perms::others_all)) ==
            std::filesystem::perms::none);
    }
    CHECK(Curl("--unix-socket '" + http_socket + "' -d '{}' http://localhost/v2/logging").status ==
          200);
    REQUIRE_OK(
        WriteFileAtomically("second.yaml", "model_repository: [" + repository.path() +
                                               "]\ngrpc: {port: 0, unix_socket: " + public_socket +
                                               "}\nhttp: {port: 0}\nmetrics: {port: 0}\n"));
    const ProgramResult second = RunOmserved("--config second.yaml");
    CHECK(second.status == 1);
    CHECK_THAT(second.output, Contains("another process does"));
    CHECK(infer_over(public_socket) == StatusCode::OK);
  }
  for (const std::string& path : {public_socket, grpc_socket, http_socket}) {
    CHECK_FALSE(std::filesystem::exists(path));
  }
}

}  // namespace
}  // namespace omserve::server
