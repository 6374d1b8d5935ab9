// SPDX-License-Identifier: Apache-2.0
// Models that answer a request as often as they have something to say: streams over gRPC, events
// over HTTP, and what is said where one answer is taken.
#include <fmt/format.h>

#include <algorithm>
#include <boost/json.hpp>
#include <catch2/catch.hpp>
#include <cstring>
#include <map>
#include <memory>
#include <string>
#include <vector>

#include "runtime/base/bytes_tensor.h"
#include "runtime/base/file.h"
#include "tests/server/protocol/client_stream.h"
#include "tests/server/protocol/curl.h"
#include "tests/server/protocol/daemon_fixture.h"
#include "tests/status_test_util.h"

namespace omserve::server {
namespace {

using Catch::Matchers::Contains;
using inference::ModelInferRequest;
using inference::ModelInferResponse;
using inference::ModelStreamInferResponse;

constexpr char kDecoupled[] = "model_transaction_policy: {decoupled: true}\n";

// The pipeline of the demo, which answers for pictures of which it is sure.
std::string Sure(const std::string& name, const std::string& bound) {
  std::string config = SceneFile("repository/scenes/config.yaml");
  config.replace(config.find("name: scenes"), 12,
                 "name: " + name +
                     "\nmodel_transaction_policy: {decoupled: true, answer_rows_where: is_sure}");
  config.replace(config.find("  - {name: logits"), 0,
                 "  - {name: is_sure, data_type: TYPE_BOOL, dims: [1]}\n");
  return config +
         "    - name: at_least\n"
         "      host: {op: at_least, parameters: {bound: \"" +
         bound +
         "\"}}\n"
         "      input_map: {score: probability}\n"
         "      output_map: {passes: is_sure}\n";
}

void AddSure(const Repository& repository, const std::string& name, const std::string& bound) {
  repository.Write(name + "/config.yaml", Sure(name, bound));
  repository.Write(name + "/vocab.json", SceneFile("models/vocab.json"));
  repository.Write(name + "/answers.json", SceneFile("models/answers.json"));
}

ModelInferRequest WordsRequest() {
  ModelInferRequest request;
  request.set_model_name("words");
  auto& input = *request.add_inputs();
  input.set_name("text_input");
  input.set_datatype("BYTES");
  input.add_shape(1);
  input.add_shape(1);
  REQUIRE_OK(AppendBytesElement("count the objects", request.add_raw_input_contents()));
  return request;
}

// A request with a row for each of the first `rows` pictures.
ModelInferRequest PicturesRequest(const std::string& model, int rows) {
  ModelInferRequest request = SceneRequest("", "what is it");
  request.set_model_name(model);
  request.clear_raw_input_contents();
  for (auto& input : *request.mutable_inputs()) {
    input.set_shape(0, rows);
    std::string& raw = *request.add_raw_input_contents();
    for (int row = 0; row < rows; ++row) {
      const std::string file = fmt::format("samples/{:02}.png", row);
      REQUIRE_OK(
          AppendBytesElement(input.name() == "image" ? SceneFile(file) : "what is it", &raw));
    }
  }
  return request;
}

bool IsFinal(const ModelInferResponse& response) {
  return response.parameters().at("triton_final_response").bool_param();
}

const std::string& Raw(const ModelInferResponse& response, const std::string& output) {
  for (int i = 0; i < response.outputs_size(); ++i) {
    if (response.outputs(i).name() == output) {
      return response.raw_output_contents(i);
    }
  }
  FAIL("no output " << output << " in " << response.ShortDebugString());
  return response.raw_output_contents(0);
}

// Each output as soon as its step has made it; the last answer says so.
TEST_CASE("Decoupled: a stream of a pipeline's outputs", "[1.14/decoupled][1.8/final-response]") {
  Repository repository;
  repository.AddWords(kDecoupled);  // The mask is there first.
  TestDaemon daemon(repository);
  ClientStream stream(daemon.client());
  stream.Send(WordsRequest(), "q1");
  const ModelInferResponse first = stream.Receive().infer_response();
  const ModelInferResponse second = stream.Receive().infer_response();
  for (const ModelInferResponse& response : {first, second}) {
    CHECK(response.id() == "q1");
    CHECK(response.model_name() == "words");
    CHECK(response.model_version() == "1");
    CHECK(response.outputs_size() == 1);
    CHECK(response.parameters().at("omserve_first_row").int64_param() == 0);
  }
  CHECK_FALSE(IsFinal(first));
  CHECK(IsFinal(second));
  CHECK(Raw(first, "mask").size() == 32 * sizeof(int64_t));
  CHECK(Raw(second, "features").size() == size_t{32} * 96 * sizeof(float));

  // Only what is wanted is an answer.
  ModelInferRequest request = WordsRequest();
  request.add_outputs()->set_name("features");
  stream.Send(request, "q2");
  const ModelInferResponse only = stream.Receive().infer_response();
  CHECK(IsFinal(only));
  CHECK(Raw(only, "features") == Raw(second, "features"));
  CHECK(stream.End().ok());
  // Each request succeeded once; its answers are counted by their number.
  const inference::ModelStatistics statistics = daemon.client().Statistics("words");
  CHECK(statistics.inference_stats().success().count() == 2);
  REQUIRE(statistics.response_stats().size() == 2);
  CHECK(statistics.response_stats().at("0").success().count() == 2);
  CHECK(statistics.response_stats().at("1").success().count() == 1);
  CHECK(statistics.response_stats().at("1").empty_response().count() == 0);
}

// Rows that pass are answered one by one, the others not at all.
TEST_CASE("Decoupled: rows that have an answer", "[1.14/decoupled]") {
  Repository repository;
  repository.AddScenes();
  constexpr int kRows = 8;
  ModelInferResponse whole;
  ModelInferRequest request = PicturesRequest("scenes", kRows);
  REQUIRE(TestDaemon(repository).client().Infer(request, &whole).ok());
  std::vector<float> probabilities(kRows);
  std::memcpy(probabilities.data(), Raw(whole, "probability").data(), kRows * sizeof(float));
  std::vector<float> sorted = probabilities;
  std::ranges::sort(sorted);
  const float bound = sorted[kRows / 2];  // Half of them reach it.

  AddSure(repository, "sure", fmt::format("{:.9g}", bound));
  TestDaemon daemon(repository);
  ClientStream stream(daemon.client());
  request.set_model_name("sure");
  request.add_outputs()->set_name("answer");
  request.add_outputs()->set_name("probability");
  stream.Send(request, "all");
  std::map<int64_t, float> answered;
  bool is_over = false;
  while (!is_over) {
    const ModelInferResponse response = stream.Receive().infer_response();
    REQUIRE(response.outputs_size() > 0);
    CHECK(response.outputs(0).shape(0) == 1);
    const int64_t row = response.parameters().at("omserve_first_row").int64_param();
    for (const auto& output : response.outputs()) {
      if (output.name() == "probability") {
        std::memcpy(&answered[row], Raw(response, "probability").data(), sizeof(float));
      }
    }
    is_over = IsFinal(response);
  }
  CHECK(stream.End().ok());
  std::map<int64_t, float> expected;
  for (int row = 0; row < kRows; ++row) {
    if (probabilities[static_cast<size_t>(row)] >= bound) {
      expected[row] = probabilities[static_cast<size_t>(row)];
    }
  }
  REQUIRE(expected.size() >= kRows / 2);
  REQUIRE(answered.size() == expected.size());
  for (const auto& [row, probability] : expected) {
    CHECK(answered.at(row) == Approx(probability).margin(1e-5));
  }
}

// Nothing to say: no message at all, or the end alone for who asks for it.
TEST_CASE("Decoupled: no answer", "[1.14/empty-final][1.8/empty-final-response]") {
  Repository repository;
  repository.AddScenes();
  AddSure(repository, "never", "2");
  TestDaemon daemon(repository);
  ClientStream stream(daemon.client());
  ModelInferRequest request = PicturesRequest("never", 2);
  stream.Send(request, "silent");
  (*request.mutable_parameters())["triton_enable_empty_final_response"].set_bool_param(true);
  stream.Send(request, "told");
  const ModelInferResponse end = stream.Receive().infer_response();
  CHECK(end.id() == "told");
  CHECK(end.model_name() == "never");
  CHECK(end.model_version() == "1");
  CHECK(end.outputs_size() == 0);
  CHECK(end.raw_output_contents_size() == 0);
  CHECK(IsFinal(end));
  CHECK(stream.End().ok());
  const inference::ModelStatistics statistics = daemon.client().Statistics("never");
  CHECK(statistics.inference_stats().success().count() == 2);
  CHECK(statistics.response_stats().at("0").empty_response().count() == 2);
}

TEST_CASE("Decoupled: where one answer is taken", "[1.14/decoupled-unary]") {
  Repository repository;
  repository.AddWords(kDecoupled);
  TestDaemon daemon(repository);
  ModelInferResponse response;
  const grpc::Status status = daemon.client().Infer(WordsRequest(), &response);
  CHECK(status.error_code() == grpc::StatusCode::UNIMPLEMENTED);
  CHECK_THAT(status.error_message(),
             Contains("ModelInfer RPC doesn't support models with decoupled transaction policy"));
  const CurlAnswer answer =
      Post(daemon.http_port(), "/v2/models/words/infer",
           R"({"inputs":[{"name":"text_input","datatype":"BYTES","shape":[1,1],"data":["a"]}]})");
  CHECK(answer.status == 501);
  CHECK_THAT(answer.body,
             Contains("HTTP end point doesn't support models with decoupled transaction policy"));
}

// An event for each answer; generate takes exactly one.
TEST_CASE("Decoupled: events over HTTP", "[1.10/one-answer][1.10/events]") {
  Repository repository;
  repository.AddWords(kDecoupled);
  TestDaemon daemon(repository);
  const std::string body = R"({"text_input":"count the objects","id":"q"})";
  const CurlAnswer stream =
      Post(daemon.http_port(), "/v2/models/words/generate_stream", body, "-N");
  CHECK(stream.status == 200);
  const size_t second = stream.body.find("\n\ndata: ");
  REQUIRE(second != std::string::npos);
  const boost::json::value mask = boost::json::parse(stream.body.substr(6, second - 6));
  CHECK(mask.at("id").as_string() == "q");
  CHECK(mask.at("mask").as_array().size() == 32);
  CHECK_FALSE(mask.as_object().contains("features"));
  const boost::json::value features =
      boost::json::parse(stream.body.substr(second + 8, stream.body.size() - second - 10));
  CHECK(features.at("features").as_array().size() == 32 * 96);

  const CurlAnswer two = Post(daemon.http_port(), "/v2/models/words/generate", body);
  CHECK(two.status == 500);
  CHECK_THAT(two.body, Contains("generate expects model to produce exactly 1 response"));
}

// The text model fails after the mask was sent: the status was sent too, so an event tells.
TEST_CASE("Decoupled: an error after an answer", "[1.10/error-in-stream][1.14/error-in-band]") {
  Repository repository;
  repository.AddWords(kDecoupled);
  const TempFolder folder;
  const std::string file = folder.path() + "/acl.json";
  REQUIRE_OK(WriteFileAtomically(
      file, R"({"hostacl": {"faults": [{"task": "execute", "every": 1, "code": 507899}]}})"));
  TestDaemon daemon(repository, [&file](ServerConfig& config) {
    config.mutable_device()->set_config_file(file);
  });
  const CurlAnswer stream = Post(daemon.http_port(), "/v2/models/words/generate_stream",
                                 R"({"text_input":"count the objects"})", "-N");
  CHECK(stream.status == 200);
  CHECK_THAT(stream.body, Contains("data: {\"model_name\":\"words\"") &&
                              Contains("\n\ndata: {\"error\":\"") && Contains("507899"));
  ClientStream client(daemon.client());
  client.Send(WordsRequest(), "q");
  CHECK(client.Receive().error_message().empty());
  const ModelStreamInferResponse error = client.Receive();
  CHECK_THAT(error.error_message(), Contains("507899"));
  CHECK(error.infer_response().id() == "q");
  CHECK(IsFinal(error.infer_response()));
  CHECK(client.End().ok());
  const inference::ModelStatistics statistics = daemon.client().Statistics("words");
  CHECK(statistics.inference_stats().fail().count() == 2);
  CHECK(statistics.response_stats().at("1").fail().count() == 2);
}

// A request whose answer takes its time holds up those after it only where order is promised; one
// that is refused, too, is answered as it comes.
TEST_CASE("Decoupled: answers leave as they come", "[1.14/order]") {
  Repository repository;
  repository.AddWords(kDecoupled);
  repository.AddText("patient",
                     "dynamic_batching: {preferred_batch_size: [2, 8], "
                     "max_queue_delay_microseconds: 60000000}\n");
  TestDaemon daemon(repository);
  ClientStream stream(daemon.client());
  stream.Send(TextRequest("patient", 1), "waits");
  stream.Send(WordsRequest(), "comes");
  CHECK(stream.Receive().infer_response().id() == "comes");
  CHECK(stream.Receive().infer_response().id() == "comes");
  ModelInferRequest refused = WordsRequest();
  refused.clear_inputs();
  stream.Send(refused, "refused");
  CHECK(stream.Receive().infer_response().id() == "refused");
  stream.Send(TextRequest("patient", 1), "company");
  CHECK(stream.Receive().infer_response().id() == "waits");
  CHECK(stream.Receive().infer_response().id() == "company");
  CHECK(stream.End().ok());
}

}  // namespace
}  // namespace omserve::server
