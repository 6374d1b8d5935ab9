// SPDX-License-Identifier: Apache-2.0
#include "runtime/om/bundle.h"

#include "runtime/base/errors.h"
#include "runtime/om/byte_reader.h"
#include "runtime/om/om_header.h"

namespace omserve::om {
namespace {

constexpr size_t kTablePrefixBytes = 8;
constexpr size_t kEntryBytes = 24;
constexpr uint32_t kMostEntries = 4096;  // As for flow models; no bundle comes near.

absl::Status CheckHeader(const Header& header, size_t file_bytes) {
  if (header.model_type != kBundleModelType) {
    return InvalidArgument("header: model type {} at byte 82, a bundle has {}", header.model_type,
                           kBundleModelType);
  }
  if (header.is_encrypted) {
    return InvalidArgument(
        "header: the bundle is marked as encrypted (byte 80), only plain files can be read: "
        "compile the models without encryption");
  }
  if (header.model_length != file_bytes) {
    return InvalidArgument(
        "header: model_length at byte 184 says that the bundle has {} bytes, but it has {}: the "
        "file is cut or damaged, copy it again",
        header.model_length, file_bytes);
  }
  return absl::OkStatus();
}

}  // namespace

absl::StatusOr<Bundle> ParseBundle(std::span<const std::byte> bytes) {
  Bundle bundle;
  ASSIGN_OR_RETURN(bundle.header, ParseHeader(bytes));
  RETURN_IF_ERROR(CheckHeader(bundle.header, bytes.size()));
  const std::span<const std::byte> payload = bytes.subspan(kHeaderBytes);
  ByteReader reader(payload);
  const auto prefix = reader.Take(kTablePrefixBytes);
  const uint32_t count = prefix.has_value() ? FieldAt<uint32_t>(*prefix, 0) : 0;
  const auto table = reader.Take(uint64_t{count} * kEntryBytes);
  if (count == 0 || count > kMostEntries || !table.has_value()) {
    return InvalidArgument(
        "bundle: the table at byte {} says {} entries and {} bytes follow, expected 1 to {} "
        "entries "
        "of {} bytes: the file is damaged",
        kHeaderBytes, count, reader.remaining(), kMostEntries, kEntryBytes);
  }
  for (size_t i = 0; i < count; ++i) {
    const auto entry = table->subspan(i * kEntryBytes, kEntryBytes);
    const auto type = static_cast<PartitionType>(FieldAt<uint32_t>(entry, 0));
    const auto offset = FieldAt<uint64_t>(entry, 8);
    const auto size = FieldAt<uint64_t>(entry, 16);
    // Written so that no sum can overflow.
    if (offset < reader.position() || offset > payload.size() || size > payload.size() - offset) {
      return InvalidArgument(
          "bundle: entry {} ({}) of {} bytes at offset {} is not between the table, which ends at "
          "{}, and the end at {}: the file is damaged",
          i, PartitionTypeName(type), size, offset, reader.position(), payload.size());
    }
    const auto data = payload.subspan(static_cast<size_t>(offset), static_cast<size_t>(size));
    if (type == PartitionType::kBundleModelInfo) {
      bundle.models.push_back(data);
    } else if (type == PartitionType::kBundleModelVarInfo && size >= sizeof(uint64_t)) {
      bundle.variable_bytes = FieldAt<uint64_t>(data, 0);
    }
  }
  if (bundle.models.empty()) {
    return InvalidArgument("bundle: none of its {} entries is a model ({}): the file is damaged",
                           count, PartitionTypeName(PartitionType::kBundleModelInfo));
  }
  return bundle;
}

}  // namespace omserve::om
