// SPDX-License-Identifier: Apache-2.0
#include "config/header_pattern.h"

#include <re2/re2.h>

#include "absl/strings/ascii.h"
#include "runtime/base/errors.h"

namespace omserve::config {

absl::StatusOr<HeaderPattern> HeaderPattern::Make(const std::string& pattern,
                                                  const std::vector<std::string>& secrets) {
  HeaderPattern made;
  if (pattern.empty()) {
    return made;
  }
  re2::RE2::Options options;
  options.set_case_sensitive(false);
  options.set_log_errors(false);
  made.expression_ = std::make_shared<re2::RE2>(pattern, options);
  if (!made.expression_->ok()) {
    return InvalidArgument("'{}' is no regular expression: {}", pattern, made.expression_->error());
  }
  made.secrets_ = {"authorization", "cookie", "proxy-authorization"};
  made.secrets_.insert(secrets.begin(), secrets.end());
  return made;
}

bool HeaderPattern::Takes(std::string_view name) const {
  return takes_any() &&
         re2::RE2::PartialMatch(re2::StringPiece(name.data(), name.size()), *expression_) &&
         !secrets_.contains(absl::AsciiStrToLower(std::string(name)));
}

}  // namespace omserve::config
