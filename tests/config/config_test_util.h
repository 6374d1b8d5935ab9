// SPDX-License-Identifier: Apache-2.0
// Short ways to bind a text and to see what was said about it.
#pragma once

#include <google/protobuf/util/message_differencer.h>

#include <catch2/catch.hpp>
#include <string>

#include "config/model_config.h"
#include "tests/status_test_util.h"

namespace omserve::config {

inline std::string ErrorOf(const absl::Status& status) { return std::string(MessageOf(status)); }
template <typename T>
std::string ErrorOf(const absl::StatusOr<T>& value) {
  return ErrorOf(value.status());
}

// The whole error of binding `text` as "f" to a ModelConfig; "" when there is none.
inline std::string BindError(TextFormat format, const std::string& text) {
  inference::ModelConfig config;
  return ErrorOf(BindText(format, text, "f", config));
}

// The configuration in `text`, which must be right, for a model folder "m".
inline LoadedModelConfig Parsed(TextFormat format, const std::string& text) {
  return VALUE(ParseModelConfig(format, text, "f", "m"));
}

inline absl::Status ParseStatus(const std::string& yaml) {
  return ParseModelConfig(TextFormat::kYaml, yaml, "f", "m").status();
}

inline bool SameMessage(const google::protobuf::Message& a, const google::protobuf::Message& b) {
  return google::protobuf::util::MessageDifferencer::Equals(a, b);
}

}  // namespace omserve::config
