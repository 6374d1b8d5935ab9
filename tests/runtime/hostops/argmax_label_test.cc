// SPDX-License-Identifier: Apache-2.0
#include "runtime/hostops/argmax_label.h"

#include <boost/json.hpp>
#include <catch2/catch.hpp>
#include <cmath>
#include <filesystem>
#include <limits>

#include "runtime/base/file.h"
#include "tests/npy.h"
#include "tests/runtime/hostops/host_op_test_util.h"

namespace omserve::hostops {
namespace {

using Catch::Matchers::Contains;

constexpr float kInfinity = std::numeric_limits<float>::infinity();

std::string FolderWith(const std::string& name, const std::string& contents) {
  std::filesystem::create_directory("labels");
  REQUIRE_OK(WriteFileAtomically("labels/" + name, contents));
  return "labels";
}

std::unique_ptr<HostOp> MakeThree() {
  return VALUE(TryMake("argmax_label", {{"labels", "three.txt"}},
                       FolderWith("three.txt", "cat\ndog\nelephant\n")));
}

Call RunLogits(const HostOp& op, const std::vector<float>& logits) {
  const auto rows = static_cast<int>(logits.size()) / static_cast<int>(op.inputs()[0].dims[0]);
  return RunRaw(op, rows,
                {reinterpret_cast<const char*>(logits.data()), logits.size() * sizeof(float)});
}

// The reference logits of all sample questions give the answers and probabilities on record.
TEST_CASE("Every sample question gets its answer") {
  const auto op = VALUE(TryMake("argmax_label", {{"labels", "models/answers.json"}}));
  const Matrix logits = ReadNpy(std::string(kScenes) + "/samples/logits.npy");
  const Call call = RunLogits(*op, logits.values);
  REQUIRE_OK(call.status);
  const std::vector<std::string> labels = call.Texts(0, static_cast<int64_t>(logits.rows));
  const std::vector<float> scores = call.Values<float>(1);
  REQUIRE(scores.size() == logits.rows);
  const std::string text = VALUE(ReadFile(std::string(kScenes) + "/samples/samples.json"));
  size_t questions = 0;
  const boost::json::value samples = boost::json::parse(text.c_str());
  for (const boost::json::value& sample : samples.as_array()) {
    for (const boost::json::value& question : sample.at("questions").as_array()) {
      const auto row = static_cast<size_t>(question.at("logits_row").as_int64());
      CHECK(labels.at(row) == question.at("predicted").as_string().c_str());
      // The record has four decimals.
      CHECK(scores.at(row) == Approx(question.at("probability").to_number<double>()).margin(1e-4));
      ++questions;
    }
  }
  CHECK(questions == logits.rows);
}

// The op says what it takes and gives, under the names it was told, and how much room it needs.
TEST_CASE("Argmax label declares its tensors") {
  const auto op = MakeThree();
  CHECK(op->inputs() == std::vector<TensorSpec>{{"logits", DataType::kFp32, {3}}});
  CHECK(op->outputs() ==
        std::vector<TensorSpec>{{"label", DataType::kBytes, {1}}, {"score", DataType::kFp32, {1}}});
  CHECK(op->MaxOutputBytes(0, 2) == 2U * (4 + 8));
  CHECK(op->MaxOutputBytes(1, 2) == 2U * 4);
  const auto named = VALUE(TryMake("argmax_label", {{"labels", "models/answers.json"},
                                                    {"classes", "26"},
                                                    {"input", "x"},
                                                    {"label", "y"},
                                                    {"score", "p"}}));
  CHECK(named->inputs()[0].name == "x");
  CHECK(named->outputs()[0].name == "y");
  CHECK(named->outputs()[1].name == "p");
}

// Labels of different lengths stand one behind the other, and each row has its own score.
TEST_CASE("Rows are labelled one by one") {
  const Call call = RunLogits(*MakeThree(), {0, 0, 5, 3, 1, 1, 0, 1, 0});
  REQUIRE_OK(call.status);
  CHECK(call.Texts(0, 3) == std::vector<std::string>{"elephant", "cat", "dog"});
  const double e = std::exp(1.0);
  CHECK(call.Values<float>(1).at(2) == Approx(e / (e + 2)));
}

// Of equal logits the first class wins.
TEST_CASE("Ties go to the first class") {
  const Call call = RunLogits(*MakeThree(), {1, 7, 7});
  CHECK(call.Texts(0, 1).front() == "dog");
  CHECK(call.Values<float>(1).front() == Approx(1 / (2 + std::exp(-6.0))));
}

// Logits far from zero neither overflow nor vanish.
TEST_CASE("Large logits have a finite score") {
  const Call call = RunLogits(*MakeThree(), {-3e38F, 3e38F, 0, -1000, -1001, -1002});
  REQUIRE_OK(call.status);
  CHECK(call.Values<float>(1).at(0) == 1.0F);
  CHECK(call.Values<float>(1).at(1) == Approx(0.66524).margin(1e-5));
}

// Infinite logits are answers: one takes all, two share, and all at minus infinity are equal.
TEST_CASE("Infinite logits have a defined score") {
  const Call call = RunLogits(
      *MakeThree(), {0, kInfinity, 0, kInfinity, 0, kInfinity, -kInfinity, -kInfinity, -kInfinity});
  REQUIRE_OK(call.status);
  CHECK(call.Texts(0, 3) == std::vector<std::string>{"dog", "cat", "cat"});
  CHECK(call.Values<float>(1).at(0) == 1.0F);
  CHECK(call.Values<float>(1).at(1) == 0.5F);
  CHECK(call.Values<float>(1).at(2) == Approx(1.0 / 3));
}

// A logit that is no number is an error with its row and class, wherever it stands.
TEST_CASE("NaN logits are refused") {
  const float nan = std::numeric_limits<float>::quiet_NaN();
  for (size_t at = 0; at < 3; ++at) {
    std::vector<float> logits = {0, 0, 0, 1, 2, 3};
    logits[3 + at] = nan;
    CHECK_THAT(ErrorOf(RunLogits(*MakeThree(), logits).status),
               Contains("input 'logits' row 1: class " + std::to_string(at) + " is NaN"));
  }
}

// Every parameter that cannot be meant is refused, with its name and what was expected.
TEST_CASE("Wrong parameters of argmax label are refused") {
  CHECK_THAT(MakeError("argmax_label", {}), Contains("'labels' is missing"));
  CHECK_THAT(MakeError("argmax_label", {{"labels", "models/answers.json"}, {"classes", "27"}}),
             Contains("'classes' is '27', expected 26, the number of labels"));
  CHECK_THAT(MakeError("argmax_label", {{"labels", "models/answers.json"}, {"classes", "x"}}),
             Contains("'classes' is 'x', expected a whole number"));
  CHECK_THAT(MakeError("argmax_label", {{"labels", "models/answers.json"}, {"score", "label"}}),
             Contains("another name"));
  CHECK_THAT(MakeError("argmax_label", {{"lables", "models/answers.json"}}),
             Contains("did you mean 'labels'?"));
}

}  // namespace
}  // namespace omserve::hostops
