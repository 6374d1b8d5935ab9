// SPDX-License-Identifier: Apache-2.0
#include "runtime/registry/model_file.h"

#include <fcntl.h>
#include <openssl/crypto.h>
#include <sys/mman.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <optional>
#include <thread>

#include "runtime/base/errno_text.h"
#include "runtime/base/errors.h"
#include "runtime/base/thread.h"
#include "runtime/sealed/header.h"
#include "runtime/sealed/sealed_file.h"
#include "runtime/trust/folder.h"

namespace omserve::registry {
namespace {

// What one call reads. A kernel that does not interrupt its own work lets requests wait for a call
// to end, and what has come is used while the rest is read.
constexpr size_t kPieceBytes = size_t{256} << 10;

absl::Status WrittenTo(const std::string& path) {
  return Unavailable(
      "'{}': somebody has written to it since it was opened; copy a new file beside it and rename "
      "that over it, so that nobody sees half of it",
      path);
}

}  // namespace

absl::StatusOr<FileBytes> FileBytes::Allocate(size_t size_bytes, bool is_secret) {
  if (size_bytes == 0) {
    return FileBytes(nullptr, 0, is_secret);
  }
  void* data =
      mmap(nullptr, size_bytes, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
  if (data == MAP_FAILED) {
    return ResourceExhausted("no memory for a file of {} bytes: {}", size_bytes, ErrnoText());
  }
  madvise(data, size_bytes, MADV_HUGEPAGE);  // Fewer faults; nothing is lost where it is refused.
  if (is_secret) {
    madvise(data, size_bytes, MADV_DONTDUMP);
  }
  return FileBytes(static_cast<std::byte*>(data), size_bytes, is_secret);
}

FileBytes::~FileBytes() {
  if (data_ != nullptr) {
    for (size_t done = 0; is_secret_ && done < size_; done += kPieceBytes) {
      OPENSSL_cleanse(data_ + done, std::min(kPieceBytes, size_ - done));
      GiveWay();
    }
    munmap(data_, size_);
  }
}

absl::StatusOr<std::shared_ptr<const ModelFile>> ModelFile::Open(const std::string& path,
                                                                 FileProtection protection) {
  // Without blocking: a pipe in a file's place would hold up every load, until it has a writer.
  Descriptor fd(open(path.c_str(), O_RDONLY | O_NONBLOCK | O_CLOEXEC));
  if (fd.get() < 0) {
    return errno == ENOENT ? NotFound("'{}': no such file", path)
                           : InvalidArgument("'{}': cannot be opened: {}", path, ErrnoText());
  }
  struct stat opened {};
  if (fstat(fd.get(), &opened) != 0 || !S_ISREG(opened.st_mode)) {
    return InvalidArgument("'{}': not a regular file", path);
  }
  // The constructor is private, which std::make_shared cannot reach.
  return std::shared_ptr<const ModelFile>(
      new ModelFile(path, std::move(fd), opened, std::move(protection)));
}

bool ModelFile::IsOverwritten() const {
  struct stat now {};
  if (fstat(fd_.get(), &now) != 0) {
    return false;  // A file system that is away just now says nothing of the file.
  }
  // Not the time of the inode: that changes with each rename and each link.
  return now.st_size != opened_.st_size || now.st_mtim.tv_sec != opened_.st_mtim.tv_sec ||
         now.st_mtim.tv_nsec != opened_.st_mtim.tv_nsec;
}

bool ModelFile::IsStillNamed() const {
  struct stat named {};
  return stat(path_.c_str(), &named) == 0 && named.st_dev == opened_.st_dev &&
         named.st_ino == opened_.st_ino;
}

absl::Status ModelFile::CheckFits() const {
  const size_t machine_bytes =
      static_cast<size_t>(sysconf(_SC_PHYS_PAGES)) * static_cast<size_t>(sysconf(_SC_PAGESIZE));
  if (size_bytes() > machine_bytes) {
    return InvalidArgument("it has {} bytes, and this machine {} of memory", size_bytes(),
                           machine_bytes);
  }
  return absl::OkStatus();
}

absl::Status ModelFile::Begin(Reading& reading) const {
  ASSIGN_OR_RETURN(FileBytes bytes, FileBytes::Allocate(size_bytes()));
  reading.bytes.emplace(std::move(bytes));
  if (protection_.statement != nullptr) {
    reading.check = TryStartThread("check", [this, &reading] {
      IncomingMemory file(std::as_const(*reading.bytes).span(), &reading.arrival);
      reading.verdict = CheckSigned(file);
    });
  }
  return absl::OkStatus();
}

void ModelFile::ReadInto(Reading& reading, Pace* pace) const {
  const std::span<std::byte> all = reading.bytes->span();
  posix_fadvise(fd_.get(), 0, 0, POSIX_FADV_SEQUENTIAL);
  for (size_t done = 0; done < all.size();) {
    const size_t count = std::min(kPieceBytes, all.size() - done);
    if (pace != nullptr) {
      pace->Take(count).IgnoreError();  // Nobody stops it but who lifts it.
    }
    const ssize_t got = pread(fd_.get(), all.data() + done, count, static_cast<off_t>(done));
    if (got < 0 && errno == EINTR) {
      continue;
    }
    if (got < 0) {
      reading.read = Unavailable("read {} of {} bytes: {}", done, all.size(), ErrnoText());
    }
    if (got <= 0) {
      break;  // 0: it was cut short.
    }
    done += static_cast<size_t>(got);
    reading.arrival.Reach(done);
    GiveWay();
  }
  reading.arrival.End();
}

absl::Status ModelFile::End(Reading& reading) const {
  if (reading.check.joinable()) {
    reading.check.join();  // Else no thread was to be had.
  } else if (protection_.statement != nullptr && reading.read.ok()) {
    IncomingMemory file(std::as_const(*reading.bytes).span());
    reading.verdict = CheckSigned(file);
  }
  RETURN_IF_ERROR(reading.read);
  return reading.verdict;
}

Pace* ModelFile::NextPace() const { return was_read_ ? nullptr : protection_.pace.get(); }

absl::Status ModelFile::CheckSigned(IncomingFile& file) const {
  absl::Status checked =
      trust::CheckFile(*protection_.statement, protection_.name, file, protection_.threads);
  if (checked.code() == absl::StatusCode::kUnavailable) {
    return checked;  // What was not read says nothing of who signed it.
  }
  return protection_.verdict ? protection_.verdict(checked) : checked;
}

absl::StatusOr<bool> ModelFile::IsSealed() const {
  std::array<std::byte, 8> head{};
  const ssize_t got = pread(fd_.get(), head.data(), head.size(), 0);
  if (got < 0) {
    return Unavailable("cannot be read: {}", ErrnoText());
  }
  return sealed::IsSealed(std::span(head).first(static_cast<size_t>(got)));
}

// Decrypted where it is read to; checking and decrypting both go on beside the reading.
absl::StatusOr<FileBytes> ModelFile::Unseal() const {
  if (protection_.keys == nullptr) {
    return FailedPrecondition("it is sealed, and this daemon has no keys: set repository.keys");
  }
  const absl::StatusOr<sealed::SealedFile> file =
      sealed::SealedFile::Open(fd_.get(), *protection_.keys);
  if (!file.ok()) {
    if (protection_.statement != nullptr) {
      // Who signed it comes first: what nobody has signed may say anything.
      RETURN_IF_ERROR(ReadRaw().status());
    }
    return file.status();
  }
  sealed::DecryptOptions options{.threads = static_cast<unsigned>(protection_.threads)};
  if (protection_.statement != nullptr) {
    options.check = [this](IncomingFile& raw) { return CheckSigned(raw); };
  }
  if (Pace* const pace = NextPace(); pace != nullptr) {
    options.on_progress = [pace, before = uint64_t{0}](uint64_t so_far) mutable {
      pace->Take(so_far - std::exchange(before, so_far)).IgnoreError();
    };
  }
  ASSIGN_OR_RETURN(FileBytes plain, FileBytes::Allocate(file->plain_bytes(), /*is_secret=*/true));
  RETURN_IF_ERROR(file->Decrypt(plain.span(), options));
  return plain;
}

absl::StatusOr<FileBytes> ModelFile::ReadRaw() const {
  Reading reading;
  RETURN_IF_ERROR(Begin(reading));
  ReadInto(reading, NextPace());
  RETURN_IF_ERROR(End(reading));
  return *std::move(reading.bytes);
}

absl::StatusOr<FileBytes> ModelFile::ReadChecked() const {
  RETURN_IF_ERROR(CheckFits());
  ASSIGN_OR_RETURN(const bool is_sealed, IsSealed());
  return is_sealed ? Unseal() : ReadRaw();
}

absl::StatusOr<std::shared_ptr<const FileBytes>> ModelFile::Read() const {
  const MutexLock lock(mu_);
  if (std::shared_ptr<const FileBytes> bytes = bytes_.lock()) {
    return bytes;
  }
  absl::StatusOr<FileBytes> bytes = ReadChecked();
  if (IsOverwritten()) {
    return WrittenTo(path_);  // Whatever else was found wrong with it.
  }
  if (!bytes.ok()) {
    return WithContext(bytes.status(), fmt::format("'{}'", path_));
  }
  auto shared = std::make_shared<const FileBytes>(*std::move(bytes));
  bytes_ = shared;
  was_read_ = true;
  return shared;
}

}  // namespace omserve::registry
