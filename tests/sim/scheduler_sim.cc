// SPDX-License-Identifier: Apache-2.0
// Runs random schedules by the ten thousand, and takes one apart when it breaks an invariant.
#include <fmt/format.h>
#include <sys/wait.h>
#include <unistd.h>

#include <CLI/CLI.hpp>
#include <array>
#include <atomic>
#include <csignal>
#include <cstdint>
#include <cstdio>
#include <iostream>
#include <optional>
#include <string>
#include <string_view>
#include <thread>
#include <vector>

#include "runtime/base/mutex.h"
#include "runtime/base/thread.h"
#include "tests/sim/shrink.h"
#include "tests/sim/simulation.h"

namespace omserve::scheduler {
namespace {

constexpr size_t kMostThreads = 64;
constexpr int kMostTries = 20000;

// What each thread is at, so that a broken OMSERVE_CHECK, which ends the process, names its seed.
std::array<std::atomic<uint64_t>, kMostThreads> g_seeds{};  // NOLINT: for the signal handler.

void TellSeeds(int /*signal*/) {
  // Only what a signal handler may do: no formatting, no allocation.
  for (const std::atomic<uint64_t>& at : g_seeds) {
    uint64_t seed = at.load(std::memory_order_relaxed);
    if (seed == 0) {
      continue;
    }
    std::array<char, 32> digits{};
    size_t start = digits.size();
    digits.at(--start) = '\n';
    for (; seed != 0; seed /= 10) {
      digits.at(--start) = static_cast<char>('0' + seed % 10);
    }
    constexpr std::string_view kText = "a check failed at seed (or that of another thread) ";
    static_cast<void>(write(STDERR_FILENO, kText.data(), kText.size()));
    static_cast<void>(write(STDERR_FILENO, &digits.at(start), digits.size() - start));
  }
}

// True when a process of its own that runs these choices does not end well. A fork, because a
// broken OMSERVE_CHECK ends its process.
bool Fails(const std::vector<uint32_t>& choices) {
  const pid_t child = fork();
  if (child == 0) {
    std::signal(SIGABRT, SIG_DFL);
    static_cast<void>(freopen("/dev/null", "w", stderr));
    alarm(10);  // A core that never rests.
    _exit(Simulation(sim::Choices(choices), nullptr).Run().empty() ? 0 : 1);
  }
  int status = 0;
  waitpid(child, &status, 0);
  return !WIFEXITED(status) || WEXITSTATUS(status) != 0;
}

// More than any schedule draws; what is too much is the first that shrinking drops.
constexpr size_t kMostChoices = 30000;

int Replay(uint64_t seed, bool shrink) {
  std::cout << std::unitbuf;  // What led to a broken check is told before it ends the process.
  if (!shrink) {
    const std::string violation = Simulation(sim::Choices(seed), &std::cout).Run();
    fmt::print("{}\n", violation.empty() ? "kept every invariant" : violation);
    return violation.empty() ? 0 : 1;
  }
  const std::vector<uint32_t> all = sim::Choices::OfSeed(seed, kMostChoices);
  if (!Fails(all)) {
    fmt::print("seed {} keeps every invariant: there is nothing to shrink\n", seed);
    return 0;
  }
  const std::vector<uint32_t> least = sim::Shrink(all, Fails, kMostTries);
  fmt::print("seed {} needs {} choices to fail:\n", seed, least.size());
  fflush(stdout);
  Simulation simulation(sim::Choices(least), &std::cout);
  fmt::print("{}\n", simulation.Run());
  return 1;
}

// Where several threads meet.
class Campaign final {
 public:
  Campaign(uint64_t first, uint64_t count) : next_(first), end_(first + count), start_(first) {}

  void Run(size_t threads) {
    std::vector<std::jthread> workers;
    for (size_t i = 0; i < threads; ++i) {
      workers.push_back(
          StartThread("sim-" + std::to_string(i), [this, i] { Work(g_seeds.at(i)); }));
    }
  }

