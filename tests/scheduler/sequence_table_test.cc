// SPDX-License-Identifier: Apache-2.0
// Which request of which sequence may run next: by hand, and against a second opinion on random
// histories.
#include "scheduler/sequence_table.h"

#include <algorithm>
#include <catch2/catch.hpp>
#include <chrono>
#include <map>
#include <random>
#include <set>
#include <vector>

namespace omserve::scheduler {
namespace {

using std::chrono::microseconds;

constexpr microseconds kIdle{100};

Instant At(int us) { return Instant(microseconds(us)); }
SequenceId Id(uint64_t number) { return {.number = number}; }
SequenceTurn Start(uint64_t id) { return {.id = Id(id), .start = true}; }
SequenceTurn Next(uint64_t id) { return {.id = Id(id)}; }
SequenceTurn End(uint64_t id) { return {.id = Id(id), .end = true}; }

SequenceTable Table(int lanes, int slots) {
  return SequenceTable({.lanes = lanes, .slots_per_lane = slots, .max_idle = kIdle});
}

std::vector<RequestId> Ready(const SequenceTable& table, int lane) {
  std::vector<RequestId> requests;
  for (const SequenceTable::Ready& ready : table.ready(lane)) {
    requests.push_back(ready.request);
  }
  return requests;
}

using Requests = std::vector<RequestId>;

// A request without START whose sequence is not open is not taken; a number and a text are
// different names.
TEST_CASE("A sequence begins with START") {
  SequenceTable table = Table(1, 1);
  CHECK_FALSE(table.Arrive(1, Next(7), At(0)));
  CHECK(table.Arrive(2, Start(7), At(0)));
  CHECK(table.Arrive(3, Next(7), At(0)));
  CHECK_FALSE(table.Arrive(4, {.id = {.text = "7"}}, At(0)));
  CHECK(table.counts().not_started == 2);
  CHECK(table.counts().started == 1);
}

// The second request of a sequence waits for the first, and the slot is free after END.
TEST_CASE("Requests of a sequence run one after the other") {
  SequenceTable table = Table(1, 2);
  REQUIRE(table.Arrive(1, Start(7), At(0)));
  REQUIRE(table.Arrive(2, End(7), At(1)));
  REQUIRE(table.Arrive(3, Start(8), At(2)));
  CHECK(Ready(table, 0) == Requests{1, 3});
  CHECK(table.ready(0).begin()->start);
  table.Launch(1);
  CHECK(Ready(table, 0) == Requests{3});
  table.Finish(1, At(3));
  CHECK(Ready(table, 0) == Requests{2, 3});
  table.Launch(2);
  table.Finish(2, At(4));
  CHECK(table.counts().active == 1);
  CHECK(table.counts().finished == 1);
  CHECK_FALSE(table.Arrive(4, Next(7), At(5)));
}

// Sequences spread over the lanes; the third finds no slot and takes that of the first that ends.
TEST_CASE("A sequence without a slot waits in the backlog") {
  SequenceTable table = Table(2, 1);
  REQUIRE(table.Arrive(1, {.id = Id(1), .start = true, .end = true}, At(0)));
  REQUIRE(table.Arrive(2, Start(2), At(0)));
  REQUIRE(table.Arrive(3, Start(3), At(0)));
  REQUIRE(table.Arrive(4, Next(3), At(0)));
  CHECK(Ready(table, 0) == Requests{1});
  CHECK(Ready(table, 1) == Requests{2});
  CHECK(table.counts().backlog == 1);
  table.Launch(1);
  CHECK(table.counts().backlog == 1);
  table.Finish(1, At(1));
  CHECK(Ready(table, 0) == Requests{3});
  CHECK(table.counts().backlog == 0);
}

// After END the same id is another sequence at once, though the first still runs.
TEST_CASE("An id can be used again after END") {
  SequenceTable table = Table(1, 2);
  REQUIRE(table.Arrive(1, {.id = Id(5), .start = true, .end = true}, At(0)));
  table.Launch(1);
  REQUIRE(table.Arrive(2, Start(5), At(1)));
  CHECK(table.ready(0).begin()->slot == 1);
  table.Finish(1, At(2));
  CHECK(table.Arrive(3, Next(5), At(3)));
}

// START for an open sequence: what was sent before still runs, and the slot stays.
TEST_CASE("START restarts an open sequence in its slot") {
  SequenceTable table = Table(1, 2);
  REQUIRE(table.Arrive(1, Start(5), At(0)));
  REQUIRE(table.Arrive(2, Start(5), At(1)));
  CHECK(Ready(table, 0) == Requests{1});
  table.Launch(1);
  table.Finish(1, At(2));
  REQUIRE(Ready(table, 0) == Requests{2});
  CHECK(table.ready(0).begin()->start);
  CHECK(table.ready(0).begin()->slot == 0);
  CHECK(table.counts().active == 1);
}

// The time begins when the last answer is out, not before.
TEST_CASE("An idle sequence loses its slot") {
  SequenceTable table = Table(1, 1);
  REQUIRE(table.Arrive(1, Start(5), At(0)));
  REQUIRE(table.Arrive(2, Start(6), At(0)));
  CHECK(table.next_expiry() == Instant::max());
  table.Launch(1);
  table.Finish(1, At(50));
  CHECK(table.next_expiry() == At(50) + kIdle);
  table.Expire(At(149));
  CHECK(table.counts().active == 1);
  table.Expire(At(150));
  CHECK(Ready(table, 0) == Requests{2});
  CHECK(table.counts().expired == 1);
  CHECK_FALSE(table.Arrive(3, Next(5), At(150)));
}

// A request that is lost takes with it what was sent after it, and nothing of the same id is taken
// before the next START; what runs keeps its slot until it is over.
TEST_CASE("A lost request ends its sequence") {
  SequenceTable table = Table(1, 1);
  REQUIRE(table.Arrive(1, Start(5), At(0)));
  REQUIRE(table.Arrive(2, Next(5), At(0)));
  REQUIRE(table.Arrive(3, Next(5), At(0)));
  table.Launch(1);
  CHECK(table.Break(2) == Requests{3});
  CHECK_FALSE(table.Arrive(4, Next(5), At(1)));
  REQUIRE(table.Arrive(5, Start(5), At(1)));
  CHECK(Ready(table, 0).empty());
  table.Finish(1, At(2));
  CHECK(Ready(table, 0) == Requests{5});
  CHECK(table.Break(99).empty());
  CHECK(table.counts().broken == 1);
}

// Its sequences end, the others stay; new ones wait for it to come back when it is the only one.
TEST_CASE("A lane out of service ends its sequences") {
  SequenceTable table = Table(2, 1);
  REQUIRE(table.Arrive(1, Start(1), At(0)));
  REQUIRE(table.Arrive(2, Start(2), At(0)));
  REQUIRE(table.Arrive(3, Next(1), At(0)));
  REQUIRE(table.Arrive(4, Next(2), At(0)));
  table.Launch(1);
  CHECK(table.LaneDown(0) == Requests{3});
  CHECK(Ready(table, 1) == Requests{2});
  REQUIRE(table.Arrive(5, Start(5), At(1)));
  table.Finish(1, At(2));
  CHECK(table.counts().backlog == 1);
  table.LaneUp(0);
  CHECK(Ready(table, 0) == Requests{5});
  table.EndAll();
  CHECK(table.counts().active == 0);
  CHECK(table.counts().waiting == 0);
}

// The table and a plain account of the same history.
class History final {
 public:
  explicit History(uint64_t seed)
      : random_(seed),
        lanes_(Between(1, 3)),
        slots_(Between(1, 4)),
        table_(Table(lanes_, slots_)),
        serves_(static_cast<size_t>(lanes_), true) {}

