// SPDX-License-Identifier: Apache-2.0
#include "runtime/sealed/public_key.h"

#include <openssl/pem.h>
#include <openssl/sha.h>

#include "runtime/base/errors.h"

namespace omserve::sealed {
namespace {

constexpr int kLeastRsaBits = 2048;

Bio ReadOnly(std::string_view text) {
  constexpr size_t kMostPemBytes = 1 << 20;
  return Bio(text.size() > kMostPemBytes
                 ? nullptr
                 : BIO_new_mem_buf(text.data(), static_cast<int>(text.size())));
}

// Asked for a pass phrase: there is none, and without this OpenSSL would ask the terminal.
int NoPassPhrase(char* /*buffer*/, int /*size*/, int /*is_writing*/, void* was_asked) {
  *static_cast<bool*>(was_asked) = true;
  return -1;
}

std::string CurveOf(EVP_PKEY* key) {
  std::array<char, 64> name{};
  size_t size = 0;
  return EVP_PKEY_get_group_name(key, name.data(), name.size(), &size) == 1
             ? std::string(name.data(), size)
             : "unknown";
}

absl::StatusOr<Key> Usable(Key key, std::string_view source) {
  if (EVP_PKEY_is_a(key.get(), "RSA") == 1) {
    if (EVP_PKEY_get_bits(key.get()) < kLeastRsaBits) {
      return InvalidArgument("{}: an RSA key of {} bits, expected at least {}", source,
                             EVP_PKEY_get_bits(key.get()), kLeastRsaBits);
    }
    return key;
  }
  if (EVP_PKEY_is_a(key.get(), "EC") == 1) {
    const std::string curve = CurveOf(key.get());
    if (curve != "prime256v1" && curve != "secp384r1" && curve != "secp521r1") {
      return InvalidArgument("{}: a key on curve {}, expected P-256, P-384 or P-521", source,
                             curve);
    }
    return key;
  }
  const char* const type = EVP_PKEY_get0_type_name(key.get());
  return InvalidArgument(
      "{}: a key of type {}, expected RSA or an elliptic curve P-256, P-384 or P-521 (OpenSSL's "
      "CMS wraps no key for others)",
      source, type == nullptr ? "unknown" : type);
}

}  // namespace

absl::StatusOr<Key> ReadPublicKey(std::string_view pem, std::string_view source) {
  if (pem.find("PRIVATE KEY") != std::string_view::npos) {
    return InvalidArgument(
        "{}: holds a private key, expected a certificate or a public key; `openssl pkey -in FILE "
        "-pubout` gives that",
        source);
  }
  const Bio as_certificate = ReadOnly(pem);
  if (as_certificate == nullptr) {
    return InvalidArgument("{}: {} bytes, expected a certificate or a public key", source,
                           pem.size());
  }
  const Certificate certificate(PEM_read_bio_X509(as_certificate.get(), nullptr, nullptr, nullptr));
  if (certificate != nullptr) {
    if (X509_cmp_current_time(X509_get0_notAfter(certificate.get())) <= 0) {
      return InvalidArgument("{}: the certificate has expired; give one that is valid, or its key",
                             source);
    }
    Key key = Share(X509_get0_pubkey(certificate.get()));
    return key == nullptr ? InvalidArgument("{}: the certificate's key cannot be read: {}", source,
                                            OpensslErrorText())
                          : Usable(std::move(key), source);
  }
  OpensslErrorText();
  const Bio as_key = ReadOnly(pem);
  Key key(PEM_read_bio_PUBKEY(as_key.get(), nullptr, nullptr, nullptr));
  if (key == nullptr) {
    return InvalidArgument("{}: no certificate and no public key in PEM: {}", source,
                           OpensslErrorText());
  }
  return Usable(std::move(key), source);
}

absl::StatusOr<Key> ReadPrivateKey(const SecretBytes& pem, std::string_view source) {
  bool was_asked = false;
  const Bio bio = ReadOnly(pem.text());
  Key key(bio == nullptr ? nullptr
                         : PEM_read_bio_PrivateKey(bio.get(), nullptr, &NoPassPhrase, &was_asked));
  if (was_asked) {
    OpensslErrorText();
    return InvalidArgument(
        "{}: the key has a pass phrase, which cannot be asked for here; `openssl pkey -in FILE` "
        "takes it away",
        source);
  }
  if (key == nullptr) {
    return InvalidArgument("{}: no private key in PEM: {}", source, OpensslErrorText());
  }
  return Usable(std::move(key), source);
}

absl::StatusOr<PublicKeyId> IdOf(EVP_PKEY* key) {
  X509_PUBKEY* made = nullptr;
  const bool ok = X509_PUBKEY_set(&made, key) == 1;
  const std::unique_ptr<X509_PUBKEY, FreeWith<&X509_PUBKEY_free>> public_key(made);
  const unsigned char* bits = nullptr;
  int size = 0;
  PublicKeyId id;
  if (!ok || X509_PUBKEY_get0_param(nullptr, &bits, &size, nullptr, public_key.get()) != 1 ||
      EVP_Digest(bits, static_cast<size_t>(size), reinterpret_cast<unsigned char*>(id.data()),
                 nullptr, EVP_sha1(), nullptr) != 1) {
    return Internal("the id of a public key cannot be computed: {}", OpensslErrorText());
  }
  return id;
}

std::string ToText(const PublicKeyId& id) {
  std::string text;
  for (const std::byte byte : id) {
    text += fmt::format("{:02x}", std::to_integer<unsigned>(byte));
  }
  return text;
}

}  // namespace omserve::sealed
