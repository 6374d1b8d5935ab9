// SPDX-License-Identifier: Apache-2.0
#include "runtime/source/packed_layer.h"

#include <archive.h>
#include <archive_entry.h>
#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <set>
#include <span>
#include <string_view>
#include <utility>

#include "runtime/base/descriptor.h"
#include "runtime/base/errno_text.h"
#include "runtime/base/errors.h"
#include "runtime/base/json_fields.h"
#include "runtime/base/thread.h"
#include "runtime/source/sums_file.h"

namespace omserve::source {
namespace {

constexpr size_t kBlockBytes = size_t{256} << 10;
// What libarchive is given at a time, so that it is looked at how much that has unpacked to.
constexpr size_t kSliceBytes = 1024;
// Unpacked bytes of one header, with long names and maps of holes; libarchive holds them in memory.
constexpr int64_t kMostHeaderBytes = int64_t{4} << 20;

// The bytes of an archive on their way into libarchive, which asks for them.
class ArchiveFile final {
 public:
  ArchiveFile(Descriptor fd, const std::stop_token& stop)
      : fd_(std::move(fd)), stop_(stop), block_(kBlockBytes) {}

  absl::Status CheckStop() const {
    return stop_.stop_requested() ? Cancelled("stopped after {} bytes", read_bytes_)
                                  : absl::OkStatus();
  }
  // Up to a block; empty at the end. Errors: kUnavailable, kCancelled.
  absl::StatusOr<std::span<const std::byte>> Next() {
    while (true) {
      RETURN_IF_ERROR(CheckStop());
      const ssize_t got = read(fd_.get(), block_.data(), block_.size());
      if (got < 0 && errno == EINTR) {
        continue;
      }
      if (got < 0) {
        return Unavailable("cannot be read after {} bytes: {}", read_bytes_, ErrnoText());
      }
      const auto bytes = std::span<const std::byte>(block_).first(static_cast<size_t>(got));
      read_bytes_ += bytes.size();
      digester_.Update(bytes);
      return bytes;
    }
  }
  // libarchive's call for a slice of the same. What went wrong is in `status` then.
  static la_ssize_t OnRead(archive* reader, void* self, const void** bytes) {
    auto* const file = static_cast<ArchiveFile*>(self);
    const absl::StatusOr<std::span<const std::byte>> slice = file->NextSlice(reader);
    if (!slice.ok()) {
      file->status = slice.status();
      archive_set_error(reader, EIO, "not read");
      return -1;
    }
    *bytes = slice->data();
    return static_cast<la_ssize_t>(slice->size());
  }
  // A header is read from here on, or no longer is.
  void BeginHeader(archive* reader) { header_from_ = archive_filter_bytes(reader, 0); }
  void EndHeader() { header_from_.reset(); }
  // Before any of it is unpacked, since it says how much that may come to.
  absl::Status CheckSize(const PackedLayer& layer) const {
    struct stat info {};
    if (fstat(fd_.get(), &info) != 0) {
      return Unavailable("cannot be looked at: {}", ErrnoText());
    }
    return static_cast<uint64_t>(info.st_size) == layer.size_bytes
               ? absl::OkStatus()
               : InvalidArgument("{} bytes, expected {}; copy the image again", info.st_size,
                                 layer.size_bytes);
  }
  // Reads what is left. Whether all of it is as expected.
  absl::Status CheckDigest(const PackedLayer& layer) {
    for (bool ends = false; !ends;) {
      ASSIGN_OR_RETURN(const std::span<const std::byte> next, Next());
      ends = next.empty();
      GiveWay();
    }
    const Digest digest = digester_.Finish();
    return digest == layer.digest && read_bytes_ == layer.size_bytes
               ? absl::OkStatus()
               : InvalidArgument(
                     "{} bytes with SHA-256 {}, expected {} bytes with that of its name; copy the "
                     "image again",
                     read_bytes_, HexOf(digest), layer.size_bytes);
  }

  absl::Status status;

 private:
  absl::StatusOr<std::span<const std::byte>> NextSlice(archive* reader) {
    if (header_from_.has_value() &&
        archive_filter_bytes(reader, 0) - *header_from_ > kMostHeaderBytes) {
      return InvalidArgument("a header of more than {} bytes", kMostHeaderBytes);
    }
    if (rest_.empty()) {
      ASSIGN_OR_RETURN(rest_, Next());
    }
    const std::span<const std::byte> slice = rest_.first(std::min(kSliceBytes, rest_.size()));
    rest_ = rest_.subspan(slice.size());
    return slice;
  }

