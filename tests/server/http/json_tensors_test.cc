// SPDX-License-Identifier: Apache-2.0
#include "server/http/json_tensors.h"

#include <boost/json.hpp>
#include <catch2/catch.hpp>
#include <cmath>
#include <limits>
#include <random>
#include <string>
#include <vector>

#include "tests/server/http/json_oracle.h"
#include "tests/status_test_util.h"

namespace omserve::server {
namespace {

using Catch::Matchers::Contains;

std::string Refusal(const std::string& data, DataType type, int64_t count) {
  const auto raw = EncodedTensor(data, type, count);
  REQUIRE(raw.status().code() == absl::StatusCode::kInvalidArgument);
  return std::string(MessageOf(raw.status()));
}

template <typename T>
std::string Raw(const std::vector<T>& values) {
  return {static_cast<const char*>(static_cast<const void*>(values.data())),
          values.size() * sizeof(T)};
}

// Every type there and back; nesting does not matter.
TEST_CASE("JSON tensors: there and back",
          "[1.3/BYTES][1.3/data-nested][1.3/empty-tensor][1.3/datatypes]") {
  struct Case {
    DataType type;
    std::string nested;
    std::string raw;
    std::string flat;
  };
  const std::vector<Case> cases = {
      {DataType::kBool, "[[true],[false]]", std::string("\1\0", 2), "[true,false]"},
      {DataType::kUint8, "[[0,255]]", std::string("\0\xff", 2), "[0,255]"},
      {DataType::kInt8, "[[-128,127]]", std::string("\x80\x7f", 2), "[-128,127]"},
      {DataType::kUint16, "[1,65535]", Raw<uint16_t>({1, 65535}), "[1,65535]"},
      {DataType::kInt16, "[[[-1]],[[2]]]", Raw<int16_t>({-1, 2}), "[-1,2]"},
      {DataType::kUint32, "[4294967295]", Raw<uint32_t>({4294967295U}), "[4294967295]"},
      {DataType::kInt32, "[-7]", Raw<int32_t>({-7}), "[-7]"},
      {DataType::kUint64, "[18446744073709551615]", Raw<uint64_t>({~uint64_t{0}}),
       "[18446744073709551615]"},
      {DataType::kInt64, "[-9223372036854775808]",
       Raw<int64_t>({std::numeric_limits<int64_t>::min()}), "[-9223372036854775808]"},
      {DataType::kFp32, "[[0.5,-3]]", Raw<float>({0.5F, -3}), "[0.5,-3]"},
      {DataType::kFp64, "[1e-300,2]", Raw<double>({1e-300, 2}), "[1e-300,2]"},
      {DataType::kBytes, R"(["a\"\u00e9",""])", std::string("\4\0\0\0a\"\xc3\xa9\0\0\0\0", 12),
       "[\"a\\\"\xc3\xa9\",\"\"]"},
  };
  for (const Case& c : cases) {
    CAPTURE(std::string(DataTypeName(c.type)));
    const auto count = static_cast<int64_t>(boost::json::parse(c.flat).as_array().size());
    CHECK(VALUE(EncodedTensor(c.nested, c.type, count)) == c.raw);
    std::string text;
    REQUIRE_OK(AppendJsonTensor(c.type, std::as_bytes(std::span(c.raw)), &text));
    CHECK(text == c.flat);
  }
  CHECK(VALUE(EncodedTensor("[]", DataType::kFp32, 0)).empty());
  CHECK(VALUE(EncodedTensor("[[],[ ]]", DataType::kFp32, 0)).empty());
  CHECK(VALUE(EncodedTensor("7", DataType::kInt8, 1)) == "\7");
}

// Floats keep every bit.
TEST_CASE("JSON tensors: floats survive, seeded") {
  std::mt19937 random(20261125);
  std::vector<float> values;
  while (values.size() < 5000) {
    const auto bits = static_cast<uint32_t>(random());
    float value = 0;
    std::memcpy(&value, &bits, sizeof(value));
    if (std::isfinite(value)) {
      values.push_back(value);
    }
  }
  std::string text;
  const std::string raw = Raw(values);
  REQUIRE_OK(AppendJsonTensor(DataType::kFp32, std::as_bytes(std::span(raw)), &text));
  CHECK(VALUE(EncodedTensor(text, DataType::kFp32, 5000)) == raw);
}

// What is refused, with the element and what was expected.
TEST_CASE("JSON tensors: refusals", "[1.3/BOOL][1.3/data-count][1.3/half-floats]") {
  CHECK_THAT(Refusal("[1]", DataType::kBool, 1),
             Contains("element 0") && Contains("true or false"));
  CHECK_THAT(Refusal("[1,256]", DataType::kUint8, 2), Contains("element 1") && Contains("256"));
  CHECK_THAT(Refusal("[1.5]", DataType::kInt32, 1), Contains("a whole number in range for INT32"));
  CHECK_THAT(Refusal("[-1]", DataType::kUint64, 1), Contains("-1"));
  CHECK_THAT(Refusal("[null]", DataType::kFp32, 1), Contains("null"));
  CHECK_THAT(Refusal("[1e39]", DataType::kFp32, 1), Contains("in range"));
  CHECK_THAT(Refusal("[{}]", DataType::kFp32, 1), Contains("a number"));
  CHECK_THAT(Refusal("[1e99999999999]", DataType::kFp64, 1), Contains("in range"));
  CHECK_THAT(Refusal("[1]", DataType::kBytes, 1), Contains("a string"));
  CHECK_THAT(Refusal("[1]", DataType::kFp16, 1), Contains("FP16") && Contains("binary"));
  CHECK_THAT(Refusal("[1]", DataType::kInvalid, 1), Contains("no JSON form"));
  CHECK_THAT(Refusal("[1,2,3]", DataType::kInt8, 2), Contains("more than the 2 elements"));
  CHECK_THAT(Refusal("[1]", DataType::kInt8, 2), Contains("has 1 elements, but its shape needs 2"));
  CHECK_THAT(Refusal("[1]", DataType::kInt8, std::numeric_limits<int64_t>::max()),
             Contains("has 1 elements"));
}

