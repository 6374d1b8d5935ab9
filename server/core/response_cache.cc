// SPDX-License-Identifier: Apache-2.0
#include "server/core/response_cache.h"

#include <cstring>
#include <utility>

namespace omserve::server {
namespace {

// What an entry costs beside the tensors' bytes, about.
constexpr size_t kEntryBytes = 512;

}  // namespace

ResponseKey ResponseCache::KeyOf(const Model& model, std::span<const Dims> shapes,
                                 const scheduler::InferRequest& request) {
  std::vector<hostops::HostInput> parts;
  parts.reserve(request.inputs.size() + shapes.size() + 1);
  for (const scheduler::RequestInput& input : request.inputs) {
    parts.push_back({input.dims, input.bytes});
  }
  for (const Dims& shape : shapes) {
    parts.push_back({shape, {}});
  }
  parts.push_back({{}, std::as_bytes(std::span(request.wanted))});
  return {model.load, scheduler::DigestOf(parts)};
}

std::vector<scheduler::ResponseOutput> ResponseCache::Find(const ResponseKey& key) {
  std::shared_ptr<const Response> found;
  {
    const MutexLock lock(mu_);
    found = known_.Find(key);
  }
  if (found == nullptr) {
    return {};
  }
  std::vector<scheduler::ResponseOutput> outputs = found->outputs;
  for (scheduler::ResponseOutput& output : outputs) {
    output.owner = found;
  }
  return outputs;
}

void ResponseCache::Keep(const ResponseKey& key,
                         std::span<const scheduler::ResponseOutput> outputs) {
  size_t size_bytes = 0;
  for (const scheduler::ResponseOutput& output : outputs) {
    size_bytes += output.bytes.size();
  }
  if (size_bytes + kEntryBytes > max_bytes()) {
    const MutexLock lock(mu_);
    known_.CountNotStored();
    return;
  }
  // Copied before the lock is taken: others look answers up meanwhile.
  auto response = std::make_shared<Response>();
  response->bytes.resize(size_bytes);
  size_t at = 0;
  for (const scheduler::ResponseOutput& output : outputs) {
    const std::span<std::byte> to = std::span(response->bytes).subspan(at, output.bytes.size());
    if (!to.empty()) {
      std::memcpy(to.data(), output.bytes.data(), to.size());
    }
    response->outputs.push_back({.output = output.output, .dims = output.dims, .bytes = to});
    at += to.size();
  }
  const MutexLock lock(mu_);
  known_.Put(key, std::move(response), size_bytes + kEntryBytes);
}

scheduler::CacheCounts ResponseCache::counts() const {
  const MutexLock lock(mu_);
  return known_.counts();
}

size_t ResponseCache::max_bytes() const {
  const MutexLock lock(mu_);
  return known_.max_bytes();
}

}  // namespace omserve::server
