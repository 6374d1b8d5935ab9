// SPDX-License-Identifier: Apache-2.0
// The parts of BindText, one per format. `text` has passed CheckText.
#pragma once

#include <google/protobuf/descriptor.h>
#include <google/protobuf/message.h>

#include <string>
#include <vector>

#include "absl/status/status.h"
#include "config/source_map.h"

namespace omserve::config {

absl::Status BindYaml(const std::string& text, const std::string& file,
                      google::protobuf::Message& message, SourceMap& source);
absl::Status BindPbtxt(const std::string& text, const std::string& file,
                       google::protobuf::Message& message, SourceMap& source);
absl::Status BindJson(const std::string& text, const std::string& file,
                      google::protobuf::Message& message);

// In the order of the .proto file.
std::vector<std::string> FieldNames(const google::protobuf::Descriptor& type);
std::vector<std::string> ValueNames(const google::protobuf::EnumDescriptor& type);

}  // namespace omserve::config
