// SPDX-License-Identifier: Apache-2.0
#include "config/header_pattern.h"

#include <re2/re2.h>

#include <set>
#include <utility>

#include "absl/strings/ascii.h"
#include "runtime/base/errors.h"

namespace omserve::config {

struct HeaderPattern::Rule {
  Rule(const std::string& pattern, const re2::RE2::Options& options)
      : expression(pattern, options) {}

  re2::RE2 expression;
  std::set<std::string> secrets = {"authorization", "cookie", "proxy-authorization"};
};

absl::StatusOr<HeaderPattern> HeaderPattern::Make(const std::string& pattern,
                                                  const std::vector<std::string>& secrets) {
  HeaderPattern made;
  if (pattern.empty()) {
    return made;
  }
  re2::RE2::Options options;
  options.set_case_sensitive(false);
  options.set_log_errors(false);
  auto rule = std::make_shared<Rule>(pattern, options);
  if (!rule->expression.ok()) {
    return InvalidArgument("'{}' is no regular expression: {}", pattern, rule->expression.error());
  }
  rule->secrets.insert(secrets.begin(), secrets.end());
  made.rule_ = std::move(rule);
  return made;
}

bool HeaderPattern::Takes(std::string_view name) const {
  return takes_any() &&
         re2::RE2::PartialMatch(re2::StringPiece(name.data(), name.size()), rule_->expression) &&
         !rule_->secrets.contains(absl::AsciiStrToLower(std::string(name)));
}

}  // namespace omserve::config
