// SPDX-License-Identifier: Apache-2.0
#include "tools/omctl/bench/window.h"

#include <algorithm>
#include <array>
#include <cmath>

#include "runtime/base/status_macros.h"

namespace omserve::bench {
namespace {

// The counters of ServerStages, for what is done to each of them.
constexpr std::array kCounters = {
    &ServerStages::requests,    &ServerStages::total_ns,   &ServerStages::queue_ns,
    &ServerStages::input_ns,    &ServerStages::compute_ns, &ServerStages::output_ns,
    &ServerStages::overhead_ns, &ServerStages::rows,       &ServerStages::executions};

bool Agree(std::span<const double> values, double tolerance) {
  double mean = 0;
  for (const double value : values) {
    mean += value / static_cast<double>(values.size());
  }
  return std::ranges::all_of(values, [&](double value) {
    return value > 0 && std::abs(value - mean) <= tolerance * mean;
  });
}

}  // namespace

double ServerStages::Error() const {
  return total_ns == 0 ? 0
                       : (static_cast<double>(sum_ns()) - static_cast<double>(total_ns)) /
                             static_cast<double>(total_ns);
}

void ServerStages::Add(const ServerStages& other) {
  for (const auto counter : kCounters) {
    this->*counter += other.*counter;
  }
}

ServerStages ServerStages::Since(const ServerStages& earlier) const {
  ServerStages since;
  for (const auto counter : kCounters) {
    // A server that was started anew counts from 0.
    since.*counter = this->*counter - std::min(this->*counter, earlier.*counter);
  }
  return since;
}

void Window::Record(const Sample& sample, Clock::duration deadline) {
  late.Record(sample.sent - sample.intended);
  if (!sample.status.ok()) {
    Failures& failure = failures[sample.status.code()];
    if (failure.count++ == 0) {
      failure.first_message = std::string(MessageOf(sample.status));
    }
    return;
  }
  service.Record(sample.done - sample.sent);
  corrected.Record(sample.done - sample.intended);
  if (deadline == Clock::duration::zero() || sample.done - sample.intended <= deadline) {
    ++good;
  }
}

void Window::Add(const Window& other) {
  length += other.length;
  service.Add(other.service);
  corrected.Add(other.corrected);
  late.Add(other.late);
  good += other.good;
  for (const auto& [code, failure] : other.failures) {
    Failures& into = failures[code];
    into.first_message = into.count == 0 ? failure.first_message : into.first_message;
    into.count += failure.count;
  }
  server.Add(other.server);
  client_cpu += other.client_cpu;
  busiest_thread += other.busiest_thread;
}

uint64_t Window::failed() const {
  uint64_t count = 0;
  for (const auto& [code, failure] : failures) {
    count += failure.count;
  }
  return count;
}

double Window::PerSecond(uint64_t count) const {
  const double seconds = std::chrono::duration<double>(length).count();
  return seconds > 0 ? static_cast<double>(count) / seconds : 0;
}

bool IsStable(std::span<const Window> windows, double tolerance) {
  if (windows.size() < kStableWindows) {
    return false;
  }
  std::array<double, kStableWindows> throughput{};
  std::array<double, kStableWindows> latency{};
  const std::span<const Window> last = windows.last(kStableWindows);
  for (size_t i = 0; i < kStableWindows; ++i) {
    throughput[i] = last[i].PerSecond(last[i].ok());
    latency[i] = static_cast<double>(last[i].corrected.Percentile(90).count());
  }
  return Agree(throughput, tolerance) && Agree(latency, tolerance);
}

}  // namespace omserve::bench
