// SPDX-License-Identifier: Apache-2.0
#include "runtime/om/model_description.h"

#include <algorithm>
#include <catch2/catch.hpp>
#include <functional>

#include "proto/ge/ge_ir.pb.h"
#include "tests/runtime/om/om_samples.h"
#include "tests/status_test_util.h"

namespace omserve::om {
namespace {

constexpr std::string_view kGraph = "graph bytes";
constexpr std::string_view kWeights = "weight bytes";

std::string Write(const ModelDescription& model, bool wide = true) {
  return VALUE(WriteHostModel(model, AsBytes(kGraph), AsBytes(kWeights), wide));
}

absl::StatusOr<ModelDescription> Describe(const std::string& file) {
  const absl::StatusOr<OmFile> parsed = OmFile::Parse(AsBytes(file));
  return parsed.ok() ? DescribeModel(*parsed) : parsed.status();
}

ge::ModelDef ModelDefOf(const std::string& file) {
  ge::ModelDef model;
  const OmFile parsed = VALUE(OmFile::Parse(AsBytes(file)));
  REQUIRE(model.ParseFromString(std::string(AsText(parsed.Find(PartitionType::kModelDef)->data))));
  return model;
}

enum class Keep { kBoth, kModelDefOnly };

// The file with its ModelDef edited, and with or without MODEL_INOUT_INFO.
std::string Edit(const std::string& file, Keep keep,
                 const std::function<void(ge::ModelDef&)>& edit) {
  ge::ModelDef model = ModelDefOf(file);
  edit(model);
  const std::string model_def = model.SerializeAsString();
  const OmFile parsed = VALUE(OmFile::Parse(AsBytes(file)));
  std::vector<Partition> partitions = {{PartitionType::kModelDef, AsBytes(model_def)}};
  const Partition* inout = parsed.Find(PartitionType::kModelInoutInfo);
  if (keep == Keep::kBoth && inout != nullptr) {
    partitions.push_back(*inout);
  }
  return VALUE(WriteOm(parsed.header(), partitions));
}

void Nothing(ge::ModelDef& /*model*/) {}

ge::OpDef& FindOp(ge::ModelDef& model, const std::string& name) {
  for (ge::OpDef& op : *model.mutable_graph(0)->mutable_op()) {
    if (op.name() == name) {
      return op;
    }
  }
  FAIL("no op " << name);
  return *model.mutable_graph(0)->mutable_op(0);
}

// The error of a small model whose ModelDef was edited and stands alone.
std::string ErrorAfter(const std::function<void(ge::ModelDef&)>& edit) {
  const absl::StatusOr<ModelDescription> model =
      Describe(Edit(Write(SmallBatchModel()), Keep::kModelDefOnly, edit));
  REQUIRE_FALSE(model.ok());
  CHECK_THAT(std::string(MessageOf(model.status())), Catch::Contains("MODEL_DEF"));
  return std::string(MessageOf(model.status()));
}

// Any description comes back equal: from both sources, from ModelDef alone, and from
// MODEL_INOUT_INFO with a ModelDef that has no graph.
TEST_CASE("a description is read as it was written from either source", "[description]") {
  RandomModels models(2);
  for (int i = 0; i < 200; ++i) {
    CAPTURE(i);
    const ModelDescription model = models.Next();
    const std::string file = Write(model, models.Below(2) == 0);
    CHECK(VALUE(Describe(file)) == model);
    CHECK(VALUE(Describe(Edit(file, Keep::kModelDefOnly, Nothing))) == model);
    CHECK(VALUE(Describe(Edit(file, Keep::kBoth, [](ge::ModelDef& def) {
            def.clear_graph();
            def.mutable_attr()->erase("attr_model_out_nodes_name");
          }))) == model);
  }
}

// Graph and weights stand in their partitions byte for byte; equal arguments give equal files.
TEST_CASE("a host file holds graph and weights", "[description]") {
  const std::string file = Write(SmallBatchModel());
  const OmFile parsed = VALUE(OmFile::Parse(AsBytes(file)));
  CHECK(AsText(parsed.Find(PartitionType::kTaskInfo)->data) == kGraph);
  CHECK(AsText(parsed.Find(PartitionType::kWeightsData)->data) == kWeights);
  CHECK(parsed.header().name == "small");
  CHECK(file == Write(SmallBatchModel()));
  ModelDescription unnamed_chip = SmallBatchModel();
  unnamed_chip.soc_version.clear();
  CHECK(VALUE(Describe(Write(unnamed_chip))).soc_version == kHostSocVersion);
}

// The ModelDef has what other readers of `.om` files look for.
TEST_CASE("the ModelDef has the ops and attributes of a model with gears", "[description]") {
  ge::ModelDef model = ModelDefOf(Write(SmallBatchModel()));
  const ge::OpDef& reserved = FindOp(model, kGearTensorName);
  CHECK(reserved.type() == "Data");
  CHECK(reserved.attr().at("index").i() == 2);
  CHECK(reserved.input_desc(0).dtype() == ge::DT_INT32);
  const ge::OpDef& x = FindOp(model, "x");
  CHECK(x.input_desc(0).shape().dim(0) == 4);
  CHECK(x.input_desc(0).dtype() == ge::DT_FLOAT);
  CHECK(x.attr().at("_mbatch_origin_input_dims").list().i(0) == -1);
  const ge::OpDef& gear_case = FindOp(model, "ascend_mbatch_shape_case");
  CHECK(gear_case.type() == "Case");
  CHECK(gear_case.attr().at("mbatch_dynamic_type").i() == 1);
  CHECK(gear_case.attr().at("_pred_value_1").list().i(0) == 4);
  const ge::OpDef& net_output = FindOp(model, "NetOutput");
  CHECK(net_output.input(0) == "node:0");
  CHECK(net_output.attr().at("_dynamic_output_dims").list().s(1) == "1,0,4,2");
  CHECK(model.attr().at("memory_size").i() == 1000);
  CHECK(model.attr().at("attr_model_out_nodes_name").list().s(0) == "node:0:y");
}

// As atc does: op attributes get numbers for names, the model's own stay plain.
void Compress(ge::ModelDef& model) {
  std::vector<std::string> names;
  for (ge::OpDef& op : *model.mutable_graph(0)->mutable_op()) {
    const ge::OpDef plain = op;
    op.clear_attr();
    for (const auto& [name, attr] : plain.attr()) {
      auto at = std::find(names.begin(), names.end(), name);
      if (at == names.end()) {
        at = names.insert(names.end(), name);
      }
      // One digit is enough for these few: the index plus one.
      const std::string key = {'\0', static_cast<char>(at - names.begin() + 1)};
      (*op.mutable_attr())[key] = attr;
    }
  }
  (*model.mutable_attr())["om_compress_version"].set_i(1);
  for (const std::string& name : names) {
    (*model.mutable_attr())["attr_name_enum"].mutable_list()->add_s(name);
  }
}

// A ModelDef whose op attributes are compressed says the same as a plain one.
TEST_CASE("a compressed ModelDef is read", "[description]") {
  const std::string file = Edit(Write(SmallBatchModel()), Keep::kModelDefOnly, Compress);
  CHECK(VALUE(Describe(file)) == SmallBatchModel());
}

// Files of 2020-21 have no chip, no list of outputs and no output dims; they are described all the
// same, with padded output sizes brought back to the real ones.
TEST_CASE("an old file is described with what it has", "[description]") {
  const std::string file = Edit(Write(SmallBatchModel()), Keep::kModelDefOnly, [](ge::ModelDef& m) {
    m.mutable_attr()->erase("soc_version");
    m.mutable_attr()->erase("attr_model_out_nodes_name");
    ge::OpDef& net_output = FindOp(m, "NetOutput");
    net_output.mutable_attr()->erase("_dynamic_output_dims");
    net_output.mutable_input_desc(0)->set_size(64);
    FindOp(m, "ascend_mbatch_shape_case").mutable_attr()->erase("mbatch_dynamic_type");
    m.clear_name();
  });
  const ModelDescription model = VALUE(Describe(file));
  CHECK(model.name == "small");  // From the header.
  CHECK(model.soc_version.empty());
  CHECK(model.outputs[0].name == "output_0_node_0");
  CHECK(model.outputs[0].size_bytes == 32);
  CHECK(model.gear_kind == GearKind::kBatch);
  CHECK(model.gears[1].output_dims.empty());
}

// The chip and the gears of a file that leaves them out of its attributes come from the command,
// the gears in the order of its inputs.
TEST_CASE("the command says what the ModelDef leaves out", "[description]") {
  const auto edit = [](const std::string& command) {
    return [command](ge::ModelDef& m) {
      m.mutable_attr()->erase("soc_version");
      (*m.mutable_attr())["atc_cmdline"].set_s(command);
      FindOp(m, "ascend_mbatch_shape_case").set_name("other");
      FindOp(m, "x").mutable_attr()->erase("_mbatch_origin_input_dims");
    };
  };
  const std::string file = Write(SmallBatchModel());
  ModelDescription expected = SmallBatchModel();
  expected.soc_version = "Ascend310P3";
  expected.atc_cmdline =
      "atc --input_shape=\"ids:4;x:-1,3\" --dynamic_batch_size=1,4 --soc_version=Ascend310P3";
  CHECK(VALUE(Describe(Edit(file, Keep::kModelDefOnly, edit(expected.atc_cmdline)))) == expected);
  CHECK_THAT(ErrorAfter(edit("atc")), Catch::Contains("which gears"));
  CHECK_THAT(ErrorAfter(edit("atc --dynamic_batch_size=1,4")),
             Catch::Contains("no input has a -1"));
}

// Dims gears without the attribute that says so are what the command asked for; their values follow
// the order of names that the file gives.
TEST_CASE("dims gears of a ModelDef come in the inputs' order", "[description]") {
  ModelDescription model = SmallBatchModel();
  model.soc_version = "Ascend310P3";
  model.atc_cmdline = "atc --dynamic_dims=1,3,4;2,6,8";
  model.gear_kind = GearKind::kDims;
  model.inputs = {{"x", 0, kAclFormatNd, {-1}, 8}, {"y", 0, kAclFormatNd, {-1, -1}, 192}};
  model.gears = {{{1, 3, 4}, {{1, 2}}}, {{2, 6, 8}, {{4, 2}}}};
  const std::string file = Write(model);
  const auto reorder = [](const char* first, const char* second) {
    return [first, second](ge::ModelDef& m) {
      auto& attrs = *FindOp(m, "ascend_mbatch_shape_case").mutable_attr();
      attrs.erase("mbatch_dynamic_type");
      attrs["user_designate_shape_order"].mutable_list()->set_s(0, first);
      attrs["user_designate_shape_order"].mutable_list()->set_s(1, second);
    };
  };
  CHECK(VALUE(Describe(Edit(file, Keep::kModelDefOnly, reorder("x", "y")))) == model);
  const ModelDescription swapped =
      VALUE(Describe(Edit(file, Keep::kModelDefOnly, reorder("y", "x"))));
  CHECK(swapped.gears[1].values == std::vector<int64_t>{8, 2, 6});
  CHECK_THAT(ErrorAfter([](ge::ModelDef& m) {
               auto& attrs = *FindOp(m, "ascend_mbatch_shape_case").mutable_attr();
               attrs["_pred_value_0"].mutable_list()->add_i(1);
               attrs.erase("mbatch_dynamic_type");
             }),
             Catch::Contains("mbatch_dynamic_type"));
}

// The ranges of a dynamic shape come back from either source; a range upside down is refused.
TEST_CASE("ranges of a dynamic shape are described", "[description]") {
  ModelDescription model = SmallBatchModel();
  model.soc_version = "Ascend910B3";
  model.gear_kind = GearKind::kNone;
  model.gears.clear();
  model.inputs[0].dim_ranges = {{1, -1}, {3, 3}};
  model.inputs[0].size_bytes = 0;
  ModelDescription written = model;
  written.inputs[0].dims = {4, 3};
  written.inputs[0].size_bytes = 48;
  const auto open = [](ge::ModelDef& m) {
    ge::TensorDescriptor& x = *FindOp(m, "x").mutable_input_desc(0);
    x.mutable_shape()->set_dim(0, -1);
    x.set_size(0);
  };
  const std::string file = Write(written);
  CHECK(VALUE(Describe(file)) == written);
  CHECK(VALUE(Describe(Edit(file, Keep::kModelDefOnly, open))) == model);
  for (const std::vector<int64_t>& range : {std::vector<int64_t>{3, 1}, {1}, {-1, 4}, {1, -2}}) {
    CHECK_THAT(ErrorAfter([&](ge::ModelDef& m) {
                 auto& attrs = *FindOp(m, "x").mutable_input_desc(0)->mutable_attr();
                 auto& ranges = *attrs["shape_range"].mutable_list_list_int();
                 ranges.add_list()->mutable_i()->Assign(range.begin(), range.end());
                 ranges.add_list()->mutable_i()->Add(1);
                 ranges.mutable_list(1)->add_i(1);
               }),
               Catch::Contains("expected a range"));
  }
  CHECK_THAT(ErrorAfter([](ge::ModelDef& m) {
               auto& attrs = *FindOp(m, "x").mutable_input_desc(0)->mutable_attr();
               auto& pair = *attrs["shape_range"].mutable_list_list_int()->add_list();
               pair.add_i(1);
               pair.add_i(2);
             }),
             Catch::Contains("ranges for 1 dims"));
}

// A flow model says that it is one.
TEST_CASE("a flow model is not described", "[description]") {
  Header flow;
  flow.model_type = kFlowModelType;
  const absl::StatusOr<ModelDescription> model = Describe(
      VALUE(WriteOm(flow, std::vector<Partition>{{PartitionType::kFlowModel, AsBytes("x")}})));
  REQUIRE_FALSE(model.ok());
  CHECK_THAT(std::string(MessageOf(model.status())), Catch::Contains("flow model"));
}

// Without gears a dim of -1 leaves the size to the file, or unknown.
TEST_CASE("an unknown shape has the stored size", "[description]") {
  ModelDescription fixed = SmallBatchModel();
  fixed.soc_version = "Ascend910B3";
  fixed.gear_kind = GearKind::kNone;
  fixed.gears.clear();
  fixed.inputs[0].dims = {4, 3};
  const std::string file = Edit(Write(fixed), Keep::kModelDefOnly, [](ge::ModelDef& m) {
    FindOp(m, "x").mutable_input_desc(0)->mutable_shape()->set_dim(0, -1);
    FindOp(m, "x").mutable_input_desc(0)->set_size(0);
  });
  const ModelDescription model = VALUE(Describe(file));
  CHECK(model.inputs[0].dims == std::vector<int64_t>{-1, 3});
  CHECK(model.inputs[0].size_bytes == 0);
}

// What a ModelDef must have is missed by name.
TEST_CASE("an incomplete ModelDef is refused", "[description]") {
  CHECK_THAT(ErrorAfter([](ge::ModelDef& m) { m.clear_graph(); }), Catch::Contains("no graph"));
  CHECK_THAT(ErrorAfter([](ge::ModelDef& m) { FindOp(m, "NetOutput").set_type("Cast"); }),
             Catch::Contains("NetOutput"));
  CHECK_THAT(ErrorAfter([](ge::ModelDef& m) { FindOp(m, "NetOutput").clear_input_desc(); }),
             Catch::Contains("no outputs"));
  CHECK_THAT(ErrorAfter([](ge::ModelDef& m) { FindOp(m, "x").clear_attr(); }),
             Catch::Contains("attribute 'index'"));
  CHECK_THAT(ErrorAfter([](ge::ModelDef& m) { FindOp(m, "x").clear_input_desc(); }),
             Catch::Contains("input_desc"));
  CHECK_THAT(
      ErrorAfter([](ge::ModelDef& m) { (*FindOp(m, "x").mutable_attr())["index"].set_i(1); }),
      Catch::Contains("both say"));
}

// Contradictions within a ModelDef are named with both sides.
TEST_CASE("a contradictory ModelDef is refused", "[description]") {
  const std::string gear_case = "ascend_mbatch_shape_case";
  CHECK_THAT(ErrorAfter([&](ge::ModelDef& m) {
               (*FindOp(m, gear_case).mutable_attr())["_batch_num"].set_i(-1);
             }),
             Catch::Contains("_batch_num is -1"));
  CHECK_THAT(ErrorAfter([&](ge::ModelDef& m) {
               (*FindOp(m, gear_case).mutable_attr())["mbatch_dynamic_type"].set_i(9);
             }),
             Catch::Contains("is 9"));
  CHECK_THAT(ErrorAfter([&](ge::ModelDef& m) { FindOp(m, gear_case).clear_attr(); }),
             Catch::Contains("no gear"));
  CHECK_THAT(
      ErrorAfter([](ge::ModelDef& m) {
        (*FindOp(m, "x").mutable_attr())["_mbatch_origin_input_dims"].mutable_list()->add_i(3);
      }),
      Catch::Contains("has 3 dims"));
  CHECK_THAT(
      ErrorAfter([](ge::ModelDef& m) {
        (*FindOp(m, "NetOutput").mutable_attr())["_dynamic_output_dims"].mutable_list()->set_s(
            0, "7,7,7");
      }),
      Catch::Contains("7,7,7"));
  CHECK_THAT(ErrorAfter([](ge::ModelDef& m) { (*m.mutable_attr())["memory_size"].set_i(-1); }),
             Catch::Contains("memory_size"));
  CHECK_THAT(ErrorAfter([](ge::ModelDef& m) {
               (*m.mutable_attr())["stream_num"].set_i(int64_t{1} << 32);
             }),
             Catch::Contains("stream_num"));
  CHECK_THAT(
      ErrorAfter([](ge::ModelDef& m) { FindOp(m, "x").mutable_input_desc(0)->set_size(1000); }),
      Catch::Contains("1000 bytes"));
}

// A file can be a sound container and still hold no model.
TEST_CASE("a container without a model is refused", "[description]") {
  const auto error = [](std::span<const Partition> partitions) {
    const absl::StatusOr<ModelDescription> model = Describe(VALUE(WriteOm(Header(), partitions)));
    REQUIRE_FALSE(model.ok());
    return std::string(MessageOf(model.status()));
  };
  CHECK_THAT(error(std::vector<Partition>{{PartitionType::kTaskInfo, {}}}),
             Catch::Contains("no such partition"));
  CHECK_THAT(error(std::vector<Partition>{{PartitionType::kModelDef, AsBytes("\xff\xff")}}),
             Catch::Contains("not a ModelDef"));
  CHECK_THAT(error(std::vector<Partition>{{PartitionType::kModelDef, {}},
                                          {PartitionType::kModelInoutInfo, AsBytes("x")}}),
             Catch::Contains("MODEL_INOUT_INFO"));
  const std::string file = Write(SmallBatchModel());
  const OmFile parsed = VALUE(OmFile::Parse(AsBytes(file)));
  CHECK_FALSE(DescribeModel(parsed, 1).ok());
}

// Every single-byte change of a small file gives a description or a message, never a crash, and a
// description that is given fits its own gears.
TEST_CASE("a changed byte never crashes", "[description]") {
  const std::string good = Write(SmallBatchModel());
  for (size_t at = kHeaderBytes; at < good.size(); ++at) {
    for (const char value : {'\0', '\x01', '\x7f', '\x80', '\xff'}) {
      std::string bad = good;
      bad[at] = value;
      const absl::StatusOr<ModelDescription> model = Describe(bad);
      if (model.ok()) {
        for (size_t gear = 0; gear < model->gears.size(); ++gear) {
          CHECK(InputDimsAtGear(*model, gear).size() == model->inputs.size());
        }
      } else {
        CHECK_FALSE(MessageOf(model.status()).empty());
      }
    }
  }
}

// A description that the reader could not give back is refused by the writer.
// A model for the host whose caller says the dims comes back as it was, and its header says so; one
// that leaves a dim unexplained, or promises a size, is refused.
TEST_CASE("a host model of dynamic shape is written", "[description]") {
  ModelDescription model = SmallBatchModel();
  model.gear_kind = GearKind::kNone;
  model.gears.clear();
  model.inputs[0].dim_ranges = {{1, -1}, {3, 3}};
  model.inputs[0].size_bytes = 0;
  model.outputs[0].dims = {-1, 2};
  model.outputs[0].size_bytes = 0;
  const std::string file = Write(model);
  CHECK(VALUE(Describe(file)) == model);
  CHECK(VALUE(Describe(Edit(file, Keep::kModelDefOnly, Nothing))) == model);
  CHECK(VALUE(OmFile::Parse(AsBytes(file))).header().is_unknown_shape);
  CHECK(HasDynamicShape(model));
  CHECK_FALSE(HasDynamicShape(SmallBatchModel()));
  CHECK(ShowRanges(model) == "x [1~,3], ids [4]");
  const auto error = [&](const std::function<void(ModelDescription&)>& edit) {
    ModelDescription edited = model;
    edit(edited);
    const auto written = WriteHostModel(edited, AsBytes(kGraph), AsBytes(kWeights));
    REQUIRE_FALSE(written.ok());
    return std::string(MessageOf(written.status()));
  };
  CHECK_THAT(error([](auto& m) { m.inputs[0].dim_ranges.clear(); }), Catch::Contains("no ranges"));
  CHECK_THAT(error([](auto& m) {
               m.inputs[0].dim_ranges[1] = {2, 4};
             }),
             Catch::Contains("no ranges"));
  CHECK_THAT(error([](auto& m) { m.inputs[0].size_bytes = 12; }), Catch::Contains("size open"));
  CHECK_THAT(error([](auto& m) { m.outputs[0].size_bytes = 8; }), Catch::Contains("size open"));
  CHECK_THAT(error([](auto& m) { m.inputs[1].size_bytes = 0; }), Catch::Contains("0 bytes"));
}

TEST_CASE("a description that cannot be written is refused", "[description]") {
  const auto error = [](const std::function<void(ModelDescription&)>& edit) {
    ModelDescription model = SmallBatchModel();
    edit(model);
    const absl::StatusOr<std::string> file =
        WriteHostModel(model, AsBytes(kGraph), AsBytes(kWeights));
    REQUIRE_FALSE(file.ok());
    CHECK(file.status().code() == absl::StatusCode::kInvalidArgument);
    return std::string(MessageOf(file.status()));
  };
  CHECK_THAT(error([](auto& m) { m.name = std::string(32, 'n'); }), Catch::Contains("32 bytes"));
  CHECK_THAT(error([](auto& m) { m.name.clear(); }), Catch::Contains("0 bytes"));
  CHECK_THAT(error([](auto& m) { m.inputs[0].name = kGearTensorName; }),
             Catch::Contains("reserved"));
  CHECK_THAT(error([](auto& m) { m.inputs[0].size_bytes = 12; }), Catch::Contains("12 bytes"));
  CHECK_THAT(error([](auto& m) { m.gears[0].values = {1, 2}; }), Catch::Contains("2 values"));
  CHECK_THAT(error([](auto& m) { m.outputs[0].acl_data_type = 13; }),
             Catch::Contains("no known size"));
  CHECK_THAT(error([](auto& m) { m.work_bytes = ~uint64_t{0}; }), Catch::Contains("work bytes"));
  CHECK_THAT(error([](auto& m) { m.gear_kind = GearKind::kNone; }), Catch::Contains("no kind"));
}

// Dims at a gear are the file's own where there are no gears.
TEST_CASE("input dims at a gear", "[description]") {
  ModelDescription model = SmallBatchModel();
  CHECK(InputDimsAtGear(model, 1) == std::vector<std::vector<int64_t>>{{4, 3}, {4}});
  model.gear_kind = GearKind::kNone;
  model.gears.clear();
  model.inputs[0].dims = {2, 3};
  CHECK(InputDimsAtGear(model, 0) == std::vector<std::vector<int64_t>>{{2, 3}, {4}});
}

}  // namespace
}  // namespace omserve::om
