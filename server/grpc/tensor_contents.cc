// SPDX-License-Identifier: Apache-2.0
#include "server/grpc/tensor_contents.h"

#include <cstdint>
#include <cstring>
#include <string_view>
#include <type_traits>
#include <utility>

#include "runtime/base/errors.h"
#include "runtime/base/tensor.h"

namespace omserve::server {
namespace {

constexpr std::array<const char*, kContentsFieldCount> kFieldNames = {
    "bool_contents",   "int_contents",  "int64_contents", "uint_contents",
    "uint64_contents", "fp32_contents", "fp64_contents",  "bytes_contents"};

constexpr size_t kLengthBytes = sizeof(uint32_t);  // In front of a BYTES element.

// Which field, if `tag` is one of ours in either of its forms.
bool FieldOf(uint32_t tag, ContentsField* field, bool* packed) {
  const uint32_t number = tag >> 3;
  if (number == 0 || number > kContentsFieldCount) {
    return false;
  }
  *field = static_cast<ContentsField>(number - 1);
  const auto type = static_cast<WireType>(tag & 7);
  *packed = type == WireType::kLength && *field != ContentsField::kBytes;
  switch (*field) {
    case ContentsField::kBytes:
      return type == WireType::kLength;
    case ContentsField::kFp32:
      return *packed || type == WireType::kFixed32;
    case ContentsField::kFp64:
      return *packed || type == WireType::kFixed64;
    default:
      return *packed || type == WireType::kVarint;
  }
}

// One element of a numeric field as 64 bits, as they are on the wire.
bool ReadElement(WireReader& reader, ContentsField field, uint64_t* bits) {
  if (field == ContentsField::kFp32) {
    uint32_t narrow = 0;
    const bool read = reader.ReadFixed32(&narrow);
    *bits = narrow;
    return read;
  }
  return field == ContentsField::kFp64 ? reader.ReadFixed64(bits) : reader.ReadVarint(bits);
}

// Calls take(bits) for each element of a field that stands at the reader; false when it is damaged
// or `take` returns false.
template <typename Take>
bool ReadNumbers(WireReader& reader, ContentsField field, bool packed, Take take) {
  uint64_t bits = 0;
  if (!packed) {
    return ReadElement(reader, field, &bits) && take(bits);
  }
  size_t size_bytes = 0;
  size_t outer = 0;
  if (!reader.ReadLength(&size_bytes)) {
    return false;
  }
  reader.Enter(size_bytes, &outer);
  while (!reader.at_end()) {
    if (!ReadElement(reader, field, &bits) || !take(bits)) {
      return false;
    }
  }
  reader.Leave(outer);
  return true;
}

// The type that the field has on the wire: what does not fit into 32 bits is cut off, as by the
// generated parser.
template <ContentsField field>
auto FromWire(uint64_t bits) {
  if constexpr (field == ContentsField::kBool) {
    return bits != 0;
  } else if constexpr (field == ContentsField::kInt) {
    return static_cast<int32_t>(static_cast<uint32_t>(bits));
  } else if constexpr (field == ContentsField::kInt64) {
    return static_cast<int64_t>(bits);
  } else if constexpr (field == ContentsField::kUint || field == ContentsField::kFp32) {
    return static_cast<uint32_t>(bits);  // Floats go on as the bits that they are.
  } else {
    return bits;
  }
}

// Writes elements of a field, narrowed to To.
template <ContentsField field, typename To>
class Writer final {
 public:
  explicit Writer(std::span<std::byte> out) : at_(out.data()) {}
  // False for a value that does not fit.
  bool operator()(uint64_t bits) {
    const auto value = FromWire<field>(bits);
    const To narrow = static_cast<To>(value);
    if (static_cast<std::decay_t<decltype(value)>>(narrow) != value) {
      return false;
    }
    std::memcpy(at_, &narrow, sizeof(To));
    at_ += sizeof(To);
    return true;
  }

