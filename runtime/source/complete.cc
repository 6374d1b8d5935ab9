// SPDX-License-Identifier: Apache-2.0
#include "runtime/source/complete.h"

#include <optional>
#include <vector>

#include "runtime/base/errors.h"
#include "runtime/base/file.h"
#include "runtime/base/version_folder.h"
#include "runtime/source/sums_file.h"

namespace omserve::source {
namespace {

// Of a list in `folder`; `version`: but for files in folders of other versions.
absl::Status CheckList(const std::string& folder, std::optional<int64_t> version,
                       DigestCache& digests, Pace& pace, const std::stop_token& stop) {
  const std::string list = fmt::format("{}/{}", folder, kSumsName);
  const absl::StatusOr<std::string> text = ReadFile(list, kMostSumsBytes);
  if (absl::IsNotFound(text.status())) {
    return absl::OkStatus();
  }
  RETURN_IF_ERROR(text.status());
  ASSIGN_OR_RETURN(const std::vector<Sum> sums, ParseSums(*text, list));
  for (const Sum& sum : sums) {
    const size_t slash = sum.path.find('/');
    const std::optional<int64_t> other =
        slash == std::string::npos ? std::nullopt : VersionOfFolder(sum.path.substr(0, slash));
    if (version.has_value() && other.has_value() && other != version) {
      continue;
    }
    const absl::StatusOr<Digest> digest =
        digests.Of(fmt::format("{}/{}", folder, sum.path), stop, &pace);
    if (absl::IsCancelled(digest.status())) {
      return digest.status();
    }
    if (!digest.ok()) {
      return Unavailable("not complete: {}, which {} lists", MessageOf(digest.status()), list);
    }
    if (*digest != sum.digest) {
      return Unavailable(
          "not complete: '{}/{}' has SHA-256 {}, where {} lists {}; copy it again, or write the "
          "list anew",
          folder, sum.path, HexOf(*digest), list, HexOf(sum.digest));
    }
  }
  return absl::OkStatus();
}

}  // namespace

absl::Status CheckComplete(const std::string& model_folder, int64_t version, DigestCache& digests,
                           Pace& pace, const std::stop_token& stop) {
  RETURN_IF_ERROR(CheckList(model_folder, version, digests, pace, stop));
  return CheckList(fmt::format("{}/{}", model_folder, version), std::nullopt, digests, pace, stop);
}

}  // namespace omserve::source
