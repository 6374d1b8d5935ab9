// SPDX-License-Identifier: Apache-2.0
// The memory that clients share with the daemon: they name a region once, and then send places in
// it instead of tensors.
//
// Source: Triton's system shared memory extension.
#pragma once

#include <atomic>
#include <cstddef>
#include <cstdint>
#include <map>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "absl/status/statusor.h"
#include "runtime/acl/device.h"
#include "runtime/base/mutex.h"
#include "runtime/base/shared_mapping.h"
#include "server/core/shared_place.h"

namespace omserve::server {

// A place found. Whoever holds `owner` may touch the bytes, whatever becomes of the region's name;
// their client may too, at any time.
struct SharedBytes {
  std::span<std::byte> bytes;
  std::shared_ptr<const SharedMapping> owner;
  bool is_pinned = false;  // A device may copy from and to it.
};

// Thread-safe.
class SharedMemory final {
 public:
  // Pins with `device`, which outlives the object and all that came out of it; null pins nothing.
  explicit SharedMemory(const acl::Device* device) : device_(device) {}

  struct Region {
    std::string name;
    std::string key;  // Of shm_open.
    uint64_t offset_bytes = 0;
    uint64_t size_bytes = 0;
  };
  // Errors: kAlreadyExists for a name that is in use; kInvalidArgument for an empty name and an
  // object that cannot be opened or has fewer bytes; kResourceExhausted for too many regions.
  absl::Status Register(const Region& region) ABSL_LOCKS_EXCLUDED(mu_);
  // Forgets the name; what is being used goes with its last user. Unknown names are none already.
  void Unregister(const std::string& name) ABSL_LOCKS_EXCLUDED(mu_);
  void UnregisterAll() ABSL_LOCKS_EXCLUDED(mu_);
  // By name. With a name, that region alone: kNotFound where there is none.
  absl::StatusOr<std::vector<Region>> List(const std::string& name) const ABSL_LOCKS_EXCLUDED(mu_);

  // Errors: kNotFound for an unknown region, kInvalidArgument for a place that is not all within
  // it, kFailedPrecondition for one whose client has cut it short.
  absl::StatusOr<SharedBytes> Find(const SharedPlace& place) const ABSL_LOCKS_EXCLUDED(mu_);

  // Tensors that the device read or wrote where they are, and those that were copied besides.
  struct Counts {
    std::atomic<uint64_t> in_place{0};
    std::atomic<uint64_t> copied{0};
  };
  Counts& counts() { return counts_; }
  const Counts& counts() const { return counts_; }

 private:
  struct Pinned;
  struct Entry {
    Region region;
    std::shared_ptr<const Pinned> memory;
  };

  const acl::Device* const device_;
  Counts counts_;
  mutable Mutex mu_;
  std::map<std::string, Entry> entries_ ABSL_GUARDED_BY(mu_);
};

// What is said where there is no SharedMemory.
inline constexpr std::string_view kNoSharedMemory =
    "shared memory of clients is not allowed on this server; set shared_memory.allow: true, or "
    "start it with --allow-client-shm=true, or send the tensor in the message";

// The methods of the protocols, whichever it is. `memory`: null where clients may share none: then
// there is nothing to list or to forget, and registering is kUnimplemented.
absl::Status RegisterShared(SharedMemory* memory, const SharedMemory::Region& region);
// An empty name: every region.
void UnregisterShared(SharedMemory* memory, const std::string& name);
absl::StatusOr<std::vector<SharedMemory::Region>> ListShared(const SharedMemory* memory,
                                                             const std::string& name);
// Of memory of a GPU, none of which can be registered: kUnimplemented, that says so, and
// kNotFound for every name but the empty one.
absl::Status RefuseCudaMemory(const std::string& name);
absl::Status FindNoCudaMemory(const std::string& name);

// That the client of `region` has cut its memory short: what was read or written is not what it
// should be.
absl::Status LostRegion(const std::string& region);

}  // namespace omserve::server
