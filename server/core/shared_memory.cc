// SPDX-License-Identifier: Apache-2.0
#include "server/core/shared_memory.h"

#include <utility>

#include "runtime/base/errors.h"
#include "runtime/base/log.h"

namespace omserve::server {

// A mapping and its pinning, which ends first.
struct SharedMemory::Pinned {
  std::unique_ptr<SharedMapping> mapping;
  acl::RegisteredHost pinned;
};

namespace {

absl::Status AlreadyThere(const std::string& name) {
  return MakeStatus(absl::StatusCode::kAlreadyExists,
                    fmt::format("shared memory region '{}' already in manager", name));
}

absl::Status NoRegion(const std::string& name) {
  return NotFound("Unable to find system shared memory region: '{}'", name);
}

}  // namespace

absl::Status SharedMemory::Register(const Region& region) {
  if (region.name.empty()) {
    return InvalidArgument("a shared memory region needs a name, got none");
  }
  {
    const MutexLock lock(mu_);
    if (entries_.contains(region.name)) {
      return AlreadyThere(region.name);
    }
  }
  auto memory = std::make_shared<Pinned>();
  absl::StatusOr<std::unique_ptr<SharedMapping>> mapping =
      SharedMapping::Open(region.key, region.offset_bytes, region.size_bytes);
  if (!mapping.ok()) {
    return WithContext(mapping.status(),
                       fmt::format("failed to register shared memory region '{}'", region.name));
  }
  memory->mapping = *std::move(mapping);
  if (device_ != nullptr) {
    RETURN_IF_ERROR(device_->Bind());
    absl::StatusOr<acl::RegisteredHost> pinned = device_->RegisterHost(memory->mapping->pages());
    if (pinned.ok()) {
      memory->pinned = *std::move(pinned);
    } else {
      OMSERVE_LOG(kWarning, "server",
                  "shared memory is not pinned, so its tensors are copied region={} error=\"{}\"",
                  region.name, MessageOf(pinned.status()));
    }
  }
  const MutexLock lock(mu_);
  // Two may have come at once: the second finds the first.
  const auto [at, is_new] = entries_.try_emplace(region.name, Entry{region, std::move(memory)});
  if (!is_new) {
    return AlreadyThere(region.name);
  }
  OMSERVE_LOG(kInfo, "server", "shared memory registered region={} key={} bytes={} pinned={}",
              region.name, region.key, region.size_bytes,
              static_cast<bool>(at->second.memory->pinned));
  return absl::OkStatus();
}

void SharedMemory::Unregister(const std::string& name) {
  Entry gone;  // Freed without the lock.
  const MutexLock lock(mu_);
  const auto found = entries_.find(name);
  if (found != entries_.end()) {
    gone = std::move(found->second);
    entries_.erase(found);
  }
}

void SharedMemory::UnregisterAll() {
  std::map<std::string, Entry> gone;
  const MutexLock lock(mu_);
  gone.swap(entries_);
}

absl::StatusOr<std::vector<SharedMemory::Region>> SharedMemory::List(
    const std::string& name) const {
  std::vector<Region> regions;
  const MutexLock lock(mu_);
  if (!name.empty()) {
    const auto found = entries_.find(name);
    if (found == entries_.end()) {
      return NoRegion(name);
    }
    regions.push_back(found->second.region);
    return regions;
  }
  for (const auto& [key, entry] : entries_) {
    regions.push_back(entry.region);
  }
  return regions;
}

absl::StatusOr<SharedBytes> SharedMemory::Find(const SharedPlace& place) const {
  std::shared_ptr<const Pinned> memory;
  {
    const MutexLock lock(mu_);
    const auto found = entries_.find(place.region);
    if (found == entries_.end()) {
      return NotFound("Unable to find shared memory region: '{}'", place.region);
    }
    memory = found->second.memory;
  }
  const std::span<std::byte> all = memory->mapping->bytes();
  if (place.offset_bytes > all.size() || place.size_bytes > all.size() - place.offset_bytes) {
    return InvalidArgument(
        "Invalid offset + byte size for shared memory region: '{}': {} bytes from {} are asked "
        "for, of {}",
        place.region, place.size_bytes, place.offset_bytes, all.size());
  }
  if (memory->mapping->lost()) {
    return LostRegion(place.region);
  }
  const bool is_pinned = static_cast<bool>(memory->pinned);
  const SharedMapping* mapping = memory->mapping.get();
  return SharedBytes{.bytes = all.subspan(place.offset_bytes, place.size_bytes),
                     .owner = std::shared_ptr<const SharedMapping>(std::move(memory), mapping),
                     .is_pinned = is_pinned};
}

absl::Status RegisterShared(SharedMemory* memory, const SharedMemory::Region& region) {
  return memory == nullptr ? Unimplemented("failed to register shared memory region '{}': {}",
                                           region.name, kNoSharedMemory)
                           : memory->Register(region);
}

void UnregisterShared(SharedMemory* memory, const std::string& name) {
  if (memory != nullptr && name.empty()) {
    memory->UnregisterAll();
  } else if (memory != nullptr) {
    memory->Unregister(name);
  }
}

absl::StatusOr<std::vector<SharedMemory::Region>> ListShared(const SharedMemory* memory,
                                                             const std::string& name) {
  if (memory != nullptr) {
    return memory->List(name);
  }
  if (!name.empty()) {
    return NoRegion(name);
  }
  return std::vector<SharedMemory::Region>();
}

absl::Status RefuseCudaMemory(const std::string& name) {
  return Unimplemented(
      "failed to register CUDA shared memory region: '{}', GPUs not supported: this server runs "
      "models on Ascend NPUs; register system shared memory",
      name);
}

absl::Status FindNoCudaMemory(const std::string& name) {
  return name.empty() ? absl::OkStatus()
                      : NotFound("Unable to find cuda shared memory region: '{}'", name);
}

absl::Status LostRegion(const std::string& region) {
  return FailedPrecondition(
      "shared memory region '{}' was made smaller than it was when it was registered; unregister "
      "it, and register it as it is now",
      region);
}

}  // namespace omserve::server
