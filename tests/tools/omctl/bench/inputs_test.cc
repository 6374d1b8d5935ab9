// SPDX-License-Identifier: Apache-2.0
#include "tools/omctl/bench/inputs.h"

#include <catch2/catch.hpp>
#include <string>
#include <vector>

#include "runtime/base/bytes_tensor.h"
#include "runtime/base/file.h"
#include "tests/status_test_util.h"

namespace omserve::bench {
namespace {

using Catch::Matchers::Contains;

const std::vector<TensorSpec> kSpecs = {{"x", DataType::kFp32, {-1, 4}},
                                        {"ids", DataType::kInt64, {-1, -1}},
                                        {"text", DataType::kBytes, {-1, 1}}};

std::string Refusal(const InputOptions& options) {
  const auto payloads = MakePayloads(kSpecs, options);
  REQUIRE(payloads.status().code() == absl::StatusCode::kInvalidArgument);
  return std::string(MessageOf(payloads.status()));
}

// Generated inputs: the batch first, open sizes as asked for, and the same again from the seed.
TEST_CASE("MakePayloads: generated") {
  for (const char* data : {"random", "zero"}) {
    CAPTURE(data);
    const InputOptions options{.data = data, .shapes = {"ids:7"}, .batch = 2, .seed = 3};
    const auto payloads = VALUE(MakePayloads(kSpecs, options));
    REQUIRE(payloads.size() == 1);
    const std::vector<client::Tensor>& inputs = payloads.front();
    REQUIRE(inputs.size() == 3);
    CHECK(inputs[0].dims == Dims{2, 4});
    CHECK(inputs[0].raw.size() == 32);
    CHECK(inputs[1].dims == Dims{2, 7});
    CHECK(inputs[1].raw.size() == 2 * 7 * 8);
    CHECK(inputs[2].dims == Dims{2, 1});
    const auto texts = VALUE(DecodeBytesTensor(std::as_bytes(std::span(inputs[2].raw)), 2));
    CHECK(texts[0].size() == (std::string(data) == "random" ? 16U : 0U));
    CHECK(VALUE(MakePayloads(kSpecs, options)).front()[0].raw == inputs[0].raw);
  }
}

// A value given by hand comes before what is generated.
TEST_CASE("MakePayloads: given values") {
  const auto payloads =
      VALUE(MakePayloads(kSpecs, {.values = {"x=[1,2,3,4]", "ids=[[5,6]]", "text=what is it"}}));
  CHECK(payloads.front()[0].dims == Dims{1, 4});
  CHECK(payloads.front()[1].dims == Dims{1, 2});
  CHECK(payloads.front()[2].raw.substr(4) == "what is it");
}

// A file of requests, in each of its forms.
TEST_CASE("MakePayloads: a file") {
  REQUIRE_OK(WriteFileAtomically("data.json", R"({"data": [
      {"x": [1, 2, 3, 4], "ids": {"content": [7, 8, 9], "shape": [3]}, "text": ["a"]},
      {"x": {"b64": "AAAAAAAAgD8AAABAAABAQA=="}, "ids": {"content": [7], "shape": [1, 1]},
       "text": {"b64": "aGk="}}]})"));
  const auto payloads = VALUE(MakePayloads(kSpecs, {.data = "data.json"}));
  REQUIRE(payloads.size() == 2);
  CHECK(payloads[0][1].dims == Dims{1, 3});
  CHECK(payloads[0][2].raw.substr(4) == "a");
  CHECK(payloads[1][0].raw.size() == 16);
  CHECK(payloads[1][2].raw.substr(4) == "hi");
}

// What is missing or does not fit, by name.
TEST_CASE("MakePayloads: refusals") {
  CHECK_THAT(Refusal({}), Contains("input 'ids' is [1,-1]") && Contains("--shape ids:SIZES"));
  CHECK_THAT(Refusal({.shapes = {"nobody:3"}}), Contains("'nobody:3'"));
  CHECK_THAT(Refusal({.shapes = {"x:5"}}), Contains("does not fit the input's [-1,4]"));
  CHECK_THAT(Refusal({.shapes = {"ids:a"}}), Contains("'a' is no size"));
  CHECK_THAT(Refusal({.values = {"y=1"}}), Contains("'y=1'"));
  CHECK(MakePayloads({{"x", DataType::kFp32, {2}}}, {.batch = 2}).status().code() ==
        absl::StatusCode::kInvalidArgument);
  REQUIRE_OK(WriteFileAtomically("none.json", R"({"data": []})"));
  CHECK_THAT(Refusal({.data = "none.json"}), Contains("none.json"));
  REQUIRE_OK(WriteFileAtomically("less.json", R"({"data": [{"x": [1, 2, 3, 4]}]})"));
  CHECK_THAT(Refusal({.data = "less.json"}), Contains("has no input 'ids'"));
  REQUIRE_OK(WriteFileAtomically("short.json", R"({"data": [{"x": {"b64": "AAAA"}}]})"));
  CHECK_THAT(Refusal({.data = "short.json"}), Contains("3 bytes of base64"));
}

}  // namespace
}  // namespace omserve::bench
