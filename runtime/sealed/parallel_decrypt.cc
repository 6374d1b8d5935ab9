// SPDX-License-Identifier: Apache-2.0
#include "runtime/sealed/parallel_decrypt.h"

#include <algorithm>
#include <utility>

#include "runtime/base/check.h"
#include "runtime/base/errors.h"
#include "runtime/base/thread.h"

namespace omserve::sealed {

ParallelDecrypt::ParallelDecrypt(const FileKeys& keys, const Header& header,
                                 std::function<ChunkPlace(uint64_t)> place, unsigned threads)
    : keys_(keys), header_(header), place_(std::move(place)) {
  const uint64_t count = std::min<uint64_t>(threads, header.chunk_count());
  for (uint64_t i = 0; i < count; ++i) {
    threads_.push_back(TryStartThread(fmt::format("unseal-{}", i), [this] { Work(); }));
  }
}

ParallelDecrypt::~ParallelDecrypt() {
  {
    const MutexLock lock(mu_);
    taken_ = brought_;
  }
  End();
  threads_.clear();  // Joins, while what they use is still there.
}

bool ParallelDecrypt::Bring() {
  bool goes_on = false;
  {
    MutexLock lock(mu_);
    ++brought_;
    goes_on = status_.ok();
  }
  changed_.NotifyOne();
  return goes_on;
}

void ParallelDecrypt::End() {
  {
    MutexLock lock(mu_);
    ended_ = true;
  }
  changed_.NotifyAll();
}

absl::Status ParallelDecrypt::Finish() {
  End();
  Work();
  threads_.clear();
  MutexLock lock(mu_);
  OMSERVE_CHECK(!status_.ok() || taken_ == header_.chunk_count(), "all chunks were brought");
  return status_;
}

bool ParallelDecrypt::Take(uint64_t& chunk) {
  MutexLock lock(mu_);
  while (taken_ == brought_ && !ended_ && status_.ok()) {
    changed_.Wait(mu_);
  }
  if (taken_ == brought_ || !status_.ok()) {
    return false;
  }
  chunk = taken_++;
  return true;
}

void ParallelDecrypt::Fail(uint64_t chunk, absl::Status status) {
  {
    MutexLock lock(mu_);
    if (chunk < failed_chunk_) {
      failed_chunk_ = chunk;
      status_ = std::move(status);
    }
  }
  changed_.NotifyAll();
}

void ParallelDecrypt::Work() {
  absl::StatusOr<ChunkCipher> cipher = ChunkCipher::ForOpening(keys_, header_);
  if (!cipher.ok()) {
    Fail(0, cipher.status());
    return;
  }
  uint64_t chunk = 0;
  while (Take(chunk)) {
    const ChunkPlace place = place_(chunk);
    absl::Status status = cipher->Open(chunk, place.from, place.tag, place.to);
    if (!status.ok()) {
      Fail(chunk, std::move(status));
    }
    GiveWay();
  }
}

}  // namespace omserve::sealed
