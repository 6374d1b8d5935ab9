// SPDX-License-Identifier: Apache-2.0
#include "runtime/hostops/at_least.h"

#include <cmath>
#include <cstring>
#include <limits>

#include "tests/runtime/hostops/host_op_test_util.h"

namespace omserve::hostops {
namespace {

using Catch::Contains;

std::vector<uint8_t> Passes(const HostOp& op, const std::vector<float>& scores) {
  std::string raw(scores.size() * sizeof(float), '\0');
  std::memcpy(raw.data(), scores.data(), raw.size());
  const Call call = RunRaw(op, static_cast<int>(scores.size()), raw);
  REQUIRE_OK(call.status);
  return call.Values<uint8_t>(0);
}

TEST_CASE("at_least: the bound itself passes, NaN does not") {
  const auto op = VALUE(TryMake("at_least", {{"bound", "0.5"}}));
  constexpr float kInfinity = std::numeric_limits<float>::infinity();
  CHECK(Passes(*op, {0.5F, 0.4999F, 1, -1, kInfinity, -kInfinity, std::nanf("")}) ==
        std::vector<uint8_t>{1, 0, 1, 0, 1, 0, 0});
}

// 0.9 is no float: the score that is meant by it passes.
TEST_CASE("at_least: the bound is a float") {
  const auto op = VALUE(TryMake("at_least", {{"bound", "0.9"}}));
  CHECK(Passes(*op, {0.9F, std::nextafter(0.9F, 0.0F)}) == std::vector<uint8_t>{1, 0});
}

TEST_CASE("at_least: names of tensors") {
  const auto op = VALUE(
      TryMake("at_least", {{"bound", "-3"}, {"input", "probability"}, {"output", "is_answered"}}));
  CHECK(op->inputs()[0].name == "probability");
  CHECK(op->outputs()[0].name == "is_answered");
  CHECK(op->outputs()[0].type == DataType::kBool);
  CHECK(Passes(*op, {-3}) == std::vector<uint8_t>{1});
}

TEST_CASE("at_least: parameters that are wrong") {
  CHECK_THAT(MakeError("at_least", {}), Contains("'bound'"));
  CHECK_THAT(MakeError("at_least", {{"bound", "high"}}), Contains("'bound'") && Contains("high"));
  CHECK_THAT(MakeError("at_least", {{"bound", "nan"}}), Contains("'bound'"));
  CHECK_THAT(MakeError("at_least", {{"bond", "1"}}), Contains("'bond', did you mean 'bound'"));
}

}  // namespace
}  // namespace omserve::hostops
