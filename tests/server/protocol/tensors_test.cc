// SPDX-License-Identifier: Apache-2.0
// What a configuration says of a model's tensors: inputs that requests may leave out,
// and dims that clients see and the model does not.
#include <catch2/catch.hpp>
#include <string>
#include <thread>

#include "tests/server/protocol/daemon_fixture.h"
#include "tests/status_test_util.h"

namespace omserve::server {
namespace {

using inference::ModelInferRequest;
using inference::ModelInferResponse;
using Stub = inference::GRPCInferenceService::Stub;

constexpr char kOptionalMask[] =
    "input: [{name: input_ids}, {name: attention_mask, optional: true}]\n";

std::string Error(Client& client, const ModelInferRequest& request) {
  ModelInferResponse response;
  return client.Infer(request, &response).error_message();
}

// The second input taken out, or all zeros.
ModelInferRequest WithoutMask(ModelInferRequest request) {
  request.mutable_inputs()->RemoveLast();
  request.mutable_raw_input_contents()->RemoveLast();
  return request;
}
ModelInferRequest WithZeroMask(ModelInferRequest request) {
  std::string& mask = *request.mutable_raw_input_contents(1);
  mask.assign(mask.size(), '\0');
  return request;
}

// An input that is left out is zeros; what is required is still asked for, and metadata does not
// tell the two apart, as Triton's does not.
TEST_CASE("Tensors: an optional input", "[protocol]") {
  Repository repository;
  repository.AddText("text", kOptionalMask);
  TestDaemon daemon(repository);
  Client& client = daemon.client();
  const ModelInferRequest whole = TextRequest("text", 2);
  const ModelInferResponse left_out = client.Answer(WithoutMask(whole));
  CHECK(left_out.raw_output_contents(0) ==
        client.Answer(WithZeroMask(whole)).raw_output_contents(0));
  CHECK(left_out.raw_output_contents(0) != client.Answer(whole).raw_output_contents(0));
  ModelInferRequest other = whole;
  other.mutable_inputs()->DeleteSubrange(0, 1);
  other.mutable_raw_input_contents()->DeleteSubrange(0, 1);
  CHECK(Error(client, other) ==
        "expected number of inputs between 1 and 2 but got 1 inputs for model 'text'. Got input(s) "
        "['attention_mask'], but missing required input(s) ['input_ids']. Please provide all "
        "required input(s).");
  inference::ModelMetadataRequest asked;
  asked.set_name("text");
  inference::ModelMetadataResponse metadata;
  REQUIRE(client.Call(&Stub::ModelMetadata, asked, &metadata).ok());
  CHECK(metadata.inputs_size() == 2);
}

// Where texts are padded, what is left out is as long as the text.
TEST_CASE("Tensors: an optional input that is padded", "[protocol]") {
  Repository repository;
  repository.AddText("text", std::string(kOptionalMask) +
                                 "padding: [{input: [{name: input_ids}, {name: attention_mask}], "
                                 "output: [{name: text_features}]}]\n");
  TestDaemon daemon(repository);
  constexpr int64_t kLength = 10;
  ModelInferRequest request = TextRequest("text", 1);
  for (int i = 0; i < 2; ++i) {
    request.mutable_inputs(i)->set_shape(1, kLength);
    request.mutable_raw_input_contents(i)->resize(kLength * sizeof(int64_t));
  }
  const ModelInferResponse left_out = daemon.client().Answer(WithoutMask(request));
  CHECK(left_out.outputs(0).shape(1) == kLength);
  CHECK(left_out.raw_output_contents(0) ==
        daemon.client().Answer(WithZeroMask(request)).raw_output_contents(0));
}

// Over REST, where a JSON array gives what is there.
TEST_CASE("Tensors: an optional input over REST", "[protocol]") {
  Repository repository;
  repository.AddText("text", kOptionalMask);
  TestDaemon daemon(repository);
  std::string ids = "1";
  for (int i = 1; i < 32; ++i) {
    ids += ",1";
  }
  const std::string answer =
      HttpPost(daemon.http_port(), "/v2/models/text/infer",
               R"({"inputs": [{"name": "input_ids", "datatype": "INT64", "shape": [1, 32], )"
               R"("data": [)" +
                   ids + "]}]}",
               "]}");
  CHECK(answer.find("HTTP/1.1 200") == 0);
}

// A request with the input and one without it share a batch, and each gets its own answer.
TEST_CASE("Tensors: requests with and without an optional input share a batch", "[protocol]") {
  Repository repository;
  repository.AddText("alone", kOptionalMask);
  repository.AddText("text", std::string(kOptionalMask) +
                                 "dynamic_batching: {preferred_batch_size: [2], "
                                 "max_queue_delay_microseconds: 60000000}\n");
  TestDaemon daemon(repository);
  Client& client = daemon.client();
  const ModelInferRequest whole = TextRequest("text", 1);
  ModelInferResponse with;
  grpc::Status status;  // Checked on this thread: Catch takes no checks of others.
  std::jthread other([&] { status = client.Infer(whole, &with); });
  const ModelInferResponse without = client.Answer(WithoutMask(whole));
  other.join();
  REQUIRE(status.ok());
  CHECK(client.Statistics("text").execution_count() == 1);
  const ModelInferRequest alone = TextRequest("alone", 1);
  CHECK(with.raw_output_contents(0) == client.Answer(alone).raw_output_contents(0));
  CHECK(without.raw_output_contents(0) == client.Answer(WithoutMask(alone)).raw_output_contents(0));
}

constexpr char kPipelineOutput[] =
    "output: [{name: features, data_type: TYPE_FP32, dims: [32, 96]}]\n";

// A pipeline's own input may be left out whatever its steps say, and a step whose model can do
// without an input need not map it, also where it is a pipeline; clients do not see that input.
TEST_CASE("Tensors: optional inputs of pipelines", "[protocol]") {
  Repository repository;
  repository.AddText("text", kOptionalMask);
  repository.AddText("strict");
  repository.Write("open/config.yaml",
                   std::string(kPipelineOutput) +
                       "input: [{name: input_ids, data_type: TYPE_INT64, dims: [32]}, {name: "
                       "attention_mask, data_type: TYPE_INT64, dims: [32], optional: true}]\n"
                       "pipeline: {step: [{name: t, model_name: strict, input_map: {input_ids: "
                       "input_ids, attention_mask: attention_mask}, output_map: {text_features: "
                       "features}}]}\n");
  repository.Write("short/config.yaml",
                   std::string(kPipelineOutput) +
                       "input: [{name: input_ids, data_type: TYPE_INT64, dims: [32]}]\n"
                       "pipeline: {step: [{name: t, model_name: text, input_map: {input_ids: "
                       "input_ids}, output_map: {text_features: features}}]}\n");
  for (const char* inner : {"open", "short"}) {
    repository.Write(std::string("over_") + inner + "/config.yaml",
                     std::string(kPipelineOutput) +
                         "input: [{name: input_ids, data_type: TYPE_INT64, dims: [32]}]\n"
                         "pipeline: {step: [{name: p, model_name: " +
                         inner +
                         ", input_map: {input_ids: input_ids}, output_map: {features: "
                         "features}}]}\n");
  }
  TestDaemon daemon(repository);
  Client& client = daemon.client();
  const std::string expected =
      client.Answer(WithZeroMask(TextRequest("text", 2))).raw_output_contents(0);
  for (const char* model : {"open", "short", "over_open", "over_short"}) {
    CAPTURE(model);
    CHECK(client.Answer(WithoutMask(TextRequest(model, 2))).raw_output_contents(0) == expected);
  }
  CHECK(Error(client, TextRequest("short", 2)) ==
        "unexpected inference input 'attention_mask' for model 'short'; it has ['input_ids']");
  inference::ModelMetadataRequest asked;
  asked.set_name("short");
  inference::ModelMetadataResponse metadata;
  REQUIRE(client.Call(&Stub::ModelMetadata, asked, &metadata).ok());
  CHECK(metadata.inputs_size() == 1);
}

// The model has [32] and [32,96]; clients see other dims of as many elements, in metadata, requests
// and answers, and in pipelines too, where steps meet in the dims that clients see.
TEST_CASE("Tensors: a reshape", "[protocol]") {
  Repository repository;
  repository.AddText("plain");
  repository.AddText("text",
                     "input: [{name: input_ids, dims: [4, 8], reshape: {shape: [32]}}, "
                     "{name: attention_mask, dims: [-1, 1], reshape: {shape: [-1]}}]\n"
                     "output: [{name: text_features, dims: [32, 2, 48], reshape: {shape: [32, "
                     "96]}}]\n");
  repository.Write("over/config.yaml",
                   "input: [{name: input_ids, data_type: TYPE_INT64, dims: [4, 8]}, {name: "
                   "attention_mask, data_type: TYPE_INT64, dims: [32, 1]}]\n"
                   "output: [{name: features, data_type: TYPE_FP32, dims: [32, 2, 48]}]\n"
                   "pipeline: {step: [{name: t, model_name: text, input_map: {input_ids: "
                   "input_ids, attention_mask: attention_mask}, output_map: {text_features: "
                   "features}}]}\n");
  TestDaemon daemon(repository);
  Client& client = daemon.client();
  const std::string expected = client.Answer(TextRequest("plain", 3)).raw_output_contents(0);
  for (const char* model : {"text", "over"}) {
    CAPTURE(model);
    ModelInferRequest request = TextRequest(model, 3);
    CHECK(Error(client, request).find("unexpected shape for input 'input_ids'") == 0);
    const auto set_shape = [&request](int input, const Dims& shape) {
      request.mutable_inputs(input)->mutable_shape()->Assign(shape.begin(), shape.end());
    };
    set_shape(0, {3, 4, 8});
    set_shape(1, {3, 32, 1});
    const ModelInferResponse response = client.Answer(request);
    CHECK(response.raw_output_contents(0) == expected);
    const auto& shape = response.outputs(0).shape();
    CHECK(Dims(shape.begin(), shape.end()) == Dims{3, 32, 2, 48});
    inference::ModelMetadataRequest asked;
    asked.set_name(model);
    inference::ModelMetadataResponse metadata;
    REQUIRE(client.Call(&Stub::ModelMetadata, asked, &metadata).ok());
    const auto& seen = metadata.inputs(1).shape();
    CHECK(Dims(seen.begin(), seen.end()) == Dims{-1, 32, 1});
  }
}

// Texts that are left out are empty.
TEST_CASE("Tensors: an optional text", "[protocol]") {
  Repository repository;
  repository.AddScenes();
  std::string config = SceneFile("repository/scenes/config.yaml");
  const std::string question = "name: text";
  REQUIRE(config.find(question) != std::string::npos);
  config.insert(config.find(question), "optional: true, ");
  INFO(config);
  repository.Write("scenes/config.yaml", config);
  TestDaemon daemon(repository);
  const ModelInferRequest empty = SceneRequest(SceneFile("samples/00.png"), "");
  ModelInferRequest without = empty;
  REQUIRE(without.inputs(1).name() == "text");
  without.mutable_inputs()->RemoveLast();
  without.mutable_raw_input_contents()->RemoveLast();
  const ModelInferResponse expected = daemon.client().Answer(empty);
  const ModelInferResponse got = daemon.client().Answer(without);
  for (int i = 0; i < expected.raw_output_contents_size(); ++i) {
    CHECK(got.raw_output_contents(i) == expected.raw_output_contents(i));
  }
}

}  // namespace
}  // namespace omserve::server
