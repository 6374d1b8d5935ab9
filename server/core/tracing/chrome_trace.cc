// SPDX-License-Identifier: Apache-2.0
#include "server/core/tracing/chrome_trace.h"

#include <fmt/format.h>

#include <algorithm>
#include <boost/json.hpp>
#include <chrono>
#include <iterator>
#include <map>
#include <optional>
#include <tuple>
#include <utility>
#include <vector>

namespace omserve::server {
namespace {

namespace json = boost::json;
using scheduler::Instant;
using scheduler::StepTrace;

constexpr int kRequests = 1;  // Of the picture's processes; devices follow.
constexpr int kHostSteps = 2;
constexpr int kFirstDevice = 10;

struct Slice {
  std::string name;
  Instant begin;
  Instant end;
  json::object args;
  // Arrows that begin here, pass through, and end here.
  std::vector<uint64_t> flows_out;
  std::vector<uint64_t> flows_on;
  std::vector<uint64_t> flows_in;
};

struct Track {
  std::string name;
  std::vector<Slice> slices;
};

// Tracks are ordered by this; slices that would overlap go to further tracks of the same one where
// it is `spread`.
struct TrackKey {
  int process = 0;
  std::string lane;  // Model and lane; empty: of the process.
  int part = 0;
  auto operator<=>(const TrackKey&) const = default;
};

class ChromeWriter final {
 public:
  explicit ChromeWriter(const Captured& captured) : captured_(captured) {}

  std::string Run() {
    FindClockOffsets();
    for (const RequestTraceHandle& request : captured_.requests) {
      AddRequest(*request);
    }
    for (auto& [key, track] : tracks_) {
      WriteTrack(key, track);
    }
    for (const auto& [process, name] : processes_) {
      Meta("process_name", process, 0, {{"name", name}});
      Meta("process_sort_index", process, 0, {{"sort_index", process}});
    }
    const double seconds = std::chrono::duration<double>(captured_.ended - captured_.begun).count();
    return fmt::format(R"({{"displayTimeUnit":"ms","otherData":{},"traceEvents":[{}]}})",
                       json::serialize(json::object{{"requests", captured_.requests.size()},
                                                    {"dropped_requests", captured_.dropped},
                                                    {"seconds", seconds}}),
                       events_);
  }

 private:
  // One for each device, so that what ran one after the other stands so.
  void FindClockOffsets() {
    for (const RequestTraceHandle& request : captured_.requests) {
      for (const StepTrace& step : request->steps) {
        if (step.batch != 0 && step.timed()) {
          const Clock::duration offset = ClockOffset(step);
          const auto [found, is_new] = offsets_.try_emplace(step.device, offset);
          found->second = std::min(found->second, offset);
        }
      }
    }
  }

  void AddRequest(const RequestTrace& request) {
    Slice slice{.name = request.model,
                .begin = request.received,
                .end = request.answered,
                .args = {{"trace_id", ToHex(request.context.trace)},
                         {"span_id", ToHex(request.context.span)},
                         {"request_id", request.request_id},
                         {"version", request.version},
                         {"protocol", std::string(request.protocol)},
                         {"status", absl::StatusCodeToString(request.code)}}};
    if (!request.message.empty()) {
      slice.args["error"] = request.message;
    }
    if (request.from_cache) {
      slice.args["from_cache"] = true;
    }
    for (const StepTrace& step : request.steps) {
      if (step.placed()) {
        const uint64_t flow = ++last_flow_;
        slice.flows_out.push_back(flow);
        if (step.batch == 0) {
          AddHostStep(step, flow);
        } else {
          AddBatch(step, flow);
        }
      }
    }
    processes_[kRequests] = "requests";
    TrackOf({.process = kRequests}, "requests").slices.push_back(std::move(slice));
  }

  void AddHostStep(const StepTrace& step, uint64_t flow) {
    processes_[kHostSteps] = "host steps";
    TrackOf({.process = kHostSteps}, "host steps")
        .slices.push_back(
            {.name = step.step, .begin = step.begun, .end = step.done, .flows_in = {flow}});
  }

  // A batch stands once, whoever of its requests tells of it.
  void AddBatch(const StepTrace& step, uint64_t flow) {
    const auto [found, is_new] = batches_.try_emplace({step.device, step.batch});
    BatchSlices& at = found->second;
    if (is_new) {
      PlaceBatch(step, at);
    }
    SliceAt(at.batch).flows_on.push_back(flow);
    SliceAt(at.compute).flows_in.push_back(flow);
  }

  struct SlicePlace {
    Track* track = nullptr;
    size_t index = 0;
  };
  struct BatchSlices {
    SlicePlace batch;
    SlicePlace compute;
  };

  static Slice& SliceAt(const SlicePlace& place) { return place.track->slices[place.index]; }

