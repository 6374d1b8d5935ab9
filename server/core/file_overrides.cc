// SPDX-License-Identifier: Apache-2.0
#include "server/core/file_overrides.h"

#include <openssl/evp.h>
#include <stdlib.h>

#include <algorithm>
#include <cerrno>
#include <cstring>
#include <filesystem>
#include <limits>
#include <system_error>

#include "runtime/base/errno_text.h"
#include "runtime/base/errors.h"
#include "runtime/base/file.h"

namespace omserve::server {
namespace {

namespace fs = std::filesystem;

constexpr std::string_view kBase64 =
    "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
constexpr size_t kShownBytes = 256;  // Of what a client wrote.

bool IsInside(const fs::path& path) {
  return path.is_relative() && path.has_filename() &&
         std::none_of(path.begin(), path.end(),
                      [](const fs::path& part) { return part == ".." || part == "."; });
}

}  // namespace

absl::StatusOr<std::unique_ptr<OverrideFolder>> OverrideFolder::Make() {
  std::error_code error;
  std::string path = (fs::temp_directory_path(error) / "omserve-load-XXXXXX").string();
  if (error || mkdtemp(path.data()) == nullptr) {
    return Unavailable("no folder for the files of a load request: {}",
                       error ? error.message() : ErrnoText());
  }
  return std::unique_ptr<OverrideFolder>(new OverrideFolder(std::move(path)));  // NOLINT: private.
}

OverrideFolder::~OverrideFolder() {
  std::error_code ignored;
  fs::remove_all(path_, ignored);
}

absl::Status CheckModelName(std::string_view name) {
  if (name.find_first_not_of(" \t\r\n") == std::string_view::npos) {
    return InvalidArgument("Model name cannot be empty. Please enter a valid name to deploy.");
  }
  if (name.find('/') != std::string_view::npos || name.find("..") != std::string_view::npos ||
      name.find('\0') != std::string_view::npos) {
    return InvalidArgument(
        "invalid model name '{}', model name must not contain path traversal characters",
        name.substr(0, kShownBytes));
  }
  return absl::OkStatus();
}

absl::Status UnknownLoadParameter(std::string_view name) {
  return InvalidArgument(
      "unrecognized parameter '{}' for model load: expected 'config' or 'file:<version>/<path>'",
      name.substr(0, kShownBytes));
}

absl::Status AddFile(std::string_view parameter, std::string bytes, LoadParameters& parameters) {
  const std::string path(parameter.substr(kFilePrefix.size()));
  if (!IsInside(path) || path.find('\0') != std::string::npos) {
    return InvalidArgument(
        "'{}': expected file:<version>/<path>, a path that stays in the model's folder",
        parameter.substr(0, kShownBytes));
  }
  parameters.files[path] = std::move(bytes);
  return absl::OkStatus();
}

absl::StatusOr<std::string> DecodeBase64(std::string_view text) {
  if (text.size() % 4 != 0 || text.size() > std::numeric_limits<int>::max()) {
    return InvalidArgument("a file's contents are not base64: {} characters, not a multiple of 4",
                           text.size());
  }
  // EVP_DecodeBlock takes padding and spaces where none may be.
  const size_t padding = text.ends_with("==") ? 2 : text.ends_with('=') ? 1 : 0;
  if (text.substr(0, text.size() - padding).find_first_not_of(kBase64) != std::string_view::npos) {
    return InvalidArgument("a file's contents are not base64");
  }
  std::string bytes(text.size() / 4 * 3, '\0');
  const int decoded = EVP_DecodeBlock(static_cast<unsigned char*>(static_cast<void*>(bytes.data())),
                                      reinterpret_cast<const unsigned char*>(text.data()),
                                      static_cast<int>(text.size()));
  if (decoded < 0) {
    return InvalidArgument("a file's contents are not base64");
  }
  bytes.resize(static_cast<size_t>(decoded) - padding);
  return bytes;
}

absl::StatusOr<std::unique_ptr<OverrideFolder>> WriteFiles(
    const std::map<std::string, std::string>& files) {
  ASSIGN_OR_RETURN(std::unique_ptr<OverrideFolder> folder, OverrideFolder::Make());
  for (const auto& [path, bytes] : files) {
    const fs::path file = fs::path(folder->path()) / path;
    std::error_code error;
    fs::create_directories(file.parent_path(), error);
    if (error) {
      return Unavailable("a file of the load request cannot be kept: {}", error.message());
    }
    RETURN_IF_ERROR(WriteFileAtomically(file.string(), bytes));
  }
  return folder;
}

}  // namespace omserve::server
