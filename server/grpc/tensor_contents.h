// SPDX-License-Identifier: Apache-2.0
// Typed contents of an input, which are looked at where they stand in the message and converted
// into the raw encoding that everything else here uses.
#pragma once

#include <array>
#include <cstddef>
#include <span>
#include <string>
#include <vector>

#include "absl/status/statusor.h"
#include "server/grpc/wire_reader.h"

namespace omserve::server {

// The fields of an InferTensorContents; a field's number is one more than its value.
enum class ContentsField : size_t { kBool, kInt, kInt64, kUint, kUint64, kFp32, kFp64, kBytes };
inline constexpr size_t kContentsFieldCount = 8;

// Whose contents they are, for messages.
struct ContentsOwner {
  const std::string& tensor;
  const std::string& datatype;
  const std::string& model;
};

// The contents of one input. A message may bring them in parts, and each part any field, packed or
// not: what counts is every element of a field in the order met. Points into the message's pieces.
// Thread-compatible.
class TypedContents final {
 public:
  // Takes a part in: the next `size_bytes` bytes of `reader`, all of which are there and are
  // consumed. False when they are no InferTensorContents. `depth`: how many more levels may follow.
  bool AddPart(WireReader& reader, size_t size_bytes, int depth);

  // Whether there was a part, though it may have been empty.
  bool given() const { return given_; }
  size_t count(ContentsField field) const { return counts_[static_cast<size_t>(field)]; }

  // The size of the raw encoding. Errors: kInvalidArgument when the contents are not those of the
  // datatype, or when it has none (FP16 and BF16 are raw only).
  absl::StatusOr<size_t> EncodedBytes(const ContentsOwner& owner) const;
  // Writes the raw encoding: little-endian elements in the order given, BYTES elements with their
  // lengths in front. Requires that EncodedBytes gave out.size(), and `pieces` of the message.
  // Errors: kInvalidArgument for a value that does not fit the datatype.
  absl::Status Encode(std::span<const std::span<const std::byte>> pieces,
                      const ContentsOwner& owner, std::span<std::byte> out) const;

 private:
  bool ReadField(WireReader& reader, uint32_t tag, int depth);

  bool given_ = false;
  std::array<size_t, kContentsFieldCount> counts_{};
  size_t text_bytes_ = 0;  // Of the elements of bytes_contents.
  std::vector<WireReader::Range> parts_;
};

}  // namespace omserve::server
