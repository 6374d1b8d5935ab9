// SPDX-License-Identifier: Apache-2.0
// What says who a client is, on any bytes: the Authorization field, hashes, patterns, and the file
// of clients.
//
// The first byte says what the rest is.
#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>

#include "runtime/base/check.h"
#include "runtime/base/pattern.h"
#include "server/core/auth/clients.h"
#include "server/core/auth/tokens.h"

namespace omserve::server {
namespace {

void TryField(std::string_view field) {
  const std::optional<std::string_view> token = BearerToken(field);
  if (!token.has_value()) {
    return;
  }
  OMSERVE_CHECK(!token->empty() && token->size() <= 512, "a token has a size");
  OMSERVE_CHECK(BearerToken("Bearer " + std::string(*token)) == token, "it can be sent again");
  OMSERVE_CHECK(HashFromHex(HexOf(HashOf(*token))) == HashOf(*token), "a hash can be written");
}

// What fits the pattern as it is written here: by trying every end of every star.
bool FitsSlowly(std::string_view pattern, std::string_view text) {
  if (pattern.empty()) {
    return text.empty();
  }
  if (pattern.front() != '*') {
    return !text.empty() && pattern.front() == text.front() &&
           FitsSlowly(pattern.substr(1), text.substr(1));
  }
  for (size_t covered = 0; covered <= text.size(); ++covered) {
    if (FitsSlowly(pattern.substr(1), text.substr(covered))) {
      return true;
    }
  }
  return false;
}

void TryPattern(std::string_view bytes) {
  constexpr size_t kMostBytes = 16;  // The slow way is exponential.
  const size_t colon = bytes.find(':');
  if (colon == std::string_view::npos || bytes.size() > kMostBytes) {
    return;
  }
  const std::string_view pattern = bytes.substr(0, colon);
  const std::string_view text = bytes.substr(colon + 1);
  OMSERVE_CHECK(FitsPattern(pattern, text) == FitsSlowly(pattern, text), "both agree");
}

void TryFile(const std::string& text) {
  const absl::StatusOr<std::shared_ptr<const Clients>> clients = Clients::Parse(text, "f");
  if (!clients.ok()) {
    OMSERVE_CHECK(clients.status().code() == absl::StatusCode::kInvalidArgument,
                  "a damaged file is its writer's fault");
    return;
  }
  // "abc" has a hash that the corpus knows.
  const KnownClient* const client = (*clients)->FindToken("abc");
  OMSERVE_CHECK(client == nullptr || !client->name.empty(), "whoever is known has a name");
  OMSERVE_CHECK((*clients)->FindCertificate({}) == nullptr, "nothing is nobody's certificate");
}

}  // namespace
}  // namespace omserve::server

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  if (size == 0) {
    return 0;
  }
  const std::string rest(data + 1, data + size);
  switch (data[0] % 4) {
    case 0:
      omserve::server::TryField(rest);
      break;
    case 1:
      if (const auto hash = omserve::server::HashFromHex(rest)) {
        OMSERVE_CHECK(omserve::server::HashFromHex(omserve::server::HexOf(*hash)) == hash,
                      "a hash can be written");
      }
      break;
    case 2:
      omserve::server::TryPattern(rest);
      break;
    default:
      omserve::server::TryFile(rest);
  }
  return 0;
}
