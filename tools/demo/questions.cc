// SPDX-License-Identifier: Apache-2.0
#include "tools/demo/questions.h"

#include <boost/json.hpp>
#include <cstring>
#include <utility>

#include "runtime/base/errors.h"
#include "runtime/base/file.h"

namespace omserve::demo {
namespace {

namespace json = boost::json;

// Rows of a NumPy file of little-endian 32-bit floats in C order: magic, version 1.0, u16 header
// length, header text, data.
absl::StatusOr<std::vector<std::vector<float>>> ReadLogits(const std::string& path, size_t rows) {
  ASSIGN_OR_RETURN(const std::string file, ReadFile(path));
  constexpr size_t kPreamble = 10;
  if (file.size() < kPreamble || file.compare(0, 6, "\x93NUMPY") != 0 ||
      file.find("'<f4'") == std::string::npos) {
    return InvalidArgument("'{}': expected a NumPy file of '<f4'", path);
  }
  const size_t header =
      static_cast<unsigned char>(file[8]) + (size_t{static_cast<unsigned char>(file[9])} << 8U);
  if (kPreamble + header > file.size()) {
    return InvalidArgument("'{}': its header is cut off", path);
  }
  const std::string_view data = std::string_view(file).substr(kPreamble + header);
  if (rows == 0 || data.size() % (rows * sizeof(float)) != 0) {
    return InvalidArgument("'{}': {} bytes are not {} rows", path, data.size(), rows);
  }
  const size_t row_bytes = data.size() / rows;
  std::vector<std::vector<float>> logits(rows, std::vector<float>(row_bytes / sizeof(float)));
  for (size_t r = 0; r < rows; ++r) {
    std::memcpy(logits[r].data(), data.data() + r * row_bytes, row_bytes);
  }
  return logits;
}

absl::StatusOr<std::string> Text(const json::value& object, std::string_view key,
                                 const std::string& path) {
  const json::object* fields = object.if_object();
  const json::value* value = fields == nullptr ? nullptr : fields->if_contains(key);
  if (value == nullptr || !value->is_string()) {
    return InvalidArgument("'{}': expected objects with a text '{}'", path, key);
  }
  return std::string(value->as_string().data(), value->as_string().size());
}

}  // namespace

absl::StatusOr<std::vector<Question>> LoadQuestions(const std::string& folder) {
  const std::string path = folder + "/samples.json";
  ASSIGN_OR_RETURN(const std::string text, ReadFile(path));
  json::error_code error;
  const json::value samples = json::parse(text, error);
  if (error || !samples.is_array()) {
    return InvalidArgument("'{}': expected a JSON array", path);
  }
  std::vector<Question> questions;
  for (const json::value& sample : samples.as_array()) {
    ASSIGN_OR_RETURN(const std::string image, Text(sample, "image", path));
    ASSIGN_OR_RETURN(const std::string png, ReadFile(folder + "/" + image));
    const json::value* list = sample.as_object().if_contains("questions");
    if (list == nullptr || !list->is_array()) {
      return InvalidArgument("'{}': expected objects with an array 'questions'", path);
    }
    for (const json::value& entry : list->as_array()) {
      Question question{.image = image, .png = png};
      ASSIGN_OR_RETURN(question.text, Text(entry, "text", path));
      ASSIGN_OR_RETURN(question.expected, Text(entry, "answer", path));
      questions.push_back(std::move(question));
    }
  }
  ASSIGN_OR_RETURN(std::vector<std::vector<float>> logits,
                   ReadLogits(folder + "/logits.npy", questions.size()));
  for (size_t i = 0; i < questions.size(); ++i) {
    questions[i].logits = std::move(logits[i]);  // Row = place of the question in the file.
  }
  return questions;
}

}  // namespace omserve::demo
