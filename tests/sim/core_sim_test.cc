// SPDX-License-Identifier: Apache-2.0
// The simulation itself: that a seed says everything, that faults in the core are found, and that
// what is found gets short. The schedules by the thousand are scheduler_sim's.
#include <algorithm>
#include <catch2/catch.hpp>
#include <cstdint>
#include <sstream>
#include <string>
#include <variant>
#include <vector>

#include "tests/sim/shrink.h"
#include "tests/sim/simulation.h"

namespace omserve::scheduler {
namespace {

using Commands = std::vector<Command>;

template <typename Kind>
Commands::iterator Find(Commands& commands) {
  return std::find_if(commands.begin(), commands.end(),
                      [](const Command& c) { return std::holds_alternative<Kind>(c); });
}

// Faults that a core could have, as changes of its commands. Each waits for its chance.
template <typename Kind>
void Forget(Commands* commands) {
  const auto found = Find<Kind>(*commands);
  if (found != commands->end()) {
    commands->erase(found);
  }
}
template <typename Kind>
void Repeat(Commands* commands) {
  const auto found = Find<Kind>(*commands);
  if (found != commands->end()) {
    const Command again = *found;
    commands->insert(found, again);
  }
}
void OverfillGear(Commands* commands) {
  const auto found = Find<Launch>(*commands);
  if (found != commands->end()) {
    auto& launch = std::get<Launch>(*found);
    launch.row_count += launch.gear.rows;
  }
}
void AnswerAsOk(Commands* commands) {
  for (Command& command : *commands) {
    if (auto* respond = std::get_if<Respond>(&command)) {
      respond->outcome = Outcome::kOk;
    }
  }
}

void ShareOutputs(Commands* commands) {
  for (Command& command : *commands) {
    if (auto* launch = std::get_if<Launch>(&command)) {
      launch->output_set = 0;
    }
  }
}

// The turn goes back before the batch that it was for has left.
void LaunchOutOfTurn(Commands* commands) {
  for (auto at = commands->begin(); at != commands->end(); ++at) {
    if (const auto* launch = std::get_if<Launch>(&*at); launch != nullptr && launch->limited) {
      commands->insert(at, ReturnTurn{.subgraph = launch->subgraph, .lane = launch->lane});
      return;
    }
  }
}

struct NamedFlaw {
  const char* name;
  void (*change)(Commands*);
};
constexpr NamedFlaw kFlaws[] = {
    {"an answer is forgotten", Forget<Respond>},      {"an answer is given twice", Repeat<Respond>},
    {"memory is never freed", Forget<Release>},       {"memory is freed twice", Repeat<Release>},
    {"a request is kept for ever", Forget<Retire>},   {"a timer is not armed", Forget<ArmTimer>},
    {"a batch exceeds its gear", OverfillGear},       {"failures are answered as ok", AnswerAsOk},
    {"a turn is kept for ever", Forget<ReturnTurn>},  {"a turn is not asked for", Forget<AskTurn>},
    {"a lane launches out of turn", LaunchOutOfTurn}, {"two batches share memory", ShareOutputs},
    {"a model is never unloaded", Forget<Unloaded>},
};

std::string ViolationOf(sim::Choices choices, const NamedFlaw& flaw, std::ostream* log = nullptr) {
  Simulation simulation(std::move(choices), log);
  simulation.PlantFlaw(flaw.change);
  return simulation.Run();
}

// The same seed gives the same schedule, and so do the choices that it made.
TEST_CASE("A schedule depends on its choices alone") {
  for (const uint64_t seed : {uint64_t{3}, uint64_t{77}}) {
    std::ostringstream first;
    std::ostringstream second;
    std::ostringstream replayed;
    Simulation simulation(sim::Choices(seed), &first);
    CHECK(simulation.Run().empty());
    CHECK(Simulation(sim::Choices(seed), &second).Run().empty());
    CHECK(Simulation(sim::Choices(simulation.choices()), &replayed).Run().empty());
    CHECK(first.str() == second.str());
    CHECK(first.str() == replayed.str());
    CHECK_FALSE(first.str().empty());
  }
}

// Each fault is found by one of the first hundred schedules, and the one that found it shrinks to a
// handful of events that still show a fault.
TEST_CASE("Faults in the core are found and shrunk") {
  for (const NamedFlaw& flaw : kFlaws) {
    INFO(flaw.name);
    uint64_t seed = 1;
    while (seed <= 100 && ViolationOf(sim::Choices(seed), flaw).empty()) {
      ++seed;
    }
    REQUIRE(seed <= 100);
    Simulation found{sim::Choices(seed), nullptr};
    found.PlantFlaw(flaw.change);
    REQUIRE_FALSE(found.Run().empty());
    const std::vector<uint32_t> least = sim::Shrink(
        found.choices(),
        [&](const std::vector<uint32_t>& choices) {
          return !ViolationOf(sim::Choices(choices), flaw).empty();
        },
        2000);
    std::ostringstream log;
    CHECK_FALSE(ViolationOf(sim::Choices(least), flaw, &log).empty());
    const std::string text = log.str();
    INFO(text);
    CHECK(std::count(text.begin(), text.end(), '\n') <= 20);
  }
}

// The list becomes the least one that fails, whatever stood around what matters.
TEST_CASE("Shrinking keeps only what a failure needs") {
  std::vector<uint32_t> choices(200, 9);
  choices[70] = 1000;
  const auto fails = [](const std::vector<uint32_t>& tried) {
    return std::any_of(tried.begin(), tried.end(), [](uint32_t n) { return n >= 500; });
  };
  CHECK(sim::Shrink(choices, fails, 100000) == std::vector<uint32_t>{500});
  // It stops when it may not try any longer, with something that fails.
  CHECK(fails(sim::Shrink(choices, fails, 3)));
}

}  // namespace
}  // namespace omserve::scheduler
