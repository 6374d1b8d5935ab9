// SPDX-License-Identifier: Apache-2.0
// Resources that instances share, and whose turn it is to have them. Pure: no thread or clock.
// shared_rate_limiter.h is the one that the engines ask.
//
// Source: Triton's rate limiter. An instance executes only while it holds all of its resources. A
// resource is a name and a number of copies: of each device for itself or, when global, of all
// devices together. Among instances that wait, one of priority p gets 1/p of the chances of one of
// priority 1.
//
// Invariants, checked by tests/sim/rate_limiter_sim_test.cc:
//  1. Of no resource more copies are held than there are, and what is free plus what is held is
//     always the whole.
//  2. A client holds all of its resources or none, so that nobody waits while holding.
//  3. No client waits while everything that it needs is free and nobody before it needs any of it.
#pragma once

#include <cstddef>
#include <cstdint>
#include <map>
#include <optional>
#include <set>
#include <string>
#include <tuple>
#include <utility>
#include <vector>

#include "absl/status/statusor.h"

namespace omserve::scheduler {

// What an instance needs to execute.
struct ResourceNeed {
  std::string name;
  uint32_t count = 1;
  bool global = false;
  bool operator==(const ResourceNeed&) const = default;
};

// What an instance shares with others, and its share of the turns. Nothing: it is not limited.
struct InstanceLimit {
  std::vector<ResourceNeed> needs;
  uint32_t priority = 1;  // 0 means 1.
  bool operator==(const InstanceLimit&) const = default;
};

// What there is, where it is given by settings.
struct ResourceSetting {
  std::string name;
  uint32_t count = 1;
  std::optional<int> device;  // Unset: of every device, or of all together for a global one.
};

// Thread-compatible.
class RateLimiter final {
 public:
  using Client = size_t;

  // A setting for one device comes before one for all. A resource that no setting names has as many
  // copies as the client that needs most of them.
  explicit RateLimiter(std::vector<ResourceSetting> settings) : settings_(std::move(settings)) {}

  // Whether an instance on the device can be added. Errors: kInvalidArgument when it needs more
  // than the settings give, which would never let it execute; when a resource is global here and
  // not elsewhere, or has a setting for one device; when it is needed twice.
  absl::Status Check(int device, const std::vector<ResourceNeed>& needs) const;
  // An instance on a device. Priority 0 means 1. Errors: Check's.
  absl::StatusOr<Client> AddClient(int device, const std::vector<ResourceNeed>& needs,
                                   uint32_t priority);
  // The instance is gone; its number may be given to a later one. Requires that it neither waits
  // nor holds.
  void RemoveClient(Client client);

  // The client wants its resources; it is granted them by this call or a later one. Requires that
  // it neither waits nor holds. Appends to `granted` who holds them now.
  void Ask(Client client, std::vector<Client>* granted);
  // The client gives back what it holds or wants no longer what it waits for. `used`: it executed,
  // else its turn was none. Harmless when it does neither.
  void Return(Client client, bool used, std::vector<Client>* granted);
  // The client has executed and wants to again: it gives back what it holds and asks for it, in one
  // step, so that it stands among those whose turn it may be. One after the other, each other
  // client that waits would come between, whatever the priorities. Requires that it holds.
  void Renew(Client client, std::vector<Client>* granted);

  bool holds(Client client) const { return clients_[client].state == State::kHolds; }
  bool waits(Client client) const { return clients_[client].state == State::kWaits; }

  struct Usage {
    std::string name;
    std::optional<int> device;  // Unset: global.
    uint32_t total = 0;
    uint32_t held = 0;
  };
  std::vector<Usage> usage() const;

 private:
  enum class State { kIdle, kWaits, kHolds };
  struct Resource {
    std::string name;
    std::optional<int> device;
    uint32_t total = 0;
    uint32_t free = 0;
    uint32_t surplus = 0;   // Of `total`: copies that go when they come back.
    bool is_given = false;  // By a setting.
    int clients = 0;        // That need it; 0: its place is vacant.
  };
  struct Need {
    size_t resource = 0;
    uint32_t count = 0;
  };
  struct ClientState {
    std::vector<Need> needs;
    uint64_t priority = 1;
    State state = State::kIdle;
    // Its turns so far, each counted as its priority: who has least is next.
    uint64_t turns = 0;
    uint64_t asked = 0;  // Order of asking, among equals.
    bool is_vacant = false;
  };

  std::optional<uint32_t> SettingOf(const ResourceNeed& need, int device) const;
  size_t ResourceFor(const ResourceNeed& need, int device);
  void Wait(Client client);
  void Free(const ClientState& state);
  static void DropSurplus(Resource& resource);
  void GrantWaiting(std::vector<Client>* granted);

  const std::vector<ResourceSetting> settings_;
  std::vector<Resource> resources_;
  std::map<std::pair<std::string, std::optional<int>>, size_t> by_name_;
  std::map<std::string, bool> is_global_;
  std::vector<ClientState> clients_;
  std::set<std::tuple<uint64_t, uint64_t, Client>> waiting_;  // Turns, order of asking, who.
  uint64_t next_asked_ = 0;
  // The turns of whoever was granted last: one that comes back after a pause begins there, and has
  // saved nothing up.
  uint64_t now_turns_ = 0;
  std::vector<bool> reserved_;  // Scratch of GrantWaiting, by resource.
};

}  // namespace omserve::scheduler
