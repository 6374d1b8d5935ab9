// SPDX-License-Identifier: Apache-2.0
#include "server/core/tracing/span.h"

#include <fmt/format.h>

#include <algorithm>
#include <boost/json.hpp>
#include <chrono>
#include <utility>

namespace omserve::server {
namespace {

using scheduler::StepTrace;

double Microseconds(Clock::duration time) {
  return std::chrono::duration<double, std::micro>(time).count();
}

void AddTensors(const char* side, const std::vector<TracedTensor>& tensors, Span& span) {
  for (const TracedTensor& tensor : tensors) {
    span.attributes.push_back({fmt::format("omserve.{}.{}", side, tensor.name),
                               tensor.datatype + DimsToString(tensor.shape)});
  }
}

class SpanMaker final {
 public:
  explicit SpanMaker(const RequestTrace& trace) : trace_(trace) {}

  std::vector<Span> Run() {
    AddRequest();
    for (const StepTrace& step : trace_.steps) {
      AddStep(step);
    }
    return std::move(spans_);
  }

 private:
  // Within its parent, which stands at `parent`; gives its own place.
  size_t Add(size_t parent, std::string name, scheduler::Instant begin, scheduler::Instant end) {
    const Span& outer = spans_[parent];
    begin = std::clamp(begin, outer.begin, outer.end);
    end = std::clamp(end, begin, outer.end);
    spans_.push_back({.id = ChildSpan(trace_.context.span, spans_.size()),
                      .parent = outer.id,
                      .name = std::move(name),
                      .begin = begin,
                      .end = end});
    return spans_.size() - 1;
  }

  void AddRequest() {
    Span& span = spans_.emplace_back();
    span.id = trace_.context.span;
    span.parent = trace_.parent;
    span.name = "infer " + trace_.model;
    span.begin = trace_.received;
    span.end = std::max(trace_.received, trace_.answered);
    span.attributes = {{"omserve.model", trace_.model},
                       {"omserve.model_version", trace_.version},
                       {"omserve.protocol", std::string(trace_.protocol)}};
    if (!trace_.request_id.empty()) {
      span.attributes.push_back({"omserve.request_id", trace_.request_id});
    }
    if (trace_.from_cache) {
      span.attributes.push_back({"omserve.from_cache", true});
    }
    if (trace_.code == absl::StatusCode::kOk) {
      for (size_t s = 0; s < scheduler::kStageCount; ++s) {
        const auto stage = static_cast<scheduler::Stage>(s);
        span.attributes.push_back({fmt::format("omserve.{}_us", scheduler::StageName(stage)),
                                   Microseconds(trace_.stages[stage])});
      }
    }
    for (const TracedParameter& header : trace_.headers) {
      span.attributes.push_back({"omserve.header." + header.name, header.value});
    }
    if (!trace_.parameters.empty()) {  // One attribute: their names are the clients' to choose.
      boost::json::object parameters;
      for (const TracedParameter& parameter : trace_.parameters) {
        parameters[parameter.name] = parameter.value;
      }
      span.attributes.push_back({"omserve.parameters", boost::json::serialize(parameters)});
    }
    AddTensors("input", trace_.inputs, span);
    AddTensors("output", trace_.outputs, span);
  }

  void AddStep(const StepTrace& step) {
    if (!step.placed()) {
      return;  // Its outputs were at hand.
    }
    const size_t at = Add(0, "step " + step.step, std::min(step.ready, step.begun), step.done);
    spans_[at].attributes = {{"omserve.step", step.step}};
    if (step.batch == 0) {
      return;
    }
    spans_[at].attributes.push_back({"omserve.model", step.model});
    if (step.ready < step.begun) {
      Add(at, "queue", step.ready, step.begun);
    }
    const size_t batch = Add(at, "batch", step.begun, step.done);
    spans_[batch].attributes = {
        {"omserve.batch.id", static_cast<int64_t>(step.batch)},
        {"omserve.batch.rows", static_cast<int64_t>(step.batch_rows)},
        {"omserve.batch.gear_rows", static_cast<int64_t>(step.gear_rows)},
        {"omserve.batch.reason", std::string(step.reason)},
        {"omserve.device", static_cast<int64_t>(step.device)},
        {"omserve.lane", static_cast<int64_t>(step.lane)},
        {"omserve.stream", static_cast<int64_t>(step.stream)},
    };
    if (step.timed()) {
      const StepOnHost host = OnHost(step, ClockOffset(step));
      Add(batch, "compute", host.compute_start, host.compute_end);
    }
  }

  const RequestTrace& trace_;
  std::vector<Span> spans_;
};

}  // namespace

std::vector<Span> SpansOf(const RequestTrace& trace) { return SpanMaker(trace).Run(); }

}  // namespace omserve::server
