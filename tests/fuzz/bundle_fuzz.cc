// SPDX-License-Identifier: Apache-2.0
// Signatures as anybody may write them: bundles, statements, certificates, and the names that a
// policy decides by.
//
// The first byte says what the rest is.
#include <chrono>
#include <cstddef>
#include <cstdint>
#include <ctime>
#include <string>
#include <string_view>
#include <vector>

#include "runtime/base/check.h"
#include "runtime/base/split.h"
#include "runtime/trust/base64.h"
#include "runtime/trust/bundle.h"
#include "runtime/trust/certificates.h"
#include "runtime/trust/folder.h"
#include "runtime/trust/keys.h"
#include "runtime/trust/policy.h"
#include "runtime/trust/statement.h"
#include "runtime/trust/verifier.h"

namespace omserve::trust {
namespace {

constexpr std::time_t kSomeTime = 1'800'000'000;

template <typename T>
bool IsGiven(const absl::StatusOr<T>& value) {
  OMSERVE_CHECK(value.ok() || absl::IsInvalidArgument(value.status()),
                "what is damaged is its writer's fault");
  OMSERVE_CHECK(value.ok() || !value.status().message().empty(), "every refusal says why");
  return value.ok();
}

void TryBundle(std::string_view text) {
  const absl::StatusOr<Bundle> bundle = ParseBundle(text);
  if (!IsGiven(bundle)) {
    return;
  }
  const absl::StatusOr<Bundle> again = ParseBundle(WriteBundle(*bundle));
  OMSERVE_CHECK(again.ok() && *again == *bundle, "what was read can be written and read again");
}

void TryStatement(std::string_view text) {
  const absl::StatusOr<Statement> statement = ParseStatement(text);
  if (!IsGiven(statement)) {
    return;
  }
  const absl::StatusOr<std::string> written = WriteStatement(*statement);
  OMSERVE_CHECK(written.ok(), "what was read can be written");
  const absl::StatusOr<Statement> again = ParseStatement(*written);
  OMSERVE_CHECK(again.ok() && *again == *statement, "and read again");
  const std::vector<std::byte> bytes(16);
  std::vector<std::string> names;
  for (const Resource& resource : statement->resources) {
    OMSERVE_CHECK(CheckName(resource.name).ok(), "names lead below the model's folder");
    const absl::Status status = CheckFile(*statement, resource.name, bytes, 1);
    OMSERVE_CHECK(status.ok() || absl::IsInvalidArgument(status), "other bytes are refused");
    names.push_back(resource.name);
  }
  OMSERVE_CHECK(CheckNames(*statement, names).ok(), "its own names are signed");
  OMSERVE_CHECK(!CheckFile(*statement, "../x", bytes, 1).ok(), "nothing outside is");
}

// A certificate as its own authority, so that all that is asked of a signer's is asked of it.
void TryCertificate(std::string_view der) {
  const absl::StatusOr<CertificateHandle> certificate = CertificateFromDer(der);
  if (!IsGiven(certificate)) {
    return;
  }
  const absl::StatusOr<std::vector<std::string>> identities = IdentitiesOf(**certificate);
  OMSERVE_CHECK(!IsGiven(identities) || !identities->empty(), "a signer has a name");
  std::string pem = "-----BEGIN CERTIFICATE-----\n";
  const std::string base64 = ToBase64(der);
  for (size_t at = 0; at < base64.size(); at += 64) {
    pem += base64.substr(at, 64) + "\n";
  }
  pem += "-----END CERTIFICATE-----\n";
  const absl::StatusOr<CertificateRoots> roots = CertificateRoots::FromPem(pem);
  if (roots.ok()) {
    const auto checked =
        roots->Check({std::string(der)}, std::chrono::system_clock::from_time_t(kSomeTime));
    OMSERVE_CHECK(!checked.ok() || !checked->identities.empty(), "a signer has a name");
  }
}

void TryKeys(std::string_view pem) {
  const absl::StatusOr<std::vector<PublicKey>> keys = ReadPublicKeys(pem);
  OMSERVE_CHECK(!keys.ok() || !keys->empty(), "a file of keys has one");
}

// Lines: an identity's pattern, a model's, an identity, a model, a fingerprint.
void TryPolicy(std::string_view text) {
  std::vector<std::string> lines;
  for (const std::string_view line : Split(text, '\n')) {
    lines.emplace_back(line);
  }
  lines.resize(5);
  constexpr size_t kMostBytes = 256;  // Patterns take as long as the product of two lines.
  if (text.size() > kMostBytes) {
    return;
  }
  TrustPolicy policy{
      .mode = TrustMode::kRequire,
      .signers = {{.identity = lines[0], .key_fingerprint = "", .models = {lines[1]}},
                  {.identity = "", .key_fingerprint = lines[4], .models = {}}}};
  SignedStatement found;
  found.signer = {.identities = {lines[2]}, .key_fingerprint = std::string(64, '0')};
  found.statement.model = lines[3];
  const absl::Status status = CheckMaySign(policy, found, lines[3], 1);
  OMSERVE_CHECK(status.ok() || status.code() == absl::StatusCode::kPermissionDenied,
                "the answer is yes or no");
  OMSERVE_CHECK(!CheckMaySign(policy, found, lines[3] + "x", 1).ok(), "it is for its own model");
  (void)policy.Validate();
}

}  // namespace
}  // namespace omserve::trust

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  if (size == 0) {
    return 0;
  }
  const std::string rest(data + 1, data + size);
  switch (data[0] % 5) {
    case 0:
      omserve::trust::TryBundle(rest);
      break;
    case 1:
      omserve::trust::TryStatement(rest);
      break;
    case 2:
      omserve::trust::TryCertificate(rest);
      break;
    case 3:
      omserve::trust::TryKeys(rest);
      break;
    default:
      omserve::trust::TryPolicy(rest);
  }
  return 0;
}