 private:
  std::byte* at_;
};

// How elements of a datatype come: null and 0 for one without typed contents.
struct Form {
  ContentsField field = ContentsField::kBool;
  size_t element_bytes = 0;  // In the raw encoding; of BYTES, of the length alone.
};

Form FormOf(DataType type) {
  switch (type) {
    case DataType::kBool:
      return {ContentsField::kBool, 1};
    case DataType::kInt8:
      return {ContentsField::kInt, 1};
    case DataType::kInt16:
      return {ContentsField::kInt, 2};
    case DataType::kInt32:
      return {ContentsField::kInt, 4};
    case DataType::kInt64:
      return {ContentsField::kInt64, 8};
    case DataType::kUint8:
      return {ContentsField::kUint, 1};
    case DataType::kUint16:
      return {ContentsField::kUint, 2};
    case DataType::kUint32:
      return {ContentsField::kUint, 4};
    case DataType::kUint64:
      return {ContentsField::kUint64, 8};
    case DataType::kFp32:
      return {ContentsField::kFp32, 4};
    case DataType::kFp64:
      return {ContentsField::kFp64, 8};
    case DataType::kBytes:
      return {ContentsField::kBytes, kLengthBytes};
    case DataType::kFp16:
    case DataType::kBf16:
    case DataType::kInvalid:
      break;
  }
  return {};
}

// Calls take(bits) for the elements of `field` in a part that was looked at before.
template <typename Take>
bool ReadPart(WireReader reader, ContentsField wanted, Take& take) {
  while (!reader.at_end()) {
    uint32_t tag = 0;
    ContentsField field{};
    bool packed = false;
    if (!reader.ReadTag(&tag)) {
      return false;
    }
    if (!FieldOf(tag, &field, &packed) || field != wanted) {
      constexpr int kAnyDepth = 1 << 20;  // It was within bounds the first time.
      if (!reader.SkipField(tag, kAnyDepth)) {
        return false;
      }
    } else if (!ReadNumbers(reader, field, packed, [&take](uint64_t bits) { return take(bits); })) {
      return false;
    }
  }
  return true;
}

// The elements of bytes_contents in a part, each with its length in front.
std::byte* CopyTexts(WireReader reader, std::byte* at) {
  constexpr int kAnyDepth = 1 << 20;
  uint32_t tag = 0;
  while (!reader.at_end() && reader.ReadTag(&tag)) {
    ContentsField field{};
    bool packed = false;
    if (!FieldOf(tag, &field, &packed) || field != ContentsField::kBytes) {
      reader.SkipField(tag, kAnyDepth);
      continue;
    }
    size_t size_bytes = 0;
    reader.ReadLength(&size_bytes);
    const auto length = static_cast<uint32_t>(size_bytes);
    std::memcpy(at, &length, kLengthBytes);
    reader.Copy(at + kLengthBytes, size_bytes);
    at += kLengthBytes + size_bytes;
  }
  return at;
}

}  // namespace

bool TypedContents::AddPart(WireReader& reader, size_t size_bytes, int depth) {
  given_ = true;
  if (size_bytes == 0) {
    return true;
  }
  parts_.push_back(reader.RangeOf(size_bytes));
  size_t outer = 0;
  reader.Enter(size_bytes, &outer);
  while (!reader.at_end()) {
    uint32_t tag = 0;
    if (!reader.ReadTag(&tag) || !ReadField(reader, tag, depth)) {
      return false;
    }
  }
  reader.Leave(outer);
  return true;
}

bool TypedContents::ReadField(WireReader& reader, uint32_t tag, int depth) {
  ContentsField field{};
  bool packed = false;
  if (!FieldOf(tag, &field, &packed)) {
    return reader.SkipField(tag, depth);
  }
  size_t& count = counts_[static_cast<size_t>(field)];
  if (field == ContentsField::kBytes) {
    size_t size_bytes = 0;
    if (!reader.ReadLength(&size_bytes) || !reader.Skip(size_bytes)) {
      return false;
    }
    ++count;
    text_bytes_ += size_bytes;
    return true;
  }
  return ReadNumbers(reader, field, packed, [&count](uint64_t) {
    ++count;
    return true;
  });
}

absl::StatusOr<size_t> TypedContents::EncodedBytes(const ContentsOwner& owner) const {
  const DataType type = DataTypeFromName(owner.datatype);
  const std::string shown_type = owner.datatype.substr(0, 64);
  if (type == DataType::kInvalid) {
    return InvalidArgument("input '{}' for model '{}': '{}' is no data type of the protocol",
                           owner.tensor, owner.model, shown_type);
  }
  const Form form = FormOf(type);
  if (form.element_bytes == 0) {
    return InvalidArgument(
        "input '{}' for model '{}': data of type {} can only be sent in raw_input_contents",
        owner.tensor, owner.model, shown_type);
  }
  for (size_t field = 0; field < kContentsFieldCount; ++field) {
    if (counts_[field] > 0 && field != static_cast<size_t>(form.field)) {
      return InvalidArgument(
          "unexpected explicit tensor data for input tensor '{}' for model '{}' of type '{}': got "
          "{}, expected {}",
          owner.tensor, owner.model, shown_type, kFieldNames[field],
          kFieldNames[static_cast<size_t>(form.field)]);
    }
  }
  return count(form.field) * form.element_bytes +
         (form.field == ContentsField::kBytes ? text_bytes_ : 0);
}

absl::Status TypedContents::Encode(std::span<const std::span<const std::byte>> pieces,
                                   const ContentsOwner& owner, std::span<std::byte> out) const {
  const DataType type = DataTypeFromName(owner.datatype);
  const Form form = FormOf(type);
  size_t written = 0;
  const auto write = [&](auto writer) {
    auto take = [&](uint64_t bits) {
      const bool fits = writer(bits);
      written += fits ? 1 : 0;
      return fits;
    };
    for (const WireReader::Range& part : parts_) {
      if (!ReadPart(WireReader(pieces, part), form.field, take)) {
        return InvalidArgument("input '{}' for model '{}': element {} of {} does not fit {}",
                               owner.tensor, owner.model, written,
                               kFieldNames[static_cast<size_t>(form.field)], owner.datatype);
      }
    }
    return absl::OkStatus();
  };
  using F = ContentsField;
  switch (type) {
    case DataType::kBool:
      return write(Writer<F::kBool, uint8_t>(out));
    case DataType::kInt8:
      return write(Writer<F::kInt, int8_t>(out));
    case DataType::kInt16:
      return write(Writer<F::kInt, int16_t>(out));
    case DataType::kInt32:
      return write(Writer<F::kInt, int32_t>(out));
    case DataType::kUint8:
      return write(Writer<F::kUint, uint8_t>(out));
    case DataType::kUint16:
      return write(Writer<F::kUint, uint16_t>(out));
    case DataType::kUint32:
      return write(Writer<F::kUint, uint32_t>(out));
    case DataType::kFp32:
      return write(Writer<F::kFp32, uint32_t>(out));
    case DataType::kInt64:
      return write(Writer<F::kInt64, int64_t>(out));
    case DataType::kUint64:
      return write(Writer<F::kUint64, uint64_t>(out));
    case DataType::kFp64:
      return write(Writer<F::kFp64, uint64_t>(out));
    case DataType::kBytes: {
      std::byte* at = out.data();
      for (const WireReader::Range& part : parts_) {
        at = CopyTexts(WireReader(pieces, part), at);
      }
      return absl::OkStatus();
    }
    case DataType::kFp16:
    case DataType::kBf16:
    case DataType::kInvalid:
      break;
  }
  return absl::OkStatus();  // EncodedBytes has refused those.
}

}  // namespace omserve::server
