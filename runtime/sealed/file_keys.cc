// SPDX-License-Identifier: Apache-2.0
#include "runtime/sealed/file_keys.h"

#include <openssl/core_names.h>
#include <openssl/crypto.h>
#include <openssl/hmac.h>
#include <openssl/params.h>

#include <string>
#include <string_view>
#include <vector>

#include "runtime/base/errors.h"
#include "runtime/sealed/openssl_handles.h"

namespace omserve::sealed {
namespace {

using Bytes = std::span<const std::byte>;

constexpr std::string_view kInfo = "omserve sealed 1";
constexpr size_t kHeaderKey = kKeyBytes;
constexpr size_t kKeySectionKey = 2 * kKeyBytes;

OSSL_PARAM OctetParam(const char* name, Bytes bytes) {
  // OpenSSL only reads these, but its type serves for answers too.
  auto* const data = const_cast<std::byte*>(bytes.data());  // NOLINT(*-const-cast)
  return OSSL_PARAM_construct_octet_string(name, data, bytes.size());
}

absl::StatusOr<Mac> Hmac(Bytes key, Bytes bytes) {
  Mac mac;
  if (HMAC(EVP_sha256(), key.data(), static_cast<int>(key.size()),
           reinterpret_cast<const unsigned char*>(bytes.data()), bytes.size(),
           reinterpret_cast<unsigned char*>(mac.data()), nullptr) == nullptr) {
    return Internal("HMAC-SHA256 failed: {}", OpensslErrorText());
  }
  return mac;
}

bool AreEqual(const Mac& a, const Mac& b) {
  return CRYPTO_memcmp(a.data(), b.data(), a.size()) == 0;
}

}  // namespace

absl::StatusOr<FileKeys> FileKeys::Derive(Bytes content_key,
                                          const std::array<std::byte, kFileIdBytes>& file_id) {
  ASSIGN_OR_RETURN(SecretBytes keys, SecretBytes::Allocate(3 * kKeyBytes));
  const std::unique_ptr<EVP_KDF, FreeWith<&EVP_KDF_free>> hkdf(
      EVP_KDF_fetch(nullptr, OSSL_KDF_NAME_HKDF, nullptr));
  const std::unique_ptr<EVP_KDF_CTX, FreeWith<&EVP_KDF_CTX_free>> context(
      hkdf == nullptr ? nullptr : EVP_KDF_CTX_new(hkdf.get()));
  std::string digest = "SHA256";
  const OSSL_PARAM params[] = {
      OSSL_PARAM_construct_utf8_string(OSSL_KDF_PARAM_DIGEST, digest.data(), 0),
      OctetParam(OSSL_KDF_PARAM_KEY, content_key), OctetParam(OSSL_KDF_PARAM_SALT, file_id),
      OctetParam(OSSL_KDF_PARAM_INFO, std::as_bytes(std::span(kInfo))), OSSL_PARAM_construct_end()};
  if (context == nullptr ||
      EVP_KDF_derive(context.get(), reinterpret_cast<unsigned char*>(keys.bytes().data()),
                     keys.size_bytes(), params) != 1) {
    return Internal("HKDF-SHA256 failed: {}", OpensslErrorText());
  }
  return FileKeys(std::move(keys));
}

absl::StatusOr<Mac> FileKeys::HeaderMac(const Header& header) const {
  return Hmac(keys_.bytes().subspan(kHeaderKey, kKeyBytes), header.Fixed());
}

absl::StatusOr<Mac> FileKeys::KeySectionMac(const Header& header) const {
  const std::vector<std::byte> encoded = header.Encode();
  constexpr size_t kFrom = kKeySectionOffset - 4;
  return Hmac(keys_.bytes().subspan(kKeySectionKey, kKeyBytes),
              Bytes(encoded).subspan(kFrom, encoded.size() - kFrom - kMacBytes));
}

absl::Status FileKeys::CheckMacs(const Header& header) const {
  ASSIGN_OR_RETURN(const Mac header_mac, HeaderMac(header));
  if (!AreEqual(header_mac, header.mac)) {
    return InvalidArgument(
        "sealed header: its MAC does not fit, so it was changed, or the key section is another "
        "file's; get the file again from where it was sealed");
  }
  ASSIGN_OR_RETURN(const Mac key_section_mac, KeySectionMac(header));
  if (!AreEqual(key_section_mac, header.key_section_mac)) {
    return InvalidArgument(
        "key section: its MAC does not fit, so it was changed; get the file again from where it "
        "was sealed");
  }
  return absl::OkStatus();
}

}  // namespace omserve::sealed
