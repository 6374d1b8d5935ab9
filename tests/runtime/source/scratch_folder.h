// SPDX-License-Identifier: Apache-2.0
// A folder of a test, and what stands in it.
#pragma once

#include <stdlib.h>

#include <catch2/catch.hpp>
#include <filesystem>
#include <map>
#include <string>
#include <system_error>
#include <vector>

#include "runtime/base/digest.h"
#include "runtime/base/file.h"
#include "runtime/source/sums_file.h"
#include "tests/status_test_util.h"

namespace omserve::source {

// Files by path.
using Files = std::map<std::string, std::string>;

// Everything under it goes with it.
class ScratchFolder final {
 public:
  ScratchFolder() {
    std::string pattern = (std::filesystem::temp_directory_path() / "omserve-source-XXXXXX");
    REQUIRE(mkdtemp(pattern.data()) != nullptr);
    path_ = pattern;
  }
  ScratchFolder(const ScratchFolder&) = delete;
  ScratchFolder& operator=(const ScratchFolder&) = delete;
  ~ScratchFolder() {
    std::error_code ignored;
    std::filesystem::remove_all(path_, ignored);
  }

  const std::string& path() const { return path_; }
  std::string Path(const std::string& file) const { return path_ + "/" + file; }
  std::string Read(const std::string& file) const { return VALUE(ReadFile(Path(file))); }
  bool Has(const std::string& file) const { return std::filesystem::exists(Path(file)); }
  void Write(const std::string& file, const std::string& contents) const {
    std::filesystem::create_directories(std::filesystem::path(Path(file)).parent_path());
    REQUIRE_OK(WriteFileAtomically(Path(file), contents));
  }
  void Remove(const std::string& file) const { std::filesystem::remove_all(Path(file)); }

  // All files but hidden ones and what is below hidden folders.
  Files Visible() const {
    Files files;
    auto entry = std::filesystem::recursive_directory_iterator(path_);
    for (; entry != std::filesystem::recursive_directory_iterator(); ++entry) {
      if (entry->path().filename().string().starts_with('.')) {
        entry.disable_recursion_pending();
      } else if (!entry->is_directory()) {
        const std::string name = entry->path().string().substr(path_.size() + 1);
        files[name] = Read(name);
      }
    }
    return files;
  }

  // Writes the files, and SHA256SUMS of all of them.
  void Publish(const Files& files) const {
    std::vector<Sum> sums;
    for (const auto& [name, contents] : files) {
      Write(name, contents);
      sums.push_back({.path = name, .digest = DigestOf(contents)});
    }
    Write(std::string(kSumsName), WriteSums(sums));
  }

 private:
  std::string path_;
};

}  // namespace omserve::source
