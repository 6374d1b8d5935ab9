// SPDX-License-Identifier: Apache-2.0
#include "runtime/om/om2_file.h"

#include <catch2/catch.hpp>

#include "tests/runtime/om/om_builders.h"
#include "tests/runtime/om/om_samples.h"
#include "tests/status_test_util.h"

namespace omserve::om {
namespace {

// SmallBatchModel without what an om2 file does not say.
ModelDescription Expected() {
  ModelDescription model = SmallBatchModel();
  model.soc_version = "Ascend910B3";
  model.atc_version.clear();
  model.atc_cmdline =
      "atc --model=m.onnx --input_shape=x:-1,3 --dynamic_batch_size=1,4 --soc_version=Ascend910B3";
  model.stream_count = 0;
  model.event_count = 0;
  return model;
}

std::string Replaced(std::string text, const std::string& from, const std::string& to) {
  const size_t at = text.find(from);
  REQUIRE(at != std::string::npos);
  return text.replace(at, from.size(), to);
}

std::string MetaError(const std::string& meta) {
  const absl::StatusOr<ModelDescription> model = DescribeModelMeta(meta, "");
  REQUIRE_FALSE(model.ok());
  CHECK(model.status().code() == absl::StatusCode::kInvalidArgument);
  return std::string(MessageOf(model.status()));
}

std::string FileError(const std::string& bytes) {
  const absl::StatusOr<Om2File> file = Om2File::Parse(AsBytes(bytes));
  const absl::Status status = file.ok() ? DescribeModel(*file).status() : file.status();
  REQUIRE_FALSE(status.ok());
  return std::string(MessageOf(status));
}

// Both forms of the description say the same as an `.om` file of that model; the first leaves open
// dims and chip to the command.
TEST_CASE("an om2 file is described", "[om2]") {
  const std::string bytes = Om2Of(kManifest, GENERATE(kFlatMeta, kNestedMeta));
  CHECK(KindOf(AsBytes(bytes)) == FileKind::kOm2);
  const Om2File file = VALUE(Om2File::Parse(AsBytes(bytes)));
  CHECK(file.version() == "0");
  CHECK(file.model_count() == 1);
  CHECK(file.archive().entries().size() == 3);
  CHECK(VALUE(DescribeModel(file)) == Expected());
  CHECK_FALSE(DescribeModel(file, 1).ok());
}

// Preprocessing, ranges and unknown types are kept as what they are.
TEST_CASE("an om2 tensor keeps what it says", "[om2]") {
  const ModelDescription model = VALUE(DescribeModelMeta(
      R"({"inputs": [{"name": "x", "data_type": "DT_NEW", "format": "NHWC", "shape": [-1, 8],
                      "shape_v2": [-1, 12], "shape_range": [[1, -1], [8, 8]], "size": 0}],
          "outputs": [{"name": "y", "data_type": "DT_BF16", "shape": [2]}]})",
      ""));
  CHECK(model.inputs[0].acl_data_type == kAclUndefined);
  CHECK(model.inputs[0].acl_format == 1);
  CHECK(model.inputs[0].raw_dims == std::vector<int64_t>{-1, 12});
  CHECK(model.inputs[0].dim_ranges == std::vector<DimRange>{{1, -1}, {8, 8}});
  CHECK(model.outputs[0].acl_data_type == 27);
  CHECK(model.outputs[0].size_bytes == 4);
  CHECK(model.gear_kind == GearKind::kNone);
  CHECK(model.soc_version.empty());
}

// Dims gears are in the order of the command, which differs from the inputs'.
TEST_CASE("om2 gears come in the inputs' order", "[om2]") {
  const ModelDescription model = VALUE(DescribeModelMeta(
      R"({"inputs": [{"name": "a", "data_type": "DT_INT8", "shape": [-1]},
                     {"name": "b", "data_type": "DT_INT8", "shape": [-1, -1]}],
          "outputs": [{"name": "y", "data_type": "DT_INT8", "shape": [2]}],
          "dynamic_type": 3, "dynamic_batch_info": [[1, 2, 3], [4, 5, 6]],
          "user_designate_shape_order": ["b", "a"]})",
      ""));
  CHECK(model.gears[1].values == std::vector<int64_t>{6, 4, 5});
}

// What is no description is refused with the key that is wrong.
TEST_CASE("a wrong om2 description is refused", "[om2]") {
  const std::string flat = kFlatMeta;
  CHECK_THAT(MetaError("[]"), Catch::Contains("not a JSON object"));
  CHECK_THAT(MetaError("{"), Catch::Contains("not JSON"));
  CHECK_THAT(MetaError("{}"), Catch::Contains("no outputs"));
  CHECK_THAT(MetaError(Replaced(flat, "\"small\"", "7")), Catch::Contains("'name'"));
  CHECK_THAT(MetaError(Replaced(flat, "[4, 3]", "[4.5, 3]")), Catch::Contains("'shape'"));
  CHECK_THAT(MetaError(Replaced(flat, "[4, 3]", "4")), Catch::Contains("'shape'"));
  CHECK_THAT(MetaError(Replaced(flat, "\"size\": 48", "\"size\": -1")), Catch::Contains("'size'"));
  CHECK_THAT(MetaError(Replaced(flat, "[[1], [4]]", "[1, 4]")),
             Catch::Contains("'dynamic_batch_info'"));
  CHECK_THAT(MetaError(Replaced(flat, "\"dynamic_type\": 1", "\"dynamic_type\": 4")),
             Catch::Contains("'dynamic_type'"));
  CHECK_THAT(MetaError(Replaced(flat, "1,0,4,2", "9,0,4,2")), Catch::Contains("9,0,4,2"));
  CHECK_THAT(MetaError(Replaced(kNestedMeta, "\"gears\": [", "\"gears\": [7,")),
             Catch::Contains("'gears'"));
  // Without the command nothing says which dims are open.
  CHECK_THAT(MetaError(flat), Catch::Contains("no input has a -1"));
}

// A sound archive that is no om2 file, and one that is not sound.
TEST_CASE("an archive that is no om2 file is refused", "[om2]") {
  CHECK_THAT(FileError(ZipOf({{"other.txt", "x", false}})), Catch::Contains("no 'manifest.json'"));
  CHECK_THAT(FileError(Om2Of("[]", kFlatMeta)), Catch::Contains("om2: manifest.json"));
  CHECK_THAT(FileError(Om2Of(R"({"model_num": 100000})", kFlatMeta)),
             Catch::Contains("'model_num'"));
  CHECK_THAT(FileError(ZipOf({{"manifest.json", kManifest, false}})),
             Catch::Contains("data/model_0/model_meta.json"));
  CHECK_THAT(FileError(ZipOf({{"manifest.json", std::string(17 << 20, ' '), true}})),
             Catch::Contains("at most"));
  CHECK_THAT(FileError("PK\x03\x04"), Catch::Contains("no end record"));
}

// The reader of `.om` files names both forms.
TEST_CASE("the om2 form is named where the classic one is expected", "[om2]") {
  const absl::StatusOr<OmFile> file = OmFile::Parse(AsBytes(Om2Of(kManifest, kFlatMeta)));
  REQUIRE_FALSE(file.ok());
  CHECK_THAT(std::string(MessageOf(file.status())),
             Catch::Contains("om2") && Catch::Contains("classic form"));
}

}  // namespace
}  // namespace omserve::om
