// SPDX-License-Identifier: Apache-2.0
#include "runtime/om/om_file.h"

#include <algorithm>
#include <limits>
#include <optional>
#include <utility>

#include "runtime/base/check.h"
#include "runtime/base/errors.h"
#include "runtime/om/byte_reader.h"
#include "runtime/om/om_header.h"

namespace omserve::om {
namespace {

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

absl::Status CheckHeader(const Header& header, size_t file_bytes) {
  if (header.model_type == kBundleModelType) {
    return InvalidArgument(
        "header: a bundle of several models (model type {}), which is not served as one: compile "
        "each model into an .om file of its own",
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

}  // namespace

std::string_view ModelTypeName(uint8_t model_type) {
  constexpr std::array<std::string_view, 6> kNames = {"IR model", "standard", "tiny",
                                                      "flow",     "lite",     "bundle"};
  return model_type < kNames.size() ? kNames.at(model_type) : "unknown";
}

std::string_view PartitionTypeName(PartitionType type) {
  const auto* const row = std::ranges::find(kPartitionTypes, type, &TypeRow::type);
  return row == kPartitionTypes.end() ? "UNKNOWN" : row->name;
}

absl::StatusOr<OmFile> OmFile::Parse(std::span<const std::byte> bytes) {
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
  ASSIGN_OR_RETURN(std::string out, WriteHeader(header, payload_bytes, wide));
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
