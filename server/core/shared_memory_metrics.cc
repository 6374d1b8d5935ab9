// SPDX-License-Identifier: Apache-2.0
#include "server/core/shared_memory_metrics.h"

#include "server/core/metric_family.h"

namespace omserve::server {

using prometheus::MetricType;

void AddSharedMemoryFamilies(const SharedMemory* memory,
                             std::vector<prometheus::MetricFamily>& families) {
  if (memory == nullptr) {
    return;
  }
  const absl::StatusOr<std::vector<SharedMemory::Region>> regions = memory->List("");
  double size_bytes = 0;
  double count = 0;
  if (regions.ok()) {
    count = static_cast<double>(regions->size());
    for (const SharedMemory::Region& region : *regions) {
      size_bytes += static_cast<double>(region.size_bytes);
    }
  }
  Family open(MetricType::Gauge, "omserve_shared_memory_regions",
              "Regions of shared memory that clients have registered");
  open.Add({}, count);
  Family bytes(MetricType::Gauge, "omserve_shared_memory_bytes", "Their size");
  bytes.Add({}, size_bytes);
  Family tensors(MetricType::Counter, "omserve_shared_memory_tensors_total",
                 "Tensors in shared memory that a device used where they are, or that were copied "
                 "besides");
  const SharedMemory::Counts& counts = memory->counts();
  tensors.Add({{"way", "in_place"}},
              static_cast<double>(counts.in_place.load(std::memory_order_relaxed)));
  tensors.Add({{"way", "copied"}},
              static_cast<double>(counts.copied.load(std::memory_order_relaxed)));
  for (Family* family : {&open, &bytes, &tensors}) {
    families.push_back(family->Take());
  }
}

}  // namespace omserve::server
