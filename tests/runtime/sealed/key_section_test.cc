// SPDX-License-Identifier: Apache-2.0
#include "runtime/sealed/key_section.h"

#include <algorithm>
#include <catch2/catch.hpp>
#include <string>
#include <vector>

#include "tests/runtime/sealed/sealed_samples.h"

namespace omserve::sealed {
namespace {

using Catch::Matchers::Contains;

constexpr char kOtherHexKey[] = "ff0102030405060708090a0b0c0d0e0f101112131415161718191a1b1c1d1e1f";

Recipients Everybody() {
  Recipients recipients = ForSampleKey();
  REQUIRE_OK(recipients.AddSymmetricKey(SampleKey("site-7", kOtherHexKey)));
  for (const char* name : {"rsa", "ec", "rsa_other"}) {
    REQUIRE_OK(recipients.AddPublicKey(VALUE(ReadFile(KeyPair(name) + ".pub")), name));
  }
  return recipients;
}

std::string ErrorOf(const absl::Status& status) { return std::string(MessageOf(status)); }

// Each recipient opens the file alone, whatever else its ring holds.
TEST_CASE("Every recipient opens the file", "[key_section]") {
  const std::string plain = Plain(10'000);
  const std::string file = Sealed(plain, Everybody());
  for (const char* name : {"rsa", "ec", "rsa_other"}) {
    CAPTURE(name);
    CHECK(VALUE(OpenMemory(file, RingOf(name))) == plain);
  }
  CHECK(VALUE(OpenMemory(file, SampleRing())) == plain);
  KeyRing ring;
  REQUIRE_OK(ring.AddSymmetricKey(SampleKey("unrelated")));
  REQUIRE_OK(ring.AddSymmetricKey(SampleKey("site-7", kOtherHexKey)));
  CHECK(VALUE(OpenMemory(file, ring)) == plain);
}

// Who is no recipient is told who is, and with what he came.
TEST_CASE("Others do not open it", "[key_section]") {
  const std::string file = Sealed("model", ForPublicKey(KeyPair("ec")));
  KeyPair("ec_stranger");
  KeyRing ring = RingOf("ec_stranger");
  REQUIRE_OK(ring.AddSymmetricKey(SampleKey("mine")));
  const absl::StatusOr<std::string> opened = OpenMemory(file, ring);
  CHECK(opened.status().code() == absl::StatusCode::kFailedPrecondition);
  const std::string id = ToText(RingOf("ec").private_keys().front().id);
  CHECK_THAT(MessageOf(opened), Contains("it is sealed for " + id) && Contains("key 'mine'"));
  CHECK_THAT(MessageOf(OpenMemory(file, KeyRing())), Contains("given are none"));
}

// A key that has the right name and is another one.
TEST_CASE("Another key with the same id does not open it", "[key_section]") {
  Recipients recipients;
  REQUIRE_OK(recipients.AddSymmetricKey(SampleKey("site-7")));
  KeyRing ring;
  REQUIRE_OK(ring.AddSymmetricKey(SampleKey("site-7", kOtherHexKey)));
  CHECK_THAT(MessageOf(OpenMemory(Sealed("model", recipients), ring)),
             Contains("key site-7 does not open with it"));
}

// What the file says of its recipients: kinds and ids, no keys.
TEST_CASE("Recipients are described", "[key_section]") {
  const Header header = VALUE(Header::Parse(BytesOf(Sealed("model", Everybody()))));
  const std::vector<RecipientDescription> all = VALUE(DescribeKeySection(header.key_section));
  REQUIRE(all.size() == 5);  // In the order of their encoding, as a set in DER is.
  const auto has = [&](RecipientKind kind, const std::string& id) {
    return std::ranges::any_of(all, [&](const RecipientDescription& recipient) {
      return recipient.kind == kind && recipient.key_id == id;
    });
  };
  for (const char* name : {"rsa", "rsa_other"}) {
    CHECK(has(RecipientKind::kRsa, ToText(RingOf(name).private_keys().front().id)));
  }
  CHECK(has(RecipientKind::kEllipticCurve, ToText(RingOf("ec").private_keys().front().id)));
  CHECK(has(RecipientKind::kSymmetric, SampleKey().id()));
  CHECK(has(RecipientKind::kSymmetric, "site-7"));
}

// Certificates are as good as public keys, while they last.
TEST_CASE("Recipients as certificates", "[key_section]") {
  KeyPair("ec");
  Openssl("req -x509 -key ec.pem -subj /CN=site -days 2 -out ec.crt");
  Recipients recipients;
  REQUIRE_OK(recipients.AddPublicKey(VALUE(ReadFile("ec.crt")), "ec.crt"));
  CHECK(VALUE(OpenMemory(Sealed("model", recipients), RingOf("ec"))) == "model");
  CHECK_THAT(ErrorOf(recipients.AddPublicKey(VALUE(ReadFile("ec.pub")), "again")),
             Contains("again: this key is among the recipients already"));
  Openssl("x509 -in ec.crt -signkey ec.pem -days -1 -out expired.crt");
  CHECK_THAT(ErrorOf(Recipients().AddPublicKey(VALUE(ReadFile("expired.crt")), "expired.crt")),
             Contains("expired.crt: the certificate has expired"));
}

// Keys that cannot be used say why.
TEST_CASE("Keys of other kinds are refused", "[key_section]") {
  Openssl("genpkey -algorithm X25519 -out x25519.pem");
  Openssl("pkey -in x25519.pem -pubout -out x25519.pub");
  Openssl("genpkey -algorithm RSA -pkeyopt rsa_keygen_bits:1024 -out small.pem");
  Openssl("genpkey -algorithm EC -pkeyopt ec_paramgen_curve:secp256k1 -out curve.pem");
  Openssl(
      "genpkey -algorithm EC -pkeyopt ec_paramgen_curve:P-256 -aes-256-cbc -pass pass:x "
      "-out pass.pem");
  Recipients recipients;
  CHECK_THAT(ErrorOf(recipients.AddPublicKey(VALUE(ReadFile("x25519.pub")), "x25519.pub")),
             Contains("x25519.pub: a key of type X25519, expected RSA or an elliptic curve"));
  CHECK_THAT(ErrorOf(recipients.AddPublicKey(VALUE(ReadFile("small.pem")), "small.pem")),
             Contains("holds a private key, expected a certificate or a public key"));
  CHECK_THAT(ErrorOf(recipients.AddPublicKey("nonsense", "file")),
             Contains("file: no certificate and no public key in PEM"));
  KeyRing ring;
  const auto add = [&](const char* name) {
    return ErrorOf(ring.AddPrivateKey(Secret(VALUE(ReadFile(name))), name));
  };
  CHECK_THAT(add("small.pem"), Contains("RSA key of 1024 bits, expected at least 2048"));
  CHECK_THAT(add("curve.pem"), Contains("curve secp256k1, expected P-256, P-384 or P-521"));
  CHECK_THAT(add("pass.pem"), Contains("the key has a pass phrase"));
  CHECK_THAT(add("x25519.pub"), Contains("no private key in PEM"));
  CHECK(ring.empty());
}

// A file for nobody is not made; nor one for more than can be read again.
TEST_CASE("A file needs recipients, and not too many", "[key_section]") {
  const SecretBytes key = Secret(std::string(32, 'k'));
  CHECK_THAT(ErrorOf(WrapContentKey(key.bytes(), Recipients()).status()),
             Contains("expected at least one recipient"));
  Recipients recipients;
  for (size_t i = 0; i < Recipients::kMost; ++i) {
    REQUIRE_OK(recipients.AddSymmetricKey(SampleKey(fmt::format("site-{}", i))));
  }
  CHECK_THAT(ErrorOf(recipients.AddSymmetricKey(SampleKey("more"))),
             Contains("at most 64 recipients"));
  REQUIRE_OK(WrapContentKey(key.bytes(), recipients));
}

}  // namespace
}  // namespace omserve::sealed
