// SPDX-License-Identifier: Apache-2.0
#include "tools/omc/measure.h"

#include <boost/json.hpp>
#include <catch2/catch.hpp>

#include "runtime/base/file.h"
#include "runtime/om/byte_reader.h"
#include "runtime/om/om_file.h"
#include "tests/status_test_util.h"
#include "tests/tools/omc/onnx_builder.h"
#include "tools/omc/compile.h"

namespace omserve::omc {
namespace {

// The linear model for batches of 1 and 2, at linear.om; gives its bytes.
std::string CompileLinear(const std::string& cost_us = "") {
  CompileOptions options;
  options.model_path = "linear.onnx";
  options.output_path = "linear.om";
  options.gears.batch_gears = "1,2";
  options.cost_us = cost_us;
  options.ort_library = OMSERVE_BINARY_DIR "/lib/libonnxruntime.so.1";
  REQUIRE_OK(WriteFileAtomically(options.model_path, LinearModel()));
  REQUIRE_OK(CompileToFile(options));
  return VALUE(ReadFile(options.output_path));
}

om::ModelDescription Describe(const std::string& file) {
  return VALUE(om::DescribeModel(VALUE(om::OmFile::Parse(om::AsBytes(file)))));
}

MeasureOptions Options() {
  return {.path = "linear.om",
          .repeat = 3,
          .acl_library = OMSERVE_BINARY_DIR "/lib/libascendcl.so",
          .ort_library = OMSERVE_BINARY_DIR "/lib/libonnxruntime.so.1"};
}

// Every gear has a time, and the medians are the costs.
TEST_CASE("Each gear is measured", "[measure]") {
  CompileLinear();
  const Measurement measurement = VALUE(Measure(Options()));
  CHECK(measurement.device == om::kHostSocVersion);
  REQUIRE(measurement.times.size() == 2);
  REQUIRE(measurement.description.cost_us.size() == 2);
  for (const GearTime& time : measurement.times) {
    CHECK(time.least_us > 0);
    CHECK(time.least_us <= time.median_us);
    CHECK(time.median_us <= time.most_us);
  }
  CHECK(static_cast<double>(measurement.description.cost_us[0]) ==
        Approx(measurement.times[0].median_us).margin(0.51));
}

// Without --write the file stays as it is; with it the costs stand in the file, and only they are
// new.
TEST_CASE("Costs are recorded on demand", "[measure]") {
  const std::string before = CompileLinear();
  CHECK_THAT(VALUE(MeasureFile(Options())), Catch::Contains("--cost-us \"1:"));
  CHECK(VALUE(ReadFile("linear.om")) == before);
  MeasureOptions options = Options();
  options.write = true;
  CHECK_THAT(VALUE(MeasureFile(options)), Catch::Contains("Recorded in linear.om"));
  const std::string after = VALUE(ReadFile("linear.om"));
  om::ModelDescription described = Describe(after);
  CHECK(described.cost_us.size() == 2);
  described.cost_us.clear();
  CHECK(described == Describe(before));
  CHECK(VALUE(RecordCosts(om::AsBytes(after), {})) == before);
}

// The same numbers as JSON.
TEST_CASE("Measurements are JSON on demand", "[measure]") {
  CompileLinear();
  MeasureOptions options = Options();
  options.as_json = true;
  const boost::json::value parsed = boost::json::parse(VALUE(MeasureFile(options)));
  CHECK(parsed.at("model").as_string() == "linear");
  CHECK(parsed.at("gears").as_array().size() == 2);
  CHECK(parsed.at("gears").at(1).at("gear").as_string() == "2");
  CHECK_FALSE(parsed.at("recorded").as_bool());
}

// omc compile records what it is given, and refuses what does not fit the gears.
TEST_CASE("Costs are given to the compiler", "[measure]") {
  CHECK(Describe(CompileLinear("2:70,1:50")).cost_us == std::vector<int64_t>{50, 70});
  CompileOptions options;
  options.model_path = "linear.onnx";
  options.gears.batch_gears = "1,2";
  options.cost_us = "1:50";
  options.ort_library = OMSERVE_BINARY_DIR "/lib/libonnxruntime.so.1";
  const absl::Status status = Compile(options).status();
  CHECK(status.code() == absl::StatusCode::kInvalidArgument);
  CHECK_THAT(std::string(MessageOf(status)), Catch::Contains("--cost-us: no cost for gear 2"));
}

// What cannot be measured says why.
TEST_CASE("Failures to measure name the file", "[measure]") {
  REQUIRE_OK(WriteFileAtomically("linear.om", "no model"));
  const absl::Status status = Measure(Options()).status();
  CHECK(status.code() == absl::StatusCode::kInvalidArgument);
  CHECK_THAT(std::string(MessageOf(status)), Catch::Contains("'linear.om'"));
  MeasureOptions options = Options();
  options.path = "none.om";
  CHECK(Measure(options).status().code() == absl::StatusCode::kNotFound);
}

// Costs go only into files that omc wrote.
TEST_CASE("Foreign files keep their bytes", "[measure]") {
  om::ModelDescription description = Describe(CompileLinear());
  description.soc_version = "Ascend310P3";
  const std::string foreign = VALUE(om::WriteHostModel(description, om::AsBytes("graph"), {}));
  const absl::Status status = RecordCosts(om::AsBytes(foreign), {1, 2}).status();
  CHECK_THAT(std::string(MessageOf(status)), Catch::Contains("Ascend310P3"));
}

}  // namespace
}  // namespace omserve::omc
