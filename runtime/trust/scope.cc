// SPDX-License-Identifier: Apache-2.0
// Names: what is in scope, and what a statement says of it.
#include <algorithm>
#include <filesystem>
#include <iterator>
#include <system_error>
#include <utility>

#include "runtime/base/errors.h"
#include "runtime/base/json_fields.h"
#include "runtime/base/version_folder.h"
#include "runtime/trust/folder.h"

namespace omserve::trust {
namespace {

namespace fs = std::filesystem;

bool IsOfGit(std::string_view name) {
  return std::find(kGitNames.begin(), kGitNames.end(), name) != kGitNames.end();
}

// Collects the files below a model's folder.
class ScopeWalk final {
 public:
  ScopeWalk(fs::path root, int64_t version)
      : root_(std::move(root)), version_(std::to_string(version)), bundle_(BundleNameOf(version)) {}

  // Depth is bounded by kMostNameBytes.
  absl::Status Walk(const std::string& folder) {
    std::error_code error;
    fs::directory_iterator entry(root_ / folder, error);
    for (; !error && entry != fs::directory_iterator(); entry.increment(error)) {
      const std::string file = entry->path().filename().string();
      RETURN_IF_ERROR(Visit(*entry, folder.empty() ? file : fmt::format("{}/{}", folder, file),
                            folder.empty()));
    }
    if (error) {
      return InvalidArgument("file '{}': the folder cannot be read: {}", Shown(folder),
                             error.message());
    }
    return absl::OkStatus();
  }
  std::vector<std::string> TakeNames() {
    std::sort(names_.begin(), names_.end());
    return std::move(names_);
  }

 private:
  absl::Status Visit(const fs::directory_entry& entry, const std::string& name, bool is_top) {
    std::error_code error;
    if (is_top && VersionOfFolder(name).has_value() && entry.is_directory(error)) {
      // The one folder that may be reached by a link.
      return name == version_ ? Walk(name) : absl::OkStatus();
    }
    if (name == bundle_ || (is_top && IsOfGit(name))) {
      return absl::OkStatus();
    }
    const fs::file_status status = entry.symlink_status(error);
    if (error) {
      return InvalidArgument("file '{}': {}", Shown(name), error.message());
    }
    RETURN_IF_ERROR(WithContext(CheckName(name), "file"));
    switch (status.type()) {
      case fs::file_type::directory:
        return Walk(name);
      case fs::file_type::regular:
        break;
      case fs::file_type::symlink:
        return InvalidArgument(
            "file '{}': a symbolic link, whose target can change unsigned; put the file itself "
            "there",
            name);
      default:
        return InvalidArgument("file '{}': neither a file nor a folder", name);
    }
    if (names_.size() == kMostResources) {
      return InvalidArgument("file '{}': more than {} files in one model", name, kMostResources);
    }
    names_.push_back(name);
    return absl::OkStatus();
  }

  const fs::path root_;
  const std::string version_;
  const std::string bundle_;
  std::vector<std::string> names_;
};

}  // namespace

std::string BundleNameOf(int64_t version) { return fmt::format("{}/{}", version, kBundleName); }

absl::StatusOr<std::vector<std::string>> ListScope(const std::string& model_folder,
                                                   int64_t version) {
  std::error_code error;
  const fs::path root(model_folder);
  if (!fs::is_directory(root / std::to_string(version), error)) {
    return NotFound("'{}': no such folder; expected version {} of a model",
                    (root / std::to_string(version)).string(), version);
  }
  ScopeWalk walk(root, version);
  RETURN_IF_ERROR(walk.Walk(""));
  return walk.TakeNames();
}

absl::Status CheckNames(const Statement& statement, const std::vector<std::string>& scope) {
  std::vector<std::string_view> is_signed;
  for (const Resource& resource : statement.resources) {
    is_signed.push_back(resource.name);
  }
  std::sort(is_signed.begin(), is_signed.end());
  is_signed.erase(std::unique(is_signed.begin(), is_signed.end()), is_signed.end());
  std::vector<std::string_view> present(scope.begin(), scope.end());
  std::sort(present.begin(), present.end());
  std::vector<std::string_view> names;
  std::set_difference(is_signed.begin(), is_signed.end(), present.begin(), present.end(),
                      std::back_inserter(names));
  if (!names.empty()) {
    return InvalidArgument(
        "file '{}': missing, though it is signed{}", Shown(names.front()),
        names.size() == 1 ? "" : fmt::format("; so are {} more", names.size() - 1));
  }
  std::set_difference(present.begin(), present.end(), is_signed.begin(), is_signed.end(),
                      std::back_inserter(names));
  if (!names.empty()) {
    return InvalidArgument("file '{}': not signed; remove it, or sign the model again",
                           Shown(names.front()));
  }
  return absl::OkStatus();
}

absl::StatusOr<std::string> ModelNameOf(const std::string& model_folder) {
  fs::path path = fs::path(model_folder).lexically_normal();
  if (!path.has_filename()) {  // "models/m/"
    path = path.parent_path();
  }
  std::error_code error;
  if (path.empty() || path.filename() == "." || path.filename() == "..") {
    path = fs::canonical(model_folder, error);
  }
  std::string name = path.filename().string();
  if (error || name.empty()) {
    return InvalidArgument("'{}': expected the path of a model's folder, named like the model",
                           model_folder);
  }
  return name;
}

}  // namespace omserve::trust
