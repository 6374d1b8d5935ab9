// SPDX-License-Identifier: Apache-2.0
// A version of a model on disk, and whether it is what a statement says.
//
//   <model>/config.yaml, <model>/vocab.txt, ...   signed with every version
//   <model>/2/model.om, ...                       signed with version 2
//   <model>/2/model.sig                           the bundle; signs the rest, and is not signed
//   <model>/1/...                                 another version: not looked at
#pragma once

#include <array>
#include <cstdint>
#include <functional>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "absl/status/statusor.h"
#include "runtime/base/incoming_file.h"
#include "runtime/trust/statement.h"

namespace omserve::trust {

inline constexpr std::string_view kBundleName = "model.sig";

// Beside the versions' folders these are never in scope: upstream's tool passes over them, whatever
// a statement says, and no server reads them.
inline constexpr std::array<std::string_view, 4> kGitNames = {".git", ".gitattributes", ".github",
                                                              ".gitignore"};

// Where the bundle of a version stands in its model's folder: "2/model.sig".
std::string BundleNameOf(int64_t version);

// The names of all files that a signature of this version has to cover, relative to the model's
// folder and sorted. Hidden files too, other than kGitNames. The model's folder and the version's
// may be symbolic links, as mounts are in Kubernetes; nothing below them may. Errors: kNotFound
// without the folder; kInvalidArgument for a symbolic link, for what is neither file nor folder,
// for a name that cannot be signed, and for more files than kMostResources. Blocks on the disk.
absl::StatusOr<std::vector<std::string>> ListScope(const std::string& model_folder,
                                                   int64_t version);

// Whether the names in scope are those that are signed, whatever the signer left out knowingly
// (Serialization::ignore_paths): no statement speaks for that. Errors: kInvalidArgument naming the
// file: "file 'x': not signed" or "file 'x': missing".
absl::Status CheckNames(const Statement& statement, const std::vector<std::string>& scope);

// Whether the file `name` has these bytes, which stay unchanged during the call: whoever then uses
// the same bytes uses what was signed, whatever happens to the file. Up to `threads` threads, this
// one included, compute digests where the statement has shards. Errors: kInvalidArgument naming the
// file, for one that is not signed and for other bytes, with the beginnings of both digests.
absl::Status CheckFile(const Statement& statement, std::string_view name,
                       std::span<const std::byte> bytes, int threads);
// The same, while the bytes come. Each is given back when it was looked at; after a failure the
// rest is not. Also kUnavailable, when they do not come.
absl::Status CheckFile(const Statement& statement, std::string_view name, IncomingFile& file,
                       int threads);

// Called from several threads at once.
using Progress = std::function<void(uint64_t done_bytes, uint64_t total_bytes)>;

struct FolderOptions {
  std::string model_folder;
  int64_t version = 1;
  int threads = 1;    // That compute digests; at least 1.
  Progress progress;  // May be empty.
};

// What there is to sign: the statement of a version, with files as they are now. `shard_bytes` 0:
// whole files. Errors: as ListScope; kInvalidArgument for a folder without files in scope, and with
// shards for an empty file or a name with ':', neither of which they can express.
absl::StatusOr<Statement> DescribeFolder(const FolderOptions& options, uint64_t shard_bytes,
                                         std::optional<uint64_t> security_epoch);

// CheckNames, and every file of the statement as CheckFile does, read from the disk. A file may be
// changed once it was read: whoever must know what they use checks bytes in memory.
// Errors: as ListScope, CheckNames and CheckFile.
absl::Status CheckFolder(const FolderOptions& options, const Statement& statement);

// The model's name: the last part of the path, or of the absolute one where that is "." or "..".
// Errors: kInvalidArgument.
absl::StatusOr<std::string> ModelNameOf(const std::string& model_folder);

}  // namespace omserve::trust
