// SPDX-License-Identifier: Apache-2.0
// The steps of a pipeline and the tensors between them.
#include <catch2/catch.hpp>
#include <string>
#include <vector>

#include "tests/config/config_test_util.h"

namespace omserve::config {
namespace {

const char kTensors[] =
    "input: [{name: in, data_type: TYPE_FP32, dims: [4]}]\n"
    "output: [{name: out, data_type: TYPE_FP32, dims: [4]}]\n";

// A pipeline over `steps`, the first of which stands in line 5.
std::string WithSteps(const std::string& steps) {
  return std::string(kTensors) + "pipeline:\n  step:\n" + steps;
}

std::string StepsError(const std::string& steps) { return ErrorOf(ParseStatus(WithSteps(steps))); }

const char kFirst[] = "  - {name: a, model_name: x, input_map: {i: in}, output_map: {o: mid}}\n";
const char kLast[] = "  - {name: b, host: {op: f}, input_map: {i: mid}, output_map: {o: out}}\n";

// Two steps in a row are a pipeline, in whichever order they are written.
TEST_CASE("the order of steps does not matter") {
  CHECK(StepsError(std::string(kFirst) + kLast).empty());
  CHECK(StepsError(std::string(kLast) + kFirst).empty());
}

// A step is one model or one host operation, has a name of its own, and maps tensors both ways.
TEST_CASE("a malformed step is refused") {
  CHECK(StepsError("  - {name: a, input_map: {i: in}, output_map: {o: out}}\n") ==
        "f:5:5: key 'pipeline.step[0]': step 'a' has neither 'model_name' nor 'host'; expected "
        "exactly one of them");
  CHECK(StepsError("  - {name: a, model_name: x, host: {op: f}, input_map: {i: in}, output_map: "
                   "{o: out}}\n")
            .find("step 'a' has both 'model_name' and 'host'") != std::string::npos);
  CHECK(StepsError("  - {model_name: x, input_map: {i: in}, output_map: {o: out}}\n") ==
        "f:5:5: key 'pipeline.step[0].name': expected a name for the step, got nothing");
  CHECK(StepsError(std::string(kFirst) +
                   "  - {name: a, model_name: y, input_map: {i: mid}, output_map: {o: out}}\n") ==
        "f:6:12: key 'pipeline.step[1].name': \"a\" is already the name of another step");
  CHECK(StepsError("  - {name: a, host: {}, input_map: {i: in}, output_map: {o: out}}\n") ==
        "f:5:15: key 'pipeline.step[0].host.op': expected the operation's name, got nothing");
  CHECK(StepsError("  - {name: a, host: {op: f}, model_version: 2, input_map: {i: in}, output_map: "
                   "{o: out}}\n")
            .find("a host operation has no versions; leave the key out") != std::string::npos);
  CHECK(StepsError("  - {name: a, host: {op: f}, cache: {enable: true}, input_map: {i: in}, "
                   "output_map: {o: out}}\n")
            .find("only a model's outputs can be cached; leave the key out") != std::string::npos);
  CHECK(StepsError("  - {name: a, model_name: x, cache: {max_bytes: 100}, input_map: {i: in}, "
                   "output_map: {o: out}}\n")
            .find("nothing is cached; write cache.enable: true") != std::string::npos);
  CHECK(StepsError("  - {name: a, model_name: x, model_version: -2, input_map: {i: in}, "
                   "output_map: {o: out}}\n")
            .find("expected a version, or -1 for the latest, got -2") != std::string::npos);
  CHECK(StepsError("  - {name: a, model_name: x, input_map: {i: \"\"}, output_map: {o: out}}\n")
            .find("expected a tensor's name on both sides, got nothing") != std::string::npos);
}

// Maps that are empty are refused, on either side.
TEST_CASE("a step without tensors is refused") {
  CHECK(StepsError("  - {name: a, model_name: x, output_map: {o: out}}\n") ==
        "f:5:5: key 'pipeline.step[0].input_map': expected at least one 'tensor of the step: "
        "tensor of the pipeline'");
  CHECK(StepsError("  - {name: a, model_name: x, input_map: {i: in}}\n")
            .find("key 'pipeline.step[0].output_map': expected at least one") != std::string::npos);
}

// A tensor that is read must be made; the nearest name is offered.
TEST_CASE("a tensor that nobody makes is refused") {
  CHECK(StepsError(std::string(kFirst) +
                   "  - {name: b, model_name: y, input_map: {i: mit}, output_map: {o: out}}\n") ==
        "f:6:45: key 'pipeline.step[1].input_map[i]': tensor 'mit' is made by no step and is no "
        "input: unknown; did you mean 'mid'? known tensors: in, mid, out");
  CHECK(StepsError(kFirst) ==
        "f:2:17: key 'output[0].name': output 'out' is made by no step: unknown; known "
        "tensors: in, mid");
}

// A tensor has one maker.
TEST_CASE("a tensor made twice is refused") {
  CHECK(StepsError(std::string(kFirst) + kLast +
                   "  - {name: c, model_name: y, input_map: {i: in}, output_map: {o: mid}}\n") ==
        "f:7:66: key 'pipeline.step[2].output_map[o]': tensor 'mid' is already made by step 'a'; "
        "choose another name");
  CHECK(StepsError(std::string(kFirst) + kLast +
                   "  - {name: c, model_name: y, input_map: {i: mid}, output_map: {o: in}}\n")
            .find("tensor 'in' is already made by the pipeline's input of that name") !=
        std::string::npos);
}

// Steps that wait for each other never start.
TEST_CASE("a cycle is refused") {
  CHECK(StepsError("  - {name: a, model_name: x, input_map: {i: in, k: q}, output_map: {o: p}}\n"
                   "  - {name: b, model_name: x, input_map: {i: p}, output_map: {o: q}}\n"
                   "  - {name: c, model_name: x, input_map: {i: q}, output_map: {o: out}}\n") ==
        "f:4:3: key 'pipeline.step': these steps wait for each other's tensors, or for steps that "
        "do: a, b, c");
  CHECK(StepsError("  - {name: a, model_name: x, input_map: {i: out}, output_map: {o: out}}\n")
            .find("these steps wait for each other's tensors, or for steps that do: a") !=
        std::string::npos);
}

// A tensor that leads nowhere is only warned of.
TEST_CASE("an unused tensor is a warning") {
  const LoadedModelConfig loaded = Parsed(
      TextFormat::kYaml,
      WithSteps("  - {name: a, model_name: x, input_map: {i: in}, output_map: {o: out, p: q}}\n"));
  REQUIRE(loaded.warnings.size() == 1);
  CHECK(loaded.warnings[0] ==
        "f:5:50: key 'pipeline.step[0].output_map': tensor 'q' is used by no step and is no "
        "output");
}

// A pipeline has steps, inputs and outputs with types and dims, and nothing of a compiled model.
TEST_CASE("a pipeline is complete by itself") {
  CHECK(ErrorOf(ParseStatus("pipeline: {}\n")) ==
        "f: key 'input': a pipeline needs at least one input\n"
        "f: key 'output': a pipeline needs at least one output\n"
        "f:1:1: key 'pipeline.step': expected at least one step, got none");
  CHECK(ErrorOf(ParseStatus("input: [{name: in}]\noutput: [{name: in, data_type: TYPE_FP32, dims: "
                            "[1]}]\npipeline: {step: [{name: a, model_name: x, input_map: {i: in}, "
                            "output_map: {o: q}}]}\n")) ==
        "f:1:9: key 'input[0].data_type': expected the data type of input 'in', got nothing\n"
        "f:1:9: key 'input[0].dims': expected the dims of input 'in', got none");
  const std::string good = WithSteps(std::string(kFirst) + kLast);
  CHECK(ErrorOf(ParseStatus(good + "instance_group: [{count: 1}]\n"))
            .find("a pipeline has no instances of its own") != std::string::npos);
  CHECK(ErrorOf(ParseStatus(good + "default_model_filename: a.om\n"))
            .find("a pipeline has no file of its own") != std::string::npos);
  CHECK(ErrorOf(ParseStatus(good + "backend: ascend\n"))
            .find("expected nothing for a pipeline, got \"ascend\"") != std::string::npos);
  CHECK(ErrorOf(ParseStatus(good + "dynamic_batching: {}\n"))
            .find("key 'pipeline': cannot stand beside dynamic_batching") != std::string::npos);
}

// A pipeline does not run itself.
TEST_CASE("a step of the pipeline's own name is refused") {
  CHECK(ErrorOf(ParseStatus(WithSteps("  - {name: a, model_name: m, input_map: {i: in}, "
                                      "output_map: {o: out}}\n")))
            .find("key 'pipeline.step[0].model_name': 'm' is the pipeline itself") !=
        std::string::npos);
}

// A pipeline has its steps' tensors.
TEST_CASE("a reshape in a pipeline is refused") {
  CHECK(ErrorOf(ParseStatus("input: [{name: in, data_type: TYPE_FP32, dims: [1], reshape: {}}]\n"
                            "output: [{name: out, data_type: TYPE_FP32, dims: [1]}]\n"
                            "pipeline: {step: [{name: a, model_name: x, input_map: {i: in}, "
                            "output_map: {o: out}}]}\n"))
            .find("key 'input[0].reshape': a pipeline passes tensors on with the dims that its "
                  "steps have; write reshape in the configuration of the step's model") !=
        std::string::npos);
}

// An ensemble is checked as the pipeline that it becomes, with its own places.
TEST_CASE("an ensemble is checked as a pipeline") {
  CHECK(
      ErrorOf(ParseStatus(std::string(kTensors) +
                          "ensemble_scheduling:\n  step:\n  - {model_name: x, input_map: {i: im}, "
                          "output_map: {o: out}}\n")) ==
      "f:5:36: key 'ensemble_scheduling.step[0].input_map[i]': tensor 'im' is made by no step "
      "and is no input: unknown; did you mean 'in'? known tensors: in, out");
  const absl::Status elsewhere =
      ParseStatus(std::string(kTensors) +
                  "ensemble_scheduling:\n  step:\n  - {model_name: x, input_map: {i: in}, "
                  "output_map: {o: out}, model_namespace: n}\n");
  CHECK(elsewhere.code() == absl::StatusCode::kUnimplemented);
  CHECK(ErrorOf(elsewhere).find("give models names of their own") != std::string::npos);
}

// What an ensemble says of requests in flight holds here without being said.
TEST_CASE("a bound on requests in flight is accepted") {
  const LoadedModelConfig loaded = Parsed(
      TextFormat::kYaml, std::string(kTensors) +
                             "ensemble_scheduling:\n  max_inflight_requests: 4\n  step:\n  - "
                             "{model_name: x, input_map: {i: in}, output_map: {o: out}}\n");
  REQUIRE(loaded.warnings.size() == 1);
  CHECK(loaded.warnings[0].find("key 'ensemble_scheduling.max_inflight_requests': accepted and "
                                "ignored: a step runs once for each request") != std::string::npos);
}

}  // namespace
}  // namespace omserve::config
