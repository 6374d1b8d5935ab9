// SPDX-License-Identifier: Apache-2.0
#include "runtime/trust/bundle.h"

#include <boost/json.hpp>
#include <catch2/catch.hpp>
#include <string>

#include "tests/runtime/trust/signing_room.h"

namespace omserve::trust {
namespace {

namespace json = boost::json;
using Catch::Matchers::Contains;

const Bundle kOfKey = {
    .key_hint = "0123", .certificates = {}, .payload = "{}", .signature = "s\xff"};
const Bundle kOfCertificate = {
    .key_hint = "", .certificates = {"leaf", "authority"}, .payload = "{}", .signature = "s"};

template <typename Change>
std::string Changed(const Bundle& bundle, Change change) {
  json::value value = json::parse(WriteBundle(bundle));
  change(value.as_object());
  return json::serialize(value);
}

json::object& Material(json::object& whole) { return whole["verificationMaterial"].as_object(); }
json::object& Envelope(json::object& whole) { return whole["dsseEnvelope"].as_object(); }

TEST_CASE("Bundles are written and read", "[bundle]") {
  CHECK(VALUE(ParseBundle(WriteBundle(kOfKey))) == kOfKey);
  CHECK(VALUE(ParseBundle(WriteBundle(kOfCertificate))) == kOfCertificate);
}

// Every field that upstream's reader asks for is there, under its name.
TEST_CASE("A bundle's JSON is what upstream reads", "[bundle]") {
  CHECK(WriteBundle(kOfKey) ==
        R"({"mediaType":"application/vnd.dev.sigstore.bundle.v0.3+json",)"
        R"("verificationMaterial":{"publicKey":{"hint":"0123"},"tlogEntries":[]},)"
        R"("dsseEnvelope":{"payload":"e30=","payloadType":"application/vnd.in-toto+json",)"
        R"("signatures":[{"sig":"c/8=","keyid":""}]}})"
        "\n");
  CHECK_THAT(WriteBundle(kOfCertificate),
             Contains(R"("verificationMaterial":{"x509CertificateChain":{"certificates":)"
                      R"([{"rawBytes":"bGVhZg=="},{"rawBytes":"YXV0aG9yaXR5"}]},)"));
}

// Of DSSE's specification, with our type in place of the example's.
TEST_CASE("What is signed", "[bundle]") {
  CHECK(PreAuthEncoding("hello world") == "DSSEv1 28 application/vnd.in-toto+json 11 hello world");
  CHECK(PreAuthEncoding("") == "DSSEv1 28 application/vnd.in-toto+json 0 ");
}

// Older signers give no hint, Sigstore one certificate, and services leave entries of theirs.
TEST_CASE("Bundles of others are read", "[bundle]") {
  const std::string text = Changed(kOfKey, [](json::object& whole) {
    Material(whole)["publicKey"] = json::object{{"rawBytes", "AAAA"}};
    Material(whole)["tlogEntries"] = json::array{json::object{{"logIndex", "1"}}};
    Material(whole)["timestampVerificationData"] = nullptr;
    Envelope(whole)["payload"] = "-_-_";
  });
  const Bundle bundle = VALUE(ParseBundle(text));
  CHECK(bundle.key_hint.empty());
  CHECK(bundle.payload == "\xfb\xff\xbf");
  const Bundle one = VALUE(ParseBundle(Changed(kOfKey, [](json::object& whole) {
    Material(whole).erase("publicKey");
    Material(whole)["certificate"] = json::object{{"rawBytes", "bGVhZg=="}};
  })));
  CHECK(one.certificates == std::vector<std::string>{"leaf"});
}

struct Wrong {
  void (*change)(json::object& whole);
  const char* message;
};

// Each refusal begins with the part that is wrong.
TEST_CASE("Bundles that are refused", "[bundle]") {
  const Wrong wrongs[] = {
      {[](json::object& b) { b["mediaType"] = "application/json"; },
       "bundle JSON: 'mediaType' is 'application/json', expected"},
      {[](json::object& b) { b.erase("verificationMaterial"); },
       "bundle JSON: 'verificationMaterial' is missing"},
      {[](json::object& b) { b.erase("dsseEnvelope"); }, "bundle JSON: 'dsseEnvelope' is missing"},
      {[](json::object& b) { Material(b).erase("x509CertificateChain"); },
       "bundle JSON: verificationMaterial: expected exactly one of"},
      {[](json::object& b) { Material(b)["publicKey"] = json::object(); },
       "bundle JSON: verificationMaterial: expected exactly one of"},
      {[](json::object& b) { Material(b)["x509CertificateChain"] = 1; },
       "certificate: not an object"},
      {[](json::object& b) {
         Material(b)["x509CertificateChain"].as_object()["certificates"] = json::array();
       },
       "certificate: 'certificates' is empty"},
      {[](json::object& b) {
         Material(b)["x509CertificateChain"].as_object()["certificates"].as_array().resize(9);
       },
       "certificate: 'certificates' has 9 entries, at most 8"},
      {[](json::object& b) {
         Material(b)["x509CertificateChain"].as_object()["certificates"] =
             json::array{json::object{{"rawBytes", "?"}}};
       },
       "certificate: 'rawBytes' is not base64"},
      {[](json::object& b) { Envelope(b)["payloadType"] = "text/plain"; },
       "envelope: 'payloadType' is 'text/plain', expected"},
      {[](json::object& b) { Envelope(b)["payload"] = "e30"; },
       "envelope: 'payload' is not base64"},
      {[](json::object& b) { Envelope(b)["signatures"] = json::array(); },
       "envelope: 'signatures' is empty"},
      {[](json::object& b) { Envelope(b)["signatures"].as_array().resize(2); },
       "envelope: 'signatures' has 2 entries"},
      {[](json::object& b) { Envelope(b)["signatures"] = json::array{json::object()}; },
       "signature: 'sig' is missing"},
      {[](json::object& b) { Envelope(b)["signatures"].as_array()[0].as_object()["sig"] = 5; },
       "signature: 'sig' is not a text"}};
  for (const Wrong& wrong : wrongs) {
    const absl::Status status = ParseBundle(Changed(kOfCertificate, wrong.change)).status();
    CHECK(absl::IsInvalidArgument(status));
    CHECK_THAT(ErrorOf(status), Catch::StartsWith(wrong.message));
  }
  CHECK_THAT(ErrorOf(ParseBundle(Changed(kOfKey,
                                         [](json::object& b) {
                                           Material(b)["publicKey"].as_object()["hint"] =
                                               std::string(1025, 'a');
                                         }))),
             Contains("'hint' has 1025 bytes"));
}

// Half a bundle is none, nor is one that would take much memory or stack.
TEST_CASE("Bundles that are cut or too large", "[bundle]") {
  const std::string whole = WriteBundle(kOfCertificate);
  for (size_t size = 0; size + 1 < whole.size(); ++size) {
    CHECK_THAT(ErrorOf(ParseBundle(whole.substr(0, size))),
               Catch::StartsWith("bundle JSON: not JSON"));
  }
  CHECK_THAT(ErrorOf(ParseBundle(std::string(kMostBundleBytes + 1, ' '))),
             Contains("bundle JSON: 33554433 bytes"));
  CHECK_THAT(ErrorOf(ParseBundle(std::string(1'000'000, '['))), Contains("bundle JSON: not JSON"));
}

}  // namespace
}  // namespace omserve::trust
