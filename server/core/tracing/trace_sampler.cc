// SPDX-License-Identifier: Apache-2.0
#include "server/core/tracing/trace_sampler.h"

#include <algorithm>

namespace omserve::server {
namespace {

template <typename Value>
void Apply(const TraceChangeOf<Value>& change, const Value& otherwise, Value& setting) {
  if (change.has_value()) {
    setting = change->value_or(otherwise);
  }
}

template <typename Value>
void Apply(const TraceChangeOf<Value>& change, std::optional<Value>& setting) {
  if (change.has_value()) {
    setting = *change;
  }
}

}  // namespace

TraceSampler::Sample TraceSampler::Next(const std::string& model, std::optional<bool> by_client) {
  if (!is_on()) {
    return {};
  }
  const MutexLock lock(mu_);
  const auto found = models_.find(model);
  Own* const own = found == models_.end() ? nullptr : &found->second;
  const TraceLevel level = own == nullptr ? server_.level : own->level.value_or(server_.level);
  if (!level.is_on()) {
    return {};
  }
  bool traced = false;
  if (by_client.has_value()) {
    traced = *by_client;
  } else {
    const uint32_t rate = own == nullptr ? server_.rate : own->rate.value_or(server_.rate);
    uint64_t& requests = own == nullptr ? requests_ : own->requests;
    traced = rate > 0 && ++requests % rate == 0;
  }
  int32_t& count = own != nullptr && own->count.has_value() ? *own->count : server_.count;
  if (!traced || count == 0) {
    return {};
  }
  if (count > 0) {
    --count;
  }
  return {.traced = true,
          .tensors = level.tensors,
          .log_frequency = own == nullptr ? server_.log_frequency
                                          : own->log_frequency.value_or(server_.log_frequency)};
}

TraceSettings TraceSampler::Get(const std::string& model) const {
  const MutexLock lock(mu_);
  TraceSettings settings = server_;
  const auto found = models_.find(model);
  if (found != models_.end()) {
    const Own& own = found->second;
    settings.level = own.level.value_or(settings.level);
    settings.rate = own.rate.value_or(settings.rate);
    settings.count = own.count.value_or(settings.count);
    settings.log_frequency = own.log_frequency.value_or(settings.log_frequency);
  }
  return settings;
}

void TraceSampler::Change(const std::string& model, const TraceChange& change) {
  const MutexLock lock(mu_);
  if (model.empty()) {
    Apply(change.level, start_.level, server_.level);
    Apply(change.rate, start_.rate, server_.rate);
    Apply(change.count, start_.count, server_.count);
    Apply(change.log_frequency, start_.log_frequency, server_.log_frequency);
    requests_ = change.rate.has_value() ? 0 : requests_;
  } else {
    Own& own = models_[model];
    Apply(change.level, own.level);
    Apply(change.rate, own.rate);
    Apply(change.count, own.count);
    Apply(change.log_frequency, own.log_frequency);
    own.requests = change.rate.has_value() ? 0 : own.requests;
    if (own.empty()) {
      models_.erase(model);
    }
  }
  const bool any = std::ranges::any_of(models_, [](const auto& entry) {
    return entry.second.level.has_value() && entry.second.level->is_on();
  });
  is_on_.store(server_.level.is_on() || any, std::memory_order_relaxed);
}

}  // namespace omserve::server
