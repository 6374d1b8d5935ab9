// SPDX-License-Identifier: Apache-2.0
#include "runtime/om/model_def_json.h"

#include <boost/json.hpp>
#include <catch2/catch.hpp>
#include <limits>

#include "proto/ge/ge_ir.pb.h"
#include "runtime/om/byte_reader.h"
#include "runtime/om/model_contents.h"
#include "tests/runtime/om/om_samples.h"
#include "tests/status_test_util.h"

namespace omserve::om {
namespace {

namespace json = boost::json;

std::string FileOf(const ge::ModelDef& model) {
  const std::string bytes = model.SerializeAsString();
  return VALUE(
      WriteOm(Header(), std::vector<Partition>{{PartitionType::kModelDef, AsBytes(bytes)}}));
}

json::value JsonOf(const std::string& file) {
  const std::string text = VALUE(ModelDefJson(VALUE(OmFile::Parse(AsBytes(file)))));
  CHECK(text.ends_with("}\n"));
  json::error_code error;
  json::value value = json::parse(text, error);
  INFO(text);
  REQUIRE_FALSE(error);
  return value;
}

// Every field of every message, each kind of attribute among them.
ge::ModelDef FullModel() {
  ge::ModelDef model;
  model.set_name("m");
  model.set_version(3);
  model.set_custom_version("c");
  auto& attrs = *model.mutable_attr();
  attrs["i"].set_i(std::numeric_limits<int64_t>::min());
  attrs["f"].set_f(0.5F);
  attrs["inf"].set_f(std::numeric_limits<float>::infinity());
  attrs["b"].set_b(true);
  attrs["s"].set_s("a \"quoted\"\n\x01 text");
  attrs["bytes"].set_s("\xff\xfe");
  attrs["bt"].set_bt("ab");
  attrs["func"].mutable_func()->set_name("fn");
  attrs["td"].mutable_td()->set_dtype(ge::DT_BF16);
  attrs["t"].mutable_t()->set_data("abc");
  attrs["g"].mutable_g()->set_name("inner");
  attrs["lli"].mutable_list_list_int()->add_list()->add_i(7);
  attrs["llf"].mutable_list_list_float()->add_list()->add_f(1);
  attrs["dt"].set_dt(9);
  attrs["expression"].set_expression("x+1");
  attrs["nothing"];
  auto* const list = attrs["list"].mutable_list();
  list->add_s("one");
  list->add_i(1);
  list->add_f(2.5F);
  list->add_b(false);
  list->add_bt("a");
  list->add_td()->set_size(4);
  list->add_t()->set_data("");
  list->add_g()->set_name("g");
  list->add_na()->set_name("na");
  list->add_dt(3);
  list->set_val_type(2);
  ge::OpDef& op = *model.add_graph()->add_op();
  op.set_name("conv");
  op.set_type("Conv2D");
  op.add_input("x:0");
  op.set_id(-1);
  op.add_is_input_const(true);
  op.add_output_i(1024);
  op.add_subgraph_name("sub");
  ge::TensorDescriptor& desc = *op.add_input_desc();
  desc.mutable_shape()->add_dim(-1);
  desc.set_layout("NCHW");
  desc.set_size(7104);
  desc.set_data_offset(0);
  return model;
}

// The names are protobuf's, numbers are numbers, and bytes that are no text are base64.
TEST_CASE("a ModelDef is printed field by field", "[model_def_json]") {
  const json::value root = JsonOf(FileOf(FullModel()));
  CHECK(root.at("name").as_string() == "m");
  CHECK(root.at("version").as_int64() == 3);
  const json::value& attrs = root.at("attr");
  CHECK(attrs.at("i").at("i").as_int64() == std::numeric_limits<int64_t>::min());
  CHECK(attrs.at("f").at("f").as_double() == 0.5);
  CHECK(attrs.at("inf").at("f").as_string() == "Infinity");
  CHECK(attrs.at("b").at("b").as_bool());
  CHECK(attrs.at("s").at("s").as_string() == "a \"quoted\"\n\x01 text");
  CHECK(attrs.at("bytes").at("s").at("base64").as_string() == "//4=");
  CHECK(attrs.at("bt").at("bt").at("base64").as_string() == "YWI=");
  CHECK(attrs.at("func").at("func").at("name").as_string() == "fn");
  CHECK(attrs.at("td").at("td").at("dtype").as_string() == "DT_BF16");
  CHECK(attrs.at("t").at("t").at("data").at("base64").as_string() == "YWJj");
  CHECK(attrs.at("g").at("g").at("name").as_string() == "inner");
  CHECK(attrs.at("lli").at("list_list_int").at("list").at(0).at("i").at(0).as_int64() == 7);
  CHECK(attrs.at("llf").at("list_list_float").at("list").at(0).at("f").as_array().size() == 1);
  CHECK(attrs.at("expression").at("expression").as_string() == "x+1");
  CHECK(attrs.at("nothing").as_object().empty());
  const json::object& list = attrs.at("list").at("list").as_object();
  CHECK(list.size() == 11);
  CHECK(list.at("bt").at(0).as_string() == "YQ==");
  const json::value& op = root.at("graph").at(0).at("op").at(0);
  CHECK(op.at("type").as_string() == "Conv2D");
  CHECK(op.at("id").as_int64() == -1);
  CHECK(op.at("is_input_const").at(0).as_bool());
  CHECK(op.at("input_desc").at(0).at("shape").at("dim").at(0).as_int64() == -1);
  CHECK(op.at("input_desc").at(0).at("data_offset").as_int64() == 0);
}

// A field that is set to nothing known is counted, not dropped in silence.
TEST_CASE("unknown fields are counted", "[model_def_json]") {
  ge::ModelDef model;
  model.set_name("m");
  const std::string bytes = model.SerializeAsString() + "\x62\x01x";  // Field 12.
  const std::string file =
      VALUE(WriteOm(Header(), std::vector<Partition>{{PartitionType::kModelDef, AsBytes(bytes)}}));
  CHECK(JsonOf(file).at("unknown_field_bytes").as_int64() == 3);
}

// Compressed names and texts are printed as what they stand for, in ops and in tensors.
TEST_CASE("compression is undone", "[model_def_json]") {
  ge::ModelDef model;
  auto& attrs = *model.mutable_attr();
  attrs["om_compress_version"].set_i(1);
  attrs["attr_name_enum"].mutable_list()->add_s("index");
  attrs["attr_name_enum"].mutable_list()->add_s("_kernel");
  attrs["attrs_use_string_value"].mutable_list()->add_b(false);
  attrs["attrs_use_string_value"].mutable_list()->add_b(true);
  attrs["attr_value_enum"].mutable_list()->add_s("te_conv");
  ge::OpDef& op = *model.add_graph()->add_op();
  (*op.mutable_attr())[std::string("\0\1", 2)].set_i(5);
  (*op.mutable_attr())[std::string("\0\2", 2)].set_i(0);
  (*op.mutable_attr())[std::string("\0\7", 2)].set_i(1);  // No such name.
  auto& tensor = *op.add_input_desc()->mutable_attr();
  tensor[std::string("\0\2", 2)].mutable_list()->add_i(0);
  tensor[std::string("\0\2", 2)].mutable_list()->add_i(9);  // No such text.
  const json::value root = JsonOf(FileOf(model));
  const json::value& printed = root.at("graph").at(0).at("op").at(0);
  CHECK(printed.at("attr").at("index").at("i").as_int64() == 5);
  CHECK(printed.at("attr").at("_kernel").at("s").as_string() == "te_conv");
  CHECK(printed.at("attr").as_object().size() == 3);
  const json::value& texts = printed.at("input_desc").at(0).at("attr").at("_kernel");
  CHECK(texts.at("list").at("s").at(0).as_string() == "te_conv");
  CHECK(texts.at("list").at("s").at(1).as_int64() == 9);
}

// A real host file: the same bytes give the same text, and a model that is not there is refused.
TEST_CASE("a host file's graph is printed", "[model_def_json]") {
  const std::string bytes = VALUE(WriteHostModel(SmallBatchModel(), AsBytes("g"), AsBytes("w")));
  const OmFile file = VALUE(OmFile::Parse(AsBytes(bytes)));
  CHECK(VALUE(ModelDefJson(file)) == VALUE(ModelDefJson(file)));
  CHECK(JsonOf(bytes).at("graph").at(0).at("op").as_array().size() == 5);
  CHECK_FALSE(ModelDefJson(file, 1).ok());
}

// The model's own facts, for the summary: numbers, texts and short lists by name.
TEST_CASE("a model's contents are listed", "[model_contents]") {
  ge::ModelDef model = FullModel();
  for (int64_t i = 0; i < 5; ++i) {
    (*model.mutable_attr())["om_info_list"].mutable_list()->add_i(i);
    (*model.mutable_attr())["long"].mutable_list()->mutable_i()->Resize(17, 0);
  }
  const std::string file = FileOf(model);
  const ModelContents contents = VALUE(ReadModelContents(VALUE(OmFile::Parse(AsBytes(file)))));
  REQUIRE(contents.graphs.size() == 1);
  CHECK(contents.graphs[0].op_count == 1);
  REQUIRE(contents.Find("om_info_list") != nullptr);
  CHECK(std::get<std::string>(contents.Find("om_info_list")->value) == "[0,1,2,3,4]");
  CHECK(std::get<int64_t>(contents.Find("i")->value) < 0);
  CHECK(std::get<std::string>(contents.Find("b")->value) == "true");
  CHECK(std::get<std::string>(contents.Find("bytes")->value) == "??");
  CHECK(contents.Find("long") == nullptr);
  CHECK(contents.Find("t") == nullptr);
}

}  // namespace
}  // namespace omserve::om