// Text that is no JSON says after which element, and what was expected there.
TEST_CASE("JSON tensors: damaged text") {
  CHECK_THAT(Refusal("[1,,2]", DataType::kInt8, 2),
             Contains("after 1 elements there is ,2], expected a value"));
  CHECK_THAT(Refusal("[1 2]", DataType::kFp32, 2), Contains("there is 2], expected ',' or ']'"));
  CHECK_THAT(Refusal("[1,2}", DataType::kFp32, 2), Contains("there is }, expected ',' or ']'"));
  CHECK_THAT(Refusal("[[1,2]", DataType::kFp32, 2), Contains("there is its end"));
  CHECK_THAT(Refusal("[1,2]]", DataType::kFp32, 2), Contains("expected nothing more"));
  CHECK_THAT(Refusal("[01]", DataType::kFp32, 1), Contains("there is 1], expected ',' or ']'"));
  CHECK_THAT(Refusal("[1,]", DataType::kFp32, 1), Contains("elements"));
  CHECK_THAT(Refusal("[nan]", DataType::kFp32, 1), Contains("is not JSON"));
  CHECK_THAT(Refusal("[tru]", DataType::kBool, 1), Contains("is not JSON"));
  CHECK_THAT(Refusal("[\"\xff\"]", DataType::kBytes, 1), Contains("is not JSON"));
  CHECK_THAT(Refusal("[\"a\nb\"]", DataType::kBytes, 1), Contains("is not JSON"));
  const std::string deep = std::string(100, '[') + "1" + std::string(100, ']');
  CHECK_THAT(Refusal(deep, DataType::kInt8, 1), Contains("arrays in more than"));
}

// What a tensor's text is made of, put together at random: nearly always JSON, often a tensor.
std::string RandomTensor(std::mt19937& random, int depth) {
  static const std::vector<std::string> kElements = {"0",
                                                     "1",
                                                     "-1",
                                                     "255",
                                                     "256",
                                                     "1.5",
                                                     "0.1",
                                                     "-0.30000001",
                                                     "1e3",
                                                     "1E-7",
                                                     "1e39",
                                                     "-0.0",
                                                     "123456789",
                                                     "true",
                                                     "false",
                                                     "null",
                                                     R"("")",
                                                     R"("a")",
                                                     "\"\xc3\xa9\"",
                                                     R"("\u00e9\n")",
                                                     "{}",
                                                     "[]",
                                                     "1e400",
                                                     "65536.0",
                                                     "01",
                                                     "3.4028235677973366e38",
                                                     "18446744073709551615",
                                                     "0.4170219898223877",
                                                     R"({"a":[1,"]"]})"};
  static const std::vector<std::string> kSpaces = {"", "", "", " ", "\n\t", "  "};
  const auto pick = [&random](const std::vector<std::string>& from) {
    return from[random() % from.size()];
  };
  std::string text = "[";
  const size_t kind = random() % 4 == 0 ? kElements.size() : 1 + random() % kElements.size();
  const uint32_t count = static_cast<uint32_t>(random()) % 5;
  for (uint32_t i = 0; i < count; ++i) {
    const bool nests = depth < 4 && random() % 5 == 0;
    text += pick(kSpaces);
    text += nests ? RandomTensor(random, depth + 1)
                  : kElements[kind == kElements.size() ? random() % kind : kind - 1];
    text += pick(kSpaces);
    text += i + 1 < count ? "," : "";
  }
  text += "]";
  if (random() % 20 == 0) {
    text[random() % text.size()] = "[],\"1 x"[random() % 7];
  }
  return text;
}

// Against Boost.JSON and the C library: both take a text, as the same bytes, or both refuse it.
TEST_CASE("JSON tensors: as the oracle reads them, seeded") {
  std::mt19937 random(20261126);
  int taken = 0;
  for (int i = 0; i < 40'000; ++i) {
    const std::string text = RandomTensor(random, 0);
    const auto type = static_cast<DataType>(1 + random() % static_cast<uint32_t>(DataType::kBf16));
    for (int64_t count = 0; count < 5; ++count) {
      REQUIRE(TensorDifference(text, type, count) == "");
      taken += OracleTensor(text, type, count).has_value() ? 1 : 0;
    }
  }
  CHECK(taken > 5'000);
}

// What JSON cannot say is an error of its own, not a wrong document.
TEST_CASE("JSON tensors: values without a JSON form",
          "[1.3/nan-inf][1.3/not-utf8][1.3/half-floats]") {
  std::string text;
  for (const float value :
       {std::numeric_limits<float>::infinity(), std::numeric_limits<float>::quiet_NaN()}) {
    const std::string raw = Raw<float>({value});
    CHECK(AppendJsonTensor(DataType::kFp32, std::as_bytes(std::span(raw)), &text).code() ==
          absl::StatusCode::kInvalidArgument);
  }
  const std::string not_utf8("\1\0\0\0\xff", 5);
  CHECK_FALSE(AppendJsonTensor(DataType::kBytes, std::as_bytes(std::span(not_utf8)), &text).ok());
  CHECK_FALSE(AppendJsonTensor(DataType::kBf16, {}, &text).ok());
}

}  // namespace
}  // namespace omserve::server
