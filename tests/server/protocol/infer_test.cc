// SPDX-License-Identifier: Apache-2.0
// ModelInfer over loopback: answers, errors with code and text, hostile bytes.
#include <catch2/catch.hpp>
#include <cmath>
#include <cstring>

#include "runtime/base/bytes_tensor.h"
#include "tests/npy.h"
#include "tests/server/protocol/daemon_fixture.h"
#include "tests/status_test_util.h"

namespace omserve::server {
namespace {

using inference::ModelInferRequest;
using inference::ModelInferResponse;

constexpr char kInferMethod[] = "/inference.GRPCInferenceService/ModelInfer";

void CheckError(Client& client, const ModelInferRequest& request, grpc::StatusCode code,
                const std::string& text) {
  ModelInferResponse response;
  const grpc::Status status = client.Infer(request, &response);
  CHECK(status.error_code() == code);
  CHECK(status.error_message() == text);
}

ModelInferRequest Typed(const ModelInferRequest& raw) {
  ModelInferRequest typed = raw;
  for (int i = 0; i < raw.inputs_size(); ++i) {
    const std::string& bytes = raw.raw_input_contents(i);
    for (size_t at = 0; at < bytes.size(); at += sizeof(int64_t)) {
      int64_t value = 0;
      std::memcpy(&value, bytes.data() + at, sizeof(value));
      typed.mutable_inputs(i)->mutable_contents()->add_int64_contents(value);
    }
  }
  typed.clear_raw_input_contents();
  return typed;
}

// One model, a request with an id and without a version: the id is echoed, the version is the
// concrete one, and the output has its name, type, shape and bytes.
TEST_CASE("ModelInfer: raw contents",
          "[protocol][1.1/ModelInfer][1.4/raw][1.4/raw-outputs][1.4/id][1.4/concrete-version]"
          "[1.5/infer]") {
  Repository repository;
  repository.AddText();
  TestDaemon daemon(repository);
  ModelInferRequest request = TextRequest("text", 2);
  request.set_id("seven");
  const ModelInferResponse response = daemon.client().Answer(request);
  CHECK(response.model_name() == "text");
  CHECK(response.model_version() == "1");
  CHECK(response.id() == "seven");
  CHECK(response.parameters().empty());
  REQUIRE(response.outputs_size() == 1);
  CHECK(response.outputs(0).name() == "text_features");
  CHECK(response.outputs(0).datatype() == "FP32");
  CHECK(std::vector<int64_t>(response.outputs(0).shape().begin(),
                             response.outputs(0).shape().end()) == Dims{2, 32, 96});
  REQUIRE(response.raw_output_contents_size() == 1);
  const std::string& bytes = response.raw_output_contents(0);
  REQUIRE(bytes.size() == 2U * 32 * 96 * 4);
  // Equal rows in, equal rows out: rows are not mixed up.
  CHECK(bytes.substr(0, bytes.size() / 2) == bytes.substr(bytes.size() / 2));
}

// The same values as typed contents: the same answer.
TEST_CASE("ModelInfer: typed contents equal raw ones", "[protocol][1.4/typed-INT64]") {
  Repository repository;
  repository.AddText();
  TestDaemon daemon(repository);
  const ModelInferRequest raw = TextRequest("text", 1);
  CHECK(daemon.client().Answer(Typed(raw)).raw_output_contents(0) ==
        daemon.client().Answer(raw).raw_output_contents(0));
}

// A picture and a question through the whole pipeline, with a trace: the known answer, the logits
// of the original model, outputs in the order asked for, and each step in the trace.
TEST_CASE("ModelInfer: a pipeline", "[protocol][1.4/BYTES]") {
  Repository repository;
  repository.AddScenes();
  TestDaemon daemon(repository);
  // The first question of the first sample.
  ModelInferRequest request = SceneRequest(SceneFile("samples/00.png"),
                                           "is the blue thing left of the small yellow object");
  for (const char* output : {"logits", "answer"}) {
    request.add_outputs()->set_name(output);
  }
  (*request.mutable_parameters())["omserve_trace"].set_bool_param(true);
  const ModelInferResponse response = daemon.client().Answer(request);
  REQUIRE(response.outputs_size() == 2);
  CHECK(response.outputs(0).name() == "logits");
  CHECK(response.outputs(1).name() == "answer");
  const std::string& answer = response.raw_output_contents(1);
  CHECK(VALUE(DecodeBytesTensor(std::as_bytes(std::span(answer)), 1)).front() == "yes");
  const Matrix expected =
      ReadNpy(std::string(OMSERVE_SOURCE_DIR) + "/tools/demo/scenes/samples/logits.npy");
  REQUIRE(response.raw_output_contents(0).size() == expected.columns * sizeof(float));
  for (size_t c = 0; c < expected.columns; ++c) {
    float logit = 0;
    std::memcpy(&logit, response.raw_output_contents(0).data() + c * sizeof(float), sizeof(float));
    CHECK(std::abs(logit - expected.Row(0)[c]) < 1e-3F);
  }
  const std::string trace = response.parameters().at("omserve_trace").string_param();
  for (const char* step : {"image_decode", "vision_a", "vision_b", "tokenize", "text", "fusion"}) {
    CHECK(trace.find("\"step\":\"" + std::string(step) + "\"") != std::string::npos);
  }
  CHECK(response.parameters().at("omserve_stages").string_param().starts_with("{\"total_us\":"));
  // The stages sum to the time in the server, in the request's own pipeline and on /metrics.
  const inference::ModelStatistics stats = daemon.client().Statistics("scenes");
  CHECK(stats.request_total().count() == 1);
  CHECK(stats.request_total().ns() == stats.inference_stats().success().ns());
  CHECK(stats.request_compute().ns() > 0);
  const uint64_t sum = stats.request_queue().ns() + stats.request_input().ns() +
                       stats.request_compute().ns() + stats.request_output().ns() +
                       stats.request_overhead().ns();
  CHECK(100 * sum <= 101 * stats.request_total().ns());
  CHECK(100 * sum >= 99 * stats.request_total().ns());
  const std::string of_scenes = "{model=\"scenes\",version=\"1\",stage=\"total\"}";
  CHECK(Metric(daemon.http_port(), "omserve_request_duration_seconds_count" + of_scenes) == 1);
}

// Each way in which a request does not fit its model: code and text.
TEST_CASE("ModelInfer: requests that do not fit",
          "[protocol][1.4/raw-too-few][1.4/raw-too-many][1.5/grpc-not-a-number][1.15/not-found]"
          "[1.15/invalid-argument][1.15/text-unknown-model][1.15/text-unexpected-input]"
          "[1.15/text-datatype][1.15/text-shape][1.15/text-batch-size][1.15/text-missing-input]") {
  Repository repository;
  repository.AddText();
  TestDaemon daemon(repository);
  Client& client = daemon.client();
  const ModelInferRequest good = TextRequest("text", 1);
  ModelInferRequest bad = good;
  bad.set_model_name("nobody");
  CheckError(client, bad, grpc::StatusCode::NOT_FOUND,
             "Request for unknown model: 'nobody' is not found");
  CheckError(client, {}, grpc::StatusCode::NOT_FOUND, "Request for unknown model: '' is not found");
  bad = good;
  bad.set_model_version("9");
  CheckError(client, bad, grpc::StatusCode::NOT_FOUND,
             "Request for unknown model: 'text' version 9 is not found");
  bad.set_model_version("latest");
  CheckError(client, bad, grpc::StatusCode::INVALID_ARGUMENT,
             "failed to get model version from specified version string 'latest', version should "
             "be an integral value > 0");
  bad = good;
  bad.mutable_inputs(0)->set_name("ids");
  CheckError(client, bad, grpc::StatusCode::INVALID_ARGUMENT,
             "unexpected inference input 'ids' for model 'text'; it has "
             "['input_ids','attention_mask']");
  bad = good;
  bad.mutable_inputs(0)->set_datatype("INT32");
  CheckError(client, bad, grpc::StatusCode::INVALID_ARGUMENT,
             "inference input 'input_ids' data-type is 'INT32', but model 'text' expects 'INT64'");
  bad = good;
  bad.mutable_inputs(0)->set_shape(1, 31);
  CheckError(client, bad, grpc::StatusCode::INVALID_ARGUMENT,
             "unexpected shape for input 'input_ids' for model 'text'. Expected [-1,32], got "
             "[1,31]");
  CheckError(client, TextRequest("text", 9), grpc::StatusCode::INVALID_ARGUMENT,
             "inference request batch-size must be <= 8 for 'text', got 9; compiled are [32][32] x "
             "1,2,4,8");
  bad = good;
  bad.mutable_raw_input_contents()->RemoveLast();
  CheckError(client, bad, grpc::StatusCode::INVALID_ARGUMENT,
             "unable to find data for input tensor 'attention_mask' for model 'text' in request.");
  bad = good;
  bad.add_raw_input_contents("");
  CheckError(client, bad, grpc::StatusCode::INVALID_ARGUMENT,
             "raw_input_contents has 3 entries but the request for model 'text' has 2 inputs; "
             "expected one entry for each");
  bad = good;
  bad.mutable_inputs()->RemoveLast();
  bad.mutable_raw_input_contents()->RemoveLast();
  CheckError(client, bad, grpc::StatusCode::INVALID_ARGUMENT,
             "expected 2 inputs but got 1 inputs for model 'text'. Got input(s) ['input_ids'], but "
             "missing required input(s) ['attention_mask']. Please provide all required input(s).");
  bad = good;
  bad.add_outputs()->set_name("features");
  CheckError(client, bad, grpc::StatusCode::INVALID_ARGUMENT,
             "unexpected inference output 'features' for model 'text'; it has ['text_features']");
  // After all of it the model still answers, and the refusals were counted.
  client.Answer(good);
  CHECK(client.Statistics("text").inference_stats().success().count() == 1);
  CHECK(client.Statistics("text").inference_stats().fail().count() > 0);
}

// A shape that claims gigabytes over a few bytes: refused by the numbers, nothing is allocated.
TEST_CASE("ModelInfer: claims of huge tensors", "[protocol]") {
  Repository repository;
  repository.AddScenes();
  TestDaemon daemon(repository);
  ModelInferRequest request = TextRequest("text", 1);
  request.mutable_inputs(0)->set_shape(0, int64_t{1} << 62);
  request.mutable_inputs(1)->set_shape(0, int64_t{1} << 62);
  CheckError(daemon.client(), request, grpc::StatusCode::INVALID_ARGUMENT,
             "inference request batch-size must be <= 8 for 'text', got 4611686018427387904; "
             "compiled are [32][32] x 1,2,4,8");
  request = TextRequest("text", 1);
  request.set_raw_input_contents(0, "few");
  CheckError(daemon.client(), request, grpc::StatusCode::INVALID_ARGUMENT,
             "input byte size mismatch for input 'input_ids' for model 'text'. Expected 256 for "
             "INT64 [1,32], got 3");
  // A BYTES element of almost 4 GiB, of which four bytes are there.
  request = SceneRequest("picture", "question");
  request.set_raw_input_contents(0, std::string("\xf0\xff\xff\xffpict", 8));
  ModelInferResponse response;
  const grpc::Status status = daemon.client().Infer(request, &response);
  CHECK(status.error_code() == grpc::StatusCode::INVALID_ARGUMENT);
  CHECK(status.error_message().find("input 'image' for model 'scenes'") == 0);
}

// A picture that is none: the step that refuses it is named, and it is no fault of the server.
TEST_CASE("ModelInfer: a corrupt picture", "[protocol]") {
  Repository repository;
  repository.AddScenes();
  TestDaemon daemon(repository);
  std::string png = SceneFile("samples/00.png");
  png.resize(png.size() / 2);
  ModelInferResponse response;
  const grpc::Status status =
      daemon.client().Infer(SceneRequest(png, "count the objects"), &response);
  CHECK(status.error_code() == grpc::StatusCode::INVALID_ARGUMENT);
  CHECK(status.error_message().find("step 'image_decode'") != std::string::npos);
  CHECK(Metric(daemon.http_port(),
               "nv_inference_request_failure{model=\"scenes\",version=\"1\",reason=\"OTHER\"}") ==
        1);
  // The next request finds everything in order.
  daemon.client().Answer(SceneRequest(SceneFile("samples/00.png"), "count the objects"));
}

// Bytes that are no message, also compressed and empty ones: an error each, and the daemon lives.
TEST_CASE("ModelInfer: garbage instead of a message", "[protocol]") {
  Repository repository;
  repository.AddText();
  TestDaemon daemon(repository);
  std::string answer;
  const grpc::Status garbage = daemon.client().RawCall(
      kInferMethod, std::string("\x3a\xff\xff\xff\x7fgarbage", 12), &answer);
  CHECK(garbage.error_code() == grpc::StatusCode::INVALID_ARGUMENT);
  CHECK(garbage.error_message() ==
        "the message is not an inference.ModelInferRequest: field 7 is cut off, does not fit its "
        "type, or is a string and not UTF-8");
  for (size_t length = 0; length < 64; ++length) {
    CHECK_FALSE(
        daemon.client()
            .RawCall(kInferMethod, std::string(length, static_cast<char>(length * 5)), &answer)
            .ok());
  }
  daemon.client().Answer(TextRequest("text", 1));
}

// A request through the generated service and one as raw bytes: the answer on the wire is a message
// that the generated parser reads to the same end.
TEST_CASE("ModelInfer: the answer's bytes", "[protocol]") {
  Repository repository;
  repository.AddText();
  TestDaemon daemon(repository);
  const ModelInferRequest request = TextRequest("text", 4);
  std::string bytes;
  REQUIRE(daemon.client().RawCall(kInferMethod, request.SerializeAsString(), &bytes).ok());
  ModelInferResponse parsed;
  REQUIRE(parsed.ParseFromString(bytes));
  CHECK(parsed.SerializeAsString() == daemon.client().Answer(request).SerializeAsString());
}

}  // namespace
}  // namespace omserve::server
