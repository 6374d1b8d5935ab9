// SPDX-License-Identifier: Apache-2.0
#include "runtime/sealed/key_section.h"

#include <openssl/crypto.h>
#include <openssl/ec.h>
#include <openssl/rsa.h>
#include <openssl/x509v3.h>

#include <algorithm>
#include <utility>

#include "runtime/base/errors.h"
#include "runtime/sealed/cms_outline.h"
#include "runtime/sealed/cms_recipient.h"
#include "runtime/sealed/file_keys.h"

namespace omserve::sealed {
namespace {

using Bytes = std::span<const std::byte>;

// CMS_add1_recipient_cert takes certificates only, while a recipient may be a mere key. So every
// key gets a certificate that nobody sees: of it the message keeps the key's id alone.
Certificate CarrierOf(EVP_PKEY* key, const PublicKeyId& id, EVP_PKEY* signer) {
  Certificate carrier(X509_new());
  const std::unique_ptr<ASN1_OCTET_STRING, FreeWith<&ASN1_OCTET_STRING_free>> key_id(
      ASN1_OCTET_STRING_new());
  constexpr int kVersion3 = 2;
  constexpr int kSecondsOfUse = 3600;
  const bool ok =
      carrier != nullptr && key_id != nullptr && X509_set_version(carrier.get(), kVersion3) == 1 &&
      X509_gmtime_adj(X509_getm_notBefore(carrier.get()), 0) != nullptr &&
      X509_gmtime_adj(X509_getm_notAfter(carrier.get()), kSecondsOfUse) != nullptr &&
      X509_set_pubkey(carrier.get(), key) == 1 &&
      ASN1_OCTET_STRING_set(key_id.get(), reinterpret_cast<const unsigned char*>(id.data()),
                            static_cast<int>(id.size())) == 1 &&
      X509_add1_ext_i2d(carrier.get(), NID_subject_key_identifier, key_id.get(), 0, 0) == 1 &&
      X509_sign(carrier.get(), signer, EVP_sha256()) > 0;
  return ok ? std::move(carrier) : nullptr;
}

bool AddPublicKey(CMS_ContentInfo* cms, EVP_PKEY* key, X509* carrier) {
  CMS_RecipientInfo* const info =
      CMS_add1_recipient_cert(cms, carrier, CMS_KEY_PARAM | CMS_USE_KEYID);
  EVP_PKEY_CTX* const context = info == nullptr ? nullptr : CMS_RecipientInfo_get0_pkey_ctx(info);
  if (context == nullptr) {
    return false;
  }
  if (EVP_PKEY_is_a(key, "RSA") == 1) {
    return EVP_PKEY_CTX_set_rsa_padding(context, RSA_PKCS1_OAEP_PADDING) > 0 &&
           EVP_PKEY_CTX_set_rsa_oaep_md(context, EVP_sha256()) > 0 &&
           EVP_PKEY_CTX_set_rsa_mgf1_md(context, EVP_sha256()) > 0;
  }
  return EVP_PKEY_CTX_set_ecdh_kdf_md(context, EVP_sha256()) > 0;
}

bool AddSymmetricKey(CMS_ContentInfo* cms, const SymmetricKey& key) {
  // Both become the message's, which wipes the key.
  auto* const bytes =
      static_cast<unsigned char*>(OPENSSL_memdup(key.bytes().data(), key.bytes().size()));
  auto* const id = static_cast<unsigned char*>(OPENSSL_memdup(key.id().data(), key.id().size()));
  if (bytes == nullptr || id == nullptr ||
      CMS_add0_recipient_key(cms, NID_id_aes256_wrap, bytes, key.bytes().size(), id,
                             key.id().size(), nullptr, nullptr, nullptr) == nullptr) {
    OPENSSL_clear_free(bytes, key.bytes().size());
    OPENSSL_free(id);
    return false;
  }
  return true;
}

absl::StatusOr<std::vector<std::byte>> ToDer(CMS_ContentInfo* cms) {
  const int size = i2d_CMS_ContentInfo(cms, nullptr);
  std::vector<std::byte> der(size > 0 ? static_cast<size_t>(size) : 0);
  auto* at = reinterpret_cast<unsigned char*>(der.data());
  if (size <= 0 || i2d_CMS_ContentInfo(cms, &at) != size) {
    return Internal("a CMS message cannot be written: {}", OpensslErrorText());
  }
  return der;
}

absl::StatusOr<Cms> FromDer(Bytes der) {
  RETURN_IF_ERROR(CheckCmsOutline(der));
  const auto* at = reinterpret_cast<const unsigned char*>(der.data());
  Cms cms(d2i_CMS_ContentInfo(nullptr, &at, static_cast<int>(der.size())));  // NOLINT: at most 256K
  if (cms == nullptr) {
    return InvalidArgument("key section: no CMS message: {}", OpensslErrorText());
  }
  // What OpenSSL would write otherwise than it stands there is no DER.
  const absl::StatusOr<std::vector<std::byte>> again = ToDer(cms.get());
  if (!again.ok() || !std::ranges::equal(*again, der)) {
    return InvalidArgument("key section: the CMS message is not in DER; the file was changed");
  }
  const int recipients = sk_CMS_RecipientInfo_num(CMS_get0_RecipientInfos(cms.get()));
  if (recipients < 1 || recipients > static_cast<int>(Recipients::kMost)) {
    return InvalidArgument("key section: {} recipients, expected 1 to {}", recipients,
                           Recipients::kMost);
  }
  return cms;
}

// Requires: a recipient was unlocked.
absl::StatusOr<SecretBytes> DecryptContent(CMS_ContentInfo* cms) {
  const Bio to(BIO_new(BIO_s_secmem()));
  if (to == nullptr || CMS_decrypt(cms, nullptr, nullptr, nullptr, to.get(), CMS_BINARY) != 1) {
    OpensslErrorText();
    return InvalidArgument(
        "key section: the content key does not decrypt; the section was changed, get the file "
        "again from where it was sealed");
  }
  char* data = nullptr;
  const auto size = BIO_get_mem_data(to.get(), &data);
  if (size != static_cast<int64_t>(kKeyBytes)) {
    return InvalidArgument("key section: a content key of {} bytes, expected {}", size, kKeyBytes);
  }
  return SecretBytes::CopyOf(std::as_bytes(std::span(data, kKeyBytes)));
}

std::string NameOf(const RecipientDescription& recipient) {
  switch (recipient.kind) {
    case RecipientKind::kRsa:
    case RecipientKind::kEllipticCurve:
      return recipient.key_id;
    case RecipientKind::kSymmetric:
      return fmt::format("key '{}'", recipient.key_id);
    case RecipientKind::kOther:
      return "unknown";
  }
  return "unknown";
}

std::string ToText(const std::vector<CmsRecipient>& recipients) {
  std::string text;
  for (const CmsRecipient& recipient : recipients) {
    text += (text.empty() ? "" : ", ") + NameOf(recipient.Describe());
  }
  return text;
}

}  // namespace

std::string_view ToText(RecipientKind kind) {
  switch (kind) {
    case RecipientKind::kRsa:
      return "RSA-OAEP";
    case RecipientKind::kEllipticCurve:
      return "ECDH";
    case RecipientKind::kSymmetric:
      return "AES-256 key wrap";
    case RecipientKind::kOther:
      return "unknown";
  }
  return "unknown";
}

absl::StatusOr<std::vector<std::byte>> WrapContentKey(Bytes content_key,
                                                      const Recipients& recipients) {
  if (recipients.size() == 0) {
    return InvalidArgument("nobody could open the file: expected at least one recipient");
  }
  const Key signer(recipients.public_keys().empty() ? nullptr : EVP_EC_gen("P-256"));
  // Partial: recipients and content come below. An authenticated cipher makes AuthEnvelopedData.
  const Cms cms(CMS_encrypt(nullptr, nullptr, EVP_aes_256_gcm(), CMS_PARTIAL | CMS_BINARY));
  const Bio content(BIO_new_mem_buf(content_key.data(), static_cast<int>(content_key.size())));
  bool ok = cms != nullptr && content != nullptr;
  std::vector<Certificate> carriers;
  for (const Key& key : recipients.public_keys()) {
    ASSIGN_OR_RETURN(const PublicKeyId id, IdOf(key.get()));
    X509* const carrier = carriers.emplace_back(CarrierOf(key.get(), id, signer.get())).get();
    ok = ok && carrier != nullptr && AddPublicKey(cms.get(), key.get(), carrier);
  }
  for (const SymmetricKey& key : recipients.symmetric_keys()) {
    ok = ok && AddSymmetricKey(cms.get(), key);
  }
  if (!ok || CMS_final(cms.get(), content.get(), nullptr, CMS_BINARY) != 1) {
    return Internal("the content key cannot be wrapped: {}", OpensslErrorText());
  }
  ASSIGN_OR_RETURN(std::vector<std::byte> der, ToDer(cms.get()));
  RETURN_IF_ERROR(CheckCmsOutline(der));
  return der;
}

absl::StatusOr<SecretBytes> UnwrapContentKey(Bytes der, const KeyRing& ring) {
  ASSIGN_OR_RETURN(const Cms cms, FromDer(der));
  const std::vector<CmsRecipient> recipients = CmsRecipient::AllOf(cms.get());
  std::string refused;
  for (const CmsRecipient& recipient : recipients) {
    if (!recipient.Fits(ring)) {
      continue;
    }
    if (recipient.Unlock(ring)) {
      return DecryptContent(cms.get());
    }
    OpensslErrorText();
    refused = recipient.Describe().key_id;
  }
  if (refused.empty()) {
    return FailedPrecondition(
        "key section: none of the keys given opens the file: it is sealed for {}; given are {}",
        ToText(recipients), ring.ToText());
  }
  return InvalidArgument(
      "key section: what is wrapped for key {} does not open with it; the section was changed, or "
      "another key has this id",
      refused);
}

absl::StatusOr<std::vector<RecipientDescription>> DescribeKeySection(Bytes der) {
  ASSIGN_OR_RETURN(const Cms cms, FromDer(der));
  std::vector<RecipientDescription> descriptions;
  for (const CmsRecipient& recipient : CmsRecipient::AllOf(cms.get())) {
    descriptions.push_back(recipient.Describe());
  }
  return descriptions;
}

}  // namespace omserve::sealed
