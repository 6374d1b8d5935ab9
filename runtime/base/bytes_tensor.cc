// SPDX-License-Identifier: Apache-2.0
#include "runtime/base/bytes_tensor.h"

#include <algorithm>
#include <array>
#include <cstring>
#include <limits>

#include "runtime/base/errors.h"

namespace omserve {
namespace {

// By shifts rather than memcpy, so that the byte order of the machine does not matter.
uint32_t LoadLength(const std::byte* from) {
  uint32_t length = 0;
  for (size_t i = 0; i < kBytesLengthSize; ++i) {
    length |= std::to_integer<uint32_t>(from[i]) << (8 * i);
  }
  return length;
}

absl::StatusOr<std::array<char, kBytesLengthSize>> EncodeLength(std::string_view element) {
  if (element.size() > std::numeric_limits<uint32_t>::max()) {
    return InvalidArgument(
        "BYTES element of {} bytes: expected at most {}, because its length is "
        "a 32-bit number; send it in pieces",
        element.size(), std::numeric_limits<uint32_t>::max());
  }
  const auto length = static_cast<uint32_t>(element.size());
  std::array<char, kBytesLengthSize> encoded{};
  for (size_t i = 0; i < kBytesLengthSize; ++i) {
    encoded.at(i) = static_cast<char>((length >> (8 * i)) & 0xffU);
  }
  return encoded;
}

}  // namespace

absl::StatusOr<std::string_view> BytesTensorReader::Next() {
  const size_t left = encoded_.size() - at_;
  if (left < kBytesLengthSize) {
    return InvalidArgument("BYTES element {}: {} bytes are left, expected {} for its length",
                           element_, left, kBytesLengthSize);
  }
  const size_t length = LoadLength(encoded_.data() + at_);
  if (length > left - kBytesLengthSize) {
    return InvalidArgument("BYTES element {}: its length is {}, but only {} bytes are left",
                           element_, length, left - kBytesLengthSize);
  }
  const std::span<const std::byte> element = encoded_.subspan(at_ + kBytesLengthSize, length);
  at_ += kBytesLengthSize + length;
  ++element_;
  return std::string_view(reinterpret_cast<const char*>(element.data()), element.size());
}

absl::Status CheckBytesTensor(std::span<const std::byte> encoded, int64_t count) {
  if (count < 0) {
    return InvalidArgument("BYTES tensor of {} elements: expected 0 or more", count);
  }
  BytesTensorReader reader(encoded);
  for (int64_t i = 0; i < count; ++i) {
    if (reader.AtEnd()) {
      return InvalidArgument("BYTES tensor of {} bytes holds {} elements, expected {}",
                             encoded.size(), i, count);
    }
    RETURN_IF_ERROR(reader.Next().status());
  }
  if (!reader.AtEnd()) {
    return InvalidArgument(
        "BYTES tensor of {} bytes has bytes left after element {}, expected {} "
        "elements",
        encoded.size(), count - 1, count);
  }
  return absl::OkStatus();
}

absl::StatusOr<std::vector<std::string_view>> DecodeBytesTensor(std::span<const std::byte> encoded,
                                                                int64_t count) {
  // Checked first, so that a count nobody sent the bytes for reserves nothing.
  RETURN_IF_ERROR(CheckBytesTensor(encoded, count));
  std::vector<std::string_view> elements;
  elements.reserve(static_cast<size_t>(count));
  BytesTensorReader reader(encoded);
  while (!reader.AtEnd()) {
    ASSIGN_OR_RETURN(const std::string_view element, reader.Next());
    elements.push_back(element);
  }
  return elements;
}

absl::Status BytesTensorWriter::Append(std::string_view element) {
  ASSIGN_OR_RETURN(const auto length, EncodeLength(element));
  if (EncodedBytesSize(element) > buffer_.size() - used_) {
    return Internal("BYTES element of {} bytes does not fit: {} of {} bytes are used",
                    element.size(), used_, buffer_.size());
  }
  std::memcpy(buffer_.data() + used_, length.data(), length.size());
  // An empty view may have a null pointer, which memcpy does not take even for no bytes.
  if (!element.empty()) {
    std::memcpy(buffer_.data() + used_ + length.size(), element.data(), element.size());
  }
  used_ += EncodedBytesSize(element);
  return absl::OkStatus();
}

absl::Status AppendBytesElement(std::string_view element, std::string* encoded) {
  ASSIGN_OR_RETURN(const auto length, EncodeLength(element));
  encoded->append(length.data(), length.size());
  encoded->append(element);
  return absl::OkStatus();
}

}  // namespace omserve
