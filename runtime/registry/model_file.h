// SPDX-License-Identifier: Apache-2.0
// A model's file as it was when its version was loaded.
//
// A load reads the file once, into memory of its own, and lets go of that. A mapping would show
// what somebody writes into the file later, and end the process where they cut it short. What is
// held on to is the open file: it can be read again, for a device that was lost, after it was
// renamed or removed, and it tells when somebody has written into it.
#pragma once

#include <sys/stat.h>

#include <cstddef>
#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <thread>
#include <utility>

#include "absl/status/statusor.h"
#include "runtime/base/arrival.h"
#include "runtime/base/descriptor.h"
#include "runtime/base/mutex.h"
#include "runtime/base/pace.h"
#include "runtime/sealed/key_ring.h"
#include "runtime/sealed/sealed_file.h"
#include "runtime/trust/statement.h"

namespace omserve::registry {

// Memory of whole pages, given back to the operating system with it. Move-only.
class FileBytes final {
 public:
  // A secret is kept out of dumps of the process, and wiped. Errors: kResourceExhausted.
  static absl::StatusOr<FileBytes> Allocate(size_t size_bytes, bool is_secret = false);
  FileBytes(FileBytes&& other) noexcept
      : data_(std::exchange(other.data_, nullptr)),
        size_(std::exchange(other.size_, 0)),
        is_secret_(other.is_secret_) {}
  FileBytes& operator=(FileBytes&&) = delete;
  ~FileBytes();
  std::span<std::byte> span() { return {data_, size_}; }
  std::span<const std::byte> span() const { return {data_, size_}; }

 private:
  FileBytes(std::byte* data, size_t size, bool is_secret)
      : data_(data), size_(size), is_secret_(is_secret) {}
  std::byte* data_;
  size_t size_;
  bool is_secret_;
};

// What a file is checked and opened with.
struct FileProtection {
  // That of its version, which must speak for the file. Null: nobody has signed it.
  std::shared_ptr<const trust::Statement> statement;
  std::string name;  // In the statement.
  // Told what became of the file's check, at each reading; what it returns is what counts. Null:
  // the check itself does.
  std::function<absl::Status(const absl::Status& checked)> verdict;
  // For a file that is sealed. Null: there are none.
  std::shared_ptr<const sealed::KeyRing> keys;
  int threads = 1;  // That compute digests and decrypt.
  // What the disk may be asked for when the file is read for its load, not when it is read again
  // for a device that was lost. Null: there is no bound.
  std::shared_ptr<Pace> pace;
};

// Thread-safe.
class ModelFile final {
 public:
  // Errors, naming the path: kNotFound, and kInvalidArgument for what is no regular file or cannot
  // be opened. Blocks on the disk.
  static absl::StatusOr<std::shared_ptr<const ModelFile>> Open(const std::string& path,
                                                               FileProtection protection = {});
  ModelFile(const ModelFile&) = delete;
  ModelFile& operator=(const ModelFile&) = delete;

  // All of it, opened if it is sealed; those who hold the result at the same time have the same.
  // The bytes that are returned are those that were checked. Errors: kUnavailable where somebody
  // has written to it since Open, which another Open may see through; kResourceExhausted;
  // trust::CheckFile's; those of sealed::SealedFile; kFailedPrecondition for a sealed file where
  // there are no keys. Blocks on the disk and on the processor.
  absl::StatusOr<std::shared_ptr<const FileBytes>> Read() const ABSL_LOCKS_EXCLUDED(mu_);

  // Somebody has written to it in place since Open.
  bool IsOverwritten() const;

  // Its path still leads to it, and not to another file.
  bool IsStillNamed() const;

  const std::string& path() const { return path_; }
  // On the disk.
  size_t size_bytes() const { return static_cast<size_t>(opened_.st_size); }

 private:
  ModelFile(std::string path, Descriptor fd, const struct stat& opened, FileProtection protection)
      : path_(std::move(path)),
        fd_(std::move(fd)),
        opened_(opened),
        protection_(std::move(protection)) {}
  // The file as it is, while its signature, where there is one, is checked beside the reading.
  struct Reading {
    std::optional<FileBytes> bytes;
    Arrival arrival;
    absl::Status read;
    absl::Status verdict;  // Of the signature.
    std::jthread check;    // Last: joined before what it uses goes.
  };
  // It is no larger than this machine's memory, whoever says that it is.
  absl::Status CheckFits() const;
  // Memory, and the check's thread.
  absl::Status Begin(Reading& reading) const;
  void ReadInto(Reading& reading, Pace* pace) const;
  // Waits for the check; whether it was read and is as it was signed.
  absl::Status End(Reading& reading) const;
  // What bounds the next reading; null: nothing.
  Pace* NextPace() const ABSL_EXCLUSIVE_LOCKS_REQUIRED(mu_);
  absl::StatusOr<FileBytes> ReadChecked() const ABSL_EXCLUSIVE_LOCKS_REQUIRED(mu_);
  // Whether the bytes are those that were signed, as the verdict has it.
  absl::Status CheckSigned(IncomingFile& file) const;
  absl::StatusOr<bool> IsSealed() const;
  // The file as it is, checked where it is signed.
  absl::StatusOr<FileBytes> ReadRaw() const ABSL_EXCLUSIVE_LOCKS_REQUIRED(mu_);
  absl::StatusOr<FileBytes> Unseal() const ABSL_EXCLUSIVE_LOCKS_REQUIRED(mu_);

  const std::string path_;
  const Descriptor fd_;
  const struct stat opened_;
  const FileProtection protection_;
  mutable Mutex mu_;  // Held while it is read.
  mutable std::weak_ptr<const FileBytes> bytes_ ABSL_GUARDED_BY(mu_);
  mutable bool was_read_ ABSL_GUARDED_BY(mu_) = false;
};

}  // namespace omserve::registry
