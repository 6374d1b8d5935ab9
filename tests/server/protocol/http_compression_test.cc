// SPDX-License-Identifier: Apache-2.0
// Compressed bodies in both directions, with the real curl and gzip.
#include <array>
#include <boost/json.hpp>
#include <catch2/catch.hpp>
#include <cstdlib>
#include <string>

#include "runtime/base/file.h"
#include "server/http/compression.h"
#include "tests/server/protocol/curl.h"
#include "tests/server/protocol/daemon_fixture.h"
#include "tests/status_test_util.h"

namespace omserve::server {
namespace {

using Catch::Matchers::Contains;

constexpr char kPath[] = "/v2/models/text/infer";

std::string Packed(ContentCoding coding, const std::string& text) {
  return Compressed(coding, std::array<std::string_view, 1>{text});
}

// A request with binary tensors, of which the header is `header_bytes` long.
struct BinaryRequest {
  std::string body;
  std::string length_option;
};

BinaryRequest MakeBinaryRequest(bool binary_output) {
  const inference::ModelInferRequest request = TextRequest("text", 1);
  std::string body =
      R"({"inputs":[{"name":"input_ids","shape":[1,32],"datatype":"INT64",)"
      R"("parameters":{"binary_data_size":256}},{"name":"attention_mask","shape":[1,32],)"
      R"("datatype":"INT64","parameters":{"binary_data_size":256}}],)"
      R"("parameters":{"binary_data_output":)" +
      std::string(binary_output ? "true" : "false") + "}}";
  const std::string option =
      "-H 'Inference-Header-Content-Length: " + std::to_string(body.size()) + "' ";
  body += request.raw_input_contents(0) + request.raw_input_contents(1);
  return {.body = body, .length_option = option};
}

std::string ExpectedTensor(TestDaemon& daemon) {
  inference::ModelInferResponse response;
  REQUIRE(daemon.client().Infer(TextRequest("text", 1), &response).ok());
  return response.raw_output_contents(0);
}

// gzip's own bytes and zlib's are taken; the header's length counts in what they hold, in both
// directions.
TEST_CASE("HTTP compression: requests",
          "[1.7/gzip][1.7/deflate][1.7/identity][1.7/header-length]") {
  Repository repository;
  repository.AddText();
  TestDaemon daemon(repository);
  const std::string expected = ExpectedTensor(daemon);
  const BinaryRequest request = MakeBinaryRequest(true);
  REQUIRE_OK(WriteFileAtomically("plain", request.body));
  REQUIRE(std::system("gzip -c plain >packed") == 0);  // NOLINT: the test has one thread.
  const auto check = [&](const std::string& packed, const std::string& coding,
                         const std::string& more) {
    INFO(coding << more);
    const CurlAnswer answer =
        Post(daemon.http_port(), kPath, packed,
             request.length_option + "-H 'Content-Encoding: " + coding + "' " + more);
    INFO(answer.header);
    REQUIRE(answer.status == 200);
    const size_t at = answer.header.find("Inference-Header-Content-Length: ");
    REQUIRE(at != std::string::npos);
    CHECK(answer.body.substr(std::stoul(answer.header.substr(at + 33))) == expected);
  };
  const std::string chunked = "-H 'Transfer-Encoding: chunked'";
  for (const std::string& more : {std::string(), chunked, std::string("--compressed"),
                                  "--compressed -H 'Accept-Encoding: deflate' " + chunked}) {
    check(VALUE(ReadFile("packed")), "gzip", more);
    check(Packed(ContentCoding::kGzip, request.body), "x-gzip", more);
    check(Packed(ContentCoding::kDeflate, request.body), "deflate", more);
    check(request.body, "identity", more);
  }
  // One that is long when it is decompressed.
  const std::string padding(3 << 20, ' ');
  const inference::ModelInferRequest text = TextRequest("text", 1);
  std::string json = request.body.substr(0, request.body.size() - 512) + padding;
  const std::string option =
      "-H 'Inference-Header-Content-Length: " + std::to_string(json.size()) + "' ";
  json += text.raw_input_contents(0) + text.raw_input_contents(1);
  const CurlAnswer answer = Post(daemon.http_port(), kPath, Packed(ContentCoding::kGzip, json),
                                 option + "-H 'Content-Encoding: gzip'");
  CHECK(answer.status == 200);
}

// An answer is compressed for those who take it, unless it is tiny, and where settings allow it.
TEST_CASE("HTTP compression: answers", "[1.7/answer]") {
  Repository repository;
  repository.AddText();
  TestDaemon daemon(repository);
  const BinaryRequest request = MakeBinaryRequest(false);  // JSON out: some 30 KB.
  const CurlAnswer plain = Post(daemon.http_port(), kPath, request.body, request.length_option);
  REQUIRE(plain.status == 200);
  CHECK_THAT(plain.header, !Contains("Content-Encoding"));
  const auto check = [&](const std::string& accepted, const std::string& coding) {
    INFO(accepted);
    const CurlAnswer answer =
        Post(daemon.http_port(), kPath, request.body,
             request.length_option + "--compressed -H 'Accept-Encoding: " + accepted + "'");
    REQUIRE(answer.status == 200);
    CHECK_THAT(answer.header, Contains("Content-Encoding: " + coding + "\r\n") &&
                                  Contains("Vary: Accept-Encoding\r\n"));
    CHECK(answer.body == plain.body);
  };
  check("gzip, deflate, br", "gzip");
  check("deflate", "deflate");
  check("gzip;q=0.1, deflate;q=0.9", "deflate");
  const std::string url = "'http://127.0.0.1:" + std::to_string(daemon.http_port());
  CHECK_THAT(Curl("--compressed " + url + "/metrics'").header, Contains("Content-Encoding: gzip"));
  CHECK_THAT(Curl("--compressed " + url + "/v2/health/live'").header,
             !Contains("Content-Encoding"));
  CHECK_THAT(Curl("--compressed -I " + url + "/metrics'").header, !Contains("Content-Encoding"));
}

// Settings may leave answers as they are.
TEST_CASE("HTTP compression: off", "[1.7/answer]") {
  Repository repository;
  repository.AddText();
  TestDaemon daemon(
      repository, [](ServerConfig& config) { config.mutable_http()->set_compress_answers(false); });
  const CurlAnswer answer =
      Curl("--compressed 'http://127.0.0.1:" + std::to_string(daemon.http_port()) + "/metrics'");
  CHECK(answer.status == 200);
  CHECK_THAT(answer.header, !Contains("Content-Encoding"));
}

// What is unknown, damaged, cut, or too long when it is decompressed; and the daemon goes on.
TEST_CASE("HTTP compression: errors", "[1.7/unknown-coding][1.7/size-limit]") {
  Repository repository;
  repository.AddText();
  TestDaemon daemon(
      repository, [](ServerConfig& config) { config.mutable_http()->set_max_body_bytes(100'000); });
  const auto check = [&](const std::string& coding, const std::string& body, int status,
                         const std::string& text) {
    const CurlAnswer answer =
        Post(daemon.http_port(), kPath, body, "-H 'Content-Encoding: " + coding + "'");
    INFO(answer.body);
    CHECK(answer.status == status);
    CHECK_THAT(answer.body, Contains(text));
    return answer;
  };
  CHECK_THAT(check("br", "{}", 415, "use gzip, deflate").header,
             Contains("Accept-Encoding: gzip, deflate\r\n"));
  check("gzip, gzip", "{}", 415, "use gzip, deflate");
  check("gzip", "{}", 400, "Content-Encoding");
  const std::string packed = Packed(ContentCoding::kGzip, "{}");
  check("gzip", packed.substr(0, packed.size() - 3), 400, "ends too early");
  check("deflate", packed, 400, "Content-Encoding");
  check("gzip", packed, 400, "expected 2 inputs but got 0 inputs");
  for (const char* coding : {"gzip", "deflate"}) {
    const std::string bomb =
        Packed(std::string(coding) == "gzip" ? ContentCoding::kGzip : ContentCoding::kDeflate,
               std::string(64 << 20, ' '));
    REQUIRE(bomb.size() > 200'000);  // Itself too long: sent as chunks of which the first tells.
    const CurlAnswer answer =
        Post(daemon.http_port(), kPath, bomb,
             "-H 'Transfer-Encoding: chunked' -H 'Content-Encoding: " + std::string(coding) + "'");
    CHECK(answer.status == 413);
  }
  CHECK(Post(daemon.http_port(), kPath, Packed(ContentCoding::kGzip, std::string(100'001, ' ')),
             "-H 'Content-Encoding: gzip'")
            .status == 413);
}

}  // namespace
}  // namespace omserve::server
