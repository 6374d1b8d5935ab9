// SPDX-License-Identifier: Apache-2.0
#include "runtime/om/costs.h"

#include <catch2/catch.hpp>

#include "proto/ge/ge_ir.pb.h"
#include "tests/runtime/om/om_samples.h"
#include "tests/status_test_util.h"

namespace omserve::om {
namespace {

ModelDescription WithGears(const std::vector<std::vector<int64_t>>& gears) {
  ModelDescription model;
  for (const std::vector<int64_t>& values : gears) {
    model.gears.push_back({.values = values, .output_dims = {}});
  }
  return model;
}

std::string Refusal(std::string_view text, const ModelDescription& model) {
  const absl::StatusOr<std::vector<int64_t>> costs = ParseCosts(text, model);
  CAPTURE(text);
  REQUIRE(costs.status().code() == absl::StatusCode::kInvalidArgument);
  return std::string(MessageOf(costs.status()));
}

// Costs come in any order and are kept in that of the gears; the text comes back the same.
TEST_CASE("Costs are read by gear") {
  ModelDescription model = WithGears({{1}, {4}, {8}});
  model.cost_us = VALUE(ParseCosts("8:3800,1:900,4:2100", model));
  CHECK(model.cost_us == std::vector<int64_t>{900, 2100, 3800});
  CHECK(FormatCosts(model) == "1:900,4:2100,8:3800");
  REQUIRE_OK(CheckCosts(model));

  model = WithGears({{1, 16}, {8, 32}});
  model.cost_us = VALUE(ParseCosts("1x16:10,8x32:3600000000", model));
  CHECK(model.cost_us == std::vector<int64_t>{10, kMostCostUs});
  CHECK(FormatCosts(model) == "1x16:10,8x32:3600000000");
}

// A model without gears has one number and no key.
TEST_CASE("A model without gears has one cost") {
  ModelDescription model;
  model.cost_us = VALUE(ParseCosts("900", model));
  CHECK(model.cost_us == std::vector<int64_t>{900});
  CHECK(FormatCosts(model) == "900");
  CHECK(FormatCosts(ModelDescription()).empty());
  CHECK_THAT(Refusal("1:900", model), Catch::Contains("'1:900'"));
  CHECK_THAT(Refusal("", model), Catch::Contains("microseconds"));
}

// Each mistake is quoted, with what there is.
TEST_CASE("Wrong costs are refused") {
  const ModelDescription model = WithGears({{1}, {4}});
  CHECK_THAT(Refusal("1:900", model), Catch::Contains("no cost for gear 4"));
  CHECK_THAT(Refusal("1:900,2:1", model),
             Catch::Contains("'2:1'") && Catch::Contains("a gear of 1, 4"));
  CHECK_THAT(Refusal("1:900,4:2,1:3", model), Catch::Contains("gear 1 is there twice"));
  for (const char* text : {"1:0,4:1", "1:-5,4:1", "1:1.5,4:1", "1:,4:1", "1:3600000001,4:1"}) {
    CHECK_THAT(Refusal(text, model), Catch::Contains("from 1 to 3600000000"));
  }
  for (const char* text : {"", "900", "1:900,", ",1:900", "1 :900,4:1"}) {
    CHECK_THAT(Refusal(text, model), Catch::Contains("GEAR:MICROSECONDS"));
  }
}

// What is written is read back; a file without costs has the bytes that it always had.
TEST_CASE("Costs stand in the file") {
  ModelDescription model = SmallBatchModel();
  const auto write = [](const ModelDescription& description) {
    return WriteHostModel(description, AsBytes("graph"), AsBytes("weights"));
  };
  const std::string plain = VALUE(write(model));
  CHECK(plain.find("omserve_cost_us") == std::string::npos);
  model.cost_us.assign(model.gears.size(), 700);
  const std::string timed = VALUE(write(model));
  const OmFile file = VALUE(OmFile::Parse(AsBytes(timed)));
  CHECK(VALUE(DescribeModel(file)).cost_us == model.cost_us);
  model.cost_us.push_back(1);
  CHECK(write(model).status().code() == absl::StatusCode::kInvalidArgument);
}

// A file with costs that do not fit the gears is damaged.
TEST_CASE("Costs of a file are checked") {
  ModelDescription model = SmallBatchModel();
  model.cost_us.assign(model.gears.size(), 700);
  const std::string timed = VALUE(WriteHostModel(model, AsBytes("graph"), AsBytes("weights")));
  const OmFile file = VALUE(OmFile::Parse(AsBytes(timed)));
  ge::ModelDef model_def;
  REQUIRE(
      model_def.ParseFromString(std::string(AsText(file.Find(PartitionType::kModelDef)->data))));
  (*model_def.mutable_attr())["omserve_cost_us"].mutable_list()->set_i(0, 0);
  const std::string bytes = model_def.SerializeAsString();
  const std::string edited =
      VALUE(WriteOm(file.header(), {{Partition{PartitionType::kModelDef, AsBytes(bytes)}}}));
  const absl::Status status = DescribeModel(VALUE(OmFile::Parse(AsBytes(edited)))).status();
  CHECK_THAT(std::string(MessageOf(status)), Catch::Contains("omserve_cost_us"));
}

}  // namespace
}  // namespace omserve::om
