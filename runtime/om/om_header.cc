// SPDX-License-Identifier: Apache-2.0
#include "runtime/om/om_header.h"

#include <algorithm>
#include <limits>

#include "runtime/base/errors.h"
#include "runtime/om/byte_reader.h"

namespace omserve::om {
namespace {

constexpr size_t kModelTypeOffset = 82;
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
  if (KindOf(bytes) == FileKind::kOm2) {
    return InvalidArgument(
        "not an .om file of the classic form: a ZIP archive, as the om2 form of CANN 9 is; {}: "
        "compile the model into the classic form",
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

}  // namespace

FileKind KindOf(std::span<const std::byte> bytes) {
  if (AsText(bytes).starts_with("PK\x03\x04")) {
    return FileKind::kOm2;
  }
  if (bytes.size() < sizeof(kMagic) || FieldAt<uint32_t>(bytes, 0) != kMagic) {
    return FileKind::kOther;
  }
  const bool bundle = bytes.size() > kModelTypeOffset &&
                      FieldAt<uint8_t>(bytes, kModelTypeOffset) == kBundleModelType;
  return bundle ? FileKind::kBundle : FileKind::kOm;
}

absl::StatusOr<Header> ParseHeader(std::span<const std::byte> bytes) {
  const FileKind kind = KindOf(bytes);
  if (kind != FileKind::kOm && kind != FileKind::kBundle) {
    return NotAnOmFile(bytes);
  }
  if (bytes.size() < kHeaderBytes) {
    return InvalidArgument("header: {} of its {} bytes are there: the file is cut, copy it again",
                           bytes.size(), kHeaderBytes);
  }
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
  header.model_type = FieldAt<uint8_t>(bytes, kModelTypeOffset);
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

absl::StatusOr<std::string> WriteHeader(const Header& header, uint64_t payload_bytes, bool wide) {
  std::string bytes(kHeaderBytes, '\0');
  PutNumber(bytes, 0, kMagic);
  PutNumber(bytes, 4, static_cast<uint32_t>(kHeaderBytes));
  PutNumber(bytes, 8, kVersion2);
  PutNumber(bytes, 76, wide ? uint32_t{0} : static_cast<uint32_t>(payload_bytes));
  PutNumber(bytes, 80, static_cast<uint8_t>(header.is_encrypted));
  PutNumber(bytes, kModelTypeOffset, header.model_type);
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

}  // namespace omserve::om