  // Of the lowest seed that failed.
  std::optional<uint64_t> failed() const {
    const MutexLock lock(mu_);
    return failed_;
  }
  CheckerCounts counts() const {
    const MutexLock lock(mu_);
    return counts_;
  }

 private:
  void Work(std::atomic<uint64_t>& at) {
    CheckerCounts counts;
    while (true) {
      const uint64_t seed = next_.fetch_add(1, std::memory_order_relaxed);
      if (seed >= end_ || failed().has_value()) {
        break;
      }
      at.store(seed, std::memory_order_relaxed);
      Simulation simulation{sim::Choices(seed), nullptr};
      const std::string violation = simulation.Run();
      counts.Add(simulation.counts());
      if (!violation.empty()) {
        Fail(seed, violation);
      }
      if ((seed - start_ + 1) % kTold == 0) {
        fmt::print(stderr, "{} schedules\n", seed - start_ + 1);
      }
    }
    at.store(0, std::memory_order_relaxed);
    const MutexLock lock(mu_);
    counts_.Add(counts);
  }

  void Fail(uint64_t seed, const std::string& violation) {
    fmt::print(stderr, "seed {}: {}\n", seed, violation);
    const MutexLock lock(mu_);
    failed_ = std::min(failed_.value_or(seed), seed);
  }

  static constexpr uint64_t kTold = 10000;

  std::atomic<uint64_t> next_;
  const uint64_t end_;
  const uint64_t start_;

  mutable Mutex mu_;
  std::optional<uint64_t> failed_ ABSL_GUARDED_BY(mu_);
  CheckerCounts counts_ ABSL_GUARDED_BY(mu_);
};

int RunAll(uint64_t first, uint64_t count, size_t threads) {
  std::signal(SIGABRT, TellSeeds);
  Campaign campaign(first, count);
  campaign.Run(threads);
  if (const std::optional<uint64_t> seed = campaign.failed()) {
    fmt::print("seed {} breaks an invariant; its shortest form:\n", *seed);
    fflush(stdout);
    return Replay(*seed, /*shrink=*/true);
  }
  const CheckerCounts counts = campaign.counts();
  fmt::print("{} schedules kept every invariant\n{}", count, counts.ToText());
  const std::string missing = counts.Missing(count);
  if (!missing.empty()) {
    fmt::print("too seldom met to prove anything: {}\n", missing);
    return 1;
  }
  return 0;
}

int Main(int argc, char** argv) {
  CLI::App app{
      "Runs random schedules of the scheduler's core and checks its invariants.\n"
      "A seed gives one schedule, always the same, on every machine.\n\n"
      "  scheduler_sim --count 100000         many schedules, from seed 1 on\n"
      "  scheduler_sim --seed 4711            one, told event by event\n"
      "  scheduler_sim --seed 4711 --shrink   the shortest schedule that fails as it does\n"};
  uint64_t first = 1;
  uint64_t count = 100000;
  uint64_t seed = 0;
  bool shrink = false;
  size_t threads = std::max(1U, std::jthread::hardware_concurrency());
  app.add_option("--first", first, "First seed.")->check(CLI::PositiveNumber);
  app.add_option("--count", count, "Number of schedules.")->check(CLI::PositiveNumber);
  app.add_option("--threads", threads, "Threads; each runs schedules of its own.")
      ->check(CLI::Range(size_t{1}, kMostThreads));
  CLI::Option* const one = app.add_option("--seed", seed, "Run this schedule alone and tell it.");
  app.add_flag("--shrink", shrink, "Make a schedule that fails as short as it gets.")->needs(one);
  CLI11_PARSE(app, argc, argv);
  return one->count() > 0 ? Replay(seed, shrink) : RunAll(first, count, threads);
}

}  // namespace
}  // namespace omserve::scheduler

int main(int argc, char** argv) { return omserve::scheduler::Main(argc, argv); }
