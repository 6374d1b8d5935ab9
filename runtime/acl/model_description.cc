// SPDX-License-Identifier: Apache-2.0
#include "runtime/acl/model_description.h"

#include <algorithm>
#include <set>
#include <utility>

#include "runtime/acl/status.h"
#include "runtime/base/errors.h"

namespace omserve::acl {
namespace {

// In AscendCL's gear getters the index is reserved and must be this.
constexpr size_t kReservedIndex = static_cast<size_t>(-1);
// ATC allows 256 gears at most (on Ascend 950, 100 elsewhere). More is not a count but damage.
constexpr size_t kMaxGears = 1024;
// Names longer than 127 bytes are shown as "acl_<model id>_...".
constexpr std::string_view kShortenedPrefix = "acl_";

absl::StatusOr<Dims> ToDims(const aclmdlIODims& dims, const std::string& name) {
  if (dims.dimCount > ACL_MAX_DIM_CNT) {
    return InvalidArgument("tensor '{}' has {} dims: expected at most {}; compile the model again",
                           name, dims.dimCount, ACL_MAX_DIM_CNT);
  }
  return Dims(dims.dims, dims.dims + dims.dimCount);
}

absl::StatusOr<DataType> ServedType(aclDataType type, const char* direction,
                                    const std::string& name) {
  const DataType served = DataTypeFromAcl(type);
  if (served == DataType::kInvalid) {
    return InvalidArgument(
        "{} '{}' has the element type {} (aclDataType), which the protocol has no name for; "
        "compile "
        "the model with --output_type or a cast to FP16, FP32 or an integer type",
        direction, name, static_cast<int>(type));
  }
  return served;
}

}  // namespace

std::string_view TensorNameOfOutput(std::string_view name) {
  const size_t first = name.find(':');
  if (first == std::string_view::npos) {
    return name;
  }
  const size_t second = name.find(':', first + 1);
  if (second == std::string_view::npos || second == first + 1 || second + 1 == name.size()) {
    return name;
  }
  const std::string_view index = name.substr(first + 1, second - first - 1);
  const bool is_number =
      std::all_of(index.begin(), index.end(), [](char c) { return c >= '0' && c <= '9'; });
  return is_number ? name.substr(second + 1) : name;
}

DataType DataTypeFromAcl(aclDataType type) {
  switch (type) {
    case ACL_FLOAT:
      return DataType::kFp32;
    case ACL_FLOAT16:
      return DataType::kFp16;
    case ACL_BF16:
      return DataType::kBf16;
    case ACL_DOUBLE:
      return DataType::kFp64;
    case ACL_INT8:
      return DataType::kInt8;
    case ACL_INT16:
      return DataType::kInt16;
    case ACL_INT32:
      return DataType::kInt32;
    case ACL_INT64:
      return DataType::kInt64;
    case ACL_UINT8:
      return DataType::kUint8;
    case ACL_UINT16:
      return DataType::kUint16;
    case ACL_UINT32:
      return DataType::kUint32;
    case ACL_UINT64:
      return DataType::kUint64;
    case ACL_BOOL:
      return DataType::kBool;
    default:  // The enumeration is the vendor's and grows.
      return DataType::kInvalid;
  }
}

absl::StatusOr<ModelDescription> ModelDescription::Read(const Symbols& symbols, uint32_t id) {
  ModelDescription result(&symbols, symbols.aclmdlCreateDesc());
  if (result.description_ == nullptr) {
    return ResourceExhausted("aclmdlCreateDesc gave no description: the host is out of memory ({})",
                             TakeRecentErrorText(symbols));
  }
  RETURN_IF_ERROR(AclStatus(symbols, fmt::format("aclmdlGetDesc of model id {}", id),
                            symbols.aclmdlGetDesc(result.description_, id)));
  size_t index = 0;
  if (symbols.aclmdlGetInputIndexByName(result.description_, ACL_DYNAMIC_TENSOR_NAME, &index) ==
      ACL_SUCCESS) {
    result.gear_input_ = index;
  } else {
    // A model without gears; the question leaves words behind that would stand in a later error.
    TakeRecentErrorText(symbols);
  }
  return result;
}

ModelDescription::ModelDescription(ModelDescription&& other) noexcept
    : symbols_(other.symbols_),
      description_(std::exchange(other.description_, nullptr)),
      gear_input_(other.gear_input_) {}

ModelDescription::~ModelDescription() {
  if (description_ != nullptr) {
    static_cast<void>(symbols_->aclmdlDestroyDesc(description_));
  }
}

size_t ModelDescription::gear_input_bytes() const {
  return symbols_->aclmdlGetInputSizeByIndex(description_, gear_input_.value_or(0));
}

std::string ModelDescription::RealName(const char* name) const {
  std::string shown = name == nullptr ? "" : name;
  if (symbols_->aclmdlGetTensorRealName != nullptr && shown.starts_with(kShortenedPrefix)) {
    const char* real = symbols_->aclmdlGetTensorRealName(description_, shown.c_str());
    if (real != nullptr && *real != '\0') {
      return real;
    }
  }
  return shown;
}

absl::StatusOr<std::vector<ModelTensor>> ModelDescription::Inputs() const {
  std::vector<ModelTensor> inputs;
  const size_t count = symbols_->aclmdlGetNumInputs(description_);
  for (size_t i = 0; i < count; ++i) {
    if (gear_input_ == i) {
      continue;
    }
    ModelTensor input;
    input.name = RealName(symbols_->aclmdlGetInputNameByIndex(description_, i));
    if (input.name == ACL_DYNAMIC_AIPP_NAME) {
      return InvalidArgument(
          "input '{}': the model processes pictures with settings given at run time, which is not "
          "served; compile it with static AIPP or without",
          input.name);
    }
    ASSIGN_OR_RETURN(input.type, ServedType(symbols_->aclmdlGetInputDataType(description_, i),
                                            "input", input.name));
    aclmdlIODims dims = {};
    RETURN_IF_ERROR(AclStatus(*symbols_, fmt::format("aclmdlGetInputDims of '{}'", input.name),
                              symbols_->aclmdlGetInputDims(description_, i, &dims)));
    ASSIGN_OR_RETURN(input.dims, ToDims(dims, input.name));
    input.max_bytes = symbols_->aclmdlGetInputSizeByIndex(description_, i);
    inputs.push_back(std::move(input));
  }
  return inputs;
}

absl::StatusOr<std::vector<ModelTensor>> ModelDescription::Outputs() const {
  std::vector<ModelTensor> outputs;
  std::vector<std::string> full_names;
  std::multiset<std::string> names;
  const size_t count = symbols_->aclmdlGetNumOutputs(description_);
  for (size_t i = 0; i < count; ++i) {
    ModelTensor output;
    full_names.push_back(RealName(symbols_->aclmdlGetOutputNameByIndex(description_, i)));
    output.name = TensorNameOfOutput(full_names.back());
    ASSIGN_OR_RETURN(output.type, ServedType(symbols_->aclmdlGetOutputDataType(description_, i),
                                             "output", output.name));
    aclmdlIODims dims = {};
    RETURN_IF_ERROR(AclStatus(*symbols_, fmt::format("aclmdlGetOutputDims of '{}'", output.name),
                              symbols_->aclmdlGetOutputDims(description_, i, &dims)));
    ASSIGN_OR_RETURN(output.dims, ToDims(dims, output.name));
    output.max_bytes = symbols_->aclmdlGetOutputSizeByIndex(description_, i);
    names.insert(output.name);
    outputs.push_back(std::move(output));
  }
  // Two nodes may give their outputs one name; then only the full names tell them apart.
  for (size_t i = 0; i < count; ++i) {
    if (names.count(outputs[i].name) > 1) {
      outputs[i].name = full_names[i];
    }
  }
  return outputs;
}

absl::StatusOr<Dims> ModelDescription::CurrentOutputDims(size_t output) const {
  aclmdlIODims dims = {};
  RETURN_IF_ERROR(AclStatus(*symbols_, fmt::format("aclmdlGetCurOutputDims of output {}", output),
                            symbols_->aclmdlGetCurOutputDims(description_, output, &dims)));
  return ToDims(dims, fmt::format("output {}", output));
}

absl::StatusOr<ModelDescription::Gears> ModelDescription::ReadGears(
    const std::vector<ModelTensor>& inputs) const {
  Gears result;
  std::vector<std::vector<int64_t>> values;
  if (gear_input_.has_value()) {
    // A model has gears of one kind; the first question that gets an answer says which.
    result.kind = GearKind::kBatch;
    ASSIGN_OR_RETURN(values, BatchValues());
    if (values.empty()) {
      result.kind = GearKind::kImage;
      ASSIGN_OR_RETURN(values, ImageValues());
    }
    if (values.empty()) {
      result.kind = GearKind::kDims;
      ASSIGN_OR_RETURN(values, DimsValues());
    }
    if (values.empty()) {
      return InvalidArgument("the model has the input '{}' and names no gears; compile it again",
                             ACL_DYNAMIC_TENSOR_NAME);
    }
  } else {
    values.emplace_back();
  }
  for (std::vector<int64_t>& gear_values : values) {
    ASSIGN_OR_RETURN(Gear gear, MakeGear(result.kind, inputs, std::move(gear_values)));
    result.gears.push_back(std::move(gear));
  }
  SortGears(result.gears);
  return result;
}

absl::StatusOr<std::vector<std::vector<int64_t>>> ModelDescription::BatchValues() const {
  aclmdlBatch batch = {};
  RETURN_IF_ERROR(AclStatus(*symbols_, "aclmdlGetDynamicBatch",
                            symbols_->aclmdlGetDynamicBatch(description_, &batch)));
  std::vector<std::vector<int64_t>> values;
  for (size_t i = 0; i < std::min<size_t>(batch.batchCount, ACL_MAX_BATCH_NUM); ++i) {
    values.push_back({static_cast<int64_t>(batch.batch[i])});
  }
  return values;
}

absl::StatusOr<std::vector<std::vector<int64_t>>> ModelDescription::ImageValues() const {
  aclmdlHW sizes = {};
  RETURN_IF_ERROR(AclStatus(*symbols_, "aclmdlGetDynamicHW",
                            symbols_->aclmdlGetDynamicHW(description_, kReservedIndex, &sizes)));
  std::vector<std::vector<int64_t>> values;
  for (size_t i = 0; i < std::min<size_t>(sizes.hwCount, ACL_MAX_HW_NUM); ++i) {
    values.push_back({static_cast<int64_t>(sizes.hw[i][0]), static_cast<int64_t>(sizes.hw[i][1])});
  }
  return values;
}

absl::StatusOr<std::vector<std::vector<int64_t>>> ModelDescription::DimsValues() const {
  size_t count = 0;
  RETURN_IF_ERROR(
      AclStatus(*symbols_, "aclmdlGetInputDynamicGearCount",
                symbols_->aclmdlGetInputDynamicGearCount(description_, kReservedIndex, &count)));
  if (count > kMaxGears) {
    return InvalidArgument("the model names {} gears: expected at most {}; compile it again", count,
                           kMaxGears);
  }
  std::vector<aclmdlIODims> gears(count);
  if (count > 0) {
    RETURN_IF_ERROR(AclStatus(
        *symbols_, "aclmdlGetInputDynamicDims",
        symbols_->aclmdlGetInputDynamicDims(description_, kReservedIndex, gears.data(), count)));
  }
  std::vector<std::vector<int64_t>> values;
  for (const aclmdlIODims& gear : gears) {
    ASSIGN_OR_RETURN(Dims dims, ToDims(gear, ACL_DYNAMIC_TENSOR_NAME));
    values.push_back(std::move(dims));
  }
  return values;
}

}  // namespace omserve::acl
