// SPDX-License-Identifier: Apache-2.0
// A real model that keeps state: Silero VAD, streamed in windows over gRPC by many callers at once,
// against ONNX Runtime with the state carried by hand.
#include <fmt/ranges.h>

#include <algorithm>
#include <catch2/catch.hpp>
#include <cstdlib>
#include <cstring>
#include <random>
#include <thread>
#include <vector>

#include "runtime/base/file.h"
#include "tests/server/protocol/daemon_fixture.h"
#include "tests/server/protocol/vad_reference.h"
#include "tests/status_test_util.h"
#include "tools/omc/compile.h"

namespace omserve::server {
namespace {

// The state is [2,N,128]: its rows do not come first, so N is fixed to 1 and sequences share
// instances one after the other. What warms them up leaves no state behind.
constexpr char kConfig[] = R"(max_batch_size: 0
instance_group: [{count: 2}]
sequence_batching:
  max_sequence_idle_microseconds: 60000000
  oldest: {max_candidate_sequences: 4}
  state:
    - input_name: state
      output_name: stateN
      data_type: TYPE_FP32
      dims: [2, 1, 128]
      initial_state: [{name: silence, data_type: TYPE_FP32, dims: [2, 1, 128], zero_data: true}]
model_warmup:
  - name: noise
    count: 2
    inputs: {input: {data_type: TYPE_FP32, dims: [1, 512], random_data: true}}
)";

const std::string& Compiled() {
  static const std::string file = [] {
    omc::CompileOptions options{
        .model_path = OMSERVE_SILERO_VAD, .name = "vad", .constants = "sr:16000"};
    options.gears.input_shape = "input:1,512;state:2,1,128";
    options.ort_library = OMSERVE_BINARY_DIR "/lib/libonnxruntime.so.1";
    return VALUE(omc::Compile(options)).file;
  }();
  return file;
}

inference::ModelInferRequest Window(const std::vector<float>& samples, int64_t id, bool start,
                                    bool end) {
  inference::ModelInferRequest request;
  request.set_model_name("vad");
  auto& parameters = *request.mutable_parameters();
  parameters["sequence_id"].set_int64_param(id);
  parameters["sequence_start"].set_bool_param(start);
  parameters["sequence_end"].set_bool_param(end);
  auto& input = *request.add_inputs();
  input.set_name("input");
  input.set_datatype("FP32");
  input.add_shape(1);
  input.add_shape(kVadWindow);
  request.add_raw_input_contents(reinterpret_cast<const char*>(samples.data()),
                                 samples.size() * sizeof(float));
  return request;
}

// The probability, or -1 when the call failed.
float Ask(Client& client, const inference::ModelInferRequest& request) {
  inference::ModelInferResponse response;
  const grpc::Status status = client.Infer(request, &response);
  if (!status.ok() || response.outputs_size() != 1 || response.raw_output_contents_size() != 1 ||
      response.raw_output_contents(0).size() != sizeof(float)) {
    return -1;
  }
  float probability = 0;
  std::memcpy(&probability, response.raw_output_contents(0).data(), sizeof(probability));
  return probability;
}

std::vector<float> Expected(VadReference& reference,
                            const std::vector<std::vector<float>>& speech) {
  std::vector<float> state(kVadState, 0);
  std::vector<float> probabilities;
  for (const std::vector<float>& window : speech) {
    probabilities.push_back(reference.Step(window, state));
  }
  return probabilities;
}

// Twelve callers over eight places, each window after the answer to the one before, so that
// sequences meet in every order and some wait for a place: each hears its own voice alone.
TEST_CASE("Silero VAD: concurrent streams have the answers of their own states", "[protocol]") {
  Repository repository;
  repository.Write("vad/1/model.om", Compiled());
  repository.Write("vad/config.yaml", kConfig);
  TestDaemon daemon(repository);
  VadReference reference(OMSERVE_SILERO_VAD);
  constexpr int kCallers = 12;
  constexpr int kWindows = 40;
  std::vector<std::vector<std::vector<float>>> speech;
  std::vector<std::vector<float>> expected;
  for (uint64_t caller = 0; caller < kCallers; ++caller) {
    speech.push_back(MakeSpeech(caller + 1, kWindows));
    expected.push_back(Expected(reference, speech.back()));
  }
  std::vector<std::vector<float>> answers(kCallers);
  {
    std::vector<std::jthread> callers;
    for (size_t caller = 0; caller < kCallers; ++caller) {
      callers.emplace_back([&, caller] {
        for (int w = 0; w < kWindows; ++w) {
          answers[caller].push_back(
              Ask(daemon.client(),
                  Window(speech[caller][static_cast<size_t>(w)], static_cast<int64_t>(caller) + 1,
                         w == 0, w == kWindows - 1)));
        }
      });
    }
  }
  float least = 1;
  float most = 0;
  for (size_t caller = 0; caller < kCallers; ++caller) {
    INFO("caller " << caller);
    CHECK(answers[caller] == expected[caller]);
    least = std::min(least, *std::min_element(answers[caller].begin(), answers[caller].end()));
    most = std::max(most, *std::max_element(answers[caller].begin(), answers[caller].end()));
  }
  CHECK(least < 0.1F);  // It hears pauses and something like a voice: not a constant.
  CHECK(most > 0.5F);
  AwaitMetric(daemon.http_port(),
              "omserve_sequences_ended_total{model=\"vad\",version=\"1\",reason=\"end\"}",
              kCallers);
  AwaitMetric(daemon.http_port(), "omserve_sequences_active{model=\"vad\",version=\"1\"}", 0);
}

// One caller speaks for many in an order drawn by lot: state follows the id, not the order.
TEST_CASE("Silero VAD: interleaved windows keep to their sequences", "[protocol]") {
  Repository repository;
  repository.Write("vad/1/model.om", Compiled());
  repository.Write("vad/config.yaml", kConfig);
  TestDaemon daemon(repository);
  VadReference reference(OMSERVE_SILERO_VAD);
  constexpr size_t kVoices = 6;
  constexpr size_t kWindows = 30;
  std::vector<size_t> order;
  std::vector<std::vector<std::vector<float>>> speech;
  std::vector<std::vector<float>> expected;
  for (size_t voice = 0; voice < kVoices; ++voice) {
    speech.push_back(MakeSpeech(100 + voice, static_cast<int>(kWindows)));
    expected.push_back(Expected(reference, speech.back()));
    order.insert(order.end(), kWindows, voice);
  }
  std::mt19937_64 random(5);
  for (size_t i = order.size(); i > 1; --i) {
    std::swap(order[i - 1], order[random() % i]);
  }
  std::vector<std::vector<float>> answers(kVoices);
  for (const size_t voice : order) {
    const size_t w = answers[voice].size();
    answers[voice].push_back(
        Ask(daemon.client(),
            Window(speech[voice][w], static_cast<int64_t>(voice) + 1, w == 0, w == kWindows - 1)));
  }
  CHECK(answers == expected);
}

// What a client sees of the model, and what it is told when it gets the order wrong.
TEST_CASE("A sequence model over gRPC: what is shown and what is refused",
          "[protocol][1.8/sequence-id][1.8/sequence-start-end][1.15/text-sequence-start]"
          "[1.15/text-sequence-id]") {
  Repository repository;
  repository.Write("vad/1/model.om", Compiled());
  repository.Write("vad/config.yaml", kConfig);
  TestDaemon daemon(repository);
  inference::ModelMetadataRequest asked;
  asked.set_name("vad");
  inference::ModelMetadataResponse metadata;
  REQUIRE(daemon.client()
              .Call(&inference::GRPCInferenceService::Stub::ModelMetadata, asked, &metadata)
              .ok());
  REQUIRE(metadata.inputs_size() == 1);
  CHECK(metadata.inputs(0).name() == "input");
  REQUIRE(metadata.outputs_size() == 1);
  CHECK(metadata.outputs(0).name() == "output");

  const std::vector<float> silence(kVadWindow, 0);
  inference::ModelInferResponse response;
  grpc::Status status = daemon.client().Infer(Window(silence, 0, true, false), &response);
  CHECK(status.error_code() == grpc::StatusCode::INVALID_ARGUMENT);
  CHECK(status.error_message() ==
        "inference request to model 'vad' must specify a non-zero or non-empty correlation ID");
  status = daemon.client().Infer(Window(silence, 7, false, false), &response);
  CHECK(status.error_code() == grpc::StatusCode::INVALID_ARGUMENT);
  CHECK(status.error_message() ==
        "inference request for sequence 7 to model 'vad' must specify the START flag on the first "
        "request of the sequence");
  AwaitMetric(daemon.http_port(),
              "omserve_sequence_requests_refused_total{model=\"vad\",version=\"1\"}", 1);
  REQUIRE(daemon.client().Infer(Window(silence, 7, true, true), &response).ok());
  status = daemon.client().Infer(Window(silence, 7, false, false), &response);
  CHECK(status.error_code() == grpc::StatusCode::INVALID_ARGUMENT);

  inference::ModelInferRequest text = Window(silence, 0, true, false);
  (*text.mutable_parameters())["sequence_id"].set_string_param("caller-1");
  REQUIRE(daemon.client().Infer(text, &response).ok());
  AwaitMetric(daemon.http_port(), "omserve_sequences_active{model=\"vad\",version=\"1\"}", 1);
}

// The probability, asked for over HTTP; -1 when the call failed. `id` is JSON.
float AskHttp(int port, const std::vector<float>& samples, const std::string& id, bool start,
              bool end) {
  const std::string body = fmt::format(
      R"({{"parameters":{{"sequence_id":{},"sequence_start":{},"sequence_end":{}}},"inputs":)"
      R"([{{"name":"input","shape":[1,{}],"datatype":"FP32","data":[{}]}}]}})",
      id, start, end, samples.size(), fmt::join(samples, ","));
  // Ended by the last of the answer, since who ends its sending wants none.
  const std::string answer = SendHttp(
      port,
      fmt::format("POST /v2/models/vad/infer HTTP/1.1\r\nHost: h\r\nContent-Length: {}\r\n\r\n{}",
                  body.size(), body),
      "}");
  INFO(answer);
  const size_t data = answer.find("\"data\":[");
  CHECK(data != std::string::npos);
  return data == std::string::npos ? -1 : std::strtof(answer.c_str() + data + 8, nullptr);
}

// Two sequences over HTTP in turn, one named by a number and one by a text: each has its own state.
TEST_CASE("A sequence model over HTTP", "[1.8/sequence-id][1.8/sequence-start-end]") {
  Repository repository;
  repository.Write("vad/1/model.om", Compiled());
  repository.Write("vad/config.yaml", kConfig);
  TestDaemon daemon(repository);
  VadReference reference(OMSERVE_SILERO_VAD);
  constexpr int kWindows = 5;
  std::vector<std::vector<float>> speech[2];
  std::vector<float> answers[2];
  for (uint64_t voice = 0; voice < 2; ++voice) {
    speech[voice] = MakeSpeech(7 + voice, kWindows);
  }
  for (size_t w = 0; w < kWindows; ++w) {
    for (size_t voice = 0; voice < 2; ++voice) {
      answers[voice].push_back(AskHttp(daemon.http_port(), speech[voice][w],
                                       voice == 0 ? "9007199254740993" : "\"caller-1\"", w == 0,
                                       w == kWindows - 1));
    }
  }
  CHECK(answers[0] == Expected(reference, speech[0]));
  CHECK(answers[1] == Expected(reference, speech[1]));
  AwaitMetric(daemon.http_port(),
              "omserve_sequences_ended_total{model=\"vad\",version=\"1\",reason=\"end\"}", 2);
}

}  // namespace
}  // namespace omserve::server
