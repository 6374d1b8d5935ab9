// SPDX-License-Identifier: Apache-2.0
// Samples of model_warmup.
#include <catch2/catch.hpp>
#include <string>

#include "tests/config/config_test_util.h"

namespace omserve::config {
namespace {

std::string WarmUpError(const std::string& text) { return ErrorOf(ParseStatus(text)); }

// One sample of each kind of data; a count of 0 is once.
TEST_CASE("samples are taken as they are") {
  CHECK(WarmUpError("model_warmup: [{name: w, batch_size: 2, count: 0, inputs: {a: {data_type: "
                    "TYPE_FP32, dims: [4], zero_data: true}, b: {random_data: true}, c: "
                    "{input_data_file: c.bin}}}]\n")
            .empty());
}

// A sample says what it is made of.
TEST_CASE("a sample without data is refused") {
  const std::string expected =
      "f:1:34: key 'model_warmup[0].inputs[a]': expected zero_data: true, random_data: true or an "
      "input_data_file";
  CHECK(WarmUpError("model_warmup: [{name: w, inputs: {a: {dims: [4]}}}]\n").substr(6) ==
        expected.substr(6));
  CHECK(WarmUpError("model_warmup: [{inputs: {a: {zero_data: false}}}]\n")
            .find("expected zero_data: true") != std::string::npos);
  CHECK(WarmUpError("model_warmup: [{inputs: {a: {random_data: false}}}]\n")
            .find("expected zero_data: true") != std::string::npos);
}

// Files lie in the model's folder warmup, and nowhere else.
TEST_CASE("a sample's file is in its folder") {
  for (const char* file : {"''", "..", ".", "../a", "/etc/passwd", "a/b"}) {
    CAPTURE(file);
    CHECK(
        WarmUpError("model_warmup: [{inputs: {a: {input_data_file: " + std::string(file) + "}}}]\n")
            .find("key 'model_warmup[0].inputs[a].input_data_file': expected the name of a file "
                  "in the model's folder warmup") != std::string::npos);
  }
}

// Sizes are numbers.
TEST_CASE("a sample has fixed dims") {
  CHECK(WarmUpError("model_warmup: [{inputs: {a: {zero_data: true, dims: [4, -1]}}}]\n")
            .find("key 'model_warmup[0].inputs[a].dims[1]': expected a size of 1 or more, got -1: "
                  "a sample has fixed dims, which leave the batch dimension out") !=
        std::string::npos);
  CHECK(WarmUpError("model_warmup: [{count: 1000001}]\n").find("expected 0 to 1000000") !=
        std::string::npos);
  CHECK(WarmUpError("model_warmup: [{batch_size: 1048577}]\n").find("expected 1 to 1048576") !=
        std::string::npos);
}

// A pipeline has no instances that could be warm.
TEST_CASE("samples of a pipeline are told to be in the wrong place") {
  const LoadedModelConfig loaded =
      Parsed(TextFormat::kYaml,
             "model_warmup: [{name: w}]\n"
             "input: [{name: in, data_type: TYPE_FP32, dims: [1]}]\n"
             "output: [{name: out, data_type: TYPE_FP32, dims: [1]}]\n"
             "pipeline: {step: [{name: a, model_name: x, input_map: {i: in}, output_map: {o: "
             "out}}]}\n");
  REQUIRE(loaded.warnings.size() == 1);
  CHECK(loaded.warnings[0].find("write it in the models of its steps") != std::string::npos);
}

}  // namespace
}  // namespace omserve::config
