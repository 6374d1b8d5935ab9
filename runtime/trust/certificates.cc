// SPDX-License-Identifier: Apache-2.0
#include "runtime/trust/certificates.h"

#include <openssl/asn1.h>
#include <openssl/bio.h>
#include <openssl/err.h>
#include <openssl/pem.h>
#include <openssl/x509v3.h>

#include <algorithm>
#include <array>
#include <utility>

#include "runtime/base/errors.h"
#include "runtime/base/json_fields.h"

namespace omserve::trust {
namespace {

constexpr size_t kMostPemBytes = size_t{4} << 20;
constexpr size_t kMostRoots = 1024;
constexpr size_t kMostIdentities = 64;
// 112 bits: RSA of 2048 bits and more, and no signature with SHA-1.
constexpr int kSecurityLevel = 2;

struct FreeBio {
  void operator()(BIO* bio) const { BIO_free(bio); }
};
struct FreeContext {
  void operator()(X509_STORE_CTX* context) const { X509_STORE_CTX_free(context); }
};
struct FreeNames {
  void operator()(GENERAL_NAMES* names) const { GENERAL_NAMES_free(names); }
};
struct FreeStack {  // The certificates in it are owned elsewhere.
  void operator()(STACK_OF(X509) * stack) const { sk_X509_free(stack); }
};
struct FreeText {
  void operator()(unsigned char* text) const { OPENSSL_free(text); }
};

// The subject as one line, for messages.
std::string SubjectOf(const X509& certificate) {
  const std::unique_ptr<BIO, FreeBio> bio(BIO_new(BIO_s_mem()));
  if (bio == nullptr || X509_NAME_print_ex(bio.get(), X509_get_subject_name(&certificate), 0,
                                           XN_FLAG_ONELINE & ~ASN1_STRFLGS_ESC_MSB) < 0) {
    ERR_clear_error();
    return "?";
  }
  const char* data = nullptr;
  const auto size = BIO_get_mem_data(bio.get(), &data);
  return Shown(std::string_view(data, static_cast<size_t>(size)));
}

absl::Status AddIdentity(const ASN1_STRING* text, std::vector<std::string>& identities) {
  unsigned char* utf8 = nullptr;
  const int size = ASN1_STRING_to_UTF8(&utf8, text);
  const std::unique_ptr<unsigned char, FreeText> owner(utf8);
  if (size < 0) {
    return InvalidArgument("a name that is no text: {}", TakeOpensslError());
  }
  std::string name(utf8, utf8 + size);
  // A zero byte would let two readers see two names in one.
  if (name.empty() || std::any_of(name.begin(), name.end(), [](char c) {
        return static_cast<unsigned char>(c) < ' ' || c == '\x7f';
      })) {
    return InvalidArgument("the name '{}' is empty or has control characters", Shown(name));
  }
  if (identities.size() == kMostIdentities) {
    return InvalidArgument("more than {} names", kMostIdentities);
  }
  identities.push_back(std::move(name));
  return absl::OkStatus();
}

absl::Status AddAlternativeNames(const GENERAL_NAMES* names, std::vector<std::string>& identities) {
  for (int i = 0; i < sk_GENERAL_NAME_num(names); ++i) {
    const GENERAL_NAME* const name = sk_GENERAL_NAME_value(names, i);
    if (name->type != GEN_URI && name->type != GEN_DNS && name->type != GEN_EMAIL) {
      continue;
    }
    RETURN_IF_ERROR(AddIdentity(name->d.ia5, identities));
    const IdentityKind expected = name->type == GEN_URI     ? IdentityKind::kUri
                                  : name->type == GEN_EMAIL ? IdentityKind::kEmail
                                                            : IdentityKind::kName;
    if (KindOfIdentity(identities.back()) != expected) {
      return InvalidArgument(
          "the name '{}' is not what it is said to be: a URI has '://', an "
          "e-mail address '@', a DNS name neither",
          Shown(identities.back()));
    }
  }
  return absl::OkStatus();
}

absl::Status AddCommonName(const X509& certificate, std::vector<std::string>& identities) {
  const X509_NAME* const subject = X509_get_subject_name(&certificate);
  const int at = X509_NAME_get_index_by_NID(subject, NID_commonName, -1);
  if (at < 0) {
    return absl::OkStatus();
  }
  RETURN_IF_ERROR(
      AddIdentity(X509_NAME_ENTRY_get_data(X509_NAME_get_entry(subject, at)), identities));
  // Constraints of authorities on addresses and URIs do not reach common names.
  if (KindOfIdentity(identities.back()) != IdentityKind::kName) {
    return InvalidArgument(
        "the common name '{}' stands in for a URI or an e-mail address; expected those as subject "
        "alternative names",
        Shown(identities.back()));
  }
  return absl::OkStatus();
}

absl::Status CheckUsage(X509& certificate) {
  // Without the extension, OpenSSL gives all bits.
  const uint32_t usage = X509_get_key_usage(&certificate);
  const uint32_t extended = X509_get_extended_key_usage(&certificate);
  const bool has_usage = usage != UINT32_MAX;
  const bool has_extended = extended != UINT32_MAX;
  if (!has_usage && !has_extended) {
    return InvalidArgument(
        "it says nothing of what it is for; expected key usage digitalSignature or extended key "
        "usage codeSigning");
  }
  if (has_usage && (usage & KU_DIGITAL_SIGNATURE) == 0) {
    return InvalidArgument("its key usage lacks digitalSignature: it is not for signing");
  }
  if (has_extended && (extended & XKU_CODE_SIGN) == 0) {
    return InvalidArgument("its extended key usage lacks codeSigning: it is not for signing");
  }
  return absl::OkStatus();
}

// An authority that is limited to other uses does not vouch for signers. OpenSSL 3.0 has no purpose
// to check that with.
absl::Status CheckAuthorities(X509_STORE_CTX* context) {
  const STACK_OF(X509)* const chain = X509_STORE_CTX_get0_chain(context);
  for (int i = 1; i < sk_X509_num(chain); ++i) {
    X509* const authority = sk_X509_value(chain, i);
    const uint32_t extended = X509_get_extended_key_usage(authority);
    if (extended != UINT32_MAX && (extended & (XKU_CODE_SIGN | XKU_ANYEKU)) == 0) {
      return InvalidArgument(
          "'{}': its extended key usage lacks codeSigning: it does not vouch for signers",
          SubjectOf(*authority));
    }
  }
  return absl::OkStatus();
}

absl::Status CheckChain(X509_STORE* store, const std::vector<CertificateHandle>& chain,
                        std::chrono::system_clock::time_point now) {
  const std::unique_ptr<STACK_OF(X509), FreeStack> others(sk_X509_new_null());
  const std::unique_ptr<X509_STORE_CTX, FreeContext> context(X509_STORE_CTX_new());
  if (others == nullptr || context == nullptr) {
    return Internal("no memory for certificates");
  }
  for (size_t i = 1; i < chain.size(); ++i) {
    sk_X509_push(others.get(), chain[i].get());
  }
  if (X509_STORE_CTX_init(context.get(), store, chain.front().get(), others.get()) != 1) {
    return Internal("certificates cannot be checked: {}", TakeOpensslError());
  }
  X509_VERIFY_PARAM* const parameters = X509_STORE_CTX_get0_param(context.get());
  X509_VERIFY_PARAM_set_time(parameters, std::chrono::system_clock::to_time_t(now));
  X509_VERIFY_PARAM_set_auth_level(parameters, kSecurityLevel);
  X509_VERIFY_PARAM_set_depth(parameters, static_cast<int>(kMostChainLength));
  // An operator may trust an authority below somebody else's root, or one signer's certificate.
  X509_VERIFY_PARAM_set_flags(parameters, X509_V_FLAG_PARTIAL_CHAIN);
  const bool is_good = X509_verify_cert(context.get()) == 1;
  ERR_clear_error();
  if (is_good) {
    return CheckAuthorities(context.get());
  }
  const X509* const at = X509_STORE_CTX_get_current_cert(context.get());
  return InvalidArgument("'{}': {}", at == nullptr ? "?" : SubjectOf(*at),
                         X509_verify_cert_error_string(X509_STORE_CTX_get_error(context.get())));
}

}  // namespace

IdentityKind KindOfIdentity(std::string_view identity) {
  if (identity.find("://") != std::string_view::npos) {
    return IdentityKind::kUri;
  }
  return identity.find('@') != std::string_view::npos ? IdentityKind::kEmail : IdentityKind::kName;
}

absl::StatusOr<CertificateHandle> CertificateFromDer(std::string_view der) {
  const auto* at = static_cast<const unsigned char*>(static_cast<const void*>(der.data()));
  const auto* const end = at + der.size();
  CertificateHandle certificate(d2i_X509(nullptr, &at, static_cast<int64_t>(der.size())));
  if (certificate == nullptr) {
    return InvalidArgument("not a certificate in DER ({})", TakeOpensslError());
  }
  if (at != end) {
    return InvalidArgument("{} bytes behind the certificate", end - at);
  }
  return certificate;
}

absl::StatusOr<std::vector<std::string>> CertificatesFromPem(std::string_view pem, size_t most) {
  if (pem.size() > kMostPemBytes) {
    return InvalidArgument("{} bytes of PEM, at most {} are read", pem.size(), kMostPemBytes);
  }
  const std::unique_ptr<BIO, FreeBio> bio(
      BIO_new_mem_buf(pem.data(), static_cast<int>(pem.size())));
  std::vector<std::string> certificates;
  while (const CertificateHandle certificate{
      PEM_read_bio_X509(bio.get(), nullptr, nullptr, nullptr)}) {
    if (certificates.size() == most) {
      return InvalidArgument("more than {} certificates", most);
    }
    unsigned char* der = nullptr;
    const int size = i2d_X509(certificate.get(), &der);
    const std::unique_ptr<unsigned char, FreeText> owner(der);
    if (size <= 0) {
      return InvalidArgument("a certificate cannot be written as DER: {}", TakeOpensslError());
    }
    certificates.emplace_back(der, der + size);
  }
  const bool is_end = ERR_GET_REASON(ERR_peek_last_error()) == PEM_R_NO_START_LINE;
  const std::string reason = TakeOpensslError();
  if (!is_end || certificates.empty()) {
    return InvalidArgument("not certificates in PEM ({}); expected -----BEGIN CERTIFICATE-----",
                           reason);
  }
  return certificates;
}

absl::StatusOr<std::vector<std::string>> IdentitiesOf(const X509& certificate) {
  std::vector<std::string> identities;
  int critical = 0;
  const std::unique_ptr<GENERAL_NAMES, FreeNames> names(static_cast<GENERAL_NAMES*>(
      X509_get_ext_d2i(&certificate, NID_subject_alt_name, &critical, nullptr)));
  ERR_clear_error();
  if (names != nullptr) {
    RETURN_IF_ERROR(AddAlternativeNames(names.get(), identities));
  } else if (critical == -1) {  // There is no such extension; -2: several, other: damaged.
    RETURN_IF_ERROR(AddCommonName(certificate, identities));
  } else {
    return InvalidArgument("its subject alternative names cannot be read");
  }
  if (identities.empty()) {
    return InvalidArgument(
        "it names nobody; expected a URI, DNS name or e-mail address as subject alternative name, "
        "or a common name");
  }
  return identities;
}

absl::StatusOr<CertificateRoots> CertificateRoots::FromPem(std::string_view pem) {
  ASSIGN_OR_RETURN(const std::vector<std::string> certificates,
                   CertificatesFromPem(pem, kMostRoots));
  CertificateRoots roots;
  roots.store_.reset(X509_STORE_new());
  for (const std::string& der : certificates) {
    ASSIGN_OR_RETURN(const CertificateHandle certificate, CertificateFromDer(der));
    if (roots.store_ == nullptr ||
        X509_STORE_add_cert(roots.store_.get(), certificate.get()) != 1) {
      return Internal("no memory for certificates: {}", TakeOpensslError());
    }
  }
  return roots;
}

absl::StatusOr<CheckedCertificate> CertificateRoots::Check(
    const std::vector<std::string>& chain, std::chrono::system_clock::time_point now) const {
  if (chain.empty() || chain.size() > kMostChainLength) {
    return InvalidArgument("{} certificates, expected 1 to {}", chain.size(), kMostChainLength);
  }
  std::vector<CertificateHandle> certificates;
  for (const std::string& der : chain) {
    ASSIGN_OR_RETURN(CertificateHandle certificate, CertificateFromDer(der));
    certificates.push_back(std::move(certificate));
  }
  RETURN_IF_ERROR(CheckChain(store_.get(), certificates, now));
  X509& own = *certificates.front();
  const std::string subject = fmt::format("'{}'", SubjectOf(own));
  RETURN_IF_ERROR(WithContext(CheckUsage(own), subject));
  absl::StatusOr<std::vector<std::string>> identities = IdentitiesOf(own);
  RETURN_IF_ERROR(WithContext(identities.status(), subject));
  absl::StatusOr<PublicKey> key = PublicKey::OfCertificate(own);
  RETURN_IF_ERROR(WithContext(key.status(), subject));
  return CheckedCertificate{*std::move(identities), *std::move(key)};
}

}  // namespace omserve::trust
