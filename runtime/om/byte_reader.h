// SPDX-License-Identifier: Apache-2.0
// Walks bytes from outside. Every read says whether the bytes were there; nothing else can go
// wrong. Little endian, as every part of an `.om` file.
#pragma once

#include <bit>
#include <cstddef>
#include <cstdint>
#include <cstring>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <type_traits>

namespace omserve::om {

static_assert(std::endian::native == std::endian::little,
              "fields of .om files are copied as they are, which needs a little-endian machine");

// Thread-compatible. A view: the bytes must outlive it.
class ByteReader final {
 public:
  explicit ByteReader(std::span<const std::byte> bytes) : bytes_(bytes) {}

  size_t position() const { return position_; }
  size_t remaining() const { return bytes_.size() - position_; }

  // The next `size_bytes` bytes; nullopt, and no step forward, when there are fewer.
  std::optional<std::span<const std::byte>> Take(uint64_t size_bytes) {
    if (size_bytes > remaining()) {
      return std::nullopt;
    }
    const auto taken = bytes_.subspan(position_, static_cast<size_t>(size_bytes));
    position_ += taken.size();
    return taken;
  }

  // The next number; nullopt, and no step forward, when it does not fit.
  template <typename T>
  std::optional<T> Read() {
    static_assert(std::is_integral_v<T>);
    const auto taken = Take(sizeof(T));
    if (!taken.has_value()) {
      return std::nullopt;
    }
    T value{};
    std::memcpy(&value, taken->data(), sizeof(T));
    return value;
  }

 private:
  std::span<const std::byte> bytes_;
  size_t position_ = 0;
};

// The bytes as text; no copy, no check of the encoding.
inline std::string_view AsText(std::span<const std::byte> bytes) {
  return {reinterpret_cast<const char*>(bytes.data()), bytes.size()};
}

inline std::span<const std::byte> AsBytes(std::string_view text) {
  return std::as_bytes(std::span(text.data(), text.size()));
}

// The number at `offset`. Requires that its bytes are there.
template <typename T>
T FieldAt(std::span<const std::byte> bytes, size_t offset) {
  static_assert(std::is_integral_v<T>);
  T value{};
  std::memcpy(&value, bytes.data() + offset, sizeof(T));
  return value;
}

template <typename T>
void AppendNumber(std::string& out, T value) {
  static_assert(std::is_integral_v<T>);
  char bytes[sizeof(T)];
  std::memcpy(bytes, &value, sizeof(T));
  out.append(bytes, sizeof(T));
}

}  // namespace omserve::om
