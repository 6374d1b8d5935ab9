// SPDX-License-Identifier: Apache-2.0
// Visual question answering on the CPU device, from pictures and words to labels: the four models
// in a pipeline against the same network as one model and against its author's own results.
#include <algorithm>
#include <boost/json.hpp>
#include <catch2/catch.hpp>
#include <map>
#include <memory>
#include <numeric>
#include <string>
#include <vector>

#include "runtime/base/file.h"
#include "runtime/hostops/host_op.h"
#include "scheduler/arena_plan.h"
#include "scheduler/engine.h"
#include "tests/npy.h"
#include "tests/scheduler/engine_harness.h"
#include "tools/omc/compile.h"

namespace omserve::scheduler {
namespace {

const std::string kScenes = OMSERVE_SOURCE_DIR "/tools/demo/scenes/";

// Compiled once for all tests of this program.
const std::string& Compiled(const std::string& name) {
  static const std::map<std::string, std::string> shapes = {
      {"vision_a", ""},
      {"vision_b", ""},
      {"text", "input_ids:-1,32;attention_mask:-1,32"},
      {"fusion", "text_features:-1,32,96;attention_mask:-1,32"},
      {"vqa_full", "input_ids:-1,32;attention_mask:-1,32"}};
  static std::map<std::string, std::string> files;
  std::string& file = files[name];
  if (file.empty()) {
    omc::CompileOptions options{.model_path = kScenes + "models/" + name + ".onnx", .name = name};
    options.gears.input_shape = shapes.at(name);
    options.gears.batch_gears = "1,2,4,8";
    options.ort_library = OMSERVE_BINARY_DIR "/lib/libonnxruntime.so.1";
    file = VALUE(omc::Compile(options)).file;
  }
  return file;
}

std::shared_ptr<const hostops::HostOp> Op(const std::string& op,
                                          const std::map<std::string, std::string>& parameters) {
  return VALUE(
      hostops::MakeHostOp({.op = op, .parameters = parameters, .folder = kScenes + "models"}));
}

StepSpec Decode() {
  return {.name = "image_decode",
          .op = Op("image_decode",
                   {{"width", "48"}, {"height", "48"}, {"mean", "0.35"}, {"std", "0.25"}}),
          .input_map = {{"bytes", "image"}},
          .output_map = {{"image", "pixels"}}};
}

StepSpec Tokenize() {
  return {.name = "tokenize",
          .op = Op("tokenize", {{"vocab", "vocab.json"}, {"length", "32"}}),
          .input_map = {{"text", "text"}},
          .output_map = {{"input_ids", "input_ids"}, {"attention_mask", "attention_mask"}}};
}

StepSpec Label() {
  return {.name = "argmax_label",
          .op = Op("argmax_label", {{"labels", "answers.json"}}),
          .input_map = {{"logits", "logits"}},
          .output_map = {{"label", "answer"}, {"score", "probability"}}};
}

constexpr DataType kF = DataType::kFp32;
constexpr DataType kText = DataType::kBytes;

// Inputs: picture, question. Outputs: logits, answer, probability.
std::shared_ptr<const Plan> Build(std::vector<StepSpec> steps) {
  PipelineSpec spec{.name = "scenes", .steps = std::move(steps)};
  spec.inputs = {{"image", kText, {1}}, {"text", kText, {1}}};
  spec.outputs = {{"logits", kF, {26}}, {"answer", kText, {1}}, {"probability", kF, {1}}};
  return VALUE(BuildPipeline(spec));
}

std::shared_ptr<const Plan> FourParts(EngineHarness& harness) {
  const auto step = [&](const std::string& name, std::map<std::string, std::string> input_map,
                        const std::string& output) {
    return StepSpec{.name = name,
                    .subgraph = harness.AddModel(name, Compiled(name)),
                    .input_map = std::move(input_map),
                    .output_map = {{output, output}}};
  };
  return Build({Decode(), Tokenize(), step("vision_a", {{"image", "pixels"}}, "vision_half"),
                step("vision_b", {{"vision_half", "vision_half"}}, "vision_features"),
                step("text", {{"input_ids", "input_ids"}, {"attention_mask", "attention_mask"}},
                     "text_features"),
                step("fusion",
                     {{"vision_features", "vision_features"},
                      {"text_features", "text_features"},
                      {"attention_mask", "attention_mask"}},
                     "logits"),
                Label()});
}

std::shared_ptr<const Plan> OnePart(EngineHarness& harness) {
  return Build({Decode(), Tokenize(),
                StepSpec{.name = "vqa_full",
                         .subgraph = harness.AddModel("vqa_full", Compiled("vqa_full")),
                         .input_map = {{"image", "pixels"},
                                       {"input_ids", "input_ids"},
                                       {"attention_mask", "attention_mask"}},
                         .output_map = {{"logits", "logits"}}},
                Label()});
}

struct Question {
  std::string png;
  std::string text;
  std::string predicted;
  size_t logits_row = 0;
};

std::vector<Question> Questions() {
  const std::string json = VALUE(ReadFile(kScenes + "samples/samples.json"));
  const boost::json::value scenes = boost::json::parse(json);
  std::vector<Question> questions;
  for (const boost::json::value& scene : scenes.as_array()) {
    const std::string png =
        VALUE(ReadFile(kScenes + "samples/" + std::string(scene.at("image").as_string().c_str())));
    for (const boost::json::value& question : scene.at("questions").as_array()) {
      questions.push_back({png, question.at("text").as_string().c_str(),
                           question.at("predicted").as_string().c_str(),
                           static_cast<size_t>(question.at("logits_row").to_number<int64_t>())});
    }
  }
  return questions;
}

EngineHarness::Send Ask(const std::shared_ptr<const Plan>& plan, const Question& question) {
  return {.plan = plan, .inputs = {Bytes(question.png), Bytes(question.text)}, .trace = true};
}

float LargestDifference(const std::vector<float>& a, const float* b) {
  float largest = 0;
  for (size_t i = 0; i < a.size(); ++i) {
    largest = std::max(largest, std::abs(a[i] - b[i]));
  }
  return largest;
}

// All 128 questions through the four parts and through the whole: the same logits, the author's
// logits, the author's answers.
TEST_CASE("Four parts answer like the whole") {
  EngineHarness harness({.device_settings = "\"cores\": 2"});
  const auto parts = FourParts(harness);
  const auto whole = OnePart(harness);
  const std::vector<Question> questions = Questions();
  REQUIRE(questions.size() == 128);
  const Matrix expected = ReadNpy(kScenes + "samples/logits.npy");
  std::vector<std::shared_ptr<Answer>> by_parts;
  std::vector<std::shared_ptr<Answer>> by_whole;
  for (const Question& question : questions) {
    by_parts.push_back(harness.Submit(Ask(parts, question)));
    by_whole.push_back(harness.Submit(Ask(whole, question)));
  }
  for (size_t i = 0; i < questions.size(); ++i) {
    CAPTURE(i, questions[i].text);
    REQUIRE_OK(by_parts[i]->Get().status);
    REQUIRE_OK(by_whole[i]->Get().status);
    const std::vector<float> logits = ToFloats(by_parts[i]->Get().outputs[0]);
    REQUIRE(logits.size() == expected.columns);
    CHECK(by_parts[i]->Get().outputs[0].dims == Dims{1, 26});
    CHECK(LargestDifference(logits, ToFloats(by_whole[i]->Get().outputs[0]).data()) < 1e-3F);
    CHECK(LargestDifference(logits, expected.Row(questions[i].logits_row)) < 1e-3F);
    CHECK(ToText(by_parts[i]->Get().outputs[1]) == questions[i].predicted);
  }
  // They came close together, so many shared batches.
  const std::vector<BatchRecord> batches = harness.recorder().batches();
  CHECK(std::any_of(batches.begin(), batches.end(),
                    [](const BatchRecord& batch) { return batch.groups > 1; }));
}

// Vision's first half is over when its second half is done; the other steps' outputs meet in
// fusion.
TEST_CASE("The parts share an arena") {
  EngineHarness harness;
  const auto plan = FourParts(harness);
  const StepOutputs outputs = OutputsOfSteps(*plan);
  const size_t apart = std::accumulate(outputs.sizes.begin(), outputs.sizes.end(), size_t{0});
  INFO(plan->arena_bytes << " of " << apart);
  CHECK(plan->arena_bytes <= apart - outputs.sizes.back());
}

// On a device of two cores some vision step and some text step run at the same time.
TEST_CASE("Vision and text overlap") {
  EngineHarness harness({.device_settings = "\"cores\": 2"});
  const auto plan = FourParts(harness);
  const std::vector<Question> questions = Questions();
  std::vector<std::shared_ptr<Answer>> answers;
  for (size_t i = 0; i < 48; ++i) {
    answers.push_back(harness.Submit(Ask(plan, questions[i])));
  }
  std::vector<StepTrace> vision;
  std::vector<StepTrace> text;
  for (const auto& answer : answers) {
    REQUIRE_OK(answer->Get().status);
    REQUIRE(answer->Get().trace.size() == 7);
    for (const StepTrace& step : answer->Get().trace) {
      if (step.step == "vision_a" || step.step == "vision_b") {
        vision.push_back(step);
      } else if (step.step == "text") {
        text.push_back(step);
      }
    }
  }
  const bool overlap = std::any_of(vision.begin(), vision.end(), [&](const StepTrace& v) {
    return std::any_of(text.begin(), text.end(), [&](const StepTrace& t) {
      return v.start_us < t.end_us && t.start_us < v.end_us;
    });
  });
  CHECK(overlap);
}

// Fusion never starts before what it reads is computed: the streams waited, no thread did.
TEST_CASE("Fusion starts after vision and text") {
  EngineHarness harness({.device_settings = "\"cores\": 2"});
  const auto plan = FourParts(harness);
  const std::vector<Question> questions = Questions();
  std::vector<std::shared_ptr<Answer>> answers;
  for (size_t i = 0; i < 16; ++i) {
    answers.push_back(harness.Submit(Ask(plan, questions[i])));
  }
  for (const auto& answer : answers) {
    REQUIRE_OK(answer->Get().status);
    std::map<std::string, StepTrace> steps;
    for (const StepTrace& step : answer->Get().trace) {
      steps[step.step] = step;
    }
    REQUIRE(steps.size() == 7);
    CHECK(steps["vision_b"].start_us >= steps["vision_a"].end_us);
    CHECK(steps["fusion"].start_us >= steps["vision_b"].end_us);
    CHECK(steps["fusion"].start_us >= steps["text"].end_us);
    CHECK(steps["text"].model == "text");
    CHECK(steps["argmax_label"].model.empty());
    CHECK(steps["argmax_label"].end_us >= steps["argmax_label"].start_us);
  }
}

// Bytes that are no picture fail their request, with the step's name, and not its neighbours.
TEST_CASE("A corrupt picture fails its request alone") {
  EngineHarness harness;
  const auto plan = FourParts(harness);
  const std::vector<Question> questions = Questions();
  Question corrupt = questions[1];
  corrupt.png = corrupt.png.substr(0, corrupt.png.size() / 2);
  const auto first = harness.Submit(Ask(plan, questions[0]));
  const auto bad = harness.Submit(Ask(plan, corrupt));
  const auto last = harness.Submit(Ask(plan, questions[2]));
  CHECK(bad->Get().status.code() == absl::StatusCode::kInvalidArgument);
  CHECK_THAT(std::string(MessageOf(bad->Get().status)), Catch::StartsWith("step 'image_decode': "));
  REQUIRE_OK(first->Get().status);
  REQUIRE_OK(last->Get().status);
  CHECK(ToText(first->Get().outputs[1]) == questions[0].predicted);
  CHECK(ToText(last->Get().outputs[1]) == questions[2].predicted);
}

// Requests are cancelled at every stage of the pipeline: each is answered once, none is lost, and
// the rest is answered rightly.
TEST_CASE("Cancelled requests leave the others alone") {
  EngineHarness harness({.device_settings = "\"cores\": 2"});
  const auto plan = FourParts(harness);
  const std::vector<Question> questions = Questions();
  std::vector<std::shared_ptr<Answer>> answers;
  for (size_t i = 0; i < 64; ++i) {
    answers.push_back(harness.Submit(Ask(plan, questions[i])));
    if (i >= 8 && i % 2 == 0) {
      harness.engine().CancelRequest(answers[i - 8]->id);
    }
  }
  for (size_t i = 0; i < answers.size(); ++i) {
    const InferResponse& response = answers[i]->Get();
    if (response.status.ok()) {
      CHECK(ToText(response.outputs[1]) == questions[i].predicted);
    } else {
      CHECK(response.status.code() == absl::StatusCode::kCancelled);
      CHECK(i % 2 == 0);
    }
  }
}

}  // namespace
}  // namespace omserve::scheduler