  const Descriptor fd_;
  const std::stop_token stop_;
  std::vector<std::byte> block_;
  std::span<const std::byte> rest_;  // Of the block, not given to libarchive yet.
  std::optional<int64_t> header_from_;
  uint64_t read_bytes_ = 0;
  Digester digester_;
};

struct FreeReader {
  void operator()(archive* reader) const { archive_read_free(reader); }
};

absl::StatusOr<Descriptor> OpenArchive(const std::string& path) {
  Descriptor fd(open(path.c_str(), O_RDONLY | O_CLOEXEC | O_NONBLOCK));
  if (fd.get() < 0) {
    return errno == ENOENT ? NotFound("no such file")
                           : InvalidArgument("cannot be opened: {}", ErrnoText());
  }
  struct stat info {};
  if (fstat(fd.get(), &info) != 0 || !S_ISREG(info.st_mode)) {
    return InvalidArgument("not a regular file");
  }
  return fd;
}

// An archive and where in it one is.
class Unpacker final {
 public:
  static absl::StatusOr<std::unique_ptr<Unpacker>> Open(const std::string& path,
                                                        const std::stop_token& stop) {
    ASSIGN_OR_RETURN(Descriptor fd, OpenArchive(path));
    return std::unique_ptr<Unpacker>(new Unpacker(std::move(fd), stop));  // NOLINT: private.
  }

  // Once, before the first entry.
  absl::Status Begin() {
    archive* const reader = reader_.get();
    archive_read_support_format_tar(reader);
    archive_read_support_filter_gzip(reader);
    archive_read_support_filter_zstd(reader);
    RETURN_IF_ERROR(
        StatusOf(archive_read_open(reader, &file_, nullptr, &ArchiveFile::OnRead, nullptr)));
    return archive_filter_count(reader) > kMostFilters
               ? InvalidArgument("it is packed more than once")
               : absl::OkStatus();
  }
  // The next entry; null at the end.
  absl::StatusOr<archive_entry*> NextEntry() {
    archive_entry* entry = nullptr;
    file_.BeginHeader(reader_.get());
    const int got = archive_read_next_header(reader_.get(), &entry);
    file_.EndHeader();
    RETURN_IF_ERROR(file_.status);  // What libarchive may take for the end.
    if (got == ARCHIVE_EOF) {
      return nullptr;
    }
    RETURN_IF_ERROR(StatusOf(got));
    return entry;
  }
  // The entry's bytes. All of each entry is read, also of one that nobody wants: libarchive would
  // pass over it without end, and without a look at the stop. Errors: also those of `use`.
  absl::Status ReadEntry(const std::function<absl::Status(std::span<const std::byte> bytes)>& use) {
    while (true) {
      RETURN_IF_ERROR(file_.CheckStop());
      const la_ssize_t got = archive_read_data(reader_.get(), block_.data(), block_.size());
      if (got < 0) {
        return Damaged();
      }
      if (got == 0) {
        return absl::OkStatus();
      }
      RETURN_IF_ERROR(use(std::span<const std::byte>(block_).first(static_cast<size_t>(got))));
      GiveWay();
    }
  }
  absl::Status CheckDigest(const PackedLayer& layer) { return file_.CheckDigest(layer); }
  absl::Status CheckSize(const PackedLayer& layer) const { return file_.CheckSize(layer); }
  // So far, headers and all.
  uint64_t unpacked_bytes() const {
    return static_cast<uint64_t>(archive_filter_bytes(reader_.get(), 0));
  }

 private:
  // The one that is given to libarchive, and one that unpacks it.
  static constexpr int kMostFilters = 2;

  Unpacker(Descriptor fd, const std::stop_token& stop)
      : file_(std::move(fd), stop), reader_(archive_read_new()), block_(kBlockBytes) {}
  // Not ARCHIVE_RETRY: what it passes over would be missing.
  absl::Status StatusOf(int result) {
    return result == ARCHIVE_OK || result == ARCHIVE_WARN ? absl::OkStatus() : Damaged();
  }
  absl::Status Damaged() {
    const char* const why = archive_error_string(reader_.get());
    return file_.status.ok() ? InvalidArgument("no tar archive that can be read: {}",
                                               why == nullptr ? "unknown reason" : why)
                             : file_.status;
  }