  void Run() {
    for (int step = 0; step < 400; ++step) {
      now_ += microseconds(Between(0, 30));
      table_.Expire(now_);
      switch (Between(0, 9)) {
        case 0:
        case 1:
        case 2:
        case 3:
          Arrive();
          break;
        case 4:
        case 5:
          Launch();
          break;
        case 6:
        case 7:
          Finish();
          break;
        case 8:
          Break();
          break;
        default:
          ChangeLane();
      }
      Check();
    }
    Empty();
  }

 private:
  struct Request {
    SequenceId id;
    uint64_t order = 0;  // Of its sequence, as the test counts them.
    bool running = false;
    int lane = -1;
    int slot = -1;
  };

  int Between(int low, int high) {
    return low + static_cast<int>(random_() % static_cast<uint64_t>(high - low + 1));
  }

  void Arrive() {
    const SequenceTurn turn{
        .id = Id(static_cast<uint64_t>(Between(1, 6))),
        .start = Between(0, 2) == 0,
        .end = Between(0, 4) == 0,
    };
    const RequestId request = ++last_;
    if (table_.Arrive(request, turn, now_)) {
      if (!current_.contains(turn.id)) {
        REQUIRE(turn.start);
        current_[turn.id] = ++sequences_;
      }
      requests_[request] = {.id = turn.id, .order = current_.at(turn.id)};
      if (turn.end) {
        current_.erase(turn.id);
      }
    } else {
      REQUIRE_FALSE(turn.start);
      REQUIRE_FALSE(HasWork(turn.id));
      current_.erase(turn.id);
    }
  }

