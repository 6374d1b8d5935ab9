// SPDX-License-Identifier: Apache-2.0
#include "runtime/om/om_file.h"

#include <algorithm>
#include <limits>
#include <optional>
#include <utility>

#include "runtime/base/check.h"
#include "runtime/base/errors.h"
#include "runtime/om/byte_reader.h"

namespace omserve::om {
namespace {

constexpr uint8_t kFlowModelType = 3;
constexpr uint8_t kBundleModelType = 5;
constexpr size_t kNameBytes = 32;
constexpr size_t kPlatformVersionBytes = 20;

// Where the fields stand that differ between the two header versions.
struct HeaderLayout {
  size_t platform_version;
  size_t platform_type;
};
constexpr HeaderLayout kLayoutV1 = {156, 176};
constexpr HeaderLayout kLayoutV2 = {160, 180};
constexpr size_t kModelNumOffset = 156;  // v2 only.
constexpr size_t kModelLengthOffset = 184;
constexpr size_t kNeedCheckOffset = 192;
constexpr size_t kUnknownShapeOffset = 193;

struct TypeRow {
  PartitionType type;
  std::string_view name;
};
constexpr auto kPartitionTypes = std::to_array<TypeRow>({
    {PartitionType::kModelDef, "MODEL_DEF"},
    {PartitionType::kWeightsData, "WEIGHTS_DATA"},
    {PartitionType::kTaskInfo, "TASK_INFO"},
    {PartitionType::kTbeKernels, "TBE_KERNELS"},
    {PartitionType::kCustAicpuKernels, "CUST_AICPU_KERNELS"},
    {PartitionType::kSoBins, "SO_BINS"},
    {PartitionType::kFlowModel, "FLOW_MODEL"},
    {PartitionType::kFlowSubmodel, "FLOW_SUBMODEL"},
    {PartitionType::kModelInoutInfo, "MODEL_INOUT_INFO"},
    {PartitionType::kStaticTaskDesc, "STATIC_TASK_DESC"},
    {PartitionType::kDynamicTaskDesc, "DYNAMIC_TASK_DESC"},
    {PartitionType::kTaskParam, "TASK_PARAM"},
    {PartitionType::kTilingData, "TILING_DATA"},
    {PartitionType::kPreModelDesc, "PRE_MODEL_DESC"},
    {PartitionType::kPreModelSqe, "PRE_MODEL_SQE"},
    {PartitionType::kPreKernelArgs, "PRE_KERNEL_ARGS"},
    {PartitionType::kPreModelDescExtend, "PRE_MODEL_DESC_EXTEND"},
    {PartitionType::kBundleModelInfo, "BUNDLE_MODEL_INFO"},
    {PartitionType::kBundleModelVarInfo, "BUNDLE_MODEL_VAR_INFO"},
    {PartitionType::kCustomOps, "CUSTOM_OPS"},
});

// Sizes of a table: `num` at its start, then entries.
struct TableLayout {
  size_t prefix_bytes;
  size_t entry_bytes;
};
constexpr TableLayout kSmallTable = {4, 12};
constexpr TableLayout kWideTable = {8, 24};

template <typename T>
T FieldAt(std::span<const std::byte> bytes, size_t offset) {
  T value{};
  std::memcpy(&value, bytes.data() + offset, sizeof(T));
  return value;
}

// An ONNX file is a protobuf whose first field is ir_version (tag 0x08, a small number) and whose
// second is one of ModelProto's others (length-delimited up to field 15, or model_version).
bool LooksLikeOnnx(std::string_view text) {
  if (text.size() < 3 || text[0] != '\x08' || text[1] < 1 || text[1] > 32) {
    return false;
  }
  return std::string_view("\x12\x1a\x22\x28\x32\x3a\x42\x72").find(text[2]) !=
         std::string_view::npos;
}

absl::Status NotAnOmFile(std::span<const std::byte> bytes) {
  const std::string_view text = AsText(bytes);
  constexpr std::string_view kExpected = "an .om file begins with \"IMOD\"";
  if (text.starts_with("PK\x03\x04")) {
    return InvalidArgument(
        "not an .om file: a ZIP archive, as the om2 format of CANN 9 is; {}: compile the model "
        "with atc without the om2 option",
        kExpected);
  }
  if (LooksLikeOnnx(text)) {
    return InvalidArgument(
        "not an .om file: it seems to be an ONNX model; {}: compile it with `omc compile`",
        kExpected);
  }
  if (text.starts_with("version https://git-lfs")) {
    return InvalidArgument(
        "not an .om file: a Git LFS pointer; {}: fetch the real file with `git lfs pull`",
        kExpected);
  }
  if (bytes.size() < sizeof(kMagic)) {
    return InvalidArgument("not an .om file: {} bytes long; {}: copy the file again", bytes.size(),
                           kExpected);
  }
  return InvalidArgument(
      "not an .om file: it begins with {:#010x}; {} ({:#010x}): check which file this is",
      FieldAt<uint32_t>(bytes, 0), kExpected, kMagic);
}

// Zero-padded text; an unterminated field means that the bytes are not a header.
absl::StatusOr<std::string> TextField(std::span<const std::byte> bytes, size_t offset, size_t size,
                                      std::string_view what) {
  const std::string_view field = AsText(bytes.subspan(offset, size));
  const size_t end = field.find('\0');
  if (end == std::string_view::npos) {
    return InvalidArgument(
        "header: {} at byte {} has no end within its {} bytes, expected at most {} and a zero: "
        "the file is damaged",
        what, offset, size, size - 1);
  }
  return std::string(field.substr(0, end));
}

absl::StatusOr<Header> ParseHeader(std::span<const std::byte> bytes) {
  Header header;
  header.head_bytes = FieldAt<uint32_t>(bytes, 4);
  header.version = FieldAt<uint32_t>(bytes, 8);
  if (header.head_bytes != kHeaderBytes) {
    return InvalidArgument("header: its size at byte 4 is {}, expected {}: the file is damaged",
                           header.head_bytes, kHeaderBytes);
  }
  // The version comes first: a v1 file read as v2 shows its platform version as the model count.
  const bool v1 = header.version == kVersion1;
  if (!v1 && header.version < kVersion2) {
    return InvalidArgument(
        "header: version {:#x} at byte 8 is unknown, expected {:#x} or {:#x} and later: the file "
        "is damaged",
        header.version, kVersion1, kVersion2);
  }
  const HeaderLayout layout = v1 ? kLayoutV1 : kLayoutV2;
  header.length = FieldAt<uint32_t>(bytes, 76);
  header.is_encrypted = FieldAt<uint8_t>(bytes, 80) != 0;
  header.model_type = FieldAt<uint8_t>(bytes, 82);
  header.gen_mode = FieldAt<uint8_t>(bytes, 83);
  ASSIGN_OR_RETURN(header.name, TextField(bytes, 84, kNameBytes, "the model's name"));
  header.om_ir_version = FieldAt<uint32_t>(bytes, 152);
  ASSIGN_OR_RETURN(
      header.platform_version,
      TextField(bytes, layout.platform_version, kPlatformVersionBytes, "the platform version"));
  header.platform_type = FieldAt<uint8_t>(bytes, layout.platform_type);
  if (!v1) {
    // In a file with one model nothing depends on the count, so a 0 is no reason to refuse it.
    header.model_num = std::max(FieldAt<uint32_t>(bytes, kModelNumOffset), uint32_t{1});
    header.model_length = FieldAt<uint64_t>(bytes, kModelLengthOffset);
    header.need_check_os_cpu = FieldAt<uint8_t>(bytes, kNeedCheckOffset) != 0;
    header.is_unknown_shape = FieldAt<uint8_t>(bytes, kUnknownShapeOffset) != 0;
  }
  return header;
}

absl::Status CheckHeader(const Header& header, size_t file_bytes) {
  if (header.model_type == kBundleModelType) {
    return InvalidArgument(
        "header: a bundle of several models (model type {}), which is not served: compile each "
        "model into an .om file of its own",
        header.model_type);
  }
  if (header.is_encrypted) {
    return InvalidArgument(
        "header: the file is marked as encrypted (byte 80), only plain files can be read: compile "
        "the model without encryption");
  }
  const uint64_t payload = header.model_length != 0 ? header.model_length : header.length;
  if (payload != file_bytes - kHeaderBytes) {
    return InvalidArgument(
        "header: {} says that {} bytes follow, but {} do: the file is cut or damaged, copy it "
        "again",
        header.model_length != 0 ? "model_length at byte 184" : "length at byte 76", payload,
        file_bytes - kHeaderBytes);
  }
  return absl::OkStatus();
}

// Reads one model's table and partitions from `reader`, which stands on the table.
absl::StatusOr<std::vector<Partition>> ParseModel(ByteReader& reader, bool wide, bool flow,
                                                  size_t model) {
  const TableLayout layout = wide ? kWideTable : kSmallTable;
  const size_t table_at = kHeaderBytes + reader.position();
  const auto prefix = reader.Take(layout.prefix_bytes);
  if (!prefix.has_value()) {
    return InvalidArgument(
        "model {}: its partition table should begin at byte {}, but the file ends: it is cut or "
        "the header's model count is wrong",
        model, table_at);
  }
  const auto count = FieldAt<uint32_t>(*prefix, 0);
  const uint32_t most = flow ? 4096 : 8;
  if (count == 0 || count > most) {
    return InvalidArgument(
        "model {}: the partition table at byte {} says {} partitions, expected 1 to {}: the file "
        "is damaged",
        model, table_at, count, most);
  }
  const auto table = reader.Take(uint64_t{count} * layout.entry_bytes);
  if (!table.has_value()) {
    return InvalidArgument(
        "model {}: the partition table at byte {} needs {} entries of {} bytes, but {} bytes are "
        "left: the file is cut",
        model, table_at, count, layout.entry_bytes, reader.remaining());
  }
  const size_t data_at = reader.position();
  std::vector<Partition> partitions;
  partitions.reserve(count);
  for (size_t i = 0; i < count; ++i) {
    const auto entry = table->subspan(i * layout.entry_bytes, layout.entry_bytes);
    const auto type = FieldAt<uint32_t>(entry, 0);
    const auto offset = wide ? FieldAt<uint64_t>(entry, 8) : FieldAt<uint32_t>(entry, 4);
    const auto size = wide ? FieldAt<uint64_t>(entry, 16) : FieldAt<uint32_t>(entry, 8);
    const std::string_view name = PartitionTypeName(static_cast<PartitionType>(type));
    const uint64_t walked = reader.position() - data_at;
    // Partitions stand back to back; aligned files may leave a gap, which is skipped.
    if (offset < walked) {
      return InvalidArgument(
          "model {}: partition {} ({}) starts at offset {}, inside the partitions before it, which "
          "end at {}: the file is damaged",
          model, i, name, offset, walked);
    }
    std::optional<std::span<const std::byte>> data;
    if (reader.Take(offset - walked).has_value()) {
      data = reader.Take(size);
    }
    if (!data.has_value()) {
      return InvalidArgument(
          "model {}: partition {} ({}) of {} bytes at offset {} reaches over the end of the file: "
          "it is cut or damaged, copy it again",
          model, i, name, size, offset);
    }
    partitions.push_back(Partition{static_cast<PartitionType>(type), *data});
  }
  return partitions;
}

absl::Status PutText(std::string& header, size_t offset, size_t size, std::string_view text,
                     std::string_view what) {
  if (text.size() >= size || text.find('\0') != std::string_view::npos) {
    return InvalidArgument(
        "{} '{}' has {} bytes, at most {} without a zero fit the header: shorten it", what, text,
        text.size(), size - 1);
  }
  header.replace(offset, text.size(), text);
  return absl::OkStatus();
}

template <typename T>
void PutNumber(std::string& header, size_t offset, T value) {
  std::memcpy(header.data() + offset, &value, sizeof(T));
}

absl::StatusOr<std::string> HeaderBytes(const Header& header, uint64_t payload_bytes, bool wide) {
  std::string bytes(kHeaderBytes, '\0');
  PutNumber(bytes, 0, kMagic);
  PutNumber(bytes, 4, static_cast<uint32_t>(kHeaderBytes));
  PutNumber(bytes, 8, kVersion2);
  PutNumber(bytes, 76, wide ? uint32_t{0} : static_cast<uint32_t>(payload_bytes));
  PutNumber(bytes, 80, static_cast<uint8_t>(header.is_encrypted));
  PutNumber(bytes, 82, header.model_type);
  PutNumber(bytes, 83, header.gen_mode);
  RETURN_IF_ERROR(PutText(bytes, 84, kNameBytes, header.name, "the model's name"));
  PutNumber(bytes, 152, header.om_ir_version);
  PutNumber(bytes, kModelNumOffset, uint32_t{1});
  RETURN_IF_ERROR(PutText(bytes, kLayoutV2.platform_version, kPlatformVersionBytes,
                          header.platform_version, "the platform version"));
  PutNumber(bytes, kLayoutV2.platform_type, header.platform_type);
  PutNumber(bytes, kModelLengthOffset, wide ? payload_bytes : uint64_t{0});
  PutNumber(bytes, kNeedCheckOffset, static_cast<uint8_t>(header.need_check_os_cpu));
  PutNumber(bytes, kUnknownShapeOffset, static_cast<uint8_t>(header.is_unknown_shape));
  return bytes;
}

}  // namespace

std::string_view PartitionTypeName(PartitionType type) {
  const auto* const row = std::ranges::find(kPartitionTypes, type, &TypeRow::type);
  return row == kPartitionTypes.end() ? "UNKNOWN" : row->name;
}

absl::StatusOr<OmFile> OmFile::Parse(std::span<const std::byte> bytes) {
  if (bytes.size() < sizeof(kMagic) || FieldAt<uint32_t>(bytes, 0) != kMagic) {
    return NotAnOmFile(bytes);
  }
  if (bytes.size() < kHeaderBytes) {
    return InvalidArgument("header: {} of its {} bytes are there: the file is cut, copy it again",
                           bytes.size(), kHeaderBytes);
  }
  OmFile file;
  ASSIGN_OR_RETURN(file.header_, ParseHeader(bytes));
  RETURN_IF_ERROR(CheckHeader(file.header_, bytes.size()));
  const bool flow = file.header_.model_type == kFlowModelType;
  file.wide_ = file.header_.model_length != 0 || flow;

  ByteReader reader(bytes.subspan(kHeaderBytes));
  for (uint32_t model = 0; model < file.header_.model_num; ++model) {
    // Each model takes bytes or ends the loop, so a wrong model count cannot run away.
    ASSIGN_OR_RETURN(std::vector<Partition> partitions,
                     ParseModel(reader, file.wide_, flow, model));
    file.models_.push_back(std::move(partitions));
  }
  if (reader.remaining() != 0) {
    return InvalidArgument(
        "{} bytes follow the last partition, which ends at byte {}; expected none: the file is "
        "damaged",
        reader.remaining(), kHeaderBytes + reader.position());
  }
  return file;
}

const Partition* OmFile::Find(PartitionType type, size_t model) const {
  const std::span<const Partition> all = partitions(model);
  const auto found = std::ranges::find(all, type, &Partition::type);
  return found == all.end() ? nullptr : &*found;
}

absl::StatusOr<std::string> WriteOm(const Header& header, std::span<const Partition> partitions,
                                    bool wide) {
  const bool flow = header.model_type == kFlowModelType;
  if (partitions.empty() || partitions.size() > (flow ? 4096 : 8)) {
    return InvalidArgument("{} partitions cannot be written, expected 1 to {}", partitions.size(),
                           flow ? 4096 : 8);
  }
  if (flow && !wide) {
    return InvalidArgument("a flow model has wide partition tables only: ask for the wide ones");
  }
  const TableLayout layout = wide ? kWideTable : kSmallTable;
  uint64_t payload_bytes = layout.prefix_bytes + partitions.size() * layout.entry_bytes;
  for (const Partition& partition : partitions) {
    payload_bytes += partition.data.size();
  }
  if (!wide && payload_bytes > std::numeric_limits<uint32_t>::max()) {
    return InvalidArgument(
        "{} bytes do not fit the 32 bits of the small partition table: write the wide one",
        payload_bytes);
  }
  ASSIGN_OR_RETURN(std::string out, HeaderBytes(header, payload_bytes, wide));
  out.reserve(kHeaderBytes + payload_bytes);
  AppendNumber(out, static_cast<uint32_t>(partitions.size()));
  out.resize(kHeaderBytes + layout.prefix_bytes, '\0');
  uint64_t offset = 0;
  for (const Partition& partition : partitions) {
    AppendNumber(out, static_cast<uint32_t>(partition.type));
    if (wide) {
      AppendNumber(out, uint32_t{0});
      AppendNumber(out, offset);
      AppendNumber(out, uint64_t{partition.data.size()});
    } else {
      AppendNumber(out, static_cast<uint32_t>(offset));
      AppendNumber(out, static_cast<uint32_t>(partition.data.size()));
    }
    offset += partition.data.size();
  }
  for (const Partition& partition : partitions) {
    out.append(AsText(partition.data));
  }
  OMSERVE_DCHECK(out.size() == kHeaderBytes + payload_bytes, "the sizes above add up to the file");
  return out;
}

}  // namespace omserve::om
