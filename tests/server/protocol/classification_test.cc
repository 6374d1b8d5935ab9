// SPDX-License-Identifier: Apache-2.0
// Outputs as texts of their first classes, over gRPC, in streams and over HTTP.
#include <algorithm>
#include <boost/json.hpp>
#include <catch2/catch.hpp>
#include <cstring>
#include <numeric>
#include <string>

#include "runtime/base/bytes_tensor.h"
#include "tests/server/protocol/daemon_fixture.h"
#include "tests/status_test_util.h"

namespace omserve::server {
namespace {

using Catch::Matchers::Contains;
using inference::ModelInferRequest;
using inference::ModelInferResponse;
using Texts = std::vector<std::string>;

ModelInferResponse Answer(TestDaemon& daemon, const ModelInferRequest& request) {
  ModelInferResponse response;
  const grpc::Status status = daemon.client().Infer(request, &response);
  INFO(status.error_message());
  REQUIRE(status.ok());
  return response;
}

ModelInferRequest Classified(ModelInferRequest request, const std::string& output, int64_t count) {
  auto& wanted = *request.add_outputs();
  wanted.set_name(output);
  (*wanted.mutable_parameters())["classification"].set_int64_param(count);
  return request;
}

Texts TextsOf(const ModelInferResponse& response, int output, int64_t count) {
  REQUIRE(response.outputs(output).datatype() == "BYTES");
  const std::vector<std::string_view> elements = VALUE(
      DecodeBytesTensor(std::as_bytes(std::span(response.raw_output_contents(output))), count));
  return {elements.begin(), elements.end()};
}

// The same by the book, from rows of floats.
Texts Expected(const std::string& raw, size_t rows, size_t count, const Texts& labels = {}) {
  std::vector<float> all(raw.size() / sizeof(float));
  std::memcpy(all.data(), raw.data(), raw.size());
  const size_t elements = all.size() / rows;
  Texts texts;
  for (size_t row = 0; row < rows; ++row) {
    const float* values = all.data() + row * elements;
    std::vector<size_t> order(elements);
    std::iota(order.begin(), order.end(), size_t{0});
    std::stable_sort(order.begin(), order.end(),
                     [values](size_t a, size_t b) { return values[a] > values[b]; });
    for (size_t i = 0; i < count; ++i) {
      std::string text = std::to_string(values[order[i]]) + ":" + std::to_string(order[i]);
      text += order[i] < labels.size() ? ":" + labels[order[i]] : "";
      texts.push_back(text);
    }
  }
  return texts;
}

// Until the connection is closed: a client that closes its side first wants no answer.
std::string Post(int port, const std::string& model, const std::string& body) {
  constexpr char kNeverSent[] = "\r\n\r\n\r\n";
  return HttpPost(port, "/v2/models/" + model + "/infer", body, kNeverSent);
}

// A batch, and the same in a stream; the tensor of the same request; what is kept is the tensor.
TEST_CASE("Classes of a batch over gRPC", "[1.8/classification][1.9/text][1.9/order][1.9/BYTES]") {
  Repository repository;
  repository.AddText("text", "response_cache: {enable: true}\n");
  TestDaemon daemon(repository,
                    [](ServerConfig& c) { c.mutable_cache()->set_response_bytes(1 << 20); });
  const ModelInferRequest plain = TextRequest("text", 2);
  const ModelInferRequest request = Classified(plain, "text_features", 3);
  const ModelInferResponse texts = Answer(daemon, request);
  const ModelInferResponse tensor = Answer(daemon, plain);
  REQUIRE(tensor.outputs(0).datatype() == "FP32");
  CHECK(texts.outputs(0).shape_size() == 2);
  CHECK(texts.outputs(0).shape(0) == 2);
  CHECK(texts.outputs(0).shape(1) == 3);
  CHECK(TextsOf(texts, 0, 6) == Expected(tensor.raw_output_contents(0), 2, 3));
  CHECK(Answer(daemon, request).raw_output_contents(0) == texts.raw_output_contents(0));
  CHECK(daemon.client().Statistics("text").execution_count() == 1);
  CHECK(daemon.client().Statistics("text").inference_stats().cache_hit().count() == 2);
  grpc::ClientContext context;
  Client::SetDeadline(context, std::chrono::seconds(30));
  const auto stream = daemon.client().stub->ModelStreamInfer(&context);
  REQUIRE(stream->Write(request));
  inference::ModelStreamInferResponse streamed;
  REQUIRE(stream->Read(&streamed));
  CHECK(streamed.infer_response().raw_output_contents(0) == texts.raw_output_contents(0));
  stream->WritesDone();
  CHECK(stream->Finish().ok());
}

// A pipeline with a file of labels: the first class is what its own step says; more classes than
// there are; beside outputs that stay as they are.
TEST_CASE("Classes have the labels of label_filename", "[1.9/labels][1.9/clamped]") {
  Repository repository;
  repository.AddScenes();
  std::string config = SceneFile("repository/scenes/config.yaml");
  const std::string logits = "dims: [26]";
  config.replace(config.find(logits), logits.size(), logits + ", label_filename: answers.json");
  repository.Write("scenes/config.yaml", config);
  TestDaemon daemon(repository);
  const ModelInferRequest plain = SceneRequest(SceneFile("samples/00.png"), "what is it");
  const ModelInferResponse tensors = Answer(daemon, plain);
  ModelInferRequest request = Classified(plain, "logits", 99);
  request.add_outputs()->set_name("answer");
  const ModelInferResponse texts = Answer(daemon, request);
  CHECK(texts.outputs(0).shape(1) == 26);
  boost::json::value labels = boost::json::parse(SceneFile("models/answers.json"));
  Texts names;
  for (const boost::json::value& label : labels.as_array()) {
    names.emplace_back(label.as_string());
  }
  CHECK(TextsOf(texts, 0, 26) == Expected(tensors.raw_output_contents(2), 1, 26, names));
  const std::string answer = TextsOf(texts, 1, 1).front();
  CHECK_THAT(TextsOf(texts, 0, 26).front(), Catch::Matchers::EndsWith(":" + answer));
}

// JSON and bytes say the same as gRPC.
TEST_CASE("Classes over HTTP", "[1.6/binary-data][1.8/classification][1.9/text][1.9/BYTES]") {
  Repository repository;
  repository.AddText("text");
  TestDaemon daemon(repository);
  const ModelInferRequest plain = TextRequest("text", 1);
  const Texts expected = Expected(Answer(daemon, plain).raw_output_contents(0), 1, 2);
  const auto input = [&plain](int index) {
    std::vector<int64_t> ids(plain.raw_input_contents(index).size() / sizeof(int64_t));
    std::memcpy(ids.data(), plain.raw_input_contents(index).data(), ids.size() * sizeof(int64_t));
    return boost::json::object{{"name", plain.inputs(index).name()},
                               {"datatype", "INT64"},
                               {"shape", {1, 32}},
                               {"data", boost::json::array(ids.begin(), ids.end())}};
  };
  const auto body = [&input](const boost::json::object& parameters) {
    const boost::json::object output{{"name", "text_features"}, {"parameters", parameters}};
    return boost::json::serialize(
        boost::json::object{{"inputs", boost::json::array{input(0), input(1)}},
                            {"outputs", boost::json::array{output}}});
  };
  const std::string json = Post(daemon.http_port(), "text", body({{"classification", 2}}));
  CHECK_THAT(json, Contains(R"("datatype":"BYTES","shape":[1,2],"data":[")" + expected[0] +
                            "\",\"" + expected[1] + "\"]"));
  const std::string binary =
      Post(daemon.http_port(), "text", body({{"classification", 2}, {"binary_data", true}}));
  std::string encoded;
  for (const std::string& text : expected) {
    REQUIRE_OK(AppendBytesElement(text, &encoded));
  }
  CHECK_THAT(binary, Contains("\"binary_data_size\":" + std::to_string(encoded.size())));
  CHECK(binary.ends_with(encoded));
  CHECK_THAT(Post(daemon.http_port(), "text", body({{"classification", 0}})),
             Contains(R"("datatype":"FP32")"));
}

// What has no classes is refused before it runs, and a missing file of labels stops a load.
TEST_CASE("Classifications that are refused", "[1.9/labels]") {
  Repository repository;
  repository.AddScenes();
  repository.AddText("labelled", "output: [{name: text_features, label_filename: none.txt}]\n");
  TestDaemon daemon(repository, nullptr, /*exit_on_error=*/false);
  ModelInferResponse response;
  const grpc::Status refused = daemon.client().Infer(
      Classified(SceneRequest(SceneFile("samples/00.png"), "what is it"), "answer", 1), &response);
  CHECK(refused.error_code() == grpc::StatusCode::INVALID_ARGUMENT);
  CHECK(refused.error_message() ==
        "output 'answer' for model 'scenes' cannot be asked for as classes, because BYTES are no "
        "numbers");
  const grpc::Status unloaded = daemon.client().Infer(TextRequest("labelled", 1), &response);
  CHECK_THAT(unloaded.error_message(),
             Contains("label_filename of output 'text_features'") && Contains("none.txt"));
}

}  // namespace
}  // namespace omserve::server
