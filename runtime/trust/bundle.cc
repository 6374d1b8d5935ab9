// SPDX-License-Identifier: Apache-2.0
#include "runtime/trust/bundle.h"

#include <boost/json.hpp>
#include <optional>
#include <string>
#include <string_view>
#include <utility>

#include "runtime/base/errors.h"
#include "runtime/base/json_fields.h"
#include "runtime/trust/base64.h"
#include "runtime/trust/certificates.h"

namespace omserve::trust {
namespace {

namespace json = boost::json;

constexpr std::string_view kMediaType = "application/vnd.dev.sigstore.bundle.v0.3+json";
constexpr std::string_view kPayloadType = "application/vnd.in-toto+json";
constexpr size_t kMostHintBytes = 1024;

json::string ToJson(std::string_view text) { return json::string(text.data(), text.size()); }

absl::StatusOr<std::string> Base64Field(const json::object& object, std::string_view key,
                                        std::string_view where) {
  ASSIGN_OR_RETURN(const std::string text, TextField(object, key, where));
  std::optional<std::string> bytes = FromBase64(text);
  if (!bytes.has_value()) {
    return InvalidArgument(
        "{}: '{}' is not base64 (padded, no white space, no other trailing bits)", where, key);
  }
  return *std::move(bytes);
}

absl::Status ReadCertificate(const json::value& value, Bundle& bundle) {
  constexpr std::string_view kWhere = "certificate";
  ASSIGN_OR_RETURN(const json::object* const object, ObjectOf(value, kWhere));
  ASSIGN_OR_RETURN(std::string der, Base64Field(*object, "rawBytes", kWhere));
  bundle.certificates.push_back(std::move(der));
  return absl::OkStatus();
}

absl::Status ReadMaterial(const json::object& material, Bundle& bundle) {
  const std::string where = "bundle JSON: verificationMaterial";
  const json::value* const key = FindField(material, "publicKey");
  const json::value* const chain = FindField(material, "x509CertificateChain");
  const json::value* const one = FindField(material, "certificate");
  if ((key != nullptr) + (chain != nullptr) + (one != nullptr) != 1) {
    return InvalidArgument(
        "{}: expected exactly one of 'publicKey', 'x509CertificateChain' and 'certificate'", where);
  }
  if (one != nullptr) {
    return ReadCertificate(*one, bundle);
  }
  if (key != nullptr) {
    ASSIGN_OR_RETURN(const json::object* const object, ObjectOf(*key, where + ".publicKey"));
    if (FindField(*object, "hint") != nullptr) {
      ASSIGN_OR_RETURN(bundle.key_hint, TextField(*object, "hint", where + ".publicKey"));
    }
    if (bundle.key_hint.size() > kMostHintBytes) {
      return InvalidArgument("{}.publicKey: 'hint' has {} bytes, expected at most {}", where,
                             bundle.key_hint.size(), kMostHintBytes);
    }
    return absl::OkStatus();
  }
  ASSIGN_OR_RETURN(const json::object* const object, ObjectOf(*chain, "certificate"));
  ASSIGN_OR_RETURN(const json::array* const certificates,
                   ListField(*object, "certificates", kMostChainLength, "certificate"));
  if (certificates->empty()) {
    return InvalidArgument("certificate: 'certificates' is empty, expected the signer's first");
  }
  for (const json::value& certificate : *certificates) {
    RETURN_IF_ERROR(ReadCertificate(certificate, bundle));
  }
  return absl::OkStatus();
}

absl::Status ReadEnvelope(const json::object& envelope, Bundle& bundle) {
  RETURN_IF_ERROR(CheckTextField(envelope, "payloadType", kPayloadType, "envelope"));
  ASSIGN_OR_RETURN(bundle.payload, Base64Field(envelope, "payload", "envelope"));
  ASSIGN_OR_RETURN(const json::array* const signatures,
                   ListField(envelope, "signatures", 1, "envelope"));
  if (signatures->empty()) {
    return InvalidArgument("envelope: 'signatures' is empty, expected one");
  }
  ASSIGN_OR_RETURN(const json::object* const signature,
                   ObjectOf(signatures->front(), "envelope: signatures[0]"));
  ASSIGN_OR_RETURN(bundle.signature, Base64Field(*signature, "sig", "signature"));
  return absl::OkStatus();
}

}  // namespace

std::string WriteBundle(const Bundle& bundle) {
  json::object material;
  if (bundle.certificates.empty()) {
    material["publicKey"] = json::object{{"hint", ToJson(bundle.key_hint)}};
  } else {
    json::array certificates;
    for (const std::string& der : bundle.certificates) {
      certificates.push_back(json::object{{"rawBytes", ToJson(ToBase64(der))}});
    }
    material["x509CertificateChain"] = json::object{{"certificates", std::move(certificates)}};
  }
  material["tlogEntries"] = json::array();
  // Readers of upstream want a keyid, if only an empty one.
  json::array signatures;
  signatures.push_back(json::object{{"sig", ToJson(ToBase64(bundle.signature))}, {"keyid", ""}});
  const json::object whole = {
      {"mediaType", ToJson(kMediaType)},
      {"verificationMaterial", std::move(material)},
      {"dsseEnvelope", json::object{{"payload", ToJson(ToBase64(bundle.payload))},
                                    {"payloadType", ToJson(kPayloadType)},
                                    {"signatures", std::move(signatures)}}}};
  return json::serialize(whole) + "\n";
}

absl::StatusOr<Bundle> ParseBundle(std::string_view text) {
  constexpr std::string_view kWhere = "bundle JSON";
  if (text.size() > kMostBundleBytes) {
    return InvalidArgument("{}: {} bytes, at most {} are read", kWhere, text.size(),
                           kMostBundleBytes);
  }
  ASSIGN_OR_RETURN(const json::object whole, ParseObject(text, kWhere));
  RETURN_IF_ERROR(CheckTextField(whole, "mediaType", kMediaType, kWhere));
  ASSIGN_OR_RETURN(const json::object* const material,
                   ObjectField(whole, "verificationMaterial", kWhere));
  ASSIGN_OR_RETURN(const json::object* const envelope, ObjectField(whole, "dsseEnvelope", kWhere));
  Bundle bundle;
  RETURN_IF_ERROR(ReadMaterial(*material, bundle));
  RETURN_IF_ERROR(ReadEnvelope(*envelope, bundle));
  return bundle;
}

std::string PreAuthEncoding(std::string_view payload) {
  std::string encoded =
      fmt::format("DSSEv1 {} {} {} ", kPayloadType.size(), kPayloadType, payload.size());
  encoded += payload;
  return encoded;
}

}  // namespace omserve::trust
