// SPDX-License-Identifier: Apache-2.0
#include "runtime/sealed/cms_recipient.h"

#include <algorithm>
#include <array>
#include <cstdint>

#include "runtime/base/errors.h"

namespace omserve::sealed {
namespace {

// RSAES-OAEP-params (RFC 8017, A.2.1) with SHA-256, MGF1 with SHA-256 and no label.
constexpr uint8_t kOaepSha256[] = {
    0x30, 0x2b, 0xa0, 0x0d, 0x30, 0x0b, 0x06, 0x09, 0x60, 0x86, 0x48, 0x01, 0x65, 0x03, 0x04,
    0x02, 0x01, 0xa1, 0x1a, 0x30, 0x18, 0x06, 0x09, 0x2a, 0x86, 0x48, 0x86, 0xf7, 0x0d, 0x01,
    0x01, 0x08, 0x30, 0x0b, 0x06, 0x09, 0x60, 0x86, 0x48, 0x01, 0x65, 0x03, 0x04, 0x02, 0x01};

std::span<const std::byte> BytesOf(const ASN1_OCTET_STRING* string) {
  if (string == nullptr) {
    return {};
  }
  return std::as_bytes(
      std::span(ASN1_STRING_get0_data(string), static_cast<size_t>(ASN1_STRING_length(string))));
}

int AlgorithmOf(const X509_ALGOR* algorithm) {
  const ASN1_OBJECT* object = nullptr;
  X509_ALGOR_get0(&object, nullptr, nullptr, algorithm);
  return OBJ_obj2nid(object);
}

// Whether the parameter of a key agreement, in which stands what wraps, is id-aes256-wrap.
bool WrapsWithAes256(const X509_ALGOR* algorithm) {
  constexpr std::array<unsigned char, 13> kAes256Wrap = {0x30, 0x0b, 0x06, 0x09, 0x60, 0x86, 0x48,
                                                         0x01, 0x65, 0x03, 0x04, 0x01, 0x2d};
  const void* value = nullptr;
  int type = 0;
  X509_ALGOR_get0(nullptr, &type, &value, algorithm);
  if (type != V_ASN1_SEQUENCE || value == nullptr) {
    return false;
  }
  const auto* const der = static_cast<const ASN1_STRING*>(value);
  return std::equal(kAes256Wrap.begin(), kAes256Wrap.end(), ASN1_STRING_get0_data(der),
                    ASN1_STRING_get0_data(der) + ASN1_STRING_length(der));
}

bool HasOaepSha256(const X509_ALGOR* algorithm) {
  const ASN1_OBJECT* object = nullptr;
  int type = V_ASN1_UNDEF;
  const void* value = nullptr;
  X509_ALGOR_get0(&object, &type, &value, algorithm);
  return OBJ_obj2nid(object) == NID_rsaesOaep && type == V_ASN1_SEQUENCE &&
         std::ranges::equal(BytesOf(static_cast<const ASN1_OCTET_STRING*>(value)),
                            std::as_bytes(std::span(kOaepSha256)));
}

std::string Hex(std::span<const std::byte> bytes) {
  std::string text;
  for (const std::byte byte : bytes) {
    text += fmt::format("{:02x}", std::to_integer<unsigned>(byte));
  }
  return text;
}

std::string Printable(std::span<const std::byte> bytes) {
  std::string text;
  for (const std::byte byte : bytes.first(std::min(bytes.size(), SymmetricKey::kMostIdBytes))) {
    const auto c = std::to_integer<char>(byte);
    text += c > ' ' && c <= '~' ? c : '?';
  }
  return text;
}

std::string_view AsText(std::span<const std::byte> bytes) {
  return {reinterpret_cast<const char*>(bytes.data()), bytes.size()};
}

}  // namespace

std::vector<CmsRecipient> CmsRecipient::AllOf(CMS_ContentInfo* cms) {
  std::vector<CmsRecipient> all;
  STACK_OF(CMS_RecipientInfo)* const infos = CMS_get0_RecipientInfos(cms);
  const int count = sk_CMS_RecipientInfo_num(infos);
  all.reserve(static_cast<size_t>(count));
  for (int i = 0; i < count; ++i) {
    all.push_back(CmsRecipient(cms, sk_CMS_RecipientInfo_value(infos, i)));
  }
  return all;
}

RecipientKind CmsRecipient::kind() const {
  switch (CMS_RecipientInfo_type(info_)) {
    case CMS_RECIPINFO_TRANS:
      return RecipientKind::kRsa;
    case CMS_RECIPINFO_AGREE:
      return RecipientKind::kEllipticCurve;
    case CMS_RECIPINFO_KEK:
      return RecipientKind::kSymmetric;
    default:
      return RecipientKind::kOther;
  }
}

// What is agreed on can wrap for several keys; we write one for each.
CMS_RecipientEncryptedKey* CmsRecipient::encrypted_key() const {
  STACK_OF(CMS_RecipientEncryptedKey)* const keys = CMS_RecipientInfo_kari_get0_reks(info_);
  return sk_CMS_RecipientEncryptedKey_num(keys) == 1 ? sk_CMS_RecipientEncryptedKey_value(keys, 0)
                                                     : nullptr;
}

std::span<const std::byte> CmsRecipient::key_id() const {
  ASN1_OCTET_STRING* id = nullptr;
  switch (kind()) {
    case RecipientKind::kRsa:
      CMS_RecipientInfo_ktri_get0_signer_id(info_, &id, nullptr, nullptr);
      break;
    case RecipientKind::kEllipticCurve:
      if (CMS_RecipientEncryptedKey* const key = encrypted_key()) {
        CMS_RecipientEncryptedKey_get0_id(key, &id, nullptr, nullptr, nullptr, nullptr);
      }
      break;
    case RecipientKind::kSymmetric:
      CMS_RecipientInfo_kekri_get0_id(info_, nullptr, &id, nullptr, nullptr, nullptr);
      break;
    case RecipientKind::kOther:
      break;
  }
  return BytesOf(id);
}

RecipientDescription CmsRecipient::Describe() const {
  const std::span<const std::byte> id = key_id();
  const bool is_text = kind() == RecipientKind::kSymmetric;
  constexpr size_t kMostIdBytes = sizeof(PublicKeyId);
  return {.kind = id.empty() ? RecipientKind::kOther : kind(),
          .key_id = is_text ? Printable(id) : Hex(id.first(std::min(id.size(), kMostIdBytes)))};
}

bool CmsRecipient::Fits(const KeyRing& ring) const {
  const std::span<const std::byte> id = key_id();
  return !id.empty() &&
         (kind() == RecipientKind::kSymmetric ? ring.FindSymmetricKey(AsText(id)) != nullptr
                                              : ring.FindPrivateKey(id) != nullptr);
}

bool CmsRecipient::Unlock(const KeyRing& ring) const {
  switch (kind()) {
    case RecipientKind::kRsa:
      return UnlockRsa(ring.FindPrivateKey(key_id())->key.get());
    case RecipientKind::kEllipticCurve:
      return UnlockEllipticCurve(ring.FindPrivateKey(key_id())->key.get());
    case RecipientKind::kSymmetric:
      return UnlockSymmetric(*ring.FindSymmetricKey(AsText(key_id())));
    case RecipientKind::kOther:
      return false;
  }
  return false;
}

bool CmsRecipient::UnlockRsa(EVP_PKEY* key) const {
  X509_ALGOR* algorithm = nullptr;
  // PKCS #1 v1.5 above all must not be taken: who can write files could ask us for paddings.
  if (CMS_RecipientInfo_ktri_get0_algs(info_, nullptr, nullptr, &algorithm) != 1 ||
      !HasOaepSha256(algorithm) || EVP_PKEY_is_a(key, "RSA") != 1) {
    return false;
  }
  CMS_RecipientInfo_set0_pkey(info_, Share(key).release());
  return CMS_RecipientInfo_decrypt(cms_, info_) == 1;
}

bool CmsRecipient::UnlockEllipticCurve(EVP_PKEY* key) const {
  X509_ALGOR* algorithm = nullptr;
  if (CMS_RecipientInfo_kari_get0_alg(info_, &algorithm, nullptr) != 1 ||
      AlgorithmOf(algorithm) != NID_dhSinglePass_stdDH_sha256kdf_scheme ||
      !WrapsWithAes256(algorithm) || EVP_PKEY_is_a(key, "EC") != 1) {
    return false;
  }
  const bool ok = CMS_RecipientInfo_kari_set0_pkey(info_, key) == 1 &&
                  CMS_RecipientInfo_kari_decrypt(cms_, info_, encrypted_key()) == 1;
  CMS_RecipientInfo_kari_set0_pkey(info_, nullptr);
  return ok;
}

bool CmsRecipient::UnlockSymmetric(const SymmetricKey& key) const {
  X509_ALGOR* algorithm = nullptr;
  if (CMS_RecipientInfo_kekri_get0_id(info_, &algorithm, nullptr, nullptr, nullptr, nullptr) != 1 ||
      AlgorithmOf(algorithm) != NID_id_aes256_wrap) {
    return false;
  }
  // OpenSSL wants a key that it may change and frees; it does neither before it is taken back.
  auto* const bytes = const_cast<std::byte*>(key.bytes().data());  // NOLINT(*-const-cast)
  CMS_RecipientInfo_set0_key(info_, reinterpret_cast<unsigned char*>(bytes), key.bytes().size());
  const bool ok = CMS_RecipientInfo_decrypt(cms_, info_) == 1;
  CMS_RecipientInfo_set0_key(info_, nullptr, 0);
  return ok;
}

}  // namespace omserve::sealed