  // Whether an open sequence of this id has requests that wait or run.
  bool HasWork(const SequenceId& id) const {
    const auto open = current_.find(id);
    return open != current_.end() &&
           std::any_of(requests_.begin(), requests_.end(),
                       [&](const auto& entry) { return entry.second.order == open->second; });
  }

  std::vector<std::pair<int, SequenceTable::Ready>> AllReady() const {
    std::vector<std::pair<int, SequenceTable::Ready>> all;
    for (int lane = 0; lane < lanes_; ++lane) {
      for (const SequenceTable::Ready& ready : table_.ready(lane)) {
        all.emplace_back(lane, ready);
      }
    }
    return all;
  }

  void Launch() {
    const auto all = AllReady();
    if (all.empty()) {
      return;
    }
    const auto& [lane, ready] =
        all[static_cast<size_t>(Between(0, static_cast<int>(all.size()) - 1))];
    Request& request = requests_.at(ready.request);
    request.running = true;
    request.lane = lane;
    request.slot = ready.slot;
    table_.Launch(ready.request);
  }

  std::vector<RequestId> Running() const {
    std::vector<RequestId> running;
    for (const auto& [id, request] : requests_) {
      if (request.running) {
        running.push_back(id);
      }
    }
    return running;
  }

  void Finish() {
    const std::vector<RequestId> running = Running();
    if (running.empty()) {
      return;
    }
    const RequestId id =
        running[static_cast<size_t>(Between(0, static_cast<int>(running.size()) - 1))];
    table_.Finish(id, now_);
    requests_.erase(id);
  }

  // The sequence is over: what waits is gone, and the id is free.
  void Lose(uint64_t order, const std::vector<RequestId>& dropped) {
    std::erase_if(current_, [&](const auto& entry) { return entry.second == order; });
    for (auto it = requests_.begin(); it != requests_.end();) {
      if (it->second.order == order && !it->second.running) {
        REQUIRE(std::find(dropped.begin(), dropped.end(), it->first) != dropped.end());
        it = requests_.erase(it);
      } else {
        ++it;
      }
    }
  }

  void Break() {
    if (requests_.empty()) {
      return;
    }
    auto at = requests_.begin();
    std::advance(at, Between(0, static_cast<int>(requests_.size()) - 1));
    const auto [id, request] = *at;
    std::vector<RequestId> dropped = table_.Break(id);
    dropped.push_back(id);
    Lose(request.order, dropped);
  }

