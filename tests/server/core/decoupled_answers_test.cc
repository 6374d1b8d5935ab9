// SPDX-License-Identifier: Apache-2.0
#include "server/core/decoupled_answers.h"

#include <catch2/catch.hpp>
#include <memory>
#include <string>
#include <vector>

#include "runtime/base/bytes_tensor.h"
#include "runtime/base/errors.h"
#include "tests/status_test_util.h"

namespace omserve::server {
namespace {

using scheduler::InferResponse;
using scheduler::ResponseOutput;

constexpr int kPasses = 1;  // Outputs of the model: names BYTES [-1,1], passes BOOL [-1,1].

ModelHandle MakeModel(bool by_row, bool batched = true) {
  auto model = std::make_shared<Model>();
  auto plan = std::make_shared<scheduler::Plan>();
  plan->batched = batched;
  model->plan = plan;
  const Dims dims = batched ? Dims{-1, 1} : Dims{1};
  model->outputs = {{"names", DataType::kBytes, dims}, {"passes", DataType::kBool, dims}};
  if (by_row) {
    model->answered_rows = kPasses;
  }
  return model;
}

ResponseOutput Output(int output, const std::string& bytes, int rows, bool batched = true) {
  const auto owner = std::make_shared<const std::string>(bytes);
  return {.output = output,
          .dims = batched ? Dims{rows, 1} : Dims{1},
          .bytes = std::as_bytes(std::span(*owner)),
          .owner = owner};
}

ResponseOutput Names(const std::vector<std::string>& names, bool batched = true) {
  std::string bytes;
  for (const std::string& name : names) {
    REQUIRE_OK(AppendBytesElement(name, &bytes));
  }
  return Output(0, bytes, static_cast<int>(names.size()), batched);
}

ResponseOutput Passes(const std::string& rows, bool batched = true) {
  std::string bytes;
  for (const char row : rows) {
    bytes += row == '1' ? '\1' : '\0';
  }
  return Output(kPasses, bytes, static_cast<int>(rows.size()), batched);
}

// "ROW:NAME" or "ROW:passes" for each output of an answer, and " end" for the final one.
std::string Told(const std::vector<InferResponse>& answers) {
  std::string told;
  for (const InferResponse& answer : answers) {
    told += told.empty() ? "" : ", ";
    for (const ResponseOutput& output : answer.outputs) {
      CHECK(output.owner != nullptr);
      told += std::to_string(answer.first_row) + ":";
      told += output.output == kPasses ? "passes"
                                       : std::string(VALUE(BytesTensorReader(output.bytes).Next()));
      told += " ";
    }
    told += answer.is_final ? "end" : "";
  }
  return told;
}

InferResponse Response(std::vector<ResponseOutput> outputs, bool is_final, int first_row = 0) {
  return {.outputs = std::move(outputs), .is_final = is_final, .first_row = first_row};
}

TEST_CASE("Decoupled answers are what came where no rows are named") {
  DecoupledAnswers answers(MakeModel(/*by_row=*/false), /*drops_mask=*/false);
  CHECK(Told(answers.Take(Response({Names({"a", "b"})}, false, 4))) == "4:a ");
  CHECK(Told(answers.Take(Response({Passes("10")}, true))) == "0:passes end");
}

// The mask comes after what it says of, with it, or before.
TEST_CASE("Each row that passes is answered by itself") {
  const std::string kTold = "0:a , 2:c end";
  {
    DecoupledAnswers answers(MakeModel(true), true);
    CHECK(Told(answers.Take(Response({Names({"a", "b", "c"}), Passes("101")}, true))) == kTold);
  }
  {
    DecoupledAnswers answers(MakeModel(true), true);
    CHECK(Told(answers.Take(Response({Names({"a", "b", "c"})}, false))).empty());
    CHECK(Told(answers.Take(Response({Passes("101")}, true))) == kTold);
  }
  {
    DecoupledAnswers answers(MakeModel(true), true);
    CHECK(Told(answers.Take(Response({Passes("101")}, false))).empty());
    CHECK(Told(answers.Take(Response({Names({"a", "b", "c"})}, true))) == kTold);
  }
}

TEST_CASE("The mask itself is answered where it is wanted") {
  DecoupledAnswers answers(MakeModel(true), /*drops_mask=*/false);
  CHECK(Told(answers.Take(Response({Names({"a", "b"}), Passes("01")}, true))) ==
        "1:b 1:passes end");
}

TEST_CASE("No row that passes: only the end") {
  DecoupledAnswers answers(MakeModel(true), true);
  CHECK(Told(answers.Take(Response({Names({"a", "b"}), Passes("00")}, true))) == "end");
}

// Parts of a request come in any order, and each has its own mask.
TEST_CASE("Parts are looked at apart") {
  DecoupledAnswers answers(MakeModel(true), true);
  CHECK(Told(answers.Take(Response({Names({"c", "d"})}, false, 2))).empty());
  CHECK(Told(answers.Take(Response({Names({"a", "b"}), Passes("11")}, false, 0))) == "0:a , 1:b ");
  CHECK(Told(answers.Take(Response({Passes("01")}, true, 2))) == "3:d end");
}

// One row that is the whole tensor.
TEST_CASE("A model without batches is answered or not") {
  for (const char* passes : {"1", "0"}) {
    DecoupledAnswers answers(MakeModel(true, /*batched=*/false), true);
    CHECK(Told(answers.Take(Response({Names({"a"}, false), Passes(passes, false)}, true))) ==
          (*passes == '1' ? "0:a end" : "end"));
  }
}

// An answer more follows for all but the last, which has what the response says.
TEST_CASE("Whoever sends together is told what follows") {
  DecoupledAnswers answers(MakeModel(true), true);
  InferResponse response = Response({Names({"a", "b"}), Passes("11")}, true);
  response.more_follow = true;
  response.stages.total = std::chrono::seconds(1);
  const std::vector<InferResponse> taken = answers.Take(std::move(response));
  REQUIRE(taken.size() == 2);
  CHECK(taken[0].more_follow);
  CHECK(taken[1].more_follow);
  CHECK(taken[1].stages.total == std::chrono::seconds(1));
  const std::vector<InferResponse> none = answers.Take(Response({}, true));
  REQUIRE(none.size() == 1);
  CHECK_FALSE(none[0].more_follow);
}

// Steps of a part without an answer are told with the next one.
TEST_CASE("No step is lost") {
  DecoupledAnswers answers(MakeModel(true), true);
  InferResponse silent = Response({Names({"a"}), Passes("0")}, false, 0);
  silent.trace.push_back({.step = "first"});
  CHECK(answers.Take(std::move(silent)).at(0).trace.empty());
  InferResponse end = Response({Names({"b"}), Passes("1")}, true, 1);
  end.trace.push_back({.step = "second"});
  const std::vector<InferResponse> told = answers.Take(std::move(end));
  REQUIRE(told.size() == 1);
  REQUIRE(told[0].trace.size() == 2);
  CHECK(told[0].trace[0].step == "first");
}

// The first failure counts, also where the request is cancelled for it.
TEST_CASE("A failure is not written over") {
  DecoupledAnswers answers(MakeModel(false), false);
  InferResponse failed = Response({}, false);
  failed.status = Internal("cut");
  answers.Take(std::move(failed));
  InferResponse end = Response({}, true);
  end.status = Cancelled("gone");
  CHECK(answers.Take(std::move(end)).at(0).status.message() == "cut");
}

// A failure before the end is told at the end, and nothing after it is answered.
TEST_CASE("What fails ends with the request") {
  DecoupledAnswers answers(MakeModel(true), true);
  InferResponse failed = Response({}, false);
  failed.status = Internal("cut");
  CHECK(Told(answers.Take(std::move(failed))).empty());
  const std::vector<InferResponse> end = answers.Take(Response({Names({"a"}), Passes("1")}, true));
  REQUIRE(end.size() == 1);
  CHECK(end[0].status.message() == "cut");
  CHECK(end[0].outputs.empty());

  DecoupledAnswers damaged(MakeModel(true), true);
  const std::vector<InferResponse> told =
      damaged.Take(Response({Output(0, "no lengths", 2), Passes("11")}, true));
  REQUIRE(told.size() == 1);
  CHECK_FALSE(told[0].status.ok());
  CHECK(told[0].is_final);
}

TEST_CASE("The output that says which rows are answered") {
  const ModelHandle model = MakeModel(false);
  inference::ModelConfig config;
  CHECK_FALSE(VALUE(FindAnsweredRows(config, model->outputs, true)).has_value());
  std::string& name = *config.mutable_model_transaction_policy()->mutable_answer_rows_where();
  name = "passes";
  CHECK(VALUE(FindAnsweredRows(config, model->outputs, true)) == kPasses);
  name = "names";
  CHECK_THAT(std::string(FindAnsweredRows(config, model->outputs, true).status().message()),
             Catch::Contains("output 'names' is BYTES [-1,1], expected BOOL [-1,1]"));
  name = "pases";
  CHECK_THAT(std::string(FindAnsweredRows(config, model->outputs, true).status().message()),
             Catch::Contains("there is no output 'pases'; the outputs are 'names', 'passes'"));
}

}  // namespace
}  // namespace omserve::server
