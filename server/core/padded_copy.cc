// SPDX-License-Identifier: Apache-2.0
#include "server/core/padded_copy.h"

#include <algorithm>
#include <cmath>
#include <cstring>
#include <functional>
#include <limits>
#include <numeric>
#include <vector>

#include "runtime/base/errors.h"

namespace omserve::server {
namespace {

int64_t Product(std::span<const int64_t> dims) {
  return std::accumulate(dims.begin(), dims.end(), int64_t{1}, std::multiplies<>());
}

// The last dim in which the two differ; 0 when none does.
size_t LastPadded(std::span<const int64_t> dims, std::span<const int64_t> padded) {
  for (size_t d = dims.size(); d > 0; --d) {
    if (dims[d - 1] != padded[d - 1]) {
      return d - 1;
    }
  }
  return 0;
}

// Calls visit(offset) with the element at which each contiguous run of the tensor begins in the
// padded one, in the tensor's order. A run has Product(dims from LastPadded on) elements.
template <typename Visit>
void ForEachRun(std::span<const int64_t> dims, std::span<const int64_t> padded, Visit visit) {
  const size_t outer = LastPadded(dims, padded);
  const int64_t runs = Product(dims.first(outer));
  std::vector<int64_t> at(outer, 0);
  for (int64_t run = 0; run < runs; ++run) {
    int64_t offset = 0;
    for (size_t d = 0; d < outer; ++d) {
      offset = offset * padded[d] + at[d];
    }
    visit(static_cast<size_t>(offset * Product(padded.subspan(outer))));
    for (size_t d = outer; d > 0 && ++at[d - 1] == dims[d - 1]; --d) {
      at[d - 1] = 0;
    }
  }
}

template <typename T>
absl::StatusOr<ElementBytes> As(DataType type, double value) {
  constexpr bool kInteger = std::numeric_limits<T>::is_integer;
  if (!std::isfinite(value) ||
      (kInteger &&
       (value < static_cast<double>(std::numeric_limits<T>::lowest()) ||
        value >= std::ldexp(1.0, std::numeric_limits<T>::digits) || value != std::trunc(value)))) {
    return InvalidArgument("{} is no {}", value, DataTypeName(type));
  }
  const T element = static_cast<T>(value);
  ElementBytes bytes{};
  std::memcpy(bytes.data(), &element, sizeof(T));
  return bytes;
}

}  // namespace

absl::StatusOr<ElementBytes> ToElement(DataType type, double value) {
  switch (type) {
    case DataType::kBool:
      if (value != 0 && value != 1) {
        return InvalidArgument("{} is no BOOL: write 0 or 1", value);
      }
      return As<uint8_t>(type, value);
    case DataType::kUint8:
      return As<uint8_t>(type, value);
    case DataType::kUint16:
      return As<uint16_t>(type, value);
    case DataType::kUint32:
      return As<uint32_t>(type, value);
    case DataType::kUint64:
      return As<uint64_t>(type, value);
    case DataType::kInt8:
      return As<int8_t>(type, value);
    case DataType::kInt16:
      return As<int16_t>(type, value);
    case DataType::kInt32:
      return As<int32_t>(type, value);
    case DataType::kInt64:
      return As<int64_t>(type, value);
    case DataType::kFp32:
      return As<float>(type, value);
    case DataType::kFp64:
      return As<double>(type, value);
    case DataType::kFp16:
    case DataType::kBf16:
      if (value != 0) {
        return InvalidArgument("{} tensors are padded with 0 only, got {}", DataTypeName(type),
                               value);
      }
      return ElementBytes{};
    case DataType::kBytes:
    case DataType::kInvalid:
      break;
  }
  return InvalidArgument("{} tensors cannot be padded", DataTypeName(type));
}

void CopyPadded(const PadSpec& spec, std::span<const std::span<const std::byte>> pieces,
                std::span<std::byte> to) {
  if (spec.fill == ElementBytes{}) {
    std::memset(to.data(), 0, to.size());
  } else {
    for (size_t at = 0; at < to.size(); at += spec.element_bytes) {
      std::memcpy(to.data() + at, spec.fill.data(), spec.element_bytes);
    }
  }
  const size_t outer = LastPadded(spec.dims, spec.padded);
  const size_t run_bytes =
      static_cast<size_t>(Product(spec.dims.subspan(outer))) * spec.element_bytes;
  size_t piece = 0;
  size_t used = 0;  // Of the piece.
  ForEachRun(spec.dims, spec.padded, [&](size_t offset) {
    std::byte* target = to.data() + offset * spec.element_bytes;
    for (size_t left = run_bytes; left > 0;) {
      if (used == pieces[piece].size()) {
        ++piece;
        used = 0;
        continue;
      }
      const size_t size = std::min(left, pieces[piece].size() - used);
      std::memcpy(target, pieces[piece].data() + used, size);
      target += size;
      used += size;
      left -= size;
    }
  });
}

void CopyCut(const PadSpec& spec, std::span<const std::byte> padded, std::span<std::byte> to) {
  const size_t outer = LastPadded(spec.dims, spec.padded);
  const size_t run_bytes =
      static_cast<size_t>(Product(spec.dims.subspan(outer))) * spec.element_bytes;
  std::byte* target = to.data();
  ForEachRun(spec.dims, spec.padded, [&](size_t offset) {
    std::memcpy(target, padded.data() + offset * spec.element_bytes, run_bytes);
    target += run_bytes;
  });
}

bool IsPrefix(std::span<const int64_t> dims, std::span<const int64_t> padded) {
  return Product(dims.first(LastPadded(dims, padded))) == 1;
}

}  // namespace omserve::server
