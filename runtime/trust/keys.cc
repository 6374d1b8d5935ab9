// SPDX-License-Identifier: Apache-2.0
#include "runtime/trust/keys.h"

#include <openssl/bio.h>
#include <openssl/ec.h>
#include <openssl/err.h>
#include <openssl/pem.h>
#include <openssl/rsa.h>

#include <array>
#include <cstddef>
#include <cstdint>
#include <optional>
#include <utility>

#include "runtime/base/errors.h"
#include "runtime/base/json_fields.h"
#include "runtime/trust/digest.h"

namespace omserve::trust {
namespace {

constexpr int kLeastRsaBits = 2048;
constexpr int kMostRsaBits = 16'384;
constexpr size_t kMostPemBytes = size_t{1} << 20;
constexpr size_t kMostKeys = 256;

struct FreeBio {
  void operator()(BIO* bio) const { BIO_free(bio); }
};
using BioHandle = std::unique_ptr<BIO, FreeBio>;
struct FreeDigestContext {
  void operator()(EVP_MD_CTX* context) const { EVP_MD_CTX_free(context); }
};
using DigestContext = std::unique_ptr<EVP_MD_CTX, FreeDigestContext>;

struct KeyUse {
  std::string kind;
  const EVP_MD* hash = nullptr;
};

constexpr std::string_view kSupported =
    "expected ECDSA on P-256, P-384 or P-521, Ed25519, or RSA of 2048 bits or more";

const unsigned char* Bytes(std::string_view text) {
  return static_cast<const unsigned char*>(static_cast<const void*>(text.data()));
}

absl::StatusOr<KeyUse> EcUse(const EVP_PKEY* key) {
  std::array<char, 64> group{};
  size_t size = 0;
  // A curve that is spelled out instead of named has a name here only when it is exactly that one.
  if (EVP_PKEY_get_group_name(key, group.data(), group.size(), &size) == 1) {
    const std::string_view name(group.data(), size);
    if (name == "prime256v1" || name == "P-256") {
      return KeyUse{"ECDSA P-256", EVP_sha256()};
    }
    if (name == "secp384r1" || name == "P-384") {
      return KeyUse{"ECDSA P-384", EVP_sha384()};
    }
    if (name == "secp521r1" || name == "P-521") {
      return KeyUse{"ECDSA P-521", EVP_sha512()};
    }
    ERR_clear_error();
    return InvalidArgument("the key's curve is '{}'; {}", name, kSupported);
  }
  ERR_clear_error();
  return InvalidArgument("the key's curve has no name; {}", kSupported);
}

absl::StatusOr<KeyUse> UseOf(const EVP_PKEY* key) {
  const int bits = EVP_PKEY_get_bits(key);
  switch (EVP_PKEY_get_base_id(key)) {
    case EVP_PKEY_EC:
      return EcUse(key);
    case EVP_PKEY_ED25519:
      return KeyUse{"Ed25519", nullptr};
    case EVP_PKEY_RSA:
      if (bits < kLeastRsaBits || bits > kMostRsaBits) {
        return InvalidArgument("the RSA key has {} bits; expected {} to {}", bits, kLeastRsaBits,
                               kMostRsaBits);
      }
      return KeyUse{fmt::format("RSA {}", bits), EVP_sha256()};
    default: {
      const char* const name = EVP_PKEY_get0_type_name(key);
      return InvalidArgument("the key is of the kind '{}'; {}", name == nullptr ? "?" : name,
                             kSupported);
    }
  }
}

absl::StatusOr<std::string> PemOf(EVP_PKEY* key) {
  const BioHandle bio(BIO_new(BIO_s_mem()));
  if (bio == nullptr || PEM_write_bio_PUBKEY(bio.get(), key) != 1) {
    return Internal("a public key cannot be written as PEM: {}", TakeOpensslError());
  }
  const char* data = nullptr;
  const auto size = BIO_get_mem_data(bio.get(), &data);
  return std::string(data, static_cast<size_t>(size));
}

absl::StatusOr<BioHandle> ReaderOf(std::string_view pem) {
  if (pem.size() > kMostPemBytes) {
    return InvalidArgument("{} bytes of PEM, at most {} are read", pem.size(), kMostPemBytes);
  }
  BioHandle bio(BIO_new_mem_buf(pem.data(), static_cast<int>(pem.size())));
  if (bio == nullptr) {
    return Internal("no memory for {} bytes of PEM", pem.size());
  }
  return bio;
}

struct FreeMemory {
  void operator()(void* memory) const { OPENSSL_free(memory); }
};

struct PemBlock {
  std::string label;
  std::string der;
};

// nullopt at the end of the text, and for a damaged block; OpenSSL's error tells which.
std::optional<PemBlock> NextBlock(BIO& bio) {
  char* label = nullptr;
  char* header = nullptr;
  unsigned char* data = nullptr;
  long size = 0;  // NOLINT(google-runtime-int): the function's own.
  const bool is_read = PEM_read_bio(&bio, &label, &header, &data, &size) == 1;
  const std::unique_ptr<char, FreeMemory> label_owner(label);
  const std::unique_ptr<char, FreeMemory> header_owner(header);
  const std::unique_ptr<unsigned char, FreeMemory> data_owner(data);
  return is_read ? std::optional(PemBlock{label, std::string(data, data + size)}) : std::nullopt;
}

// OpenSSL would otherwise ask at the terminal.
int NoPassphrase(char* /*buffer*/, int /*size*/, int /*is_written*/, void* asked) {
  *static_cast<bool*>(asked) = true;
  return -1;
}

}  // namespace

std::string TakeOpensslError() {
  const auto code = ERR_peek_last_error();
  const char* const reason = code == 0 ? nullptr : ERR_reason_error_string(code);
  std::string text = reason == nullptr ? "no reason given" : reason;
  ERR_clear_error();
  return text;
}

absl::StatusOr<PublicKey> PublicKey::Of(KeyHandle key) {
  ASSIGN_OR_RETURN(KeyUse use, UseOf(key.get()));
  ASSIGN_OR_RETURN(const std::string pem, PemOf(key.get()));
  PublicKey made;
  made.key_ = std::move(key);
  made.hash_ = use.hash;
  made.kind_ = std::move(use.kind);
  made.fingerprint_ = HexOf(DigestOf(pem));
  return made;
}

absl::StatusOr<PublicKey> PublicKey::OfCertificate(const X509& certificate) {
  EVP_PKEY* const key = X509_get0_pubkey(&certificate);
  if (key == nullptr) {
    return InvalidArgument("the key cannot be read: {}; {}", TakeOpensslError(), kSupported);
  }
  EVP_PKEY_up_ref(key);
  return Of(KeyHandle(key));
}

absl::Status PublicKey::Verify(std::string_view message, std::string_view signature) const {
  const DigestContext context(EVP_MD_CTX_new());
  if (context == nullptr ||
      EVP_DigestVerifyInit(context.get(), nullptr, hash_, nullptr, key_.get()) != 1) {
    return Internal("a signature cannot be checked: {}", TakeOpensslError());
  }
  const int result = EVP_DigestVerify(context.get(), Bytes(signature), signature.size(),
                                      Bytes(message), message.size());
  ERR_clear_error();
  if (result != 1) {
    return InvalidArgument("not made by the key {} ({}) over this statement", fingerprint_, kind_);
  }
  return absl::OkStatus();
}

absl::StatusOr<std::vector<PublicKey>> ReadPublicKeys(std::string_view pem) {
  ASSIGN_OR_RETURN(const BioHandle bio, ReaderOf(pem));
  if (pem.find("PRIVATE KEY-----") != std::string_view::npos) {
    return InvalidArgument("a private key; give the public one: openssl pkey -in KEY -pubout");
  }
  std::vector<PublicKey> keys;
  while (const std::optional<PemBlock> block = NextBlock(*bio)) {
    if (block->label != PEM_STRING_PUBLIC) {
      return InvalidArgument("'{}' among public keys in PEM; expected only -----BEGIN {}-----",
                             Shown(block->label), PEM_STRING_PUBLIC);
    }
    if (keys.size() == kMostKeys) {
      return InvalidArgument("more than {} public keys", kMostKeys);
    }
    const unsigned char* at = Bytes(block->der);
    KeyHandle key(d2i_PUBKEY(nullptr, &at, static_cast<int64_t>(block->der.size())));
    if (key == nullptr || at != Bytes(block->der) + block->der.size()) {
      return InvalidArgument("a public key in PEM that cannot be read ({}); {}", TakeOpensslError(),
                             kSupported);
    }
    ASSIGN_OR_RETURN(PublicKey made, PublicKey::Of(std::move(key)));
    keys.push_back(std::move(made));
  }
  // The end of a text is "no start line"; anything else is a damaged block.
  const bool is_end = ERR_GET_REASON(ERR_peek_last_error()) == PEM_R_NO_START_LINE;
  const std::string reason = TakeOpensslError();
  if (!is_end || keys.empty()) {
    return InvalidArgument("not public keys in PEM ({}); expected -----BEGIN {}-----", reason,
                           PEM_STRING_PUBLIC);
  }
  return keys;
}

absl::StatusOr<PrivateKey> PrivateKey::FromPem(std::string_view pem) {
  ASSIGN_OR_RETURN(const BioHandle bio, ReaderOf(pem));
  bool asked = false;
  KeyHandle key(PEM_read_bio_PrivateKey(bio.get(), nullptr, NoPassphrase, &asked));
  const std::string reason = TakeOpensslError();
  if (asked) {
    return InvalidArgument("the private key is under a passphrase; openssl pkey takes it off");
  }
  if (key == nullptr) {
    return InvalidArgument("not a private key in PEM ({}); expected -----BEGIN PRIVATE KEY-----",
                           reason);
  }
  ASSIGN_OR_RETURN(PublicKey public_key, PublicKey::Of(std::move(key)));
  return PrivateKey(std::move(public_key));
}

absl::StatusOr<std::string> PrivateKey::Sign(std::string_view message) const {
  const DigestContext context(EVP_MD_CTX_new());
  size_t size = 0;
  if (context == nullptr ||
      EVP_DigestSignInit(context.get(), nullptr, public_key_.hash_, nullptr,
                         public_key_.key_.get()) != 1 ||
      EVP_DigestSign(context.get(), nullptr, &size, Bytes(message), message.size()) != 1) {
    return Internal("cannot sign: {}", TakeOpensslError());
  }
  std::vector<unsigned char> signature(size);
  if (EVP_DigestSign(context.get(), signature.data(), &size, Bytes(message), message.size()) != 1) {
    return Internal("cannot sign: {}", TakeOpensslError());
  }
  return std::string(signature.begin(), signature.begin() + static_cast<std::ptrdiff_t>(size));
}

}  // namespace omserve::trust
