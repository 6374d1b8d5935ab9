// SPDX-License-Identifier: Apache-2.0
// Answers that are kept for requests that come again.
//
// Source: Triton's response cache: by model, version and inputs, bounded in bytes over all models.
#pragma once

#include <cstddef>
#include <cstdint>
#include <memory>
#include <span>
#include <vector>

#include "runtime/base/mutex.h"
#include "scheduler/content_digest.h"
#include "scheduler/lru_cache.h"
#include "scheduler/request.h"
#include "server/core/model.h"

namespace omserve::server {

// A request: the model as it was loaded, and all that its answer depends on.
struct ResponseKey {
  uint64_t load = 0;  // Of the model.
  scheduler::ContentDigest request;
  bool operator==(const ResponseKey&) const = default;
};

struct ResponseKeyHash {
  size_t operator()(const ResponseKey& key) const {
    return scheduler::ContentDigestHash()(key.request) ^ std::hash<uint64_t>()(key.load);
  }
};

// Kept in ordinary memory, apart from the pinned pool that requests need. Thread-safe.
class ResponseCache final {
 public:
  explicit ResponseCache(size_t max_bytes) : known_(max_bytes) {}

  // `shapes`: of the inputs as they came, which padding hides in `request`.
  static ResponseKey KeyOf(const Model& model, std::span<const Dims> shapes,
                           const scheduler::InferRequest& request);

  struct Response {
    std::vector<std::byte> bytes;
    std::vector<scheduler::ResponseOutput> outputs;  // Within `bytes`, without owners.
  };
  // As an answer has them: each holds the whole response. Empty when it is not there: an answer has
  // one output at least. Counts either way.
  std::vector<scheduler::ResponseOutput> Find(const ResponseKey& key) ABSL_LOCKS_EXCLUDED(mu_);
  // Keeps a copy. That of a model which was unloaded is found no longer, and ages out.
  void Keep(const ResponseKey& key, std::span<const scheduler::ResponseOutput> outputs)
      ABSL_LOCKS_EXCLUDED(mu_);

  scheduler::CacheCounts counts() const ABSL_LOCKS_EXCLUDED(mu_);
  size_t max_bytes() const ABSL_LOCKS_EXCLUDED(mu_);

 private:
  mutable Mutex mu_;
  scheduler::LruCache<ResponseKey, Response, ResponseKeyHash> known_ ABSL_GUARDED_BY(mu_);
};

}  // namespace omserve::server
