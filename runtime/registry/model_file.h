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
#include <memory>
#include <span>
#include <string>
#include <utility>

#include "absl/status/statusor.h"
#include "runtime/base/descriptor.h"
#include "runtime/base/mutex.h"

namespace omserve::registry {

// Memory of whole pages, given back to the operating system with it. Move-only.
class FileBytes final {
 public:
  // Errors: kResourceExhausted.
  static absl::StatusOr<FileBytes> Allocate(size_t size_bytes);
  FileBytes(FileBytes&& other) noexcept
      : data_(std::exchange(other.data_, nullptr)), size_(std::exchange(other.size_, 0)) {}
  FileBytes& operator=(FileBytes&&) = delete;
  ~FileBytes();
  std::span<std::byte> span() { return {data_, size_}; }
  std::span<const std::byte> span() const { return {data_, size_}; }

 private:
  FileBytes(std::byte* data, size_t size) : data_(data), size_(size) {}
  std::byte* data_;
  size_t size_;
};

// Thread-safe.
class ModelFile final {
 public:
  // Errors, naming the path: kNotFound, and kInvalidArgument for what is no regular file or cannot
  // be opened. Blocks on the disk.
  static absl::StatusOr<std::shared_ptr<const ModelFile>> Open(const std::string& path);
  ModelFile(const ModelFile&) = delete;
  ModelFile& operator=(const ModelFile&) = delete;

  // All of it; those who hold the result at the same time have the same. Errors: kUnavailable where
  // somebody has written to it since Open, which another Open may see through; kResourceExhausted.
  // Blocks on the disk.
  absl::StatusOr<std::shared_ptr<const FileBytes>> Read() const ABSL_LOCKS_EXCLUDED(mu_);

  // Somebody has written to it in place since Open.
  bool IsOverwritten() const;

  // Its path still leads to it, and not to another file.
  bool IsStillNamed() const;

  const std::string& path() const { return path_; }
  size_t size_bytes() const { return static_cast<size_t>(opened_.st_size); }

 private:
  ModelFile(std::string path, Descriptor fd, const struct stat& opened)
      : path_(std::move(path)), fd_(std::move(fd)), opened_(opened) {}

  const std::string path_;
  const Descriptor fd_;
  const struct stat opened_;
  mutable Mutex mu_;  // Held while it is read.
  mutable std::weak_ptr<const FileBytes> bytes_ ABSL_GUARDED_BY(mu_);
};

}  // namespace omserve::registry
