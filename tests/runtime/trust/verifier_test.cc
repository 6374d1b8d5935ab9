// SPDX-License-Identifier: Apache-2.0
// Signing and checking, with the openssl program as a second opinion.
#include "runtime/trust/verifier.h"

#include <catch2/catch.hpp>
#include <string>

#include "runtime/trust/bundle.h"
#include "runtime/trust/signer.h"
#include "tests/runtime/trust/signing_room.h"

namespace omserve::trust {
namespace {

using Catch::Matchers::Contains;

std::string Sign(const SigningRoom& room, std::string_view key) {
  return VALUE(SignStatement(SmallStatement(), room.Key(key), {}));
}

// How the openssl program checks a signature of each kind of key over the file `pae`.
std::string OracleCommand(std::string_view kind) {
  if (kind == "ED25519") {
    return "pkeyutl -verify -rawin -pubin -inkey k.pub -in pae -sigfile sig";
  }
  const bool is_p384 = kind.find("P-384") != std::string_view::npos;
  const bool is_p521 = kind.find("P-521") != std::string_view::npos;
  return fmt::format("dgst -sha{} -verify k.pub -signature sig pae",
                     is_p384 ? 384 : (is_p521 ? 512 : 256));
}

// What each kind of key signs is good here, and good for openssl over DSSE's encoding.
TEST_CASE("Every kind of key signs", "[verifier]") {
  const SigningRoom room("kinds");
  for (const std::string_view kind : kKinds) {
    CAPTURE(kind);
    room.MakeKey("k", kind);
    const std::string text = Sign(room, "k");
    const SignedStatement found = VALUE(VerifyBundle(text, room.KeyRoots("k"), WallTime()));
    CHECK(found.statement == SmallStatement());
    CHECK(found.signer.identities.empty());
    CHECK(found.signer.Text() == "key " + HexOf(DigestOf(room.Read("k.pub"))));
    const Bundle bundle = VALUE(ParseBundle(text));
    CHECK(bundle.key_hint == found.signer.key_fingerprint);
    room.Write("pae", fmt::format("DSSEv1 28 application/vnd.in-toto+json {} {}",
                                  bundle.payload.size(), bundle.payload));
    room.Write("sig", bundle.signature);
    CHECK(room.Openssl(OracleCommand(kind)));
    room.Write("pae", bundle.payload);
    CHECK_FALSE(room.Openssl(OracleCommand(kind)));
  }
}

// What openssl signed is good here.
TEST_CASE("A bundle that openssl signed", "[verifier]") {
  const SigningRoom room("openssl_signs");
  room.MakeKey("k");
  Bundle bundle = VALUE(ParseBundle(Sign(room, "k")));
  room.Write("pae", PreAuthEncoding(bundle.payload));
  REQUIRE(room.Openssl("dgst -sha256 -sign k.key -out sig pae"));
  bundle.signature = room.Read("sig");
  bundle.key_hint = "";  // As older signers left it.
  CHECK(VALUE(VerifyBundle(WriteBundle(bundle), room.KeyRoots("k"), WallTime())).statement ==
        SmallStatement());
}

// One of several keys may have signed; another key is refused by its name.
TEST_CASE("Only keys that are trusted count", "[verifier]") {
  const SigningRoom room("keys");
  room.MakeKey("own");
  room.MakeKey("other", "ED25519");
  const TrustRoots both = VALUE(TrustRoots::Create(
      {.public_keys = room.Read("other.pub") + room.Read("own.pub"), .certificates = ""}));
  const std::string text = Sign(room, "own");
  CHECK(both.public_keys().size() == 2);
  CHECK(VerifyBundle(text, both, WallTime()).ok());
  CHECK_THAT(ErrorOf(VerifyBundle(text, room.KeyRoots("other"), WallTime())),
             Catch::StartsWith("signature: made with the key " +
                               room.Key("own").public_key().fingerprint()) &&
                 Contains("not among the 1 that are trusted"));
  Bundle bundle = VALUE(ParseBundle(text));
  bundle.key_hint.clear();
  CHECK(VerifyBundle(WriteBundle(bundle), both, WallTime()).ok());
  CHECK_THAT(ErrorOf(VerifyBundle(WriteBundle(bundle), room.KeyRoots("other"), WallTime())),
             Contains("signature: not made by any of the 1 public keys"));
  // A hint that lies does not make a signature good.
  bundle.key_hint = room.Key("other").public_key().fingerprint();
  CHECK_THAT(ErrorOf(VerifyBundle(WriteBundle(bundle), both, WallTime())),
             Contains("signature: not made by the key " + bundle.key_hint));
  room.MakeCa("ca");
  CHECK_THAT(ErrorOf(VerifyBundle(text, room.CaRoots("ca"), WallTime())),
             Contains("no public key is trusted"));
}

// Any bit of what was signed, or of the signature, that is another one is noticed.
TEST_CASE("Changed bundles are refused", "[verifier]") {
  const SigningRoom room("flips");
  room.MakeCa("ca");
  for (const std::string_view kind : kKinds) {
    CAPTURE(kind);
    room.MakeKey("k", kind);
    const TrustRoots roots = room.KeyRoots("k");
    const Bundle good = VALUE(ParseBundle(Sign(room, "k")));
    for (size_t i = 0; i < good.payload.size(); ++i) {
      Bundle bundle = good;
      bundle.payload[i] = static_cast<char>(bundle.payload[i] ^ (1 << (i % 8)));
      const absl::Status status = VerifyBundle(WriteBundle(bundle), roots, WallTime()).status();
      REQUIRE_THAT(ErrorOf(status), Catch::StartsWith("signature: "));
    }
    for (size_t i = 0; i < good.signature.size() * 8; ++i) {
      Bundle bundle = good;
      bundle.signature[i / 8] = static_cast<char>(bundle.signature[i / 8] ^ (1 << (i % 8)));
      const absl::Status status = VerifyBundle(WriteBundle(bundle), roots, WallTime()).status();
      REQUIRE_THAT(ErrorOf(status), Catch::StartsWith("signature: "));
    }
  }
}

// A changed certificate is refused as such, whichever bit of it is another one.
TEST_CASE("Changed certificates are refused", "[verifier]") {
  const SigningRoom room("certificate_flips");
  room.MakeCa("ca");
  room.MakeKey("k");
  room.Certify("k", "ca", kForSigning);
  const TrustRoots roots = room.CaRoots("ca");
  const Bundle good =
      VALUE(ParseBundle(VALUE(SignStatement(SmallStatement(), room.Key("k"), room.Chain("k")))));
  REQUIRE(VerifyBundle(WriteBundle(good), roots, WallTime()).ok());
  for (size_t i = 0; i < good.certificates[0].size() * 8; ++i) {
    Bundle bundle = good;
    char& byte = bundle.certificates[0][i / 8];
    byte = static_cast<char>(byte ^ (1 << (i % 8)));
    CAPTURE(i);
    const absl::Status status = VerifyBundle(WriteBundle(bundle), roots, WallTime()).status();
    REQUIRE_THAT(ErrorOf(status), Catch::StartsWith("certificate: "));
  }
}

// Whatever bit of the file is another one: a part is named, or it was one that says nothing.
TEST_CASE("Changed files of signatures never say something else", "[verifier]") {
  const SigningRoom room("text_flips");
  room.MakeKey("k");
  const TrustRoots roots = room.KeyRoots("k");
  const std::string good = Sign(room, "k");
  size_t accepted = 0;
  for (size_t i = 0; i < good.size() * 8; ++i) {
    std::string text = good;
    text[i / 8] = static_cast<char>(text[i / 8] ^ (1 << (i % 8)));
    const absl::StatusOr<SignedStatement> found = VerifyBundle(text, roots, WallTime());
    if (found.ok()) {
      ++accepted;
      REQUIRE(found->statement == SmallStatement());
    } else {
      REQUIRE_THAT(ErrorOf(found), Catch::StartsWith("bundle JSON: ") ||
                                       Catch::StartsWith("envelope: ") ||
                                       Catch::StartsWith("signature: "));
    }
  }
  // The names of "tlogEntries", "keyid" and "hint", and the line feed at the end.
  CHECK(accepted < 8 * 25);
}

// A good signature over a statement that is none is refused as a statement.
TEST_CASE("Signed nonsense is refused", "[verifier]") {
  const SigningRoom room("nonsense");
  room.MakeKey("k");
  Bundle bundle = VALUE(ParseBundle(Sign(room, "k")));
  for (const char* payload : {"", "{}", "[]", "{\"_type\":", "\xff"}) {
    bundle.payload = payload;
    bundle.signature = VALUE(room.Key("k").Sign(PreAuthEncoding(payload)));
    CHECK_THAT(ErrorOf(VerifyBundle(WriteBundle(bundle), room.KeyRoots("k"), WallTime())),
               Catch::StartsWith("statement: "));
  }
}

// Keys are refused that are too weak, of other kinds, hidden, or not what they should be.
TEST_CASE("Keys that are refused", "[keys]") {
  const SigningRoom room("bad_keys");
  const std::pair<const char*, const char*> kinds[] = {
      {"RSA -pkeyopt rsa_keygen_bits:1024", "the RSA key has 1024 bits; expected 2048"},
      {"EC -pkeyopt ec_paramgen_curve:secp256k1", "the key's curve is 'secp256k1'"},
      {"RSA-PSS -pkeyopt rsa_keygen_bits:2048", "the key is of the kind 'RSA-PSS'"},
      {"ED448", "the key is of the kind 'ED448'"},
      {"X25519", "the key is of the kind 'X25519'"}};
  for (const auto& [kind, message] : kinds) {
    room.MakeKey("k", kind);
    CHECK_THAT(ErrorOf(PrivateKey::FromPem(room.Read("k.key"))), Contains(message));
    CHECK_THAT(ErrorOf(ReadPublicKeys(room.Read("k.pub"))), Contains(message));
  }
  room.MakeKey("k");
  const std::string pem = room.Read("k.pub");
  CHECK_THAT(ErrorOf(ReadPublicKeys("")), Contains("not public keys in PEM (no start line)"));
  CHECK_THAT(ErrorOf(ReadPublicKeys(room.Read("k.key"))), Contains("a private key"));
  CHECK_THAT(ErrorOf(ReadPublicKeys(pem + pem.substr(0, 60))), Contains("not public keys in PEM"));
  CHECK_THAT(ErrorOf(ReadPublicKeys(std::string(2 << 20, 'a'))), Contains("at most 1048576"));
  CHECK_THAT(ErrorOf(PrivateKey::FromPem(pem)), Contains("not a private key in PEM"));
  REQUIRE(room.Openssl("pkey -in k.key -aes256 -passout pass:x -out hidden.key"));
  CHECK_THAT(ErrorOf(PrivateKey::FromPem(room.Read("hidden.key"))), Contains("under a passphrase"));
  CHECK_THAT(ErrorOf(TrustRoots::Create({})), Contains("nobody is trusted"));
}

}  // namespace
}  // namespace omserve::trust
