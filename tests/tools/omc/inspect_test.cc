// SPDX-License-Identifier: Apache-2.0
#include "tools/omc/inspect.h"

#include <boost/json.hpp>
#include <catch2/catch.hpp>

#include "runtime/base/file.h"
#include "runtime/om/byte_reader.h"
#include "tests/runtime/om/om_samples.h"
#include "tests/status_test_util.h"

namespace omserve::omc {
namespace {

namespace json = boost::json;

std::string SampleFile() {
  return VALUE(om::WriteHostModel(om::SmallBatchModel(), om::AsBytes("graph"), om::AsBytes("wei")));
}

json::value ParseJson(const std::string& text) {
  boost::system::error_code error;
  json::value value = json::parse(json::string_view(text.data(), text.size()), error);
  REQUIRE_FALSE(error);
  return value;
}

// The tables name every partition, tensor, gear and fact of the compilation.
TEST_CASE("inspect shows a model as tables", "[inspect]") {
  const std::string file = SampleFile();
  const std::string text = VALUE(Inspect(om::AsBytes(file), InspectForm::kText));
  for (const char* part :
       {"MODEL_INOUT_INFO", "WEIGHTS_DATA", "TASK_INFO", "OmserveHost", "omc compile small.onnx",
        "node:0:y", "[-1,3]", "INT64", "[4,2]", "1000", "Gears\n  batch  x"}) {
    CAPTURE(part);
    CHECK_THAT(text, Catch::Contains(part));
  }
  CHECK(text.back() == '\n');
}

// The JSON form has the same, as numbers where they are numbers.
TEST_CASE("inspect shows a model as JSON", "[inspect]") {
  const std::string file = SampleFile();
  const json::value root = ParseJson(VALUE(Inspect(om::AsBytes(file), InspectForm::kJson)));
  CHECK(root.at("header").at("name").as_string() == "small");
  CHECK(root.at("header").at("file_bytes").to_number<size_t>() == file.size());
  const json::array& partitions = root.at("partitions").as_array();
  REQUIRE(partitions.size() == 4);
  CHECK(partitions[3].at("name").as_string() == "TASK_INFO");
  const auto offset = partitions[3].at("file_offset").to_number<size_t>();
  CHECK(file.substr(offset, partitions[3].at("bytes").to_number<size_t>()) == "graph");
  const json::value& model = root.at("model");
  CHECK(model.at("soc_version").as_string() == "OmserveHost");
  CHECK(model.at("inputs").at(0).at("dims").at(0).as_int64() == -1);
  CHECK(model.at("outputs").at(0).at("bytes").to_number<int>() == 32);
  CHECK(model.at("gear_kind").as_string() == "batch");
  CHECK(model.at("gears").at(1).at("values").at(0).as_int64() == 4);
  CHECK(model.at("gears").at(1).at("output_dims").at(0).at(1).as_int64() == 2);
}

// A sound container with a model that cannot be described shows the container and the reason.
TEST_CASE("inspect shows what it can", "[inspect]") {
  const std::vector<om::Partition> partitions = {
      {om::PartitionType::kModelDef, om::AsBytes("\xff")},
      {static_cast<om::PartitionType>(77), om::AsBytes("?")}};
  const std::string file = VALUE(om::WriteOm(om::Header(), partitions));
  const std::string text = VALUE(Inspect(om::AsBytes(file), InspectForm::kText));
  CHECK_THAT(text, Catch::Contains("UNKNOWN"));
  CHECK_THAT(text, Catch::Contains("cannot be described: MODEL_DEF"));
  const json::value root = ParseJson(VALUE(Inspect(om::AsBytes(file), InspectForm::kJson)));
  CHECK(root.at("model").is_null());
  CHECK_THAT(std::string(root.at("model_error").as_string().c_str()), Catch::Contains("MODEL_DEF"));
}

// Text that is not UTF-8 cannot make the JSON invalid.
TEST_CASE("inspect gives valid JSON for any header", "[inspect]") {
  std::string file = SampleFile();
  file.replace(84, 3, "\xff\"\\");
  const json::value root = ParseJson(VALUE(Inspect(om::AsBytes(file), InspectForm::kJson)));
  CHECK(root.at("header").at("name").as_string() == "?\"\\ll");
}

// What is no `.om` file is refused, and a path is named.
TEST_CASE("inspect refuses other files", "[inspect]") {
  CHECK_FALSE(Inspect(om::AsBytes("text"), InspectForm::kText).ok());
  REQUIRE_OK(WriteFileAtomically("text.om", "text"));
  const absl::StatusOr<std::string> shown = InspectFile("text.om", InspectForm::kText);
  REQUIRE_FALSE(shown.ok());
  CHECK_THAT(std::string(MessageOf(shown.status())), Catch::Contains("'text.om'"));
  CHECK(InspectFile("none.om", InspectForm::kJson).status().code() == absl::StatusCode::kNotFound);
}

}  // namespace
}  // namespace omserve::omc