  void ChangeLane() {
    const int lane = Between(0, lanes_ - 1);
    if (serves_[static_cast<size_t>(lane)]) {
      if (Between(0, 3) != 0) {
        return;
      }
      serves_[static_cast<size_t>(lane)] = false;
      const std::vector<RequestId> dropped = table_.LaneDown(lane);
      std::set<uint64_t> lost;
      for (const RequestId id : dropped) {
        lost.insert(requests_.at(id).order);
      }
      for (const auto& [id, request] : requests_) {
        if (request.running && request.lane == lane) {
          lost.insert(request.order);
        }
      }
      for (const uint64_t order : lost) {
        Lose(order, dropped);
      }
      return;
    }
    ChangeLaneUp(lane);
  }

  void Check() {
    std::set<std::pair<int, int>> slots;
    std::map<uint64_t, int> running;
    for (const auto& [id, request] : requests_) {
      if (request.running) {
        REQUIRE(slots.emplace(request.lane, request.slot).second);
        REQUIRE(++running[request.order] == 1);
      }
    }
    for (const auto& [lane, ready] : AllReady()) {
      const RequestId id = ready.request;  // A binding cannot be captured.
      const Request& request = requests_.at(id);
      REQUIRE_FALSE(request.running);
      REQUIRE(serves_[static_cast<size_t>(lane)]);
      REQUIRE(slots.emplace(lane, ready.slot).second);
      REQUIRE_FALSE(running.contains(request.order));
      // Nothing of the sequence waits that came before.
      REQUIRE(std::none_of(requests_.begin(), requests_.end(), [&](const auto& entry) {
        return entry.second.order == request.order && entry.first < id;
      }));
    }
    const SequenceTable::Counts counts = table_.counts();
    size_t serving = 0;
    for (const bool serves : serves_) {
      serving += serves ? 1 : 0;
    }
    REQUIRE(counts.slots == serving * static_cast<size_t>(slots_));
    if (counts.backlog > 0) {
      REQUIRE(counts.active >= counts.slots);
    }
    REQUIRE(counts.waiting + Running().size() == requests_.size());
    REQUIRE(table_.next_expiry() > now_);
  }

  // All lanes up and everything run: no request is left, and in time no sequence.
  void Empty() {
    for (int lane = 0; lane < lanes_; ++lane) {
      if (!serves_[static_cast<size_t>(lane)]) {
        ChangeLaneUp(lane);
      }
    }
    while (!requests_.empty()) {
      now_ += microseconds(1);
      table_.Expire(now_);
      Launch();
      Finish();
    }
    table_.Expire(now_ + kIdle);
    REQUIRE(table_.counts().active == 0);
    REQUIRE(table_.counts().backlog == 0);
  }

  void ChangeLaneUp(int lane) {
    for (const RequestId id : Running()) {
      if (requests_.at(id).lane == lane) {
        table_.Finish(id, now_);
        requests_.erase(id);
      }
    }
    serves_[static_cast<size_t>(lane)] = true;
    table_.LaneUp(lane);
  }

  std::mt19937_64 random_;
  const int lanes_;
  const int slots_;
  SequenceTable table_;
  std::vector<bool> serves_;
  Instant now_ = At(0);
  RequestId last_ = 0;
  uint64_t sequences_ = 0;
  std::map<SequenceId, uint64_t> current_;  // As far as the test knows: expiry it does not follow.
  std::map<RequestId, Request> requests_;
};

// Random histories keep the invariants, and every one of them can be brought to an end.
TEST_CASE("Random histories keep a sequence's promises") {
  for (uint64_t seed = 1; seed <= 500; ++seed) {
    INFO("seed " << seed);
    History(seed).Run();
  }
}

}  // namespace
}  // namespace omserve::scheduler
