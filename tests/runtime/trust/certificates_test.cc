// SPDX-License-Identifier: Apache-2.0
#include "runtime/trust/certificates.h"

#include <catch2/catch.hpp>
#include <string>
#include <vector>

#include "runtime/trust/bundle.h"
#include "tests/runtime/trust/signing_room.h"

namespace omserve::trust {
namespace {

using Catch::Matchers::Contains;

// A room with "ca", "other_ca", and a key "k" that "ca" certified with these extensions.
class CertifiedRoom final {
 public:
  explicit CertifiedRoom(const std::string& name) : room(name) {
    room.MakeCa("ca");
    room.MakeCa("other_ca");
    room.MakeKey("k");
  }
  absl::StatusOr<SignedStatement> SignAndVerify(std::string_view extensions, int days_later = 0,
                                                std::string_view roots = "ca") const {
    room.Certify("k", "ca", extensions);
    return Verify(room.Chain("k"), days_later, roots);
  }
  absl::StatusOr<SignedStatement> Verify(const std::vector<std::string>& chain, int days_later,
                                         std::string_view roots) const {
    const std::string text = VALUE(SignStatement(SmallStatement(), room.Key("k"), chain));
    return VerifyBundle(text, room.CaRoots(roots), WallTime(days_later));
  }

  SigningRoom room;
};

// Keys of every kind may stand in certificates.
TEST_CASE("Every kind of key signs with a certificate", "[certificates]") {
  const SigningRoom room("certified_kinds");
  room.MakeCa("ca");
  for (const std::string_view kind : kKinds) {
    CAPTURE(kind);
    room.MakeKey("k", kind);
    room.Certify("k", "ca", kForSigning);
    const std::string text = VALUE(SignStatement(SmallStatement(), room.Key("k"), room.Chain("k")));
    const SignedStatement found = VALUE(VerifyBundle(text, room.CaRoots("ca"), WallTime()));
    CHECK(found.signer.Text() == "release@example.org");
    CHECK(found.signer.key_fingerprint == room.Key("k").public_key().fingerprint());
    CHECK(found.statement == SmallStatement());
  }
}

// A signer is called by the alternative names of its certificate, else by its common name.
TEST_CASE("Names of signers", "[certificates]") {
  const CertifiedRoom certified("names");
  const std::string usage = "keyUsage=digitalSignature\n";
  CHECK(VALUE(certified.SignAndVerify(
                  usage + "subjectAltName=URI:https://example.org/ci,DNS:ci.example.org,"
                          "email:a@example.org,IP:127.0.0.1\n"))
            .signer.identities ==
        std::vector<std::string>{"https://example.org/ci", "ci.example.org", "a@example.org"});
  CHECK(VALUE(certified.SignAndVerify(usage)).signer.identities == std::vector<std::string>{"k"});
  // Where there are alternative names, the common name counts for nothing.
  CHECK_THAT(ErrorOf(certified.SignAndVerify(usage + "subjectAltName=IP:127.0.0.1\n")),
             Catch::StartsWith("certificate: 'CN = k': it names nobody"));
  CHECK_THAT(ErrorOf(certified.SignAndVerify(
                 usage + "subjectAltName=DER:30:0D:82:0B:61:2e:62:00:2e:65:76:69:6c:2e:63\n")),
             Contains("the name 'a.b?.evil.c' is empty or has control characters"));
}

// What a certificate says it is for has to include signing.
TEST_CASE("Certificates for other uses are refused", "[certificates]") {
  const CertifiedRoom certified("uses");
  for (const char* good :
       {"keyUsage=digitalSignature\n", "extendedKeyUsage=codeSigning\n",
        "keyUsage=digitalSignature,keyEncipherment\nextendedKeyUsage=serverAuth,codeSigning\n"}) {
    CAPTURE(good);
    CHECK(certified.SignAndVerify(good).ok());
  }
  const std::pair<const char*, const char*> wrongs[] = {
      {"basicConstraints=CA:false\n", "it says nothing of what it is for"},
      {"keyUsage=keyEncipherment\n", "its key usage lacks digitalSignature"},
      {"keyUsage=keyEncipherment\nextendedKeyUsage=codeSigning\n", "lacks digitalSignature"},
      {"keyUsage=keyCertSign\nbasicConstraints=CA:true\n", "lacks digitalSignature"},
      {"keyUsage=digitalSignature\nextendedKeyUsage=serverAuth\n", "lacks codeSigning"},
      {"keyUsage=digitalSignature\nextendedKeyUsage=anyExtendedKeyUsage\n", "lacks codeSigning"},
      {"keyUsage=digitalSignature\n1.2.3.4=critical,ASN1:UTF8String:x\n",
       "unhandled critical extension"}};
  for (const auto& [extensions, message] : wrongs) {
    CAPTURE(extensions);
    CHECK_THAT(ErrorOf(certified.SignAndVerify(extensions)),
               Catch::StartsWith("certificate: 'CN = k': ") && Contains(message));
  }
}

// A certificate counts while it is valid, at the time that is asked about.
TEST_CASE("Certificates count while they are valid", "[certificates]") {
  const CertifiedRoom certified("times");
  CHECK(certified.SignAndVerify(kForSigning, 9).ok());
  CHECK_THAT(ErrorOf(certified.SignAndVerify(kForSigning, 11)),
             Catch::StartsWith("certificate: 'CN = ") && Contains("certificate has expired"));
  CHECK_THAT(ErrorOf(certified.SignAndVerify(kForSigning, -1)),
             Catch::StartsWith("certificate: 'CN = ") && Contains("certificate is not yet valid"));
}

// Only the authority that is trusted, or one that it certified, vouches for a signer.
TEST_CASE("Chains lead to an authority that is trusted", "[certificates]") {
  const CertifiedRoom certified("chains");
  const SigningRoom& room = certified.room;
  CHECK_THAT(ErrorOf(certified.SignAndVerify(kForSigning, 0, "other_ca")),
             Catch::StartsWith("certificate: ") && Contains("unable to get local issuer"));
  // An authority of the same name with another key.
  room.Write("ca_was.pem", room.Read("ca.pem"));
  room.MakeCa("ca");
  CHECK_THAT(ErrorOf(certified.Verify(room.Chain("k"), 0, "ca")), Catch::StartsWith("certificate"));
  CHECK(certified.Verify(room.Chain("k"), 0, "ca_was").ok());
  // One in between has to come along, unless it is itself trusted.
  room.MakeKey("between");
  room.Certify("between", "ca", "basicConstraints=critical,CA:true\nkeyUsage=keyCertSign\n");
  room.Certify("k", "between", kForSigning);
  CHECK_THAT(ErrorOf(certified.Verify(room.Chain("k"), 0, "ca")), Contains("unable to get"));
  room.Write("whole.pem", room.Read("k.pem") + room.Read("between.pem"));
  CHECK(certified.Verify(room.Chain("whole"), 0, "ca").ok());
  CHECK(certified.Verify(room.Chain("k"), 0, "between").ok());
  // Who was certified as a signer certifies nobody.
  room.MakeKey("signer");
  room.Certify("signer", "ca", std::string(kForSigning) + "basicConstraints=CA:false\n");
  room.Certify("k", "signer", kForSigning);
  room.Write("whole.pem", room.Read("k.pem") + room.Read("signer.pem"));
  CHECK_THAT(ErrorOf(certified.Verify(room.Chain("whole"), 0, "ca")),
             Catch::StartsWith("certificate: "));
}

// A signature has to be of the certificate's key, for who signs and for who checks.
TEST_CASE("A certificate of another key", "[certificates]") {
  const CertifiedRoom certified("other_key");
  const SigningRoom& room = certified.room;
  room.Certify("k", "ca", kForSigning);
  room.MakeKey("thief");
  CHECK_THAT(ErrorOf(SignStatement(SmallStatement(), room.Key("thief"), room.Chain("k"))),
             Catch::StartsWith("certificate: the first one is of the key"));
  Bundle bundle = VALUE(ParseBundle(VALUE(SignStatement(SmallStatement(), room.Key("thief"), {}))));
  bundle.certificates = room.Chain("k");
  CHECK_THAT(ErrorOf(VerifyBundle(WriteBundle(bundle), room.CaRoots("ca"), WallTime())),
             Catch::StartsWith("signature: not made by the key"));
  CHECK_THAT(ErrorOf(VerifyBundle(WriteBundle(bundle), room.KeyRoots("k"), WallTime())),
             Catch::StartsWith("certificate: the bundle was signed with one, and no authority"));
}

// Certificates that rest on what can be forged today are refused.
TEST_CASE("Weak certificates are refused", "[certificates]") {
  const CertifiedRoom certified("weak");
  const SigningRoom& room = certified.room;
  room.Certify("k", "ca", kForSigning);
  REQUIRE(
      room.Openssl("x509 -req -sha1 -in k.csr -CA ca.pem -CAkey ca.key -out k.pem -days 9 "
                   "-extfile k.ext"));
  CHECK_THAT(ErrorOf(certified.Verify(room.Chain("k"), 0, "ca")),
             Catch::StartsWith("certificate: ") && Contains("digest algorithm too weak"));
}

// Bytes that are no certificates are refused as such.
TEST_CASE("What is no certificate", "[certificates]") {
  const CertifiedRoom certified("none");
  const std::string der = certified.room.Chain("ca").front();
  CHECK_THAT(ErrorOf(CertificateFromDer("")), Contains("not a certificate in DER"));
  CHECK_THAT(ErrorOf(CertificateFromDer(der + "x")), Contains("1 bytes behind the certificate"));
  const std::string pem = certified.room.Read("ca.pem");
  CHECK_THAT(ErrorOf(CertificatesFromPem("", 1)), Contains("not certificates in PEM"));
  CHECK_THAT(ErrorOf(CertificatesFromPem(pem + pem.substr(0, 99), 9)),
             Contains("not certificates"));
  CHECK_THAT(ErrorOf(CertificatesFromPem(pem + pem, 1)), Contains("more than 1 certificates"));
  CHECK(VALUE(CertificatesFromPem(pem + pem, 2)).size() == 2);
}

}  // namespace
}  // namespace omserve::trust
