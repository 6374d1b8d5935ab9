// SPDX-License-Identifier: Apache-2.0
#include "runtime/hostops/json_words.h"

#include <boost/json.hpp>
#include <string_view>
#include <utility>

#include "runtime/base/errors.h"
#include "runtime/base/file.h"

namespace omserve::hostops {
namespace {

// Vocabularies in use have some hundred thousand words of a few bytes.
constexpr size_t kWordFileLimitBytes = size_t{64} << 20;

}  // namespace

absl::StatusOr<std::vector<std::string>> ReadJsonWords(const std::string& path) {
  ASSIGN_OR_RETURN(const std::string text, ReadFile(path, kWordFileLimitBytes));
  boost::json::error_code error;
  const boost::json::value parsed =
      boost::json::parse(boost::json::string_view(text.data(), text.size()), error);
  if (error) {
    return InvalidArgument("'{}': not JSON ({}), expected an array of strings", path,
                           error.message());
  }
  const boost::json::array* array = parsed.if_array();
  if (array == nullptr || array->empty()) {
    return InvalidArgument("'{}': {}, expected an array of strings", path,
                           array == nullptr ? "no array" : "an empty array");
  }
  std::vector<std::string> words;
  words.reserve(array->size());
  for (const boost::json::value& element : *array) {
    const boost::json::string* word = element.if_string();
    if (word == nullptr) {
      return InvalidArgument("'{}': element {} is no string, expected an array of strings", path,
                             words.size());
    }
    words.emplace_back(word->data(), word->size());
  }
  return words;
}

absl::StatusOr<std::vector<std::string>> ReadLabels(const std::string& path) {
  if (path.ends_with(".json")) {
    return ReadJsonWords(path);
  }
  ASSIGN_OR_RETURN(const std::string text, ReadFile(path, kWordFileLimitBytes));
  std::vector<std::string> labels;
  for (std::string_view rest = text; !rest.empty();) {
    const size_t end = rest.find('\n');
    std::string_view line = rest.substr(0, end);
    rest.remove_prefix(end == std::string_view::npos ? rest.size() : end + 1);
    if (line.ends_with('\r')) {
      line.remove_suffix(1);
    }
    labels.emplace_back(line);
  }
  if (labels.empty()) {
    return InvalidArgument("'{}': empty, expected a label a line", path);
  }
  return labels;
}

}  // namespace omserve::hostops
