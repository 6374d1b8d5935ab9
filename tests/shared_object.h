// SPDX-License-Identifier: Apache-2.0
// A POSIX shared memory object, as a client has it.
#pragma once

#include <fcntl.h>
#include <sys/mman.h>
#include <unistd.h>

#include <atomic>
#include <cstddef>
#include <cstring>
#include <span>
#include <string>

#include "runtime/base/check.h"

namespace omserve::testing {

// Under a name of its own, which goes with it.
class SharedObject final {
 public:
  explicit SharedObject(size_t size_bytes) : size_bytes_(size_bytes) {
    static std::atomic<int> count{0};
    key_ = "/omserve-test-" + std::to_string(getpid()) + "-" + std::to_string(++count);
    fd_ = shm_open(key_.c_str(), O_RDWR | O_CREAT | O_EXCL, 0600);
    OMSERVE_CHECK(fd_ >= 0, "the machine has shared memory");
    Truncate(size_bytes);
    data_ = mmap(nullptr, size_bytes, PROT_READ | PROT_WRITE, MAP_SHARED, fd_, 0);
    OMSERVE_CHECK(data_ != MAP_FAILED, "the machine has shared memory");
  }
  SharedObject(const SharedObject&) = delete;
  SharedObject& operator=(const SharedObject&) = delete;
  ~SharedObject() {
    munmap(data_, size_bytes_);
    close(fd_);
    shm_unlink(key_.c_str());
  }

  const std::string& key() const { return key_; }
  std::span<std::byte> bytes() const { return {static_cast<std::byte*>(data_), size_bytes_}; }
  void Write(size_t offset_bytes, const std::string& data) const {
    std::memcpy(bytes().subspan(offset_bytes, data.size()).data(), data.data(), data.size());
  }
  std::string Read(size_t offset_bytes, size_t size_bytes) const {
    std::string data(size_bytes, '\0');
    std::memcpy(data.data(), bytes().subspan(offset_bytes, size_bytes).data(), size_bytes);
    return data;
  }
  void Truncate(size_t size_bytes) const {
    OMSERVE_CHECK(ftruncate(fd_, static_cast<off_t>(size_bytes)) == 0, "it takes any size");
  }

 private:
  std::string key_;
  size_t size_bytes_;
  int fd_ = -1;
  void* data_ = nullptr;
};

}  // namespace omserve::testing
