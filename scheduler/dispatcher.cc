// SPDX-License-Identifier: Apache-2.0
#include "scheduler/dispatcher.h"

#include <algorithm>
#include <chrono>
#include <functional>
#include <string>
#include <utility>

#include "runtime/base/check.h"
#include "runtime/base/errors.h"

namespace omserve::scheduler {
namespace {

// An id counts up, which is the order of arrival within a device, and ends with the place of the
// device that the request went to first.
constexpr uint64_t kPlaces = Dispatcher::kMostDevices;

RequestId MakeId(uint64_t count, size_t place) { return count * kPlaces + place; }
size_t PlaceOf(RequestId id) { return static_cast<size_t>(id % kPlaces); }

// Whether it matters which device a request goes to, whatever they have to do.
bool HasHome(const InferRequest& request) {
  return !request.sequence.id.empty() || request.placement->any_plan()->preserve_ordering;
}

// Where no lane serves: longer than any queue.
constexpr int64_t kLongestWaitNs = int64_t{3600} * 1'000'000'000;

DeviceLoad LoadOf(size_t place, const Engine& engine, const Plan& plan, int64_t now_ns) {
  DeviceLoad load{.place = static_cast<int>(place), .request_count = engine.request_count()};
  for (const PlanNode& node : plan.nodes) {
    StepLoad& step = load.steps.emplace_back();
    if (node.on_device()) {
      const SubgraphLoad& from = *node.subgraph->load;
      const int64_t free_at_ns = from.free_at_ns.load(std::memory_order_relaxed);
      step.wait_ns = free_at_ns <= now_ns ? 0 : std::min(free_at_ns - now_ns, kLongestWaitNs);
      step.rows_ahead = from.sent_rows.load(std::memory_order_relaxed);
      step.row_ns = from.row_ns.load(std::memory_order_relaxed);
      step.batch_ns = from.batch_ns.load(std::memory_order_relaxed);
      step.lane_count = from.lane_count.load(std::memory_order_relaxed);
    }
  }
  return load;
}

}  // namespace

absl::StatusOr<std::unique_ptr<Dispatcher>> Dispatcher::Start(
    const std::vector<DeviceParts>& devices, memory::HostPool& host_pool, Clock& clock,
    const Engine::Options& options, std::vector<ResourceSetting> resources) {
  OMSERVE_CHECK(!devices.empty() && devices.size() <= kMostDevices,
                "the number of devices was checked");
  std::unique_ptr<Dispatcher> dispatcher(  // NOLINT: private constructor.
      new Dispatcher(clock, std::move(resources)));
  Engine::Options own = options;
  // One device has nowhere to divert to.
  own.diversion = devices.size() > 1 ? dispatcher.get() : nullptr;
  own.rate_limiter = &dispatcher->rate_limiter_;
  for (const DeviceParts& parts : devices) {
    absl::StatusOr<std::unique_ptr<Engine>> engine =
        Engine::Start(*parts.device, host_pool, clock, *parts.observer, own);
    if (!engine.ok()) {
      return WithContext(engine.status(), fmt::format("device {}", parts.device->id()));
    }
    dispatcher->engines_.push_back(*std::move(engine));
  }
  return dispatcher;
}

int Dispatcher::Choose(const Placement& placement, bool any) {
  OMSERVE_DCHECK(placement.plans.size() == engines_.size(), "a placement knows all devices");
  DeviceLoads devices;
  const Plan* plan = nullptr;
  int last = -1;
  size_t count = 0;
  const auto takes_part = [&](size_t place) {
    return placement.plans[place] != nullptr && (any || engines_[place]->serves());
  };
  for (size_t place = 0; place < engines_.size(); ++place) {
    if (takes_part(place)) {
      last = static_cast<int>(place);
      ++count;
    }
  }
  if (count <= 1) {
    return last;  // Nothing to weigh.
  }
  const int64_t now_ns = std::chrono::nanoseconds(clock_.Now().time_since_epoch()).count();
  for (size_t place = 0; place < engines_.size(); ++place) {
    if (takes_part(place)) {
      plan = placement.plans[place].get();
      devices.push_back(LoadOf(place, *engines_[place], *plan, now_ns));
    }
  }
  if (devices.empty()) {
    return last;  // Lost in this moment; its engine says so.
  }
  const size_t chosen = ChooseDevice(*plan, devices, turn_.fetch_add(1, std::memory_order_relaxed));
  return devices[chosen].place;
}

int Dispatcher::HomeOf(const InferRequest& request) const {
  const SequenceId& sequence = request.sequence.id;
  const Placement& placement = *request.placement;
  size_t hash = 0;
  if (sequence.empty()) {
    hash = std::hash<std::string>{}(placement.any_plan()->name);
  } else {
    hash = sequence.is_text() ? std::hash<std::string>{}(sequence.text)
                              : std::hash<uint64_t>{}(sequence.number);
  }
  std::vector<size_t> holders;
  for (size_t place = 0; place < engines_.size(); ++place) {
    if (placement.plans[place] != nullptr) {
      holders.push_back(place);
    }
  }
  size_t home = hash % holders.size();
  for (size_t i = 0; i < holders.size() && sequence.empty(); ++i) {
    if (const size_t next = (hash + i) % holders.size(); engines_[holders[next]]->serves()) {
      home = next;
      break;
    }
  }
  return static_cast<int>(holders[home]);
}

absl::StatusOr<RequestId> Dispatcher::Submit(std::unique_ptr<InferRequest> request, bool wakes) {
  const Placement& placement = *request->placement;
  int place = HasHome(*request) ? HomeOf(*request) : Choose(placement, /*any=*/false);
  if (place < 0) {
    place = Choose(placement, /*any=*/true);
  }
  OMSERVE_CHECK(place >= 0, "a placement has a plan for one device or more");
  const auto at = static_cast<size_t>(place);
  const RequestId id = MakeId(next_request_.fetch_add(1, std::memory_order_relaxed), at);
  request->id = id;
  request->plan = placement.plans[at];
  RETURN_IF_ERROR(engines_[at]->Submit(std::move(request), wakes));
  return id;
}

absl::Status Dispatcher::CheckRoom(const Placement& placement, Instant deadline,
                                   size_t input_bytes) const {
  absl::Status first;
  for (size_t place = 0; place < engines_.size(); ++place) {
    if (placement.plans[place] == nullptr) {
      continue;
    }
    absl::Status room = engines_[place]->CheckRoom(*placement.plans[place], deadline, input_bytes);
    if (room.ok()) {
      return room;
    }
    first.Update(std::move(room));
  }
  return first;
}

void Dispatcher::Wake() {
  for (const std::unique_ptr<Engine>& engine : engines_) {
    engine->Wake();
  }
}

void Dispatcher::CancelRequest(RequestId id) {
  if (PlaceOf(id) < engines_.size()) {
    engines_[PlaceOf(id)]->CancelRequest(id);
  }
}

std::unique_ptr<InferRequest> Dispatcher::Divert(std::unique_ptr<InferRequest> request) {
  if (request->diverted || HasHome(*request)) {
    // One device lost after the other: the client may decide. The state of a sequence, and the
    // order of answers, are lost with their device.
    return request;
  }
  const int place = Choose(*request->placement, /*any=*/false);
  if (place < 0) {
    return request;
  }
  const auto at = static_cast<size_t>(place);
  const RequestId id = request->id;
  const std::shared_ptr<const Plan> own_plan = request->plan;
  std::function<void(InferResponse)> own_done = request->done;
  request->plan = request->placement->plans[at];
  request->diverted = true;
  request->done = [this, id, done = own_done](InferResponse response) {
    Forget(id);
    done(std::move(response));
  };
  {
    const MutexLock lock(mu_);
    diverted_[id] = at;  // Before it can be answered there, or cancelled here.
  }
  request = engines_[at]->Offer(std::move(request));
  if (request == nullptr) {
    diverted_count_.fetch_add(1, std::memory_order_relaxed);
    return request;
  }
  Forget(id);
  request->plan = own_plan;
  request->done = std::move(own_done);
  return request;
}

void Dispatcher::CancelDiverted(RequestId id) {
  size_t place = 0;
  {
    const MutexLock lock(mu_);
    const auto found = diverted_.find(id);
    if (found == diverted_.end()) {
      return;  // Answered.
    }
    place = found->second;
  }
  // A cancellation that comes back from there finds the request answered, and ends.
  engines_[place]->CancelRequest(id);
}

void Dispatcher::Forget(RequestId id) {
  const MutexLock lock(mu_);
  diverted_.erase(id);
}

bool Dispatcher::Serves(const Placement& placement) const {
  for (size_t place = 0; place < engines_.size(); ++place) {
    if (placement.plans[place] != nullptr && engines_[place]->serves()) {
      return true;
    }
  }
  return false;
}

void Dispatcher::Hurry() {
  for (const std::unique_ptr<Engine>& engine : engines_) {
    engine->Hurry();
  }
}

absl::Status Dispatcher::Drain(Instant deadline) {
  for (const std::unique_ptr<Engine>& engine : engines_) {
    engine->CloseGate();  // All at once: none takes what another refuses.
  }
  absl::Status first;
  for (const std::unique_ptr<Engine>& engine : engines_) {
    const absl::Status drained = engine->Drain(deadline);
    if (!drained.ok() && first.ok()) {
      first = engines_.size() == 1
                  ? drained
                  : WithContext(drained, fmt::format("device {}", engine->device_id()));
    }
  }
  return first;
}

size_t Dispatcher::request_count() const {
  size_t count = 0;
  for (const std::unique_ptr<Engine>& engine : engines_) {
    count += engine->load().requests;
  }
  return count;
}

}  // namespace omserve::scheduler
