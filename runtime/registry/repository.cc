// SPDX-License-Identifier: Apache-2.0
#include <algorithm>
#include <filesystem>
#include <map>
#include <optional>
#include <string_view>
#include <system_error>
#include <utility>

#include "runtime/base/errors.h"
#include "runtime/base/version_folder.h"
#include "runtime/registry/registry.h"

namespace omserve::registry {
namespace {

namespace fs = std::filesystem;

constexpr fs::directory_options kFollowLinks = fs::directory_options::follow_directory_symlink;

// Sorted names of the folders in `path`. Hidden ones are passed over: Kubernetes mounts keep their
// own "..data" there, and editors and version control theirs. Links to folders count as folders.
absl::StatusOr<std::vector<std::string>> FolderNames(const fs::path& path) {
  std::error_code error;
  fs::directory_iterator entry(path, error);
  std::vector<std::string> names;
  while (!error && entry != fs::directory_iterator()) {
    const std::string name = entry->path().filename().string();
    // An entry that cannot be looked at (a broken link, one that is just being removed) is no
    // folder.
    std::error_code entry_error;
    if (!name.starts_with('.') && entry->is_directory(entry_error) && !entry_error) {
      names.push_back(name);
    }
    entry.increment(error);
  }
  if (error) {
    return Unavailable("'{}': {}; the folder must be readable for the server's user", path.string(),
                       error.message());
  }
  std::sort(names.begin(), names.end());
  return names;
}

absl::StatusOr<ModelFolder> ScanModel(const std::string& name, const fs::path& path) {
  ModelFolder folder;
  folder.name = name;
  folder.path = path.string();
  ASSIGN_OR_RETURN(const std::vector<std::string> names, FolderNames(path));
  for (const std::string& version_name : names) {
    if (const std::optional<int64_t> version = VersionOfFolder(version_name)) {
      folder.versions.push_back(*version);
    }
  }
  std::sort(folder.versions.begin(), folder.versions.end());
  return folder;
}

absl::Status TwiceError(const std::string& name, const std::string& one, const std::string& other) {
  return InvalidArgument(
      "model '{}' stands in two repositories, '{}' and '{}'; rename or remove one", name, one,
      other);
}

}  // namespace

std::string VersionPath(const ModelFolder& folder, int64_t version, const std::string& file) {
  return fmt::format("{}/{}/{}", folder.path, version, file);
}

absl::StatusOr<ModelFolder> ReadModelFolder(const std::string& name, const std::string& path) {
  return ScanModel(name, path);
}

absl::StatusOr<std::optional<ModelFolder>> FindModel(const std::vector<std::string>& repositories,
                                                     const std::string& name) {
  std::optional<ModelFolder> found;
  for (const std::string& repository : repositories) {
    const fs::path path = fs::path(repository) / name;
    std::error_code error;
    if (name.starts_with('.') || !fs::is_directory(path, error)) {
      continue;
    }
    if (found.has_value()) {
      return TwiceError(name, found->path, path.string());
    }
    ASSIGN_OR_RETURN(found, ScanModel(name, path));
  }
  return found;
}

absl::StatusOr<std::string> Fingerprint(const ModelFolder& folder, std::optional<int64_t> version) {
  std::vector<std::string> lines;
  std::error_code error;
  fs::recursive_directory_iterator entry(folder.path, kFollowLinks, error);
  while (!error && entry != fs::recursive_directory_iterator()) {
    const std::string name = entry->path().filename().string();
    const std::optional<int64_t> other = entry.depth() == 0 ? VersionOfFolder(name) : std::nullopt;
    if (name.starts_with('.') || (version.has_value() && other.has_value() && other != version)) {
      entry.disable_recursion_pending();
    } else {
      // What cannot be looked at (a file that is just being removed) counts by its name.
      std::error_code ignored;
      const bool is_file = entry->is_regular_file(ignored);
      const auto size = is_file ? entry->file_size(ignored) : 0;
      const auto time = is_file ? entry->last_write_time(ignored).time_since_epoch().count() : 0;
      lines.push_back(fmt::format("{} {} {}", entry->path().string(), size, time));
    }
    entry.increment(error);
  }
  if (error) {
    return Unavailable("'{}': {}; the folder must be readable for the server's user", folder.path,
                       error.message());
  }
  std::sort(lines.begin(), lines.end());
  return fmt::format("{}", fmt::join(lines, "\n"));
}

absl::StatusOr<std::vector<ModelFolder>> ScanRepositories(
    const std::vector<std::string>& repositories) {
  std::map<std::string, ModelFolder> by_name;
  for (const std::string& repository : repositories) {
    std::error_code error;
    if (!fs::is_directory(repository, error)) {
      return NotFound("model repository '{}': {}; expected a folder with one folder per model",
                      repository, error ? error.message() : "it is not a folder");
    }
    ASSIGN_OR_RETURN(const std::vector<std::string> names, FolderNames(repository));
    for (const std::string& name : names) {
      ASSIGN_OR_RETURN(ModelFolder folder, ScanModel(name, fs::path(repository) / name));
      const std::string path = folder.path;
      const auto [existing, inserted] = by_name.emplace(name, std::move(folder));
      if (!inserted) {
        return TwiceError(name, existing->second.path, path);
      }
    }
  }
  std::vector<ModelFolder> folders;
  folders.reserve(by_name.size());
  for (auto& [name, folder] : by_name) {
    folders.push_back(std::move(folder));
  }
  return folders;
}

}  // namespace omserve::registry
