// SPDX-License-Identifier: Apache-2.0
#include "runtime/sealed/secret_bytes.h"

#include <openssl/crypto.h>
#include <sys/mman.h>
#include <sys/resource.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <system_error>
#include <utility>

#include "runtime/base/check.h"
#include "runtime/base/errno_text.h"
#include "runtime/base/errors.h"

namespace omserve::sealed {
namespace {

// Below this a huge page would lock more memory than it saves page faults.
constexpr size_t kHugePagesFromBytes = size_t{8} << 20;

std::string WhyNotLocked(size_t size_bytes, int error) {
  rlimit limit{};
  getrlimit(RLIMIT_MEMLOCK, &limit);
  return fmt::format(
      "{} bytes with secrets are not locked in memory and may reach a swap device: {} "
      "(RLIMIT_MEMLOCK is {} bytes); raise it (ulimit -l, LimitMEMLOCK= of systemd) or encrypt "
      "the swap device",
      size_bytes, std::generic_category().message(error), limit.rlim_cur);
}

}  // namespace

absl::StatusOr<SecretBytes> SecretBytes::Allocate(size_t size_bytes) {
  SecretBytes secret;
  if (size_bytes == 0) {
    return secret;
  }
  const auto page_bytes = static_cast<size_t>(sysconf(_SC_PAGESIZE));
  if (size_bytes > SIZE_MAX - page_bytes) {
    return ResourceExhausted("{} bytes for secrets: more than can be addressed", size_bytes);
  }
  const size_t mapped_bytes = (size_bytes + page_bytes - 1) / page_bytes * page_bytes;
  void* const data =
      mmap(nullptr, mapped_bytes, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
  if (data == MAP_FAILED) {
    return ResourceExhausted("{} bytes for secrets: {}", size_bytes, ErrnoText());
  }
  secret.data_ = static_cast<std::byte*>(data);
  secret.size_bytes_ = size_bytes;
  secret.mapped_bytes_ = mapped_bytes;
  // Neither is worth a failure: without them the secret is less well kept, not wrong.
  madvise(data, mapped_bytes, MADV_DONTDUMP);
  if (mapped_bytes >= kHugePagesFromBytes) {
    madvise(data, mapped_bytes, MADV_HUGEPAGE);
  }
  // On fault: locking a model's whole buffer at once would fill it with zeros on one thread first.
  if (mlock2(data, mapped_bytes, MLOCK_ONFAULT) != 0) {
    secret.note_ = WhyNotLocked(size_bytes, errno);
  }
  return secret;
}

absl::StatusOr<SecretBytes> SecretBytes::CopyOf(std::span<const std::byte> bytes) {
  ASSIGN_OR_RETURN(SecretBytes secret, Allocate(bytes.size()));
  std::copy(bytes.begin(), bytes.end(), secret.data_);
  return secret;
}

SecretBytes::SecretBytes(SecretBytes&& other) noexcept
    : data_(std::exchange(other.data_, nullptr)),
      size_bytes_(std::exchange(other.size_bytes_, 0)),
      mapped_bytes_(std::exchange(other.mapped_bytes_, 0)),
      note_(std::exchange(other.note_, std::string())) {}

SecretBytes& SecretBytes::operator=(SecretBytes&& other) noexcept {
  SecretBytes taken(std::move(other));
  std::swap(data_, taken.data_);
  std::swap(size_bytes_, taken.size_bytes_);
  std::swap(mapped_bytes_, taken.mapped_bytes_);
  std::swap(note_, taken.note_);
  return *this;
}

SecretBytes::~SecretBytes() {
  if (data_ != nullptr) {
    Wipe();
    munmap(data_, mapped_bytes_);
  }
}

std::string_view SecretBytes::text() const {
  return {reinterpret_cast<const char*>(data_), size_bytes_};
}

void SecretBytes::Shrink(size_t size_bytes) {
  OMSERVE_CHECK(size_bytes <= size_bytes_, "a secret only becomes shorter");
  if (size_bytes < size_bytes_) {
    OPENSSL_cleanse(data_ + size_bytes, size_bytes_ - size_bytes);
    size_bytes_ = size_bytes;
  }
}

void SecretBytes::Wipe() {
  if (size_bytes_ > 0) {
    OPENSSL_cleanse(data_, size_bytes_);
  }
}

}  // namespace omserve::sealed
