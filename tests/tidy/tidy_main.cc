// SPDX-License-Identifier: Apache-2.0
// Reads the sources below FOLDER and prints what breaks a convention as "file:line: message".
//   tidy FOLDER
// Ends with 1 when something was found.
#include <algorithm>
#include <cstdio>
#include <filesystem>
#include <string>
#include <system_error>
#include <vector>

#include "runtime/base/file.h"
#include "tests/tidy/rules.h"

namespace {

namespace fs = std::filesystem;

// Folders of tools and of builds, which may be large; the rules would skip their files one by one.
bool IsEntered(const fs::path& folder) {
  const std::string name = folder.filename().string();
  return name != "build" && name != ".git" && name != ".deps" && name != ".cache";
}

std::vector<std::string> CheckedFiles(const fs::path& root) {
  std::vector<std::string> paths;
  std::error_code error;
  for (auto entry = fs::recursive_directory_iterator(root, error);
       entry != fs::recursive_directory_iterator(); entry.increment(error)) {
    if (entry->is_directory(error) && !IsEntered(entry->path())) {
      entry.disable_recursion_pending();
    }
    const std::string path = entry->path().lexically_relative(root).generic_string();
    if (entry->is_regular_file(error) && omserve::tidy::IsChecked(path)) {
      paths.push_back(path);
    }
  }
  std::sort(paths.begin(), paths.end());  // The order of folders on disk is arbitrary.
  return paths;
}

}  // namespace

int main(int argc, char** argv) {
  if (argc != 2) {
    std::fputs("usage: tidy FOLDER\n", stderr);
    return 2;
  }
  const fs::path root = argv[1];
  const std::vector<std::string> paths = CheckedFiles(root);
  size_t found = 0;
  for (const std::string& path : paths) {
    const absl::StatusOr<std::string> contents = omserve::ReadFile((root / path).string());
    if (!contents.ok()) {
      continue;  // Deleted since it was listed.
    }
    for (const omserve::tidy::Finding& finding : omserve::tidy::CheckFile(path, *contents)) {
      std::printf("%s:%zu: %s\n", path.c_str(), finding.line, finding.message.c_str());
      ++found;
    }
  }
  std::printf("%zu files, %zu findings\n", paths.size(), found);
  return found == 0 && !paths.empty() ? 0 : 1;
}
