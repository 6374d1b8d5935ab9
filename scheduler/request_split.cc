// SPDX-License-Identifier: Apache-2.0
#include "scheduler/request_split.h"

#include <algorithm>
#include <cstring>
#include <memory>
#include <string_view>
#include <utility>

#include "runtime/base/bytes_tensor.h"
#include "runtime/base/errors.h"

namespace omserve::scheduler {
namespace {

// Bytes of the next `elements` elements.
absl::StatusOr<size_t> EncodedBytes(BytesTensorReader& reader, int64_t elements) {
  size_t bytes = 0;
  for (int64_t i = 0; i < elements; ++i) {
    ASSIGN_OR_RETURN(const std::string_view element, reader.Next());
    bytes += EncodedBytesSize(element);
  }
  return bytes;
}

}  // namespace

std::vector<int> PartRows(int rows, int most) {
  std::vector<int> parts(static_cast<size_t>(rows / most), most);
  if (rows % most != 0) {
    parts.push_back(rows % most);
  }
  return parts;
}

absl::StatusOr<std::vector<std::span<const std::byte>>> SplitRows(DataType type,
                                                                  std::span<const int64_t> dims,
                                                                  std::span<const std::byte> bytes,
                                                                  std::span<const int> part_rows) {
  std::vector<std::span<const std::byte>> parts;
  BytesTensorReader reader(bytes);
  const int64_t row_elements = ElementCount(dims.subspan(1)).value_or(0);
  const size_t row_bytes = bytes.size() / static_cast<size_t>(dims.front());
  size_t at = 0;
  for (const int rows : part_rows) {
    size_t size = static_cast<size_t>(rows) * row_bytes;
    if (type == DataType::kBytes) {
      ASSIGN_OR_RETURN(size, EncodedBytes(reader, rows * row_elements));
    }
    parts.push_back(bytes.subspan(at, size));
    at += size;
  }
  return parts;
}

absl::StatusOr<ResponseOutput> JoinRows(std::span<const ResponseOutput* const> parts,
                                        memory::HostPool& pool) {
  ResponseOutput joined = *parts.front();
  bool in_place = true;
  size_t size_bytes = parts.front()->bytes.size();
  for (const ResponseOutput* part : parts.subspan(1)) {
    if (part->dims.empty() || !std::equal(part->dims.begin() + 1, part->dims.end(),
                                          joined.dims.begin() + 1, joined.dims.end())) {
      return Internal("parts of a request have outputs of dims {} and {}",
                      DimsToString(joined.dims), DimsToString(part->dims));
    }
    joined.dims.front() += part->dims.front();
    in_place = in_place && part->owner == joined.owner &&
               part->bytes.data() == parts.front()->bytes.data() + size_bytes;
    size_bytes += part->bytes.size();
  }
  if (in_place) {
    joined.bytes = {parts.front()->bytes.data(), size_bytes};
    return joined;
  }
  ASSIGN_OR_RETURN(memory::HostBlock block, pool.Allocate(size_bytes));
  auto owner = std::make_shared<memory::HostBlock>(std::move(block));
  std::byte* to = owner->bytes().data();
  for (const ResponseOutput* part : parts) {
    if (!part->bytes.empty()) {
      std::memcpy(to, part->bytes.data(), part->bytes.size());
      to += part->bytes.size();
    }
  }
  joined.bytes = owner->bytes();
  joined.owner = std::move(owner);
  return joined;
}

}  // namespace omserve::scheduler
