// SPDX-License-Identifier: Apache-2.0
// Which of a request's headers its server takes for parameters.
#pragma once

#include <memory>
#include <set>
#include <string>
#include <string_view>
#include <vector>

#include "absl/status/statusor.h"

namespace re2 {
class RE2;
}

namespace omserve::config {

// Thread-safe. Cheap to copy.
class HeaderPattern final {
 public:
  HeaderPattern() = default;  // Takes none.
  // A regular expression as RE2 has it, of which a part of a header's name has to match, as in
  // Triton; case does not count unless it begins with (?-i). Empty: takes none. Headers that hold
  // secrets are never taken: `secrets`, in lower case, and those that everywhere do. Errors:
  // kInvalidArgument for what is no regular expression.
  static absl::StatusOr<HeaderPattern> Make(const std::string& pattern,
                                            const std::vector<std::string>& secrets = {});

  bool takes_any() const { return expression_ != nullptr; }
  bool Takes(std::string_view name) const;

 private:
  std::shared_ptr<const re2::RE2> expression_;  // Null: none.
  std::set<std::string> secrets_;
};

}  // namespace omserve::config
