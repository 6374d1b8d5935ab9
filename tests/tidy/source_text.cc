// SPDX-License-Identifier: Apache-2.0
// Enough of C++'s lexical grammar to tell code from comments and literals.
#include <algorithm>
#include <string>
#include <string_view>

#include "tests/tidy/rules.h"

namespace omserve::tidy {
namespace {

bool IsWordCharacter(char c) {
  return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '_';
}

class Blanker final {
 public:
  explicit Blanker(std::string_view source) : source_(source), text_(source) {}

  std::string Run() {
    while (at_ < source_.size()) {
      if (StartsWith("//")) {
        BlankUntil(source_.find('\n', at_));
      } else if (StartsWith("/*")) {
        BlankUntil(EndOf("*/", at_ + 2));
      } else if (StartsWith("R\"") && !IsInWord()) {
        SkipRawString();
      } else if (source_[at_] == '"') {
        SkipLiteral('"');
      } else if (source_[at_] == '\'' && !IsInWord()) {
        // An apostrophe inside a word or a number separates digits.
        SkipLiteral('\'');
      } else {
        ++at_;
      }
    }
    return text_;
  }

 private:
  bool StartsWith(std::string_view start) const {
    return source_.substr(at_, start.size()) == start;
  }
  bool IsInWord() const { return at_ > 0 && IsWordCharacter(source_[at_ - 1]); }
  // Behind the next `mark`, or the end of the source.
  size_t EndOf(std::string_view mark, size_t from) const {
    const size_t found = source_.find(mark, from);
    return found == std::string_view::npos ? source_.size() : found + mark.size();
  }
  void BlankUntil(size_t end) {
    for (; at_ < std::min(end, source_.size()); ++at_) {
      if (source_[at_] != '\n') {
        text_[at_] = ' ';
      }
    }
  }
  // The quotes stay, so that `f("x")` is still seen to have an argument.
  void SkipLiteral(char quote) {
    size_t end = at_ + 1;
    while (end < source_.size() && source_[end] != quote && source_[end] != '\n') {
      end += source_[end] == '\\' ? 2U : 1U;
    }
    ++at_;
    BlankUntil(end);
    ++at_;
  }
  void SkipRawString() {
    const size_t open = source_.find('(', at_);
    if (open == std::string_view::npos) {
      at_ = source_.size();
      return;
    }
    std::string close(")");
    close += source_.substr(at_ + 2, open - at_ - 2);
    close += '"';
    BlankUntil(EndOf(close, open));
  }

  std::string_view source_;
  std::string text_;
  size_t at_ = 0;
};

}  // namespace

std::string BlankCommentsAndLiterals(std::string_view source) { return Blanker(source).Run(); }

}  // namespace omserve::tidy
