// SPDX-License-Identifier: Apache-2.0
// The `.om` container: 256-byte header, partition tables, partitions. Reading never copies and
// never trusts: every offset, size and count is checked against the bytes that are there.
//
// Layout and rules: the public CANN loader and files written by ATC (headers v1 and v2, small and
// wide partition tables). With several models in a file the first is the root graph and each other
// one a subgraph of known shape. Little endian throughout.
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "absl/status/statusor.h"

namespace omserve::om {

inline constexpr uint32_t kMagic = 0x444F4D49;  // "IMOD"
inline constexpr size_t kHeaderBytes = 256;
inline constexpr uint32_t kVersion1 = 0x10000000;
inline constexpr uint32_t kVersion2 = 0x20000000;

inline constexpr uint8_t kFlowModelType = 3;
inline constexpr uint8_t kBundleModelType = 5;

// What a file's first bytes say that it is.
enum class FileKind {
  kOm,      // One model, with the parts that it was cut into: OmFile.
  kBundle,  // Several models that share variables: Bundle in bundle.h.
  kOm2,     // The ZIP archive of CANN 9: Om2File in om2_file.h.
  kOther,
};
// Never fails; whether the rest of the file is sound is for the reader of that kind to say.
FileKind KindOf(std::span<const std::byte> bytes);

enum class PartitionType : uint32_t {
  kModelDef = 0,
  kWeightsData = 1,
  kTaskInfo = 2,
  kTbeKernels = 3,
  kCustAicpuKernels = 4,
  kSoBins = 5,
  kFlowModel = 6,
  kFlowSubmodel = 7,
  kModelInoutInfo = 8,
  kStaticTaskDesc = 9,
  kDynamicTaskDesc = 10,
  kTaskParam = 11,
  kTilingData = 12,
  kPreModelDesc = 20,
  kPreModelSqe = 21,
  kPreKernelArgs = 22,
  kPreModelDescExtend = 23,
  kBundleModelInfo = 24,
  kBundleModelVarInfo = 25,
  kCustomOps = 26,
};
// "MODEL_DEF", ...; "UNKNOWN" for a number not listed above.
std::string_view PartitionTypeName(PartitionType type);

// The header's fields, decoded. In a v1 file `model_num` is 1 and the fields that v1 lacks are 0.
struct Header {
  uint32_t head_bytes = kHeaderBytes;
  uint32_t version = kVersion2;
  uint32_t length = 0;  // Payload bytes of old files; 0 when model_length is used.
  bool is_encrypted = false;
  uint8_t model_type = 0;  // 0 IR model, 1 standard, 2 tiny, 3 flow, 4 lite, 5 bundle.
  uint8_t gen_mode = 0;
  std::string name;  // At most 31 bytes.
  uint32_t om_ir_version = 0;
  uint32_t model_num = 1;        // A stored 0 is read as 1.
  std::string platform_version;  // At most 19 bytes.
  uint8_t platform_type = 0;
  uint64_t model_length = 0;       // Payload bytes.
  bool need_check_os_cpu = false;  // The operators on the host fit one OS and CPU only.
  bool is_unknown_shape = false;

  // The loader's rule for files whose shapes are settled when they run.
  bool is_dynamic() const { return version >= kVersion2 && (model_num > 1 || is_unknown_shape); }
};
// "standard", "flow", ...; "unknown" for a number that has no name.
std::string_view ModelTypeName(uint8_t model_type);

struct Partition {
  PartitionType type;
  std::span<const std::byte> data;  // Within the parsed bytes.
};

// A parsed file: a view, valid as long as the bytes it was parsed from. Thread-compatible.
class OmFile final {
 public:
  // kInvalidArgument saying what is wrong at which offset, what was expected, and for bundles and
  // files of another format (ZIP "om2", ONNX) what they are.
  static absl::StatusOr<OmFile> Parse(std::span<const std::byte> bytes);

  const Header& header() const { return header_; }
  // True when the partition tables are the wide ones (24-byte entries).
  bool has_wide_tables() const { return wide_; }
  size_t model_count() const { return models_.size(); }
  // Partitions of model `model` in file order. Requires model < model_count().
  std::span<const Partition> partitions(size_t model = 0) const { return models_[model]; }
  // First partition of that type; null when there is none.
  const Partition* Find(PartitionType type, size_t model = 0) const;

 private:
  Header header_;
  bool wide_ = false;
  std::vector<std::vector<Partition>> models_;
};

// Writes header v2, one model. With `wide` false the small table and `length` are used, as files
// before CANN 7.0 have them. `header.length`, `model_length`, `model_num` and `version` are
// computed. Errors: kInvalidArgument when the payload does not fit the small table's 32 bits, a
// text does not fit its field, or the partitions are none or more than a loader takes (8; 4096 for
// flow models).
absl::StatusOr<std::string> WriteOm(const Header& header, std::span<const Partition> partitions,
                                    bool wide = true);

}  // namespace omserve::om
