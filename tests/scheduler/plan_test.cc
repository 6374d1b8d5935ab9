// SPDX-License-Identifier: Apache-2.0
#include "scheduler/plan.h"

#include <catch2/catch.hpp>
#include <memory>
#include <string>
#include <utility>

#include "tests/status_test_util.h"

namespace omserve::scheduler {
namespace {

// A host step of the given tensors; never run here.
class FakeOp final : public hostops::HostOp {
 public:
  FakeOp(std::vector<TensorSpec> inputs, std::vector<TensorSpec> outputs)
      : inputs_(std::move(inputs)), outputs_(std::move(outputs)) {}

  const std::vector<TensorSpec>& inputs() const override { return inputs_; }
  const std::vector<TensorSpec>& outputs() const override { return outputs_; }
  size_t MaxOutputBytes(size_t, int) const override { return 0; }
  absl::Status Run(int, std::span<const hostops::HostInput>,
                   std::span<hostops::HostOutput>) const override {
    return absl::OkStatus();
  }

 private:
  std::vector<TensorSpec> inputs_;
  std::vector<TensorSpec> outputs_;
};

// One gear of a bucket: row dims in, row dims out, rows.
struct Compiled {
  std::vector<Dims> inputs;
  std::vector<Dims> outputs;
  std::vector<int> rows;
};

Subgraph Model(const std::string& name, std::vector<TensorSpec> inputs,
               std::vector<TensorSpec> outputs, const std::vector<Compiled>& compiled,
               bool batched = true) {
  Subgraph model{.name = name};
  model.shape.batched = batched;
  model.shape.inputs = std::move(inputs);
  model.shape.outputs = std::move(outputs);
  size_t model_gear = 0;
  for (const Compiled& one : compiled) {
    Bucket bucket{.input_dims = one.inputs, .output_dims = one.outputs};
    for (size_t i = 0; i < one.outputs.size(); ++i) {
      bucket.output_row_bytes.push_back(*TensorBytes(model.shape.outputs[i].type, one.outputs[i]));
    }
    for (const int rows : one.rows) {
      bucket.gears.push_back({rows, model_gear++});
    }
    model.shape.buckets.push_back(std::move(bucket));
  }
  return model;
}

constexpr DataType kF = DataType::kFp32;
constexpr DataType kI = DataType::kInt64;

// The shape of a visual question answering service: pictures and words, joined.
struct Models {
  Subgraph vision =
      Model("vision", {{"image", kF, {3, 8, 8}}}, {{"features", kF, {16}}, {"mask", kF, {4}}},
            {{{{3, 8, 8}}, {{16}, {4}}, {1, 2, 4, 8}}});
  Subgraph text = Model("text", {{"ids", kI, {-1}}}, {{"embedding", kF, {16}}},
                        {{{{32}}, {{16}}, {1, 4}}, {{{64}}, {{16}}, {1, 2}}});
  Subgraph fusion = Model("fusion", {{"a", kF, {16}}, {"b", kF, {16}}}, {{"logits", kF, {10}}},
                          {{{{16}, {16}}, {{10}}, {1, 4}}});
  Subgraph full = Model("whole", {{"x", kF, {1, 16}}}, {{"y", kF, {1, 10}}},
                        {{{{1, 16}}, {{1, 10}}, {1}}}, /*batched=*/false);
  std::shared_ptr<FakeOp> decode =
      std::make_shared<FakeOp>(std::vector<TensorSpec>{{"bytes", DataType::kBytes, {1}}},
                               std::vector<TensorSpec>{{"pixels", kF, {3, 8, 8}}});
  std::shared_ptr<FakeOp> label =
      std::make_shared<FakeOp>(std::vector<TensorSpec>{{"scores", kF, {10}}},
                               std::vector<TensorSpec>{{"answer", DataType::kBytes, {1}}});

