// SPDX-License-Identifier: Apache-2.0
// The format as others read it: the openssl program unwraps the content key, and a few lines that
// use nothing of ours but the document decrypt the chunks.
#include "tests/runtime/sealed/oracle.h"

#include <openssl/evp.h>
#include <openssl/hmac.h>
#include <openssl/kdf.h>

#include <catch2/catch.hpp>
#include <string>

#include "tests/runtime/sealed/sealed_samples.h"

namespace omserve::sealed {
namespace {

// The content key of a file, by `openssl cms -decrypt`.
std::string ContentKey(const std::string& file, const std::string& how) {
  REQUIRE_OK(WriteFileAtomically("section.der", oracle::KeySection(file)));
  Openssl("cms -decrypt -binary -inform DER -in section.der -out content.key {}", how);
  return VALUE(ReadFile("content.key"));
}

// Key pairs: RSA-OAEP and ECDH.
TEST_CASE("The openssl program opens what is sealed for key pairs", "[oracle]") {
  const std::string plain = Plain(3 * kChunk + 5);
  for (const char* name : {"rsa", "ec"}) {
    CAPTURE(name);
    const std::string file = Sealed(plain, ForPublicKey(KeyPair(name)));
    const std::string key = ContentKey(file, fmt::format("-inkey {}.pem", name));
    REQUIRE(key.size() == 32);
    CHECK(oracle::Decrypt(file, key) == plain);
  }
}

// A shared key, which openssl asks for by its id in hexadecimal.
TEST_CASE("The openssl program opens what is sealed for a shared key", "[oracle]") {
  Recipients recipients;
  REQUIRE_OK(recipients.AddSymmetricKey(SampleKey("site")));
  const std::string plain = Plain(kChunk);
  const std::string file = Sealed(plain, recipients);
  const std::string key =
      ContentKey(file, fmt::format("-secretkey {} -secretkeyid 73697465", kHexKey));
  CHECK(oracle::Decrypt(file, key) == plain);
}

// The other way round: what openssl wraps for a key's id is opened here, once its MAC stands
// behind it, by the same document.
TEST_CASE("A key section that the openssl program made is opened", "[oracle]") {
  const std::string plain = Plain(2 * kChunk);
  const std::string file = Sealed(plain, ForPublicKey(KeyPair("ec")));
  const std::string key = ContentKey(file, "-inkey ec.pem");
  Openssl("req -x509 -key {}.pem -subj /CN=site -days 2 -out rsa.crt", KeyPair("rsa"));
  Openssl(
      "cms -encrypt -binary -aes-256-gcm -in content.key -outform DER -out other.der -keyid "
      "-recip rsa.crt -keyopt rsa_padding_mode:oaep -keyopt rsa_oaep_md:sha256");
  const std::string other = oracle::WithKeySection(file, VALUE(ReadFile("other.der")), key);
  CHECK(VALUE(OpenMemory(other, RingOf("rsa"))) == plain);
}

// Algorithms that OpenSSL would take are refused, since each answer to them can tell an attacker
// something.
TEST_CASE("Key sections with other algorithms are refused", "[oracle]") {
  const std::string file = Sealed("model", ForPublicKey(KeyPair("rsa")));
  const std::string key = ContentKey(file, "-inkey rsa.pem");
  Openssl("req -x509 -key rsa.pem -subj /CN=site -days 2 -out rsa.crt");
  KeyPair("ec");
  Openssl("req -x509 -key ec.pem -subj /CN=site -days 2 -out ec.crt");
  const auto error_of = [&](const std::string& how, const std::string& name) {
    Openssl("cms -encrypt -binary -in content.key -outform DER -out other.der -keyid {}", how);
    return MessageOf(
        OpenMemory(oracle::WithKeySection(file, VALUE(ReadFile("other.der")), key), RingOf(name)));
  };
  using Catch::Matchers::Contains;
  // PKCS #1 v1.5, OAEP with SHA-1, a KDF with SHA-1.
  CHECK_THAT(error_of("-aes-256-gcm -recip rsa.crt", "rsa"), Contains("does not open with it"));
  CHECK_THAT(error_of("-aes-256-gcm -recip rsa.crt -keyopt rsa_padding_mode:oaep", "rsa"),
             Contains("does not open with it"));
  CHECK_THAT(error_of("-aes-256-gcm -recip ec.crt", "ec"), Contains("does not open with it"));
  // EnvelopedData, which is not authenticated; another cipher.
  CHECK_THAT(error_of("-aes-256-cbc -recip ec.crt", "ec"), Contains("contentType"));
  CHECK_THAT(error_of("-aes-128-gcm -recip ec.crt", "ec"), Contains("contentEncryptionAlgorithm"));
}

}  // namespace
}  // namespace omserve::sealed
