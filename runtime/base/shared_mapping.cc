// SPDX-License-Identifier: Apache-2.0
#include "runtime/base/shared_mapping.h"

#include <fcntl.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include <array>
#include <csignal>
#include <cstdint>
#include <cstring>
#include <optional>

#include "runtime/base/errors.h"

namespace omserve {
namespace {

// One open mapping, for the signal's handler. It may run at any instruction of any thread, so all
// it reads is atomic, and an address is published after its size and taken back before the memory
// goes.
struct Slot {
  std::atomic<bool> taken{false};
  std::atomic<uintptr_t> begin{0};  // 0: none.
  std::atomic<size_t> size_bytes{0};
  std::atomic<bool> lost{false};
};
static_assert(std::atomic<uintptr_t>::is_always_lock_free);

std::array<Slot, SharedMapping::kMost>& Slots() {
  static std::array<Slot, SharedMapping::kMost> slots;
  return slots;
}

struct sigaction& Previous() {
  static struct sigaction previous {};
  return previous;
}

// Zeros in place of the mapping that `address` lies in; false when it lies in none.
bool Replace(uintptr_t address) {
  for (Slot& slot : Slots()) {
    const uintptr_t begin = slot.begin.load(std::memory_order_acquire);
    const size_t size_bytes = slot.size_bytes.load(std::memory_order_relaxed);
    // The slot may have been given to another in between.
    if (begin == 0 || address < begin || address - begin >= size_bytes ||
        slot.begin.load(std::memory_order_acquire) != begin) {
      continue;
    }
    void* const at = reinterpret_cast<void*>(begin);
    if (mmap(at, size_bytes, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED, -1,
             0) == MAP_FAILED) {
      return false;
    }
    slot.lost.store(true, std::memory_order_release);
    return true;
  }
  return false;
}

void OnBusError(int number, siginfo_t* info, void* context) {
  const bool is_of_memory = info->si_code > 0;  // And no process has sent it.
  if (is_of_memory && Replace(reinterpret_cast<uintptr_t>(info->si_addr))) {
    return;
  }
  // Somebody else's: as if there were no handler of ours. After the return it is raised again.
  const struct sigaction& previous = Previous();
  if ((previous.sa_flags & SA_SIGINFO) != 0 && previous.sa_sigaction != nullptr) {
    previous.sa_sigaction(number, info, context);
    return;
  }
  sigaction(SIGBUS, &previous, nullptr);
  if (!is_of_memory) {
    raise(number);
  }
}

void Install() {
  struct sigaction action {};
  action.sa_sigaction = &OnBusError;
  action.sa_flags = SA_SIGINFO | SA_ONSTACK;
  sigemptyset(&action.sa_mask);
  Previous();
  Slots();
  sigaction(SIGBUS, &action, &Previous());
}

std::optional<size_t> TakeSlot() {
  for (size_t i = 0; i < Slots().size(); ++i) {
    if (!Slots()[i].taken.exchange(true, std::memory_order_acq_rel)) {
      return i;
    }
  }
  return std::nullopt;
}

class File final {
 public:
  explicit File(const std::string& key) : fd_(shm_open(key.c_str(), O_RDWR | O_CLOEXEC, 0)) {}
  File(const File&) = delete;
  File& operator=(const File&) = delete;
  ~File() {
    if (fd_ >= 0) {
      close(fd_);
    }
  }
  int fd() const { return fd_; }

 private:
  const int fd_;
};

// OK when the object behind `file` has the bytes.
absl::Status CheckSize(const File& file, const std::string& key, size_t offset_bytes,
                       size_t size_bytes) {
  struct stat status {};
  if (fstat(file.fd(), &status) != 0 || !S_ISREG(status.st_mode) || status.st_size < 0) {
    return InvalidArgument("Unable to open shared memory region: '{}': it is no memory", key);
  }
  const auto all_bytes = static_cast<size_t>(status.st_size);
  if (size_bytes == 0 || offset_bytes > all_bytes || size_bytes > all_bytes - offset_bytes) {
    return InvalidArgument("{} bytes from {} are asked for, of {} that '{}' has", size_bytes,
                           offset_bytes, all_bytes, key);
  }
  return absl::OkStatus();
}

}  // namespace

absl::StatusOr<std::unique_ptr<SharedMapping>> SharedMapping::Open(const std::string& key,
                                                                   size_t offset_bytes,
                                                                   size_t size_bytes) {
  static const bool installed = (Install(), true);
  static_cast<void>(installed);
  if (key.find('\0') != std::string::npos) {
    return InvalidArgument("Unable to open shared memory region: its key holds a zero byte");
  }
  const File file(key);
  if (file.fd() < 0) {
    return InvalidArgument("Unable to open shared memory region: '{}': {}", key,
                           std::strerror(errno));
  }
  RETURN_IF_ERROR(CheckSize(file, key, offset_bytes, size_bytes));
  const std::optional<size_t> slot = TakeSlot();
  if (!slot.has_value()) {
    return ResourceExhausted("{} shared memory regions are open, the most that can be", kMost);
  }
  // A mapping begins with a page.
  const auto page_bytes = static_cast<size_t>(sysconf(_SC_PAGESIZE));
  const size_t before = offset_bytes % page_bytes;
  const size_t mapped_bytes = (before + size_bytes + page_bytes - 1) / page_bytes * page_bytes;
  void* const at = mmap(nullptr, mapped_bytes, PROT_READ | PROT_WRITE, MAP_SHARED, file.fd(),
                        static_cast<off_t>(offset_bytes - before));
  Slot& entry = Slots()[*slot];
  if (at == MAP_FAILED) {
    const int error = errno;
    entry.taken.store(false, std::memory_order_release);
    return InvalidArgument("Unable to map shared memory region: '{}': {}", key,
                           std::strerror(error));
  }
  entry.lost.store(false, std::memory_order_relaxed);
  entry.size_bytes.store(mapped_bytes, std::memory_order_relaxed);
  entry.begin.store(reinterpret_cast<uintptr_t>(at), std::memory_order_release);
  const std::span<std::byte> pages(static_cast<std::byte*>(at), mapped_bytes);
  return std::unique_ptr<SharedMapping>(  // NOLINT: private constructor.
      new SharedMapping(pages, pages.subspan(before, size_bytes), *slot));
}

SharedMapping::~SharedMapping() {
  Slot& entry = Slots()[slot_];
  entry.begin.store(0, std::memory_order_release);
  munmap(pages_.data(), pages_.size());
  entry.taken.store(false, std::memory_order_release);
}

bool SharedMapping::lost() const { return Slots()[slot_].lost.load(std::memory_order_acquire); }

}  // namespace omserve