  StepSpec Vision() const {
    return {.name = "see",
            .subgraph = &vision,
            .input_map = {{"image", "picture"}},
            .output_map = {{"features", "seen"}}};
  }
  StepSpec Text() const {
    return {.name = "read",
            .subgraph = &text,
            .input_map = {{"ids", "words"}},
            .output_map = {{"embedding", "understood"}}};
  }
  StepSpec Fusion() const {
    return {.name = "join",
            .subgraph = &fusion,
            .input_map = {{"a", "seen"}, {"b", "understood"}},
            .output_map = {{"logits", "scores"}}};
  }
  StepSpec Decode() const {
    return {.name = "decode",
            .op = decode,
            .input_map = {{"bytes", "png"}},
            .output_map = {{"pixels", "picture"}}};
  }
  StepSpec Label() const {
    return {.name = "name it",
            .op = label,
            .input_map = {{"scores", "scores"}},
            .output_map = {{"answer", "answer"}}};
  }
  PipelineSpec Pipeline() const {
    return {.name = "vqa", .version = 3, .steps = {Vision(), Text(), Fusion()}};
  }
};

std::string BuildError(const PipelineSpec& spec) {
  const auto plan = BuildPipeline(spec);
  REQUIRE(plan.status().code() == absl::StatusCode::kInvalidArgument);
  return std::string(MessageOf(plan.status()));
}

std::vector<std::string> Names(const Plan& plan, const std::vector<int>& tensors) {
  std::vector<std::string> names;
  for (const int tensor : tensors) {
    names.push_back(plan.tensors[static_cast<size_t>(tensor)].name);
  }
  return names;
}

using Texts = std::vector<std::string>;

// A model alone is a plan of one step under the model's own tensor names, in the model's order.
TEST_CASE("A single subgraph is a plan") {
  const Models models;
  const std::shared_ptr<const Plan> plan = BuildSingle(models.fusion);
  CHECK(plan->name == "fusion");
  CHECK(plan->version == 1);
  CHECK(plan->batched);
  CHECK(plan->max_rows == 4);
  CHECK_FALSE(plan->is_pipeline());
  CHECK(Names(*plan, plan->inputs) == Texts{"a", "b"});
  CHECK(plan->input(1) == TensorSpec{"b", kF, {16}});
  CHECK(Names(*plan, plan->outputs) == Texts{"logits"});
  REQUIRE(plan->nodes.size() == 1);
  CHECK(plan->nodes[0].subgraph == &models.fusion);
  CHECK(plan->tensors[static_cast<size_t>(plan->outputs[0])].needed_on_host);
}

// An input and an output of one name are two tensors.
TEST_CASE("An input and an output may share a name") {
  const Subgraph model = Model("m", {{"x", kF, {4}}}, {{"x", kF, {8}}}, {{{{4}}, {{8}}, {1}}});
  const std::shared_ptr<const Plan> plan = BuildSingle(model);
  REQUIRE(plan->tensors.size() == 2);
  CHECK(plan->input(0).dims == Dims{4});
  CHECK(Names(*plan, plan->outputs) == Texts{"x"});
  CHECK(plan->outputs[0] != plan->inputs[0]);
}

// A model that makes rows without reading anything is a plan too.
TEST_CASE("A subgraph without inputs is a plan") {
  const Subgraph model = Model("m", {}, {{"y", kF, {4}}}, {{{}, {{4}}, {1}}}, false);
  const std::shared_ptr<const Plan> plan = BuildSingle(model);
  CHECK(plan->inputs.empty());
  CHECK(VALUE(plan->ResolveBuckets({})) == std::vector<int>{0});
}

// A model that does not batch serves one row at a time.
TEST_CASE("A plan of a subgraph without batching has one row") {
  const Models models;
  const std::shared_ptr<const Plan> plan = BuildSingle(models.full);
  CHECK_FALSE(plan->batched);
  CHECK(plan->max_rows == 1);
}

// Branches, a join and host steps: edges, ends and what the host needs are found from names alone.
TEST_CASE("A pipeline is a graph of its steps") {
  const Models models;
  PipelineSpec spec = models.Pipeline();
  spec.steps.push_back(models.Decode());
  spec.steps.push_back(models.Label());
  const std::shared_ptr<const Plan> plan = VALUE(BuildPipeline(spec));
  CHECK(plan->name == "vqa");
  CHECK(plan->version == 3);
  CHECK(plan->is_pipeline());
  CHECK(plan->batched);
  CHECK(plan->max_rows == 4);  // Of fusion; text's largest gear is 4 too, vision's 8.
  Texts order;
  for (const PlanNode& node : plan->nodes) {
    order.push_back(node.name);
  }
  // The configuration's order where data flow leaves it open: "see" waits for "decode".
  CHECK(order == Texts{"read", "decode", "see", "join", "name it"});
  CHECK(plan->nodes[2].producers == std::vector<int>{1});
  CHECK(plan->nodes[3].producers == std::vector<int>{0, 2});
  CHECK(plan->nodes[0].consumers == std::vector<int>{3});
  CHECK(plan->nodes[3].consumers == std::vector<int>{4});
  CHECK(plan->nodes[4].consumers.empty());
  CHECK_FALSE(plan->nodes[1].on_device());
  CHECK(plan->nodes[2].on_device());
  CHECK(plan->nodes[2].outputs.size() == 2);
  CHECK(plan->nodes[2].outputs[1] == -1);  // "mask" is mapped nowhere.
  CHECK(Names(*plan, plan->inputs) == Texts{"words", "png"});
  CHECK(Names(*plan, plan->outputs) == Texts{"answer"});
  for (const PlanTensor& tensor : plan->tensors) {
    CAPTURE(tensor.name);
    const bool read_by_host_step = tensor.name == "scores";
    CHECK(tensor.needed_on_host == (read_by_host_step || tensor.name == "answer"));
  }
}

// A step that reads two tensors of one producer waits for it once.
TEST_CASE("A producer is listed once") {
  const Models models;
  PipelineSpec spec{.name = "twice", .steps = {models.Vision(), models.Fusion()}};
  spec.steps[1].input_map = {{"a", "seen"}, {"b", "seen"}};
  const std::shared_ptr<const Plan> plan = VALUE(BuildPipeline(spec));
  CHECK(plan->nodes[1].producers == std::vector<int>{0});
  CHECK(plan->nodes[0].consumers == std::vector<int>{1});
  CHECK(plan->nodes[1].inputs[0] == plan->nodes[1].inputs[1]);
}

// Names of the kind that Triton ensembles use: a pipeline tensor may bear the name of a step, of
// the pipeline itself, or of another step's own tensor.
TEST_CASE("Names of tensors, steps and pipelines do not clash") {
  const Models models;
  PipelineSpec spec{.name = "logits", .steps = {models.Vision(), models.Text(), models.Fusion()}};
  spec.steps[0].name = "image";
  spec.steps[0].output_map = {{"features", "image"}};
  spec.steps[1].output_map = {{"embedding", "ids"}};
  spec.steps[2].input_map = {{"a", "ids"}, {"b", "image"}};
  spec.steps[2].output_map = {{"logits", "a"}};
  const std::shared_ptr<const Plan> plan = VALUE(BuildPipeline(spec));
  CHECK(plan->nodes[2].producers == std::vector<int>{0, 1});
  CHECK(Names(*plan, plan->outputs) == Texts{"a"});
}

// Declared inputs and outputs give the order and may name a tensor between steps as an output.
TEST_CASE("Declared inputs and outputs are kept in order") {
  const Models models;
  PipelineSpec spec = models.Pipeline();
  spec.inputs = {{"words", kI, {-1}}, {"picture", kF, {3, -1, -1}}};
  spec.outputs = {{"scores", kF, {10}}, {"seen", kF, {-1}}};
  const std::shared_ptr<const Plan> plan = VALUE(BuildPipeline(spec));
  CHECK(Names(*plan, plan->inputs) == Texts{"words", "picture"});
  CHECK(Names(*plan, plan->outputs) == Texts{"scores", "seen"});
  CHECK(plan->tensors[static_cast<size_t>(plan->outputs[1])].needed_on_host);
}

// Two steps read one input, and only one of them fixes its dims: the request must have these.
TEST_CASE("An input read twice has the dims of both") {
  const Models models;
  const auto fixed = std::make_shared<FakeOp>(std::vector<TensorSpec>{{"n", kI, {32}}},
                                              std::vector<TensorSpec>{{"m", kI, {1}}});
  PipelineSpec spec{.name = "p", .steps = {models.Text()}};
  spec.steps.push_back({.name = "count",
                        .op = fixed,
                        .input_map = {{"n", "words"}},
                        .output_map = {{"m", "length"}}});
  const std::shared_ptr<const Plan> plan = VALUE(BuildPipeline(spec));
  CHECK(plan->input(0).dims == Dims{32});
}

// Host steps alone have no gear to bound their rows; a constant does.
TEST_CASE("A pipeline of host steps alone batches") {
  const Models models;
  const std::shared_ptr<const Plan> plan =
      VALUE(BuildPipeline({.name = "host", .steps = {models.Decode()}}));
  CHECK(plan->batched);
  CHECK(plan->max_rows == 64);
}

// A pipeline names no step at all: refused, since it could answer nothing.
TEST_CASE("A pipeline without steps is refused") {
  CHECK(BuildError({.name = "empty"}) == "pipeline 'empty': it has no step");
}

// Two steps bear one name, which traces and messages could not tell apart: refused.
TEST_CASE("Two steps of one name are refused") {
  const Models models;
  PipelineSpec spec = models.Pipeline();
  spec.steps[1].name = "see";
  CHECK(BuildError(spec) == "pipeline 'vqa': two steps are named 'see'");
}

// A map names a tensor that the step does not have: the message lists those it has.
TEST_CASE("Unknown names in maps are refused") {
  const Models models;
  PipelineSpec spec = models.Pipeline();
  spec.steps[2].input_map["c"] = "picture";
  CHECK(BuildError(spec) ==
        "pipeline 'vqa': step 'join': input_map names 'c', but its inputs are 'a', 'b'");
  spec = models.Pipeline();
  spec.steps[0].output_map["feature"] = "seen";
  CHECK(BuildError(spec) ==
        "pipeline 'vqa': step 'see': output_map names 'feature', but its "
        "outputs are 'features', 'mask'");
}

// A step's input is fed by nothing: refused, naming the input.
TEST_CASE("An unmapped input is refused") {
  const Models models;
  PipelineSpec spec = models.Pipeline();
  spec.steps[2].input_map.erase("b");
  CHECK(BuildError(spec) == "pipeline 'vqa': step 'join': input 'b' is not in its input_map");
}

// Two steps, or two outputs of one step, make one tensor: refused, naming both.
TEST_CASE("Two makers of one tensor are refused") {
  const Models models;
  PipelineSpec spec = models.Pipeline();
  spec.steps[1].output_map["embedding"] = "seen";
  CHECK(BuildError(spec) ==
        "pipeline 'vqa': tensor 'seen' is made by step 'see' and by step 'read'");
  spec = models.Pipeline();
  spec.steps[0].output_map["mask"] = "seen";
  CHECK(BuildError(spec) ==
        "pipeline 'vqa': tensor 'seen' is made by step 'see' and by step 'see'");
}

// The step named stands in the cycle, and is not one that merely depends on it.
TEST_CASE("A cycle is refused") {
  const Models models;
  const auto forward = std::make_shared<FakeOp>(std::vector<TensorSpec>{{"i", kF, {10}}},
                                                std::vector<TensorSpec>{{"o", kF, {10}}});
  PipelineSpec spec{.name = "ring", .steps = {models.Label()}};
  spec.steps[0].input_map = {{"scores", "x"}};
  spec.steps.push_back(
      {.name = "left", .op = forward, .input_map = {{"i", "y"}}, .output_map = {{"o", "x"}}});
  spec.steps.push_back(
      {.name = "right", .op = forward, .input_map = {{"i", "x"}}, .output_map = {{"o", "y"}}});
  CHECK(BuildError(spec) ==
        "pipeline 'ring': step 'left' waits for its own result: the steps form a cycle");
  spec.steps.resize(2);
  spec.steps[1].input_map = {{"i", "x"}};
  CHECK(BuildError(spec) ==
        "pipeline 'ring': step 'left' waits for its own result: the steps form a cycle");
}

// What a step reads must be what the other step makes: type, number of dims and each dim.
TEST_CASE("Tensors that do not fit are refused") {
  const Models models;
  PipelineSpec spec = models.Pipeline();
  spec.steps[2].input_map["b"] = "words";
  CHECK(BuildError(spec) ==
        "pipeline 'vqa': step 'join': input 'b' is FP32 [16] per row, but "
        "tensor 'words' is INT64 [-1]");
  spec = models.Pipeline();
  spec.steps[2].input_map["b"] = "picture";
  CHECK(BuildError(spec) ==
        "pipeline 'vqa': step 'join': input 'b' is FP32 [16] per row, but "
        "tensor 'picture' is FP32 [3,8,8]");
  spec = models.Pipeline();
  spec.steps[0].output_map = {{"mask", "seen"}};
  CHECK(BuildError(spec) ==
        "pipeline 'vqa': step 'join': input 'a' is FP32 [16] per row, but "
        "tensor 'seen' is FP32 [4]");
}

// A declared output is unknown, or is only an input: refused, saying which.
TEST_CASE("Outputs that no step makes are refused") {
  const Models models;
  PipelineSpec spec = models.Pipeline();
  spec.outputs = {{"answer", kF, {10}}};
  CHECK(BuildError(spec) == "pipeline 'vqa': output 'answer' is made by no step");
  spec.outputs = {{"words", kI, {-1}}};
  CHECK(BuildError(spec) == "pipeline 'vqa': output 'words' is an input too: a step must make it");
}

// A declared output differs in type or in the number of dims: refused, showing both sides.
TEST_CASE("Declared outputs must match what the step makes") {
  const Models models;
  PipelineSpec spec = models.Pipeline();
  spec.outputs = {{"scores", DataType::kFp16, {10}}};
  CHECK(BuildError(spec) ==
        "pipeline 'vqa': output 'scores' is declared FP16 [10], but its step has FP32 [10]");
  spec.outputs = {{"scores", kF, {1, 10}}};
  CHECK(BuildError(spec) ==
        "pipeline 'vqa': output 'scores' is declared FP32 [1,10], but its step has FP32 [10]");
}

// A declared input has other dims, is unknown, is made by a step, or one is missing: refused.
TEST_CASE("Declared inputs must match what the steps read") {
  const Models models;
  PipelineSpec spec = models.Pipeline();
  const TensorSpec words{"words", kI, {-1}};
  spec.inputs = {words, {"picture", kF, {3, 9, 9}}};
  CHECK(BuildError(spec) ==
        "pipeline 'vqa': input 'picture' is declared FP32 [3,9,9], but its step has FP32 [3,8,8]");
  spec.inputs = {words, {"pictures", kF, {3, 8, 8}}};
  CHECK(BuildError(spec) == "pipeline 'vqa': input 'pictures' is read by no step");
  spec.inputs = {words, {"seen", kF, {16}}};
  CHECK(BuildError(spec) == "pipeline 'vqa': input 'seen' is also made by step 'see'");
  spec.inputs = {words};
  CHECK(BuildError(spec) ==
        "pipeline 'vqa': tensor 'picture' is made by no step and is not an input of the pipeline");
}

// A name stands twice among the inputs or outputs: refused.
TEST_CASE("A tensor declared twice is refused") {
  const Models models;
  PipelineSpec spec = models.Pipeline();
  spec.outputs = {{"scores", kF, {10}}, {"scores", kF, {10}}};
  CHECK(BuildError(spec) == "pipeline 'vqa': output 'scores' is declared twice");
  spec.outputs = {};
  spec.inputs = {{"words", kI, {-1}}, {"picture", kF, {3, 8, 8}}, {"words", kI, {-1}}};
  CHECK(BuildError(spec) == "pipeline 'vqa': input 'words' is declared twice");
}

// A request's rows go through all steps together, so all batch or none; the message says which do,
// whatever their order.
TEST_CASE("Steps that batch do not mix with steps that do not") {
  const Models models;
  const Subgraph single =
      Model("single", {{"i", kF, {10}}}, {{"o", kF, {10}}}, {{{{10}}, {{10}}, {1}}}, false);
  const StepSpec step{
      .name = "alone", .subgraph = &single, .input_map = {{"i", "z"}}, .output_map = {{"o", "o"}}};
  PipelineSpec spec = models.Pipeline();
  spec.steps.push_back(step);
  const std::string expected =
      "pipeline 'vqa': step 'see' batches and step 'alone' does not (max_batch_size 0)";
  CHECK(BuildError(spec) == expected);
  std::swap(spec.steps.front(), spec.steps.back());
  std::swap(spec.steps[1], spec.steps[3]);
  CHECK(BuildError(spec) == expected);
}

// Each step's bucket follows from the request's dims, through what the steps before it make.
TEST_CASE("Buckets follow the request's dims") {
  const Models models;
  const std::shared_ptr<const Plan> plan = VALUE(BuildPipeline(models.Pipeline()));
  REQUIRE(Names(*plan, plan->inputs) == Texts{"picture", "words"});
  CHECK(VALUE(plan->ResolveBuckets(std::vector<Dims>{{3, 8, 8}, {32}})) ==
        std::vector<int>{0, 0, 0});
  CHECK(VALUE(plan->ResolveBuckets(std::vector<Dims>{{3, 8, 8}, {64}})) ==
        std::vector<int>{0, 1, 0});
}

// A host step's output dims choose the bucket of the step after it; host steps have bucket 0.
TEST_CASE("Buckets follow host steps") {
  const Models models;
  const std::shared_ptr<const Plan> plan =
      VALUE(BuildPipeline({.name = "p", .steps = {models.Decode(), models.Vision()}}));
  CHECK(VALUE(plan->ResolveBuckets(std::vector<Dims>{{1}})) == std::vector<int>{0, 0});
}

// Dims that were not compiled: the step, the dims and those that were stand in the message.
TEST_CASE("Dims that were not compiled are refused") {
  const Models models;
  const std::shared_ptr<const Plan> plan = VALUE(BuildPipeline(models.Pipeline()));
  const auto buckets = plan->ResolveBuckets(std::vector<Dims>{{3, 8, 8}, {33}});
  CHECK(buckets.status().code() == absl::StatusCode::kInvalidArgument);
  CHECK(
      MessageOf(buckets.status()) ==
      "step 'read': rows of dims [33] were not compiled; model 'text' has [32] x 1,4; [64] x 1,2");
}

// A batch holds what every step takes in the request's buckets, which may be less than the plan's.
TEST_CASE("Rows per batch follow the buckets") {
  const Models models;
  const std::shared_ptr<const Plan> plan = VALUE(BuildPipeline(models.Pipeline()));
  CHECK(plan->max_rows == 4);
  CHECK(plan->RowsPerBatch(std::vector<int>{0, 0, 0}) == 4);
  CHECK(plan->RowsPerBatch(std::vector<int>{0, 1, 0}) == 2);
}

}  // namespace
}  // namespace omserve::scheduler
