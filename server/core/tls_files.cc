// SPDX-License-Identifier: Apache-2.0
#include "server/core/tls_files.h"

#include <openssl/pem.h>
#include <openssl/x509.h>

#include <memory>

#include "runtime/base/errors.h"
#include "runtime/base/file.h"
#include "runtime/base/status_macros.h"

namespace omserve::server {
namespace {

constexpr size_t kMostBytes = 1 << 20;

template <auto free>
struct Free {
  template <typename T>
  void operator()(T* object) const {
    free(object);
  }
};
using Bio = std::unique_ptr<BIO, Free<BIO_free>>;
using Certificate = std::unique_ptr<X509, Free<X509_free>>;
using Key = std::unique_ptr<EVP_PKEY, Free<EVP_PKEY_free>>;

// A key with a pass phrase cannot be used: nobody is there to type it.
int NoPassPhrase(char* /*to*/, int /*size*/, int /*writing*/, void* /*data*/) { return -1; }

absl::StatusOr<Bio> Open(const char* setting, const std::string& path, std::string* text) {
  absl::StatusOr<std::string> read = ReadFile(path, kMostBytes);
  if (!read.ok()) {
    return InvalidArgument("{} cannot be read: {}", setting, MessageOf(read.status()));
  }
  *text = *std::move(read);
  return Bio(BIO_new_mem_buf(text->data(), static_cast<int>(text->size())));
}

absl::StatusOr<Certificate> ReadCertificate(const char* setting, const std::string& path) {
  std::string text;
  ASSIGN_OR_RETURN(const Bio bio, Open(setting, path, &text));
  Certificate certificate(PEM_read_bio_X509(bio.get(), nullptr, &NoPassPhrase, nullptr));
  if (certificate == nullptr) {
    return InvalidArgument(
        "{}: '{}' holds no certificate; expected PEM, -----BEGIN CERTIFICATE-----", setting, path);
  }
  return certificate;
}

absl::Status CheckTime(const X509& certificate, const std::string& path) {
  if (X509_cmp_current_time(X509_get0_notBefore(&certificate)) > 0) {
    return InvalidArgument("'{}' is not valid yet; look at this machine's clock, or renew it",
                           path);
  }
  if (X509_cmp_current_time(X509_get0_notAfter(&certificate)) < 0) {
    return InvalidArgument("'{}' has expired; renew it", path);
  }
  return absl::OkStatus();
}

}  // namespace

absl::Status CheckTlsFiles(const TlsFiles& files) {
  ASSIGN_OR_RETURN(const Certificate certificate,
                   ReadCertificate("tls.certificate_file", files.certificate));
  RETURN_IF_ERROR(CheckTime(*certificate, files.certificate));
  std::string text;
  ASSIGN_OR_RETURN(const Bio bio, Open("tls.key_file", files.key, &text));
  const Key key(PEM_read_bio_PrivateKey(bio.get(), nullptr, &NoPassPhrase, nullptr));
  if (key == nullptr) {
    return InvalidArgument(
        "tls.key_file: '{}' holds no private key that can be read; expected PEM without a pass "
        "phrase, -----BEGIN PRIVATE KEY-----",
        files.key);
  }
  if (X509_check_private_key(certificate.get(), key.get()) != 1) {
    return InvalidArgument("tls.key_file: '{}' is not the key of '{}'", files.key,
                           files.certificate);
  }
  return files.client_ca.empty() ? absl::OkStatus()
                                 : ReadCertificate("tls.client_ca_file", files.client_ca).status();
}

}  // namespace omserve::server
