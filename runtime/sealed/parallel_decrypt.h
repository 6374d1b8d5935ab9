// SPDX-License-Identifier: Apache-2.0
// Chunks of one file decrypted by several threads, while others bring them.
#pragma once

#include <cstddef>
#include <cstdint>
#include <functional>
#include <span>
#include <thread>
#include <vector>

#include "absl/base/thread_annotations.h"
#include "absl/status/status.h"
#include "runtime/base/mutex.h"
#include "runtime/sealed/chunk_cipher.h"

namespace omserve::sealed {

// Where a chunk is and where it goes; both may be the same bytes.
struct ChunkPlace {
  std::span<const std::byte> from;
  std::span<const std::byte, kTagBytes> tag;
  std::span<std::byte> to;
};

// Confined to the thread that made it, but for Bring. Chunks are taken in order; after a failure no
// more are.
class ParallelDecrypt final {
 public:
  // Starts min(threads, chunks) threads. `place` is called by all of them, for chunks that were
  // brought. Everything outlives this.
  ParallelDecrypt(const FileKeys& keys, const Header& header,
                  std::function<ChunkPlace(uint64_t)> place, unsigned threads);
  ParallelDecrypt(const ParallelDecrypt&) = delete;
  ParallelDecrypt& operator=(const ParallelDecrypt&) = delete;
  // Chunks that nobody has begun stay as they are.
  ~ParallelDecrypt();

  // The next chunk may be decrypted. False when one has failed, so that no more need be brought.
  // One thread at a time.
  bool Bring() ABSL_LOCKS_EXCLUDED(mu_);
  // All were brought, or will not be: decrypts with the others what is left, and waits for them.
  // The failure of the earliest chunk that failed. Call once.
  absl::Status Finish() ABSL_LOCKS_EXCLUDED(mu_);

 private:
  void Work() ABSL_LOCKS_EXCLUDED(mu_);
  // Waits for a chunk; false when there will be none.
  bool Take(uint64_t& chunk) ABSL_LOCKS_EXCLUDED(mu_);
  void Fail(uint64_t chunk, absl::Status status) ABSL_LOCKS_EXCLUDED(mu_);
  void End() ABSL_LOCKS_EXCLUDED(mu_);

  // Constant after construction.
  const FileKeys& keys_;
  const Header& header_;
  const std::function<ChunkPlace(uint64_t)> place_;

  Mutex mu_;
  CondVar changed_;
  uint64_t brought_ ABSL_GUARDED_BY(mu_) = 0;
  uint64_t taken_ ABSL_GUARDED_BY(mu_) = 0;
  bool ended_ ABSL_GUARDED_BY(mu_) = false;  // No more will be brought.
  uint64_t failed_chunk_ ABSL_GUARDED_BY(mu_) = UINT64_MAX;
  absl::Status status_ ABSL_GUARDED_BY(mu_);

  std::vector<std::jthread> threads_;
};

}  // namespace omserve::sealed
