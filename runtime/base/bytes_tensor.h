// SPDX-License-Identifier: Apache-2.0
// The encoding of BYTES tensors: for each element, in row-major order, its length as u32
// little-endian and then its bytes, with no terminator and no padding.
//
// Source: KServe v2 with Triton's raw tensor contents; REST binary data, gRPC raw contents and
// shared memory all use it.
#pragma once

#include <cstddef>
#include <cstdint>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "absl/status/statusor.h"

namespace omserve {

// Bytes in front of each element.
inline constexpr size_t kBytesLengthSize = 4;

// Walks the elements in order without copying them. Views point into `encoded`, which outlives
// them. Thread-compatible.
class BytesTensorReader final {
 public:
  explicit BytesTensorReader(std::span<const std::byte> encoded) : encoded_(encoded) {}

  bool AtEnd() const { return at_ == encoded_.size(); }
  // The next element. kInvalidArgument when its length or its bytes are cut off, naming the
  // element, the bytes it needs and the bytes that are left; also at the end.
  absl::StatusOr<std::string_view> Next();

 private:
  std::span<const std::byte> encoded_;
  size_t at_ = 0;
  int64_t element_ = 0;
};

// Whether `encoded` is exactly `count` elements. Allocates nothing, so that it may be asked of any
// request. kInvalidArgument as for Next, for bytes left over, and for a negative count.
absl::Status CheckBytesTensor(std::span<const std::byte> encoded, int64_t count);

// The elements of `encoded`, which must be exactly `count`. Errors as for CheckBytesTensor.
absl::StatusOr<std::vector<std::string_view>> DecodeBytesTensor(std::span<const std::byte> encoded,
                                                                int64_t count);

// Bytes `element` takes when encoded.
inline size_t EncodedBytesSize(std::string_view element) {
  return kBytesLengthSize + element.size();
}

// Writes elements one after the other into `buffer`. Thread-compatible.
class BytesTensorWriter final {
 public:
  explicit BytesTensorWriter(std::span<std::byte> buffer) : buffer_(buffer) {}

  // kInvalidArgument when the element is 4 GiB or longer; kInternal when `buffer` is too short,
  // which is a mistake of whoever sized it. Nothing is written then.
  absl::Status Append(std::string_view element);
  size_t bytes_used() const { return used_; }

 private:
  std::span<std::byte> buffer_;
  size_t used_ = 0;
};

// Appends `element` to `encoded`, which grows. kInvalidArgument when it is 4 GiB or longer.
absl::Status AppendBytesElement(std::string_view element, std::string* encoded);

}  // namespace omserve
