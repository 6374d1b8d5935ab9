// SPDX-License-Identifier: Apache-2.0
// Owners of OpenSSL's objects, and its errors in words.
#pragma once

#include <openssl/bio.h>
#include <openssl/cms.h>
#include <openssl/evp.h>
#include <openssl/kdf.h>
#include <openssl/x509.h>

#include <memory>
#include <string>

namespace omserve::sealed {

template <auto kFree>
struct FreeWith {
  template <typename T>
  void operator()(T* object) const {
    kFree(object);
  }
};

using Bio = std::unique_ptr<BIO, FreeWith<&BIO_free_all>>;
using CipherContext = std::unique_ptr<EVP_CIPHER_CTX, FreeWith<&EVP_CIPHER_CTX_free>>;
using Cms = std::unique_ptr<CMS_ContentInfo, FreeWith<&CMS_ContentInfo_free>>;
using Key = std::unique_ptr<EVP_PKEY, FreeWith<&EVP_PKEY_free>>;
using Certificate = std::unique_ptr<X509, FreeWith<&X509_free>>;

// Another owner of the same key.
Key Share(EVP_PKEY* key);

// What the calling thread's failed calls left behind, the first cause; empties the list.
std::string OpensslErrorText();

}  // namespace omserve::sealed
