// SPDX-License-Identifier: Apache-2.0
// What an `.om` file says of its model: inputs, outputs, gears, and for which chip it was compiled.
// Read from MODEL_INOUT_INFO where it is present and from ModelDef otherwise; both are written.
#pragma once

#include <cstddef>
#include <cstdint>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "absl/status/statusor.h"
#include "runtime/om/om_file.h"

namespace omserve::om {

// The chip name of files that run on the CPU device.
inline constexpr char kHostSocVersion[] = "OmserveHost";
// The reserved last input of a model with gears.
inline constexpr char kGearTensorName[] = "ascend_mbatch_shape_data";
// Where an ONNX graph in TASK_INFO says that an initialiser's bytes are: in that partition.
inline constexpr char kWeightsLocation[] = "WEIGHTS_DATA";

// What a dim of an input may be in a model of dynamic shape.
struct DimRange {
  int64_t least = 0;
  int64_t most = 0;  // -1: no limit.

  bool operator==(const DimRange&) const = default;
};

struct IoDescription {
  // Inputs: the graph's name. Outputs: "node:index:name" as AscendCL shows them.
  std::string name;
  int32_t acl_data_type = -1;  // aclDataType.
  int32_t acl_format = 2;      // aclFormat; ND.
  std::vector<int64_t> dims;   // Inputs: -1 where a gear decides. Outputs: the largest gear's.
  uint64_t size_bytes = 0;     // Enough for every gear; 0 where the file leaves a shape unknown.
  // Inputs with image preprocessing on the chip: the dims of the bytes that it takes, where they
  // differ from `dims`.
  std::vector<int64_t> raw_dims;
  // One per dim of a model of dynamic shape; empty where there are none. A fixed dim has a range of
  // one size.
  std::vector<DimRange> dim_ranges;

  bool operator==(const IoDescription&) const = default;
};

enum class GearKind { kNone, kBatch, kImage, kDims };
// "none", "batch", "image", "dims".
std::string_view GearKindName(GearKind kind);

struct GearDescription {
  // One value per -1 of all inputs in order, except kBatch (one value: the batch) and kImage (h,
  // w).
  std::vector<int64_t> values;
  // Dims of every output at this gear; empty when the file does not say.
  std::vector<std::vector<int64_t>> output_dims;

  bool operator==(const GearDescription&) const = default;
};

struct ModelDescription {
  std::string name;
  std::string soc_version;  // Empty in files of 2020-21 whose command does not say it either.
  std::string atc_version;
  std::string atc_cmdline;
  std::vector<IoDescription> inputs;  // Without the reserved gear input.
  std::vector<IoDescription> outputs;
  GearKind gear_kind = GearKind::kNone;
  std::vector<GearDescription> gears;  // In file order; empty for kNone.
  uint64_t work_bytes = 0;             // attr memory_size
  uint64_t weight_bytes = 0;           // attr weight_size
  uint32_t stream_count = 0;
  uint32_t event_count = 0;
  // Microseconds of one execution by gear (one number without gears); empty when not recorded.
  // Ours: attr omserve_cost_us. runtime/om/costs.h.
  std::vector<int64_t> cost_us;

  bool operator==(const ModelDescription&) const = default;
};

// Whether the caller says the dims with each execution: an input has a -1 and no gear decides it.
// Then the sizes of such an input, and of the outputs that depend on it, are 0.
bool HasDynamicShape(const ModelDescription& description);
// "ids [1~8,16,1~]": what each dim of an input may be; a dim without a range as it is.
std::string ShowRanges(const IoDescription& input);
// Of every input, with commas between them.
std::string ShowRanges(const ModelDescription& description);

// What a description returned from here keeps, whatever the file holds: at least one output, names
// that are unique UTF-8, gears that fit the -1 of the inputs, sizes that hold every gear.
// Errors: kInvalidArgument naming the partition and what is wrong with it.
absl::StatusOr<ModelDescription> DescribeModel(const OmFile& file, size_t model = 0);

// A host `.om`: `description` (an empty soc_version becomes kHostSocVersion), the ONNX graph in
// TASK_INFO (its large initialisers are external: location kWeightsLocation, offset, length) and
// their bytes in WEIGHTS_DATA. The same arguments give the same bytes.
// A model of dynamic shape says so in the header.
// Errors: kInvalidArgument when the description could not be read back as it is: a name over 31
// bytes, gears that do not fit the inputs, a size that is not that of the largest gear, a -1 that
// neither gears nor a range explain.
absl::StatusOr<std::string> WriteHostModel(const ModelDescription& description,
                                           std::span<const std::byte> onnx_graph,
                                           std::span<const std::byte> weights, bool wide = true);

// Dims of every input at gear `gear` (the file's own dims when the model has no gears).
// Requires gear < gears.size() or no gears at all.
std::vector<std::vector<int64_t>> InputDimsAtGear(const ModelDescription& description, size_t gear);

}  // namespace omserve::om
