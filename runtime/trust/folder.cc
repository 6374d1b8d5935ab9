// SPDX-License-Identifier: Apache-2.0
// Contents: the digests of files in memory and on disk.
#include "runtime/trust/folder.h"

#include <algorithm>
#include <atomic>
#include <filesystem>
#include <functional>
#include <map>
#include <system_error>
#include <utility>

#include "runtime/base/errors.h"
#include "runtime/base/json_fields.h"
#include "runtime/base/mutex.h"
#include "runtime/base/thread.h"
#include "runtime/base/version_folder.h"
#include "runtime/trust/digest.h"

namespace omserve::trust {
namespace {

namespace fs = std::filesystem;

constexpr size_t kShownDigits = 12;

absl::Status OtherBytes(const Resource& resource, const Digest& digest, bool is_shard) {
  const std::string place =
      is_shard ? fmt::format(" (bytes {} to {})", resource.range.begin, resource.range.end) : "";
  return InvalidArgument(
      "file '{}': SHA-256 {}...{}, but {}... was signed; it was changed after signing",
      resource.name, HexOf(digest).substr(0, kShownDigits), place,
      HexOf(resource.digest).substr(0, kShownDigits));
}

// Whether these resources of one file, in order, cover a file of `size_bytes` as it is cut.
absl::Status CheckCover(const std::vector<const Resource*>& resources, std::string_view name,
                        uint64_t size_bytes, uint64_t shard_bytes) {
  if (shard_bytes == 0) {
    // Each byte is looked at once: whoever reads it may then write over it.
    return resources.size() == 1 ? absl::OkStatus()
                                 : InvalidArgument("file '{}': it is signed twice", Shown(name));
  }
  // A file that is far larger than it was must not cost memory by its size.
  const bool is_count = size_bytes / shard_bytes <= resources.size();
  const std::vector<ByteRange> shards =
      is_count ? ShardsOf(size_bytes, shard_bytes) : std::vector<ByteRange>();
  const bool fits = std::equal(
      shards.begin(), shards.end(), resources.begin(), resources.end(),
      [](const ByteRange& shard, const Resource* resource) { return shard == resource->range; });
  if (!fits) {
    return InvalidArgument(
        "file '{}': {} bytes, but {} were signed in shards of {}; it was changed after signing",
        Shown(name), size_bytes, resources.back()->range.end, shard_bytes);
  }
  return absl::OkStatus();
}

void SortByOffset(std::vector<const Resource*>& resources) {
  std::sort(resources.begin(), resources.end(),
            [](const Resource* a, const Resource* b) { return a->range.begin < b->range.begin; });
}

// Keeps the failure of the lowest index, so that a run's message does not depend on its threads.
// Thread-safe.
class FirstError final {
 public:
  void Add(size_t index, const absl::Status& status) ABSL_LOCKS_EXCLUDED(mu_) {
    if (status.ok()) {
      return;
    }
    failed_.store(true, std::memory_order_relaxed);  // Only to end early.
    const MutexLock lock(mu_);
    if (status_.ok() || index < index_) {
      index_ = index;
      status_ = status;
    }
  }
  bool failed() const { return failed_.load(std::memory_order_relaxed); }
  absl::Status Take() ABSL_LOCKS_EXCLUDED(mu_) {
    const MutexLock lock(mu_);
    return status_;
  }

 private:
  std::atomic<bool> failed_ = false;
  Mutex mu_;
  size_t index_ ABSL_GUARDED_BY(mu_) = 0;
  absl::Status status_ ABSL_GUARDED_BY(mu_);
};

// Files of a folder, whose ranges are digested beside each other. They are opened for their sizes,
// and again for each range: a process may not have as many files open as a model has.
class FolderRead final {
 public:
  explicit FolderRead(const FolderOptions& options) : options_(options) {}

  // Its size in bytes.
  absl::StatusOr<uint64_t> Add(const std::string& name) {
    ASSIGN_OR_RETURN(const DigestedFile file, Open(name));
    sizes_[name] = file.size_bytes();
    total_bytes_ += file.size_bytes();
    return file.size_bytes();
  }

