// SPDX-License-Identifier: Apache-2.0
// Names of ops and attributes in a ModelDef, for its reader and its writer. Internal to runtime/om.
#pragma once

namespace omserve::om {

inline constexpr char kDataOp[] = "Data";
inline constexpr char kNetOutputOp[] = "NetOutput";
inline constexpr char kCaseOp[] = "Case";
inline constexpr char kGearCaseName[] = "ascend_mbatch_shape_case";

// Of ops.
inline constexpr char kIndexAttr[] = "index";
inline constexpr char kOriginDimsAttr[] = "_mbatch_origin_input_dims";
inline constexpr char kGearCountAttr[] = "_batch_num";
inline constexpr char kGearValuesAttrPrefix[] = "_pred_value_";
inline constexpr char kDynamicTypeAttr[] = "mbatch_dynamic_type";
inline constexpr char kShapeOrderAttr[] = "user_designate_shape_order";
inline constexpr char kOutputDimsAttr[] = "_dynamic_output_dims";

// Of tensors: [least, most] of every dim.
inline constexpr char kDimRangesAttr[] = "shape_range";

// Of the model.
inline constexpr char kSocVersionAttr[] = "soc_version";
inline constexpr char kAtcVersionAttr[] = "atc_version";
inline constexpr char kAtcCmdlineAttr[] = "atc_cmdline";
inline constexpr char kMemorySizeAttr[] = "memory_size";
inline constexpr char kWeightSizeAttr[] = "weight_size";
inline constexpr char kStreamNumAttr[] = "stream_num";
inline constexpr char kEventNumAttr[] = "event_num";
inline constexpr char kOutputNamesAttr[] = "attr_model_out_nodes_name";
inline constexpr char kCostAttr[] = "omserve_cost_us";  // Ours.

}  // namespace omserve::om
