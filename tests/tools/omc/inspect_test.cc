// SPDX-License-Identifier: Apache-2.0
#include "tools/omc/inspect.h"

#include <boost/json.hpp>
#include <catch2/catch.hpp>

#include "proto/ge/ge_ir.pb.h"
#include "runtime/base/file.h"
#include "runtime/om/byte_reader.h"
#include "tests/runtime/om/om_builders.h"
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
  CHECK(root.at("file_bytes").to_number<size_t>() == file.size());
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

// A file with several models shows one of them, chosen by number, and a line about each.
TEST_CASE("inspect shows one of several models", "[inspect]") {
  om::ModelDescription second = om::SmallBatchModel();
  second.name = "second";
  const std::string one = SampleFile();
  const std::string two = VALUE(om::WriteHostModel(second, om::AsBytes("G"), om::AsBytes("W")));
  const std::string file = GENERATE_COPY(om::JoinModels({one, two}), om::BundleOf({one, two}, 64));
  const std::string text = VALUE(Inspect(om::AsBytes(file), InspectForm::kText, 1));
  CHECK_THAT(text, Catch::Contains("Model 1 of 2, second") && Catch::Contains("models  "));
  const json::value root = ParseJson(VALUE(Inspect(om::AsBytes(file), InspectForm::kJson, 1)));
  CHECK(root.at("model").at("name").as_string() == "second");
  CHECK(root.at("models").at(0).at("name").as_string() == "small");
  // Offsets count from the start of the whole file.
  const json::value& last = root.at("partitions").as_array().back();
  CHECK(file.substr(last.at("file_offset").to_number<size_t>(), 1) == "G");
  const json::value graph =
      ParseJson(VALUE(Inspect(om::AsBytes(file), InspectForm::kModelJson, 1)));
  CHECK(graph.at("name").as_string() == "second");
  for (const InspectForm form : {InspectForm::kText, InspectForm::kJson, InspectForm::kModelJson}) {
    const absl::Status status = Inspect(om::AsBytes(file), form, 2).status();
    CHECK(MessageOf(status) == "there is no model 2: the file has 2, counted from 0");
  }
}

// A bundle with a model that is damaged shows the others, and why that one is not.
TEST_CASE("inspect shows a bundle with a damaged model", "[inspect]") {
  const std::string file = om::BundleOf({SampleFile(), "IMOD"}, 4096);
  const std::string text = VALUE(Inspect(om::AsBytes(file), InspectForm::kText));
  CHECK_THAT(text, Catch::Contains("variable bytes  4096"));
  CHECK_THAT(text, Catch::Contains("model 1 cannot be described: header: 4 of its 256 bytes"));
  CHECK_THAT(text, Catch::Contains("Model 0 of 2, small"));
  CHECK_THAT(VALUE(Inspect(om::AsBytes(file), InspectForm::kText, 1)),
             Catch::Contains("Model 1 of 2\n  cannot be described"));
}

// An om2 archive shows its entries and what it says of its model; it has no graph.
TEST_CASE("inspect shows an om2 archive", "[inspect]") {
  const std::string file = om::Om2Of(om::kManifest, om::kFlatMeta);
  const std::string text = VALUE(Inspect(om::AsBytes(file), InspectForm::kText));
  for (const char* part : {"om2 archive, version 0", "data/model_0/model_meta.json  deflated",
                           "Ascend910B3", "weight bytes  64", "batch  x"}) {
    CAPTURE(part);
    CHECK_THAT(text, Catch::Contains(part));
  }
  CHECK_THAT(text, !Catch::Contains("streams"));
  const json::value root = ParseJson(VALUE(Inspect(om::AsBytes(file), InspectForm::kJson)));
  CHECK(root.at("kind").as_string() == "om2");
  CHECK(root.at("entries").as_array().size() == 3);
  CHECK(root.at("model").at("gear_kind").as_string() == "batch");
  const absl::Status status = Inspect(om::AsBytes(file), InspectForm::kModelJson).status();
  CHECK_THAT(std::string(MessageOf(status)), Catch::Contains("no graph"));
}

// What atc writes besides: its versions, the host that operators are for, sizes and other facts.
TEST_CASE("inspect shows what atc wrote", "[inspect]") {
  om::ModelDescription model = om::SmallBatchModel();
  model.soc_version = "Ascend310P3";
  std::string file = VALUE(om::WriteHostModel(model, om::AsBytes("graph"), om::AsBytes("wei")));
  const om::OmFile parsed = VALUE(om::OmFile::Parse(om::AsBytes(file)));
  ge::ModelDef def;
  REQUIRE(def.ParseFromString(
      std::string(om::AsText(parsed.Find(om::PartitionType::kModelDef)->data))));
  auto& attrs = *def.mutable_attr();
  attrs["framework_type"].set_s("5");
  attrs["host_env_os"].set_s("linux");
  attrs["host_env_cpu"].set_s("aarch64");
  attrs["zero_copy_memory_size"].set_i(4096);
  attrs["label_num"].set_i(3);
  attrs["target_type"].set_s("MINI");
  for (const int64_t size : {7, 8}) {
    attrs["om_info_list"].mutable_list()->add_i(size);
  }
  const std::string bytes = def.SerializeAsString();
  om::Header header = parsed.header();
  header.need_check_os_cpu = true;
  file = VALUE(om::WriteOm(
      header, std::vector<om::Partition>{{om::PartitionType::kModelDef, om::AsBytes(bytes)}}));
  const std::string text = VALUE(Inspect(om::AsBytes(file), InspectForm::kText));
  for (const char* part :
       {"ONNX (5)", "host system     linux", "host processor  aarch64", "zero copy bytes  4096",
        "labels           3", "om_info_list", "[7,8]", "target_type", "one host system"}) {
    CAPTURE(part);
    CHECK_THAT(text, Catch::Contains(part));
  }
  const json::value root = ParseJson(VALUE(Inspect(om::AsBytes(file), InspectForm::kJson)));
  CHECK(root.at("attributes").at("zero_copy_memory_size").as_int64() == 4096);
  CHECK(root.at("attributes").at("host_env_os").as_string() == "linux");
  CHECK(root.at("graphs").at(0).at("op_count").to_number<int>() == 5);
}

// However many tensors and however long the command, lines stay within 100 columns.
TEST_CASE("inspect fits a terminal", "[inspect]") {
  om::ModelDescription model = om::SmallBatchModel();
  model.atc_cmdline = "atc";
  for (int i = 0; i < 30; ++i) {
    model.atc_cmdline += " --option_" + std::to_string(i) + "=value";
    model.inputs.push_back({"another_input_" + std::to_string(i), 0, om::kAclFormatNd, {4}, 16});
  }
  const std::string file = VALUE(om::WriteHostModel(model, om::AsBytes("g"), om::AsBytes("w")));
  const std::string text = VALUE(Inspect(om::AsBytes(file), InspectForm::kText));
  for (size_t at = 0; at < text.size();) {
    const size_t end = text.find('\n', at);
    CHECK(end - at <= 100);
    at = end + 1;
  }
  CHECK_THAT(text, Catch::Contains("another_input_29") && Catch::Contains("--option_29=value"));
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
