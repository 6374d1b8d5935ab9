// SPDX-License-Identifier: Apache-2.0
// Parameters that no model takes, and headers that become such, where an operator sees them.
#include <boost/json.hpp>
#include <catch2/catch.hpp>
#include <map>
#include <string>

#include "tests/server/protocol/daemon_fixture.h"
#include "tests/server/protocol/trace_collector.h"

namespace omserve::server {
namespace {

std::function<void(ServerConfig&)> Forwards(const Collector& collector) {
  return [endpoint = collector.endpoint()](ServerConfig& config) {
    config.mutable_trace()->set_rate(1);
    config.mutable_trace()->mutable_otlp()->set_endpoint(endpoint);
    config.mutable_trace()->mutable_otlp()->set_delay_ms(10);
    config.mutable_grpc()->set_header_forward_pattern("^x-|auth|key");
    config.mutable_http()->set_header_forward_pattern("^X-|auth|key");
    for (auto* all : {config.mutable_auth()->mutable_grpc_restricted(),
                      config.mutable_auth()->mutable_http_restricted()}) {
      RestrictedConfig& restricted = *all->Add();
      restricted.add_groups("statistics");
      restricted.set_key("x-key");
      restricted.set_value("secret");
    }
  };
}

// What the span of the only request tells: headers as "header NAME", parameters by their names.
std::map<std::string, std::string> ToldBy(Collector& collector) {
  std::map<std::string, std::string> told;
  const Collector::OtlpSpan span = collector.Await("infer text", 1).front();
  for (const auto& attribute : span.attributes()) {
    const std::string prefix = "omserve.header.";
    const std::string& value = attribute.value().string_value();
    if (attribute.key().starts_with(prefix)) {
      CHECK(told.emplace("header " + attribute.key().substr(prefix.size()), value).second);
    } else if (attribute.key() == "omserve.parameters") {
      const boost::json::value parameters = boost::json::parse(value);
      for (const auto& [name, text] : parameters.as_object()) {
        told[std::string(name)] = std::string(text.as_string());
      }
    }
  }
  return told;
}

// Metadata that the pattern takes, and parameters of any type; not those that are obeyed, and no
// secrets.
TEST_CASE("Parameters and metadata of a gRPC request are in its trace",
          "[1.8/header-forwarding][1.8/others]") {
  Collector collector;
  Repository repository;
  repository.AddText();
  TestDaemon daemon(repository, Forwards(collector));
  grpc::ClientContext context;
  Client::SetDeadline(context, std::chrono::seconds(30));
  for (const char* name : {"x-tenant", "x-blob-bin", "other", "authorization",
                           "triton-grpc-protocol-x-key", "x-key"}) {
    context.AddMetadata(name, "of a header");
  }
  inference::ModelInferRequest request = TextRequest("text", 1);
  auto& parameters = *request.mutable_parameters();
  parameters["text"].set_string_param(std::string(1000, 't'));
  parameters["number"].set_int64_param(-3);
  parameters["flag"].set_bool_param(true);
  parameters["ratio"].set_double_param(0.5);
  parameters["timeout"].set_int64_param(30'000'000);
  inference::ModelInferResponse response;
  CHECK(daemon.client().stub->ModelInfer(&context, request, &response).ok());
  CHECK(ToldBy(collector) ==
        std::map<std::string, std::string>{{"text", std::string(256, 't')},
                                           {"number", "-3"},
                                           {"flag", "true"},
                                           {"ratio", "0.5"},
                                           {"header x-tenant", "of a header"},
                                           {"header x-blob-bin", "of a header"}});
}

// The same over HTTP, where names of headers are told in lower case. There are 16 parameters at
// most, which hide no header.
TEST_CASE("Parameters and headers of an HTTP request are in its trace",
          "[1.8/header-forwarding][1.8/others]") {
  std::string parameters = R"("text":"t","number":-3,"timeout":30000000)";
  size_t most = 2;
  SECTION("few") {}
  SECTION("many") {
    for (int i = 0; i < 100; ++i) {
      parameters += ",\"p" + std::to_string(i) + "\":0";
    }
    most = 16;
  }
  Collector collector;
  Repository repository;
  repository.AddText();
  TestDaemon daemon(repository, Forwards(collector));
  std::string ones = "1";
  for (int i = 1; i < 32; ++i) {
    ones += ",1";
  }
  const std::string body = R"({"input_ids":[)" + ones + R"(],"attention_mask":[)" + ones +
                           R"(],"parameters":{)" + parameters + "}}";
  SendHttp(daemon.http_port(),
           "POST /v2/models/text/generate HTTP/1.1\r\nHost: h\r\nX-Tenant: a\xff b\r\n"
           "X-Tenant: another\r\nTriton-Grpc-Protocol-X-Key: secret\r\n"
           "Authorization: Bearer x\r\nX-Key: secret\r\nConnection: close\r\nContent-Length: " +
               std::to_string(body.size()) + "\r\n\r\n" + body);
  const std::map<std::string, std::string> told = ToldBy(collector);
  CHECK(told.size() == most + 1);
  CHECK(told.at("text") == "t");
  CHECK(told.at("number") == "-3");
  CHECK(told.at("header x-tenant") == "a? b");
}

}  // namespace
}  // namespace omserve::server
