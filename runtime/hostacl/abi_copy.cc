// SPDX-License-Identifier: Apache-2.0
// The C interface: batched copies.
#include <limits>
#include <span>

#include "runtime/hostacl/acl_status.h"
#include "runtime/hostacl/entry.h"
#include "runtime/hostacl/memory_map.h"
#include "runtime/hostacl/runtime.h"

namespace omserve::hostacl {
namespace {

// The arguments of aclrtMemcpyBatch, checked as far as they are arrays.
struct Batch {
  std::span<void* const> targets;
  std::span<const size_t> limits;
  std::span<void* const> sources;
  std::span<const size_t> sizes;
  std::span<const aclrtMemcpyBatchAttr> attributes;
  std::span<const size_t> attribute_begins;  // Per attribute: the first copy it speaks of.

  CopyRequest copy(size_t i) const { return {targets[i], limits[i], sources[i], sizes[i]}; }
};

absl::Status CheckAttributes(const Batch& batch) {
  for (size_t i = 0; i < batch.attribute_begins.size(); ++i) {
    const size_t begin = batch.attribute_begins[i];
    const bool in_order = i == 0 ? begin == 0 : begin > batch.attribute_begins[i - 1];
    if (!in_order || begin >= batch.sizes.size()) {
      return Fail(ACL_ERROR_RT_PARAM_INVALID,
                  "aclrtMemcpyBatch: attribute {} begins at copy {} of {}; the first begins at 0, "
                  "each later one beyond the one before",
                  i, begin, batch.sizes.size());
    }
  }
  return absl::OkStatus();
}

absl::Status CheckPlace(const MemoryMap& memory, const aclrtMemLocation& said, const void* address,
                        const char* side) {
  const std::shared_ptr<Device> device = memory.DeviceOf(address);
  const bool agrees = said.type == ACL_MEM_LOCATION_TYPE_DEVICE
                          ? device != nullptr && static_cast<uint32_t>(device->index()) == said.id
                          : device == nullptr;
  if (!agrees) {
    return Fail(ACL_ERROR_RT_PARAM_INVALID,
                "the {} {} is said to be at location type {}, id {}, and is {}", side,
                fmt::ptr(address), static_cast<int>(said.type), said.id,
                device == nullptr ? "on the host" : fmt::format("on device {}", device->index()));
  }
  return absl::OkStatus();
}

absl::Status CopyOne(const MemoryMap& memory, const CopyRequest& copy,
                     const aclrtMemcpyBatchAttr& attribute) {
  RETURN_IF_ERROR(CheckCopy(copy, ACL_MEMCPY_DEFAULT));
  RETURN_IF_ERROR(CheckPlace(memory, attribute.dstLoc, copy.target, "target"));
  RETURN_IF_ERROR(CheckPlace(memory, attribute.srcLoc, copy.source, "source"));
  return Copy(memory, copy);
}

absl::Status CopyBatch(const Batch& batch, size_t* failed) {
  *failed = std::numeric_limits<size_t>::max();
  RETURN_IF_ERROR(CheckAttributes(batch));
  ASSIGN_OR_RETURN(const Here here, CurrentPlace());
  size_t attribute = 0;
  for (size_t i = 0; i < batch.sizes.size(); ++i) {
    while (attribute + 1 < batch.attributes.size() && batch.attribute_begins[attribute + 1] <= i) {
      ++attribute;
    }
    const absl::Status copied =
        CopyOne(here.runtime->memory(), batch.copy(i), batch.attributes[attribute]);
    if (!copied.ok()) {
      *failed = i;
      return InContext(copied, fmt::format("copy {} of {}", i, batch.sizes.size()));
    }
  }
  return absl::OkStatus();
}

}  // namespace
}  // namespace omserve::hostacl

using omserve::hostacl::Enter;

aclError aclrtMemcpyBatch(void** dsts, size_t* destMaxs, void** srcs, size_t* sizes,
                          size_t numBatches, aclrtMemcpyBatchAttr* attrs, size_t* attrsIndexes,
                          size_t numAttrs, size_t* failIndex) noexcept {
  return Enter(__func__, [&] {
    if (dsts == nullptr || destMaxs == nullptr || srcs == nullptr || sizes == nullptr ||
        attrs == nullptr || attrsIndexes == nullptr || failIndex == nullptr || numBatches == 0 ||
        numAttrs == 0) {
      return omserve::hostacl::Fail(ACL_ERROR_INVALID_PARAM,
                                    "aclrtMemcpyBatch: an array is null, or there are {} copies "
                                    "and {} attributes",
                                    numBatches, numAttrs);
    }
    return omserve::hostacl::CopyBatch({{dsts, numBatches},
                                        {destMaxs, numBatches},
                                        {srcs, numBatches},
                                        {sizes, numBatches},
                                        {attrs, numAttrs},
                                        {attrsIndexes, numAttrs}},
                                       failIndex);
  });
}
