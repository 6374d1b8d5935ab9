// SPDX-License-Identifier: Apache-2.0
#include "tests/server/core/tracing/chrome_checker.h"

#include <fmt/format.h>

#include <algorithm>
#include <boost/json.hpp>
#include <map>
#include <string_view>
#include <utility>

namespace omserve::server {
namespace {

namespace json = boost::json;
using TrackId = std::pair<int64_t, int64_t>;

// Times are written with three digits.
constexpr double kRoundingUs = 0.0015;

class Checker final {
 public:
  ChromeTrace Run(const std::string& text) {
    json::error_code error;
    const json::value document = json::parse(text, error);
    const json::value* events =
        error || !document.is_object() ? nullptr : document.as_object().if_contains("traceEvents");
    if (events == nullptr || !events->is_array()) {
      trace_.errors.push_back("no JSON object with an array traceEvents");
      return trace_;
    }
    for (const json::value& event : events->get_array()) {
      TakeEvent(event);
    }
    CheckTracks();
    CheckFlows();
    return std::move(trace_);
  }

 private:
  struct Slice {
    double begin;
    double end;
    std::string name;
  };
  struct FlowPoint {
    char phase;
    double at;
    TrackId track;
  };

  void Error(const json::value& event, std::string_view what) {
    trace_.errors.push_back(fmt::format("{}: {}", what, json::serialize(event)));
  }

  void TakeEvent(const json::value& event) {
    const json::object* fields = event.if_object();
    const auto has = [&](const char* name, bool is_number) {
      const json::value* field = fields->if_contains(name);
      return field != nullptr && (is_number ? field->is_number() : field->is_string());
    };
    if (fields == nullptr || !has("ph", false) || !has("pid", true) || !has("tid", true) ||
        !has("name", false)) {
      Error(event, "an event without ph, pid, tid or name");
      return;
    }
    const std::string_view phase(event.at("ph").get_string());
    const TrackId track(event.at("pid").to_number<int64_t>(), event.at("tid").to_number<int64_t>());
    const std::string name(std::string_view(event.at("name").get_string()));
    if (phase == "M") {
      TakeName(event, name, track);
    } else if (!has("ts", true) || event.at("ts").to_number<double>() < 0) {
      Error(event, "an event without a time of 0 or more");
    } else if (phase == "X") {
      if (!has("dur", true) || event.at("dur").to_number<double>() < 0) {
        Error(event, "a slice without a duration of 0 or more");
        return;
      }
      const double begin = event.at("ts").to_number<double>();
      slices_[track].push_back({begin, begin + event.at("dur").to_number<double>(), name});
    } else if (phase == "s" || phase == "t" || phase == "f") {
      if (!has("id", true) || !has("cat", false) ||
          (phase == "f" && (!has("bp", false) || event.at("bp") != "e"))) {
        Error(event, "a point of an arrow without id, cat or bp");
        return;
      }
      flows_[event.at("id").to_number<int64_t>()].push_back(
          {phase[0], event.at("ts").to_number<double>(), track});
    } else {
      Error(event, "an event of a kind that is not expected");
    }
  }

  void TakeName(const json::value& event, const std::string& kind, TrackId track) {
    const json::value* args = event.as_object().if_contains("args");
    if (args == nullptr || !args->is_object()) {
      Error(event, "metadata without args");
    } else if (kind == "thread_name" || kind == "process_name") {
      const json::value* name = args->get_object().if_contains("name");
      if (name == nullptr || !name->is_string()) {
        Error(event, "a name that is none");
        return;
      }
      const std::string text(std::string_view(name->get_string()));
      (kind == "thread_name" ? tracks_[track] : processes_[track.first]) = text;
    }
  }

  void CheckTracks() {
    for (const auto& [track, slices] : slices_) {
      if (!tracks_.contains(track) || !processes_.contains(track.first)) {
        trace_.errors.push_back(fmt::format("track {}/{} has no name", track.first, track.second));
      }
      double end = 0;
      double begin = 0;
      for (const Slice& slice : slices) {
        if (slice.begin < begin || slice.begin + kRoundingUs < end) {
          trace_.errors.push_back(
              fmt::format("on track '{}' '{}' begins at {}, the one before it "
                          "ends at {}",
                          tracks_[track], slice.name, slice.begin, end));
        }
        begin = slice.begin;
        end = slice.end;
        trace_.slices.push_back({.process = processes_[track.first],
                                 .track = tracks_[track],
                                 .name = slice.name,
                                 .begin_us = slice.begin,
                                 .end_us = slice.end});
      }
    }
  }

  void CheckFlows() {
    for (auto& [id, points] : flows_) {
      std::stable_sort(points.begin(), points.end(),
                       [](const FlowPoint& a, const FlowPoint& b) { return a.at < b.at; });
      const auto count = [&points = points](char phase) {
        return std::count_if(points.begin(), points.end(),
                             [phase](const FlowPoint& p) { return p.phase == phase; });
      };
      if (count('s') != 1 || count('f') != 1) {
        trace_.errors.push_back(
            fmt::format("arrow {} begins {} times and ends {} times", id, count('s'), count('f')));
        continue;
      }
      const auto time_of = [&points = points](char phase) {
        return std::find_if(points.begin(), points.end(),
                            [phase](const FlowPoint& p) { return p.phase == phase; })
            ->at;
      };
      if (time_of('s') != points.front().at || time_of('f') != points.back().at) {
        trace_.errors.push_back(fmt::format("arrow {} does not begin first and end last", id));
      }
      for (const FlowPoint& point : points) {
        const std::vector<Slice>& slices = slices_[point.track];
        if (std::none_of(slices.begin(), slices.end(), [&point](const Slice& slice) {
              return slice.begin <= point.at && point.at <= slice.end + kRoundingUs;
            })) {
          trace_.errors.push_back(fmt::format("arrow {} at {} is in no slice", id, point.at));
        }
      }
      ++trace_.flows;
    }
  }

  ChromeTrace trace_;
  std::map<TrackId, std::string> tracks_;
  std::map<int64_t, std::string> processes_;
  std::map<TrackId, std::vector<Slice>> slices_;
  std::map<int64_t, std::vector<FlowPoint>> flows_;
};

}  // namespace

ChromeTrace CheckChromeTrace(const std::string& text) { return Checker().Run(text); }

}  // namespace omserve::server
