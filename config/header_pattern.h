// SPDX-License-Identifier: Apache-2.0
// Which of a request's headers its server takes for parameters.
#pragma once

#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "absl/status/statusor.h"

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

  bool takes_any() const { return rule_ != nullptr; }
  bool Takes(std::string_view name) const;

 private:
  struct Rule;

  std::shared_ptr<const Rule> rule_;  // Null: none.
};

}  // namespace omserve::config
