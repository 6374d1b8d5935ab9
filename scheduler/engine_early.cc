// SPDX-License-Identifier: Apache-2.0
// Answers that leave before their request is over: for clients that take several. All of it runs on
// the device thread.
#include <utility>
#include <vector>

#include "scheduler/engine.h"

namespace omserve::scheduler {

void Engine::NoteOutputs(RequestId id, ActiveRequest& active) {
  if (active.whole().early != nullptr && !active.has_news) {
    active.has_news = true;
    news_.push_back(id);
  }
}

void Engine::AnswerEarly() {
  for (const RequestId id : news_) {
    const auto found = active_.find(id);
    if (found == active_.end()) {
      continue;
    }
    ActiveRequest& active = found->second;
    active.has_news = false;
    if (active.is_answered || (active.split != nullptr && active.split->answered)) {
      continue;
    }
    std::vector<ResponseOutput> outputs = OutputsToGive(active);
    if (!outputs.empty()) {
      GiveEarly(active, {.outputs = std::move(outputs)});
    }
  }
  news_.clear();
}

std::vector<ResponseOutput> Engine::OutputsToGive(ActiveRequest& active) {
  const InferRequest& in = *active.in;
  const bool may_be_early = active.whole().early != nullptr;
  if (may_be_early) {
    active.given.resize(in.wanted.size());
  }
  std::vector<ResponseOutput> outputs;
  outputs.reserve(in.wanted.size());
  for (size_t i = 0; i < in.wanted.size(); ++i) {
    const int tensor = in.plan->outputs[static_cast<size_t>(in.wanted[i])];
    const TensorPlace& place = active.places[static_cast<size_t>(tensor)];
    if (may_be_early) {
      const bool is_there = active.is_answered || place.owner != nullptr;
      if (active.given[i] || !is_there) {
        continue;
      }
      active.given[i] = true;
    }
    outputs.push_back({.output = in.wanted[i],
                       .dims = place.host_dims,
                       .bytes = place.host,
                       .owner = place.owner});
  }
  return outputs;
}

void Engine::GiveEarly(const ActiveRequest& active, InferResponse response) {
  response.is_final = false;
  response.first_row = active.first_row;
  const InferRequest& request = active.whole();
  answers_.push_back({request.early, request.group, std::move(response)});
}

}  // namespace omserve::scheduler
