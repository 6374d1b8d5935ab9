// SPDX-License-Identifier: Apache-2.0
#include "runtime/sealed/cms_outline.h"

#include <openssl/asn1.h>

#include <algorithm>
#include <array>
#include <cstdint>
#include <optional>
#include <string_view>

#include "runtime/base/errors.h"
#include "runtime/sealed/file_keys.h"
#include "runtime/sealed/openssl_handles.h"

namespace omserve::sealed {
namespace {

using Bytes = std::span<const std::byte>;

// The contents of object identifiers in DER.
constexpr uint8_t kAuthEnvelopedData[] = {
    0x2a, 0x86, 0x48, 0x86, 0xf7, 0x0d,
    0x01, 0x09, 0x10, 0x01, 0x17};  // 1.2.840.113549.1.9.16.1.23
constexpr uint8_t kData[] = {0x2a, 0x86, 0x48, 0x86, 0xf7,
                             0x0d, 0x01, 0x07, 0x01};  // 1.2.840.113549.1.7.1
constexpr uint8_t kAes256Gcm[] = {0x60, 0x86, 0x48, 0x01, 0x65,
                                  0x03, 0x04, 0x01, 0x2e};  // 2.16.840.1.101.3.4.1.46
constexpr uint8_t kVersion[] = {0};
constexpr uint8_t kTagLength[] = {kTagBytes};
constexpr size_t kNonceBytes = 12;
constexpr int kContextTag0 = 0;

struct Element {
  int tag;
  int tag_class;
};
constexpr Element kSequence = {V_ASN1_SEQUENCE, V_ASN1_UNIVERSAL};
constexpr Element kSet = {V_ASN1_SET, V_ASN1_UNIVERSAL};
constexpr Element kObject = {V_ASN1_OBJECT, V_ASN1_UNIVERSAL};
constexpr Element kInteger = {V_ASN1_INTEGER, V_ASN1_UNIVERSAL};
constexpr Element kOctets = {V_ASN1_OCTET_STRING, V_ASN1_UNIVERSAL};
constexpr Element kTagged0 = {kContextTag0, V_ASN1_CONTEXT_SPECIFIC};

// Takes elements from the front, and remembers the first that was not as expected: what is taken
// from then on is empty.
class Walk final {
 public:
  // The next element's contents.
  Bytes Take(Bytes& from, Element expected, std::string_view name) {
    const auto* at = reinterpret_cast<const unsigned char*>(from.data());
    const auto* const begin = at;
    int64_t length = 0;
    int tag = 0;
    int tag_class = 0;
    constexpr int kIndefiniteOrError = 0x81;
    const int kind = Next(&at, &length, &tag, &tag_class, from.size());
    if (failed_.has_value() || (kind & kIndefiniteOrError) != 0 || tag != expected.tag ||
        tag_class != expected.tag_class) {
      Fail(name);
      from = {};
      return {};
    }
    const auto header = static_cast<size_t>(at - begin);
    const Bytes contents = from.subspan(header, static_cast<size_t>(length));
    from = from.subspan(header + contents.size());
    return contents;
  }
  void TakeExactly(Bytes& from, Element expected, std::span<const uint8_t> contents,
                   std::string_view name) {
    if (!std::ranges::equal(Take(from, expected, name), std::as_bytes(contents))) {
      Fail(name);
    }
  }
  void TakeSized(Bytes& from, Element expected, size_t size_bytes, std::string_view name) {
    if (Take(from, expected, name).size() != size_bytes) {
      Fail(name);
    }
  }
  void End(Bytes from, std::string_view name) {
    if (!from.empty()) {
      Fail(name);
    }
  }

  absl::Status ToStatus() const {
    return failed_.has_value()
               ? InvalidArgument(
                     "key section: {} is not as omserve writes it (CMS AuthEnvelopedData, "
                     "AES-256-GCM); the file was changed or made by something else",
                     *failed_)
               : absl::OkStatus();
  }

 private:
  // ASN1_get_object, whose types are those of C.
  static int Next(const unsigned char** at, int64_t* length, int* tag, int* tag_class,
                  size_t size) {
    if (size == 0) {
      return 0x80;
    }
    long bytes = 0;  // NOLINT(google-runtime-int): OpenSSL's.
    const int kind =
        ASN1_get_object(at, &bytes, tag, tag_class, static_cast<long>(size));  // NOLINT
    *length = bytes;
    return kind;
  }
  void Fail(std::string_view name) {
    if (!failed_.has_value()) {
      failed_ = name;
    }
  }

  std::optional<std::string_view> failed_;
};

}  // namespace

absl::Status CheckCmsOutline(Bytes der) {
  Walk walk;
  Bytes rest = der;
  Bytes info = walk.Take(rest, kSequence, "ContentInfo");
  walk.End(rest, "what stands behind ContentInfo");
  walk.TakeExactly(info, kObject, kAuthEnvelopedData, "contentType");
  Bytes tagged = walk.Take(info, kTagged0, "content");
  walk.End(info, "what stands behind content");
  Bytes enveloped = walk.Take(tagged, kSequence, "AuthEnvelopedData");
  walk.End(tagged, "what stands behind AuthEnvelopedData");
  walk.TakeExactly(enveloped, kInteger, kVersion, "version");
  walk.Take(enveloped, kSet, "recipientInfos");
  Bytes content = walk.Take(enveloped, kSequence, "authEncryptedContentInfo");
  walk.TakeSized(enveloped, kOctets, kTagBytes, "mac");
  walk.End(enveloped, "what stands behind mac");

  walk.TakeExactly(content, kObject, kData, "the encrypted content's type");
  Bytes algorithm = walk.Take(content, kSequence, "contentEncryptionAlgorithm");
  walk.TakeExactly(algorithm, kObject, kAes256Gcm, "contentEncryptionAlgorithm");
  Bytes parameters = walk.Take(algorithm, kSequence, "GCMParameters");
  walk.End(algorithm, "what stands behind GCMParameters");
  walk.TakeSized(parameters, kOctets, kNonceBytes, "aes-nonce");
  walk.TakeExactly(parameters, kInteger, kTagLength, "aes-ICVlen");
  walk.End(parameters, "what stands behind aes-ICVlen");
  walk.TakeSized(content, kTagged0, kKeyBytes, "encryptedContent");
  walk.End(content, "what stands behind encryptedContent");
  OpensslErrorText();
  return walk.ToStatus();
}

}  // namespace omserve::sealed
