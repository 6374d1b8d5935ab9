// SPDX-License-Identifier: Apache-2.0
// What a load request may bring along in place of the repository: a configuration, and files.
//
// Source: Triton's model repository extension.
#pragma once

#include <map>
#include <memory>
#include <optional>
#include <string>
#include <string_view>

#include "absl/status/statusor.h"

namespace omserve::server {

// A folder of its own for files that came with a request; goes with them.
class OverrideFolder final {
 public:
  // Errors: kUnavailable when it cannot be made.
  static absl::StatusOr<std::unique_ptr<OverrideFolder>> Make();
  OverrideFolder(const OverrideFolder&) = delete;
  OverrideFolder& operator=(const OverrideFolder&) = delete;
  ~OverrideFolder();
  const std::string& path() const { return path_; }

 private:
  explicit OverrideFolder(std::string path) : path_(std::move(path)) {}
  const std::string path_;
};

struct LoadParameters {
  std::optional<std::string> config;         // JSON, in place of config.yaml or config.pbtxt.
  std::map<std::string, std::string> files;  // By path within the model's folder.
};

// Errors, in Triton's words: kInvalidArgument for a name that is blank or could leave the folder.
absl::Status CheckModelName(std::string_view name);

// The prefix of parameters that bring files: "file:1/model.om".
inline constexpr std::string_view kFilePrefix = "file:";

// For a parameter that brings neither a configuration nor a file: kInvalidArgument.
absl::Status UnknownLoadParameter(std::string_view name);

// Notes a file under the parameter's name. Errors: kInvalidArgument for a path that is absolute,
// leaves the model's folder or names no file.
absl::Status AddFile(std::string_view parameter, std::string bytes, LoadParameters& parameters);

// What RFC 4648 has encoded, padded. Errors: kInvalidArgument.
absl::StatusOr<std::string> DecodeBase64(std::string_view text);

// The files in a folder of their own. Requires files. Blocks on the disk. Errors: the disk's.
absl::StatusOr<std::unique_ptr<OverrideFolder>> WriteFiles(
    const std::map<std::string, std::string>& files);

}  // namespace omserve::server
