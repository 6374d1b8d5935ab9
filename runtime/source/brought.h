// SPDX-License-Identifier: Apache-2.0
// Which files a mirror has brought, so that it removes and replaces no others. Internal to
// runtime/source.
#pragma once

#include <cstddef>
#include <map>
#include <string>
#include <string_view>
#include <vector>

#include "absl/status/statusor.h"
#include "runtime/base/digest.h"
#include "runtime/source/local_file.h"

namespace omserve::source {

// A file as it was brought, or is about to be. Two of one path: while one takes the place of the
// other.
struct BroughtFile {
  Digest digest{};
  FileIdentity identity;

  bool operator==(const BroughtFile&) const = default;
};

// Thread-compatible.
class Brought final {
 public:
  // Reads what Save has written; nothing is there at the first time. Errors: kInvalidArgument,
  // naming the path and the line.
  static absl::StatusOr<Brought> Load(const std::string& path);

  void Add(const std::string& path, const BroughtFile& file);
  // In place of all of this path.
  void Set(const std::string& path, const BroughtFile& file);
  void Drop(const std::string& path);
  // Empty: it was not brought.
  const std::vector<BroughtFile>& Of(const std::string& path) const;
  const std::map<std::string, std::vector<BroughtFile>>& all() const { return files_; }

  // On the disk. Errors: those of DraftFile.
  absl::Status Save() const;

 private:
  explicit Brought(std::string file) : file_(std::move(file)) {}
  absl::Status Parse(std::string_view text);

  std::string file_;
  std::map<std::string, std::vector<BroughtFile>> files_;  // By path, below the repository.
};

}  // namespace omserve::source