  // Digests of ranges of files that were added, in order.
  absl::StatusOr<std::vector<Digest>> Run(const std::vector<Resource>& ranges) {
    std::vector<Digest> digests(ranges.size());
    FirstError error;
    ForEachIndex(ranges.size(), options_.threads, [&](size_t i) {
      if (error.failed()) {
        return;
      }
      absl::StatusOr<Digest> digest = DigestOfRange(ranges[i]);
      if (digest.ok()) {
        digests[i] = *digest;
      }
      error.Add(i, digest.status());
    });
    RETURN_IF_ERROR(error.Take());
    return digests;
  }

 private:
  absl::StatusOr<DigestedFile> Open(const std::string& name) const {
    absl::StatusOr<DigestedFile> file =
        DigestedFile::Open((fs::path(options_.model_folder) / name).string());
    RETURN_IF_ERROR(WithContext(file.status(), "file"));
    return file;
  }

  absl::StatusOr<Digest> DigestOfRange(const Resource& resource) {
    ASSIGN_OR_RETURN(const DigestedFile file, Open(resource.name));
    if (file.size_bytes() != sizes_.find(resource.name)->second) {
      return InvalidArgument("file '{}': it is being written to; try again when it is whole",
                             resource.name);
    }
    const auto report = [this](uint64_t bytes) {
      const uint64_t done = done_bytes_.fetch_add(bytes, std::memory_order_relaxed) + bytes;
      if (options_.progress) {
        options_.progress(done, total_bytes_);
      }
    };
    absl::StatusOr<Digest> digest = file.DigestOfRange(resource.range, report);
    RETURN_IF_ERROR(WithContext(digest.status(), "file"));
    return digest;
  }

