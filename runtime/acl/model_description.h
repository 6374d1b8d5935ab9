// SPDX-License-Identifier: Apache-2.0
// What AscendCL tells of a loaded model (aclmdlDesc), read into plain values and checked.
#pragma once

#include <cstddef>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "absl/status/statusor.h"
#include "runtime/acl/gears.h"
#include "runtime/acl/model.h"
#include "runtime/acl/symbols.h"

namespace omserve::acl {

// The name that a client sees: of "node:index:name" the part after the second colon, when what
// stands between the two is a number; else all of it.
std::string_view TensorNameOfOutput(std::string_view name);

// kInvalid for types that the protocol has no name for.
DataType DataTypeFromAcl(aclDataType type);

// Owner of an aclmdlDesc. Thread-compatible.
class ModelDescription final {
 public:
  // Reads the description of the loaded model `id`. All errors of this class: kInvalidArgument for
  // what omserve cannot serve, else AscendCL's.
  static absl::StatusOr<ModelDescription> Read(const Symbols& symbols, uint32_t id);
  ModelDescription(ModelDescription&& other) noexcept;
  ModelDescription& operator=(ModelDescription&&) = delete;
  ~ModelDescription();

  // Where AscendCL has the reserved input through which the gear is chosen; nullopt without gears.
  std::optional<size_t> gear_input() const { return gear_input_; }
  // Bytes of that input. Requires gear_input().
  size_t gear_input_bytes() const;

  // Without the reserved one; dims have -1 where a gear decides.
  absl::StatusOr<std::vector<ModelTensor>> Inputs() const;
  // Dims are those of the largest gear.
  absl::StatusOr<std::vector<ModelTensor>> Outputs() const;
  // Of the gear that was set last.
  absl::StatusOr<Dims> CurrentOutputDims(size_t output) const;

  struct Gears {
    GearKind kind = GearKind::kNone;
    std::vector<Gear> gears;  // At least one; sorted.
  };
  absl::StatusOr<Gears> ReadGears(const std::vector<ModelTensor>& inputs) const;

 private:
  ModelDescription(const Symbols* symbols, aclmdlDesc* description)
      : symbols_(symbols), description_(description) {}
  absl::StatusOr<std::vector<std::vector<int64_t>>> BatchValues() const;
  absl::StatusOr<std::vector<std::vector<int64_t>>> ImageValues() const;
  absl::StatusOr<std::vector<std::vector<int64_t>>> DimsValues() const;
  std::string RealName(const char* name) const;

  const Symbols* symbols_;
  aclmdlDesc* description_;
  std::optional<size_t> gear_input_;
};

}  // namespace omserve::acl
