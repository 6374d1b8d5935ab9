// SPDX-License-Identifier: Apache-2.0
#include "scheduler/shared_rate_limiter.h"

#include <algorithm>

#include "runtime/base/errors.h"

namespace omserve::scheduler {

absl::Status SharedRateLimiter::Check(int device, const InstanceLimit& limit) const {
  const MutexLock lock(mu_);
  return limiter_.Check(device, limit.needs);
}

absl::StatusOr<SharedRateLimiter::Client> SharedRateLimiter::AddLane(int device,
                                                                     const InstanceLimit& limit,
                                                                     int subgraph, int lane,
                                                                     TurnSink& sink) {
  const MutexLock lock(mu_);
  ASSIGN_OR_RETURN(const Client client, limiter_.AddClient(device, limit.needs, limit.priority));
  lanes_.resize(std::max(lanes_.size(), client + 1));
  lanes_[client] = {.subgraph = subgraph, .lane = lane, .sink = &sink};
  return client;
}

void SharedRateLimiter::RemoveLane(Client client) {
  const MutexLock lock(mu_);
  limiter_.RemoveClient(client);
}

void SharedRateLimiter::Ask(Client client, uint64_t ticket, bool renews,
                            std::vector<TurnGranted>* own) {
  AllTold told;
  {
    const MutexLock lock(mu_);
    lanes_[client].ticket = ticket;
    if (renews) {
      limiter_.Renew(client, &granted_);
    } else {
      limiter_.Ask(client, &granted_);
    }
    told = TakeGrantedLocked(client, own);
  }
  for (const Told& to : told) {
    to.sink->OnTurnGranted(to.granted);
  }
}

void SharedRateLimiter::Return(Client client, bool used, std::vector<TurnGranted>* own) {
  AllTold told;
  {
    const MutexLock lock(mu_);
    limiter_.Return(client, used, &granted_);
    told = TakeGrantedLocked(client, own);
  }
  for (const Told& to : told) {
    to.sink->OnTurnGranted(to.granted);
  }
}

SharedRateLimiter::AllTold SharedRateLimiter::TakeGrantedLocked(Client client,
                                                                std::vector<TurnGranted>* own) {
  AllTold told;
  for (const Client to : granted_) {
    const Lane& lane = lanes_[to];
    const TurnGranted granted{.subgraph = lane.subgraph,
                              .lane = lane.lane,
                              .ticket = lane.ticket,
                              .waited = to != client};
    if (lane.sink == lanes_[client].sink) {
      own->push_back(granted);
    } else {
      told.push_back({lane.sink, granted});
    }
  }
  granted_.clear();
  return told;
}

std::vector<RateLimiter::Usage> SharedRateLimiter::usage() const {
  const MutexLock lock(mu_);
  return limiter_.usage();
}

}  // namespace omserve::scheduler
