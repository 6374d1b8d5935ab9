// SPDX-License-Identifier: Apache-2.0
#include "tests/runtime/acl/tiny_model.h"

#include <utility>

#include "tests/onnx_bytes.h"
#include "tests/status_test_util.h"

namespace omserve::testing {
namespace {

constexpr int32_t kAclFloat = 0;
constexpr int32_t kAclInt64 = 9;

Message ExternalInitialiser(std::string_view name, int64_t count, size_t size_bytes) {
  const auto entry = [](std::string_view key, std::string_view value) {
    return Message().Text(1, key).Text(2, value);
  };
  return Message()
      .Number(1, count)
      .Number(2, kOnnxFloat)
      .Text(8, name)
      .Sub(13, entry("location", "WEIGHTS_DATA"))
      .Sub(13, entry("offset", "0"))
      .Sub(13, entry("length", std::to_string(size_bytes)))
      .Number(14, 1);
}

// The open dims of one tensor at a gear.
std::vector<int64_t> AtGear(std::vector<int64_t> dims, om::GearKind kind,
                            const std::vector<int64_t>& values) {
  size_t next = 0;
  for (int64_t& dim : dims) {
    if (dim < 0) {
      dim = values[kind == om::GearKind::kBatch ? 0 : next++];
    }
  }
  return dims;
}

uint64_t FloatBytes(const std::vector<int64_t>& dims) {
  uint64_t bytes = sizeof(float);
  for (const int64_t dim : dims) {
    bytes *= static_cast<uint64_t>(dim);
  }
  return bytes;
}

om::IoDescription Io(std::string name, int32_t acl_type, std::vector<int64_t> dims,
                     uint64_t size_bytes) {
  om::IoDescription io;
  io.name = std::move(name);
  io.acl_data_type = acl_type;
  io.dims = std::move(dims);
  io.size_bytes = size_bytes;
  return io;
}

}  // namespace

std::span<const std::byte> BytesOf(std::string_view text) {
  return {reinterpret_cast<const std::byte*>(text.data()), text.size()};
}

std::string ScaleAddModel(std::vector<int64_t> dims, om::GearKind kind,
                          const std::vector<std::vector<int64_t>>& gears) {
  const std::string weights = RawBytes(std::vector<float>{kScale});
  Message graph;
  graph.Sub(1, Node("mul", "Mul", {"x", "w"}, "scaled"))
      .Sub(1, Node("add", "Add", {"scaled", "y"}, "summed"))
      .Text(2, "scale_add")
      .Sub(5, ExternalInitialiser("w", 1, weights.size()))
      .Sub(11, ValueInfo("x", kOnnxFloat, dims))
      .Sub(11, ValueInfo("y", kOnnxFloat, dims))
      .Sub(12, ValueInfo("scaled", kOnnxFloat, dims))
      .Sub(12, ValueInfo("summed", kOnnxFloat, dims));

  om::ModelDescription description;
  description.name = "scale_add";
  description.soc_version = om::kHostSocVersion;
  description.gear_kind = kind;
  std::vector<int64_t> largest = gears.empty() ? dims : std::vector<int64_t>();
  for (const std::vector<int64_t>& values : gears) {
    const std::vector<int64_t> at_gear = AtGear(dims, kind, values);
    if (largest.empty() || FloatBytes(at_gear) > FloatBytes(largest)) {
      largest = at_gear;
    }
    om::GearDescription gear;
    gear.values = values;
    if (kind == om::GearKind::kDims) {  // One value per -1 of all inputs: y's are x's.
      gear.values.insert(gear.values.end(), values.begin(), values.end());
    }
    gear.output_dims = {at_gear, at_gear};
    description.gears.push_back(std::move(gear));
  }
  const uint64_t size_bytes = FloatBytes(largest);
  description.inputs = {Io("x", kAclFloat, dims, size_bytes), Io("y", kAclFloat, dims, size_bytes)};
  description.outputs = {Io("mul:0:scaled", kAclFloat, largest, size_bytes),
                         Io("add:0:summed", kAclFloat, largest, size_bytes)};
  if (om::HasDynamicShape(description)) {
    for (om::IoDescription& input : description.inputs) {
      input.size_bytes = 0;
      for (const int64_t dim : dims) {
        input.dim_ranges.push_back(dim < 0 ? om::DimRange{.least = 1, .most = 8}
                                           : om::DimRange{.least = dim, .most = dim});
      }
    }
    for (om::IoDescription& output : description.outputs) {
      output.size_bytes = 0;
    }
  }
  description.work_bytes = 4096;
  description.weight_bytes = weights.size();
  return VALUE(om::WriteHostModel(description, BytesOf(OnnxModel(graph)), BytesOf(weights)));
}

std::string PickModel() {
  Message graph;
  graph.Sub(1, Node("gather", "Gather", {"table", "index"}, "picked"))
      .Text(2, "pick")
      .Sub(5, Floats("table", {4}, {10, 11, 12, 13}))
      .Sub(11, ValueInfo("index", kOnnxInt64, {1}))
      .Sub(12, ValueInfo("picked", kOnnxFloat, {1}));
  om::ModelDescription description;
  description.name = "pick";
  description.soc_version = om::kHostSocVersion;
  description.inputs = {Io("index", kAclInt64, {1}, sizeof(int64_t))};
  description.outputs = {Io("gather:0:picked", kAclFloat, {1}, sizeof(float))};
  description.work_bytes = 256;
  return VALUE(om::WriteHostModel(description, BytesOf(OnnxModel(graph)), {}));
}

std::string AccumulateModel(int64_t width, const std::vector<int64_t>& batches) {
  const bool gears = batches.size() > 1;
  const int64_t open = gears ? -1 : batches.front();
  const int64_t largest = batches.back();
  Message axis;  // Attribute "axis" = 1.
  axis.Text(1, "axis").Number(3, 1).Number(20, 2);
  Message graph;
  graph.Sub(1, Node("add", "Add", {"state", "x"}, "total"))
      .Sub(1, Node("twice", "Add", {"total", "total"}, "twice"))
      .Sub(1, Node("marks", "Concat", {"start", "ready", "end"}, "marks").Sub(5, axis))
      .Sub(1, Node("id", "Identity", {"corrid"}, "id"))
      .Text(2, "accumulate");
  om::ModelDescription description;
  description.name = "accumulate";
  description.soc_version = om::kHostSocVersion;
  struct Tensor {
    const char* name;
    bool is_int;
    int64_t row;
  };
  for (const Tensor& input :
       {Tensor{"x", false, width}, Tensor{"state", false, width}, Tensor{"start", false, 1},
        Tensor{"ready", false, 1}, Tensor{"end", false, 1}, Tensor{"corrid", true, 1}}) {
    const std::vector<int64_t> dims = {open, input.row};
    graph.Sub(11, ValueInfo(input.name, input.is_int ? kOnnxInt64 : kOnnxFloat, dims));
    description.inputs.push_back(Io(input.name, input.is_int ? kAclInt64 : kAclFloat, dims,
                                    static_cast<uint64_t>(largest * input.row) *
                                        (input.is_int ? sizeof(int64_t) : sizeof(float))));
  }
  std::vector<int64_t> rows;
  for (const Tensor& output : {Tensor{"total", false, width}, Tensor{"twice", false, width},
                               Tensor{"marks", false, 3}, Tensor{"id", true, 1}}) {
    graph.Sub(12,
              ValueInfo(output.name, output.is_int ? kOnnxInt64 : kOnnxFloat, {open, output.row}));
    description.outputs.push_back(Io(fmt::format("{0}:0:{0}", output.name),
                                     output.is_int ? kAclInt64 : kAclFloat, {largest, output.row},
                                     static_cast<uint64_t>(largest * output.row) *
                                         (output.is_int ? sizeof(int64_t) : sizeof(float))));
    rows.push_back(output.row);
  }
  description.gear_kind = gears ? om::GearKind::kBatch : om::GearKind::kNone;
  for (size_t i = 0; gears && i < batches.size(); ++i) {
    om::GearDescription gear;
    gear.values = {batches[i]};
    for (const int64_t row : rows) {
      gear.output_dims.push_back({batches[i], row});
    }
    description.gears.push_back(std::move(gear));
  }
  description.work_bytes = 4096;
  return VALUE(om::WriteHostModel(description, BytesOf(OnnxModel(graph)), {}));
}

std::string ForOtherChip(std::string file, std::string_view soc_version) {
  const std::string_view host = om::kHostSocVersion;
  REQUIRE(soc_version.size() == host.size());
  size_t replaced = 0;
  for (size_t at = file.find(host); at != std::string::npos; at = file.find(host, at)) {
    file.replace(at, host.size(), soc_version);
    ++replaced;
  }
  REQUIRE(replaced > 0);
  return file;
}

}  // namespace omserve::testing