  const FolderOptions& options_;
  std::map<std::string, uint64_t, std::less<>> sizes_;
  uint64_t total_bytes_ = 0;
  std::atomic<uint64_t> done_bytes_ = 0;  // A sum for people; orders nothing.
};

// What ListScope passes over, for tools that do not know its rule: the other versions' folders with
// their bundles, this version's bundle, and git's.
std::vector<std::string> PathsLeftOut(const FolderOptions& options) {
  std::vector<std::string> paths(kGitNames.begin(), kGitNames.end());
  std::error_code error;
  fs::directory_iterator entry(options.model_folder, error);
  for (; !error && entry != fs::directory_iterator(); entry.increment(error)) {
    const std::string name = entry->path().filename().string();
    std::error_code ignored;
    const std::optional<int64_t> version = VersionOfFolder(name);
    if (version.has_value() && *version != options.version && entry->is_directory(ignored)) {
      paths.push_back(name);
    }
  }
  paths.push_back(BundleNameOf(options.version));
  std::sort(paths.begin(), paths.end());
  return paths;
}

absl::Status AddRanges(const std::string& name, uint64_t size_bytes, Statement& statement) {
  const uint64_t shard_bytes = statement.serialization.shard_bytes;
  if (shard_bytes != 0 && (size_bytes == 0 || name.find(':') != std::string::npos)) {
    return InvalidArgument("file '{}': {}, which shards cannot express; sign whole files", name,
                           size_bytes == 0 ? "empty" : "a name with ':'");
  }
  for (const ByteRange& range : ShardsOf(size_bytes, shard_bytes)) {
    statement.resources.push_back({.name = name, .range = range, .digest = {}});
  }
  if (statement.resources.size() > kMostResources) {
    return InvalidArgument("file '{}': more than {} files or shards; sign in larger shards", name,
                           kMostResources);
  }
  return absl::OkStatus();
}

}  // namespace

namespace {

// nullopt: they do not.
std::optional<Digest> DigestAsTheyCome(IncomingFile& file, const ByteRange& range) {
  constexpr uint64_t kPiece = uint64_t{256} << 10;
  Digester digester;
  const auto add = [&digester](std::span<const std::byte> piece) {
    digester.Update(piece);
    GiveWay();
  };
  return LookThrough(file, range.begin, range.end, kPiece, add)
             ? std::optional<Digest>(digester.Finish())
             : std::nullopt;
}

}  // namespace

absl::Status CheckFile(const Statement& statement, std::string_view name,
                       std::span<const std::byte> bytes, int threads) {
  IncomingMemory file(bytes);
  return CheckFile(statement, name, file, threads);
}

absl::Status CheckFile(const Statement& statement, std::string_view name, IncomingFile& file,
                       int threads) {
  std::vector<const Resource*> resources;
  for (const Resource& resource : statement.resources) {
    if (resource.name == name) {
      resources.push_back(&resource);
    }
  }
  if (resources.empty()) {
    return InvalidArgument("file '{}': not signed; remove it, or sign the model again",
                           Shown(name));
  }
  SortByOffset(resources);
  const uint64_t shard_bytes = statement.serialization.shard_bytes;
  RETURN_IF_ERROR(CheckCover(resources, name, file.size(), shard_bytes));
  FirstError error;
  ForEachIndex(resources.size(), threads, [&](size_t i) {
    const Resource& resource = *resources[i];
    if (error.failed()) {
      return;
    }
    const ByteRange range = shard_bytes == 0 ? ByteRange{0, file.size()} : resource.range;
    const std::optional<Digest> digest = DigestAsTheyCome(file, range);
    if (!digest.has_value()) {
      error.Add(i, Unavailable("file '{}': not all of it was read", Shown(name)));
    } else if (*digest != resource.digest) {
      error.Add(i, OtherBytes(resource, *digest, shard_bytes != 0));
    }
  });
  return error.Take();
}

absl::StatusOr<Statement> DescribeFolder(const FolderOptions& options, uint64_t shard_bytes,
                                         std::optional<uint64_t> security_epoch) {
  ASSIGN_OR_RETURN(const std::vector<std::string> names,
                   ListScope(options.model_folder, options.version));
  if (names.empty()) {
    return InvalidArgument("'{}': version {} has no files to sign", options.model_folder,
                           options.version);
  }
  Statement statement;
  ASSIGN_OR_RETURN(statement.model, ModelNameOf(options.model_folder));
  statement.version = options.version;
  statement.security_epoch = security_epoch;
  statement.serialization = {
      .shard_bytes = shard_bytes, .allow_symlinks = false, .ignore_paths = PathsLeftOut(options)};
  FolderRead read(options);
  for (const std::string& name : names) {
    ASSIGN_OR_RETURN(const uint64_t size_bytes, read.Add(name));
    RETURN_IF_ERROR(AddRanges(name, size_bytes, statement));
  }
  ASSIGN_OR_RETURN(const std::vector<Digest> digests, read.Run(statement.resources));
  for (size_t i = 0; i < digests.size(); ++i) {
    statement.resources[i].digest = digests[i];
    if (shard_bytes == 0) {
      statement.resources[i].range = {};
    }
  }
  return statement;
}

absl::Status CheckFolder(const FolderOptions& options, const Statement& statement) {
  ASSIGN_OR_RETURN(const std::vector<std::string> scope,
                   ListScope(options.model_folder, options.version));
  RETURN_IF_ERROR(CheckNames(statement, scope));
  const uint64_t shard_bytes = statement.serialization.shard_bytes;
  std::map<std::string_view, std::vector<const Resource*>> by_file;
  for (const Resource& resource : statement.resources) {
    by_file[resource.name].push_back(&resource);
  }
  FolderRead read(options);
  std::vector<Resource> wanted;
  for (auto& [name, resources] : by_file) {
    ASSIGN_OR_RETURN(const uint64_t size_bytes, read.Add(std::string(name)));
    SortByOffset(resources);
    RETURN_IF_ERROR(CheckCover(resources, name, size_bytes, shard_bytes));
    for (const Resource* const resource : resources) {
      wanted.push_back(*resource);
      if (shard_bytes == 0) {
        wanted.back().range = {.begin = 0, .end = size_bytes};
      }
    }
  }
  ASSIGN_OR_RETURN(const std::vector<Digest> digests, read.Run(wanted));
  for (size_t i = 0; i < digests.size(); ++i) {
    if (digests[i] != wanted[i].digest) {
      return OtherBytes(wanted[i], digests[i], shard_bytes != 0);
    }
  }
  return absl::OkStatus();
}

}  // namespace omserve::trust