  ArchiveFile file_;  // Outlives the reader, which reads from it.
  const std::unique_ptr<archive, FreeReader> reader_;
  std::vector<std::byte> block_;
};

// The name of an entry as files are named here; empty where it has none.
std::string NameOf(archive_entry* entry) {
  const char* const name = archive_entry_pathname(entry);
  std::string_view path = name == nullptr ? "" : name;
  while (path.starts_with("./")) {
    path.remove_prefix(2);
  }
  return std::string(path);
}

absl::Status CheckKind(archive_entry* entry, const std::string& path) {
  if (archive_entry_hardlink(entry) != nullptr || archive_entry_filetype(entry) != AE_IFREG) {
    return InvalidArgument("'{}' is a link or a device; expected files and folders", Shown(path));
  }
  return CheckPath(path);
}

// An image's layer takes away with these what a layer before it had, which is not followed here.
absl::Status CheckNoWhiteout(std::string_view path, std::string_view below) {
  const size_t name = path.rfind('/') + 1;  // npos + 1 is 0.
  const std::string_view folder = path.substr(0, name);
  if (path.substr(name).starts_with(".wh.") &&
      (folder.starts_with(below) || below.starts_with(folder))) {
    return InvalidArgument(
        "'{}' removes what an earlier layer of the image had; put the model into one layer",
        Shown(path));
  }
  return absl::OkStatus();
}

absl::StatusOr<PackedFiles> ListEntries(Unpacker& unpacker, const PackedLayer& layer) {
  RETURN_IF_ERROR(unpacker.Begin());
  PackedFiles found;
  uint64_t data_bytes = 0;  // More than what it unpacks to where there are holes.
  const auto count = [&](size_t some_bytes) {
    data_bytes += some_bytes;
    found.unpacked_bytes = std::max(data_bytes, unpacker.unpacked_bytes());
    return found.unpacked_bytes <= layer.most_bytes
               ? absl::OkStatus()
               : InvalidArgument("it unpacks to more than the {} bytes that are left for it",
                                 layer.most_bytes);
  };
  std::set<std::string> names;
  while (true) {
    ASSIGN_OR_RETURN(archive_entry* const entry, unpacker.NextEntry());
    if (entry == nullptr) {
      return found;
    }
    RETURN_IF_ERROR(count(0));
    PackedFile file{.path = NameOf(entry)};
    RETURN_IF_ERROR(CheckNoWhiteout(file.path, layer.below));
    const bool is_wanted =
        archive_entry_filetype(entry) != AE_IFDIR && file.path.starts_with(layer.below);
    if (is_wanted) {
      RETURN_IF_ERROR(CheckKind(entry, file.path));
      if (!names.insert(file.path).second || names.size() > kMostFiles) {
        return InvalidArgument("'{}' is in it twice, or there are more than {} files", file.path,
                               kMostFiles);
      }
    }
    Digester digester;
    RETURN_IF_ERROR(unpacker.ReadEntry([&](std::span<const std::byte> some) {
      file.size_bytes += some.size();
      if (is_wanted) {
        digester.Update(some);
      }
      return count(some.size());
    }));
    if (is_wanted) {
      file.digest = digester.Finish();
      found.files.push_back(std::move(file));
    }
  }
}

}  // namespace

uint64_t MostUnpackedBytes(uint64_t packed_bytes) {
  return std::max(kLeastPackedLimit,
                  std::min(packed_bytes, UINT64_MAX / kMostPackedRatio) * kMostPackedRatio);
}

absl::StatusOr<PackedFiles> ListPackedLayer(const PackedLayer& layer, const std::stop_token& stop) {
  ASSIGN_OR_RETURN(const std::unique_ptr<Unpacker> unpacker, Unpacker::Open(layer.path, stop));
  RETURN_IF_ERROR(unpacker->CheckSize(layer));
  absl::StatusOr<PackedFiles> found = ListEntries(*unpacker, layer);
  if (found.ok() || absl::IsInvalidArgument(found.status())) {
    // First: where other bytes came than were sent, that is what is wrong with them.
    RETURN_IF_ERROR(unpacker->CheckDigest(layer));
  }
  return found;
}

absl::Status ReadPackedFile(const std::string& archive_path, const std::string& path,
                            const Resume& resume, ByteSink& sink, const std::stop_token& stop) {
  ASSIGN_OR_RETURN(const std::unique_ptr<Unpacker> unpacker, Unpacker::Open(archive_path, stop));
  RETURN_IF_ERROR(unpacker->Begin());
  while (true) {
    ASSIGN_OR_RETURN(archive_entry* const entry, unpacker->NextEntry());
    if (entry == nullptr) {
      return NotFound("'{}' is in it no longer", path);
    }
    if (NameOf(entry) != path || archive_entry_filetype(entry) == AE_IFDIR) {
      RETURN_IF_ERROR(
          unpacker->ReadEntry([](std::span<const std::byte>) { return absl::OkStatus(); }));
      continue;
    }
    const auto size = static_cast<uint64_t>(archive_entry_size(entry));
    // Archives stand under their digest: in one of this name the same bytes are each time.
    const std::string tag = archive_path.substr(archive_path.rfind('/') + 1);
    uint64_t known = resume.tag == tag && resume.offset <= size ? resume.offset : 0;
    RETURN_IF_ERROR(sink.Begin({.offset = known, .tag = tag, .size_bytes = size}));
    return unpacker->ReadEntry([&](std::span<const std::byte> some) {
      const size_t passed_over = std::min<uint64_t>(some.size(), known);
      known -= passed_over;
      return passed_over == some.size() ? absl::OkStatus() : sink.Write(some.subspan(passed_over));
    });
  }
}

}  // namespace omserve::source