  void PlaceBatch(const StepTrace& step, BatchSlices& at) {
    const int process = kFirstDevice + step.device;
    processes_[process] = fmt::format("device {}", step.device);
    const std::string lane = fmt::format("{} lane {}", step.model, step.lane);
    const json::object args = {{"batch", step.batch},
                               {"rows", step.batch_rows},
                               {"gear_rows", step.gear_rows},
                               {"reason", std::string(step.reason)},
                               {"stream", step.stream}};
    const auto place = [&](int part, const std::string& track, const std::string& name,
                           Instant begin, Instant end) {
      Track& on = TrackOf({.process = process, .lane = lane, .part = part}, track);
      on.slices.push_back({.name = name, .begin = begin, .end = end, .args = args});
      return SlicePlace{&on, on.slices.size() - 1};
    };
    at.batch =
        place(0, lane + " batches", fmt::format("batch {}", step.batch), step.begun, step.done);
    StepOnHost host{.compute_start = step.begun, .compute_end = step.done};
    if (step.timed()) {
      host = OnHost(step, offsets_.at(step.device));
    }
    at.compute = place(2, fmt::format("{} stream {}", lane, step.stream), step.step,
                       host.compute_start, host.compute_end);
    if (host.input_start < host.input_end) {
      place(1, lane + " copies in", "in", host.input_start, host.input_end);
    }
    if (host.compute_end < host.output_end) {
      place(3, lane + " copies out", "out", host.compute_end, host.output_end);
    }
  }

  Track& TrackOf(const TrackKey& key, const std::string& name) {
    Track& track = tracks_[key];
    track.name = name;
    return track;
  }

  // On streams one thing is after the other. Requests, host steps and batches that were launched
  // ahead are beside each other: they take as many rows as they need.
  void WriteTrack(const TrackKey& key, Track& track) {
    std::ranges::stable_sort(track.slices, {}, &Slice::begin);
    const bool spreads = key.part == 0;
    struct Row {
      int thread;
      Instant end;
    };
    std::vector<Row> rows;
    for (Slice& slice : track.slices) {
      slice.end = std::max(slice.begin, slice.end);
      auto row = std::ranges::find_if(
          rows, [&](const Row& r) { return !spreads || r.end <= slice.begin; });
      if (row == rows.end()) {
        rows.push_back({.thread = ++last_thread_});
        row = std::prev(rows.end());
        const std::string name =
            rows.size() == 1 ? track.name : fmt::format("{} ({})", track.name, rows.size());
        Meta("thread_name", key.process, row->thread, {{"name", name}});
        Meta("thread_sort_index", key.process, row->thread, {{"sort_index", row->thread}});
      }
      slice.begin = std::max(slice.begin, row->end);
      slice.end = std::max(slice.begin, slice.end);
      row->end = slice.end;
      WriteSlice(key.process, row->thread, slice);
    }
  }

  void WriteSlice(int process, int thread, const Slice& slice) {
    const double begin = Us(slice.begin);
    Event(fmt::format(
        R"({{"ph":"X","cat":"omserve","name":{},"pid":{},"tid":{},"ts":{:.3f},"dur":{:.3f},"args":{}}})",
        json::serialize(json::string(slice.name)), process, thread, begin,
        std::max(0.0, Us(slice.end) - begin), json::serialize(slice.args)));
    // An arrow is bound to the slice that is there at its time.
    const auto arrows = [&](char phase, const std::vector<uint64_t>& flows) {
      for (const uint64_t flow : flows) {
        Event(fmt::format(
            R"({{"ph":"{}","bp":"e","cat":"omserve","name":"runs","id":{},"pid":{},"tid":{},"ts":{:.3f}}})",
            phase, flow, process, thread, begin));
      }
    };
    arrows('s', slice.flows_out);
    arrows('t', slice.flows_on);
    arrows('f', slice.flows_in);
  }

  void Meta(const char* name, int process, int thread, const json::object& args) {
    Event(fmt::format(R"({{"ph":"M","name":"{}","pid":{},"tid":{},"args":{}}})", name, process,
                      thread, json::serialize(args)));
  }

  void Event(const std::string& event) {
    events_ += events_.empty() ? "\n" : ",\n";
    events_ += event;
  }

  double Us(Instant instant) const {
    // A request's message may have come a moment before.
    return std::max(0.0,
                    std::chrono::duration<double, std::micro>(instant - captured_.begun).count());
  }

  const Captured& captured_;
  std::map<int, Clock::duration> offsets_;  // By device.
  std::map<int, std::string> processes_;
  std::map<TrackKey, Track> tracks_;  // Its nodes stay where they are.
  std::map<std::pair<int, uint64_t>, BatchSlices> batches_;
  uint64_t last_flow_ = 0;
  int last_thread_ = 0;
  std::string events_;
};

}  // namespace

std::string ChromeTraceJson(const Captured& captured) { return ChromeWriter(captured).Run(); }

}  // namespace omserve::server
