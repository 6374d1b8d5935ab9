// SPDX-License-Identifier: Apache-2.0
#include "server/core/tracing/trace_file.h"

#include <boost/json.hpp>
#include <chrono>
#include <utility>

#include "runtime/base/errors.h"

namespace omserve::server {
namespace {

namespace json = boost::json;
using scheduler::Instant;
using scheduler::StepTrace;

class ElementWriter final {
 public:
  void Element(const json::object& element) {
    text_ += text_.empty() ? "" : ",\n";
    text_ += json::serialize(element);
  }

  void Times(uint64_t id, const std::vector<std::pair<const char*, Instant>>& times) {
    json::array stamps;
    for (const auto& [name, at] : times) {
      stamps.push_back(
          {{"name", name}, {"ns", std::chrono::nanoseconds(at.time_since_epoch()).count()}});
    }
    Element({{"id", id}, {"timestamps", std::move(stamps)}});
  }

  void Tensors(uint64_t id, const char* activity, const std::vector<TracedTensor>& tensors) {
    for (const TracedTensor& tensor : tensors) {
      Element({{"id", id},
               {"activity", activity},
               {"tensor",
                {{"name", tensor.name},
                 {"shape", DimsToString(tensor.shape)},
                 {"dtype", tensor.datatype}}}});
    }
  }

  std::string Take() { return std::move(text_); }

 private:
  std::string text_;
};

std::vector<std::pair<const char*, Instant>> StepTimes(const StepTrace& step) {
  StepOnHost host{.input_end = step.begun, .compute_end = step.done};
  if (step.batch != 0 && step.timed()) {
    host = OnHost(step, ClockOffset(step));
  }
  return {{"QUEUE_START", std::min(step.ready, step.begun)},
          {"COMPUTE_START", step.begun},
          {"COMPUTE_INPUT_END", host.input_end},
          {"COMPUTE_OUTPUT_START", host.compute_end},
          {"COMPUTE_END", step.done}};
}

}  // namespace

std::string TritonTraceJson(const RequestTrace& trace, uint64_t id, uint64_t* last_id) {
  ElementWriter writer;
  writer.Element({{"id", id},
                  {"model_name", trace.model},
                  {"model_version", trace.version},
                  {"request_id", trace.request_id}});
  // A model by itself has its step's times; a pipeline has a trace for each step.
  const bool is_pipeline =
      trace.steps.size() > 1 || (trace.steps.size() == 1 && trace.steps[0].model != trace.model);
  std::vector<std::pair<const char*, Instant>> times = {{"REQUEST_START", trace.received}};
  if (!is_pipeline && trace.steps.size() == 1) {
    const auto of_step = StepTimes(trace.steps[0]);
    times.insert(times.end(), of_step.begin(), of_step.end());
  }
  times.emplace_back("REQUEST_END", trace.answered);
  writer.Times(id, times);
  writer.Tensors(id, "TENSOR_QUEUE_INPUT", trace.inputs);
  writer.Tensors(id, "TENSOR_BACKEND_OUTPUT", trace.outputs);
  uint64_t child = id;
  for (size_t i = 0; is_pipeline && i < trace.steps.size(); ++i) {
    const StepTrace& step = trace.steps[i];
    if (step.placed()) {
      writer.Element({{"id", ++child},
                      {"model_name", step.model.empty() ? step.step : step.model},
                      {"model_version", trace.version},
                      {"request_id", trace.request_id},
                      {"parent_id", id}});
      writer.Times(child, StepTimes(step));
    }
  }
  *last_id = child;
  return writer.Take();
}

// A file that could not be written once stays as it is: a new one would take its place.
absl::Status TraceFile::Written() const {
  return file_.good() ? absl::OkStatus()
                      : Internal("trace file '{}' cannot be written; see trace.file", name_);
}

absl::Status TraceFile::Open(uint32_t log_frequency) {
  if (!name_.empty()) {
    RETURN_IF_ERROR(Written());
  }
  const bool is_full = log_frequency > 0 && traces_in_file_ >= log_frequency;
  if (file_.is_open() && !is_full) {
    return absl::OkStatus();
  }
  if (file_.is_open()) {
    file_.close();
  }
  name_ = log_frequency == 0 ? path_ : fmt::format("{}.{}", path_, next_index_++);
  traces_in_file_ = 0;
  file_.open(name_, std::ios::out | std::ios::trunc);
  file_ << "[\n]";
  return Written();
}

absl::Status TraceFile::WriteOne(const RequestTrace& trace) {
  RETURN_IF_ERROR(Open(trace.log_frequency));
  uint64_t last_id = last_id_;
  const std::string elements = TritonTraceJson(trace, last_id_ + 1, &last_id);
  last_id_ = last_id;
  file_.seekp(-1, std::ios::end);  // Over the bracket that closes.
  file_ << (traces_in_file_++ == 0 ? "" : ",\n") << elements << ']';
  return Written();
}

absl::Status TraceFile::Write(std::span<const RequestTraceHandle> traces,
                              const std::stop_token& /*hurry*/) {
  for (const RequestTraceHandle& trace : traces) {
    RETURN_IF_ERROR(WriteOne(*trace));
  }
  file_.flush();
  return Written();
}

absl::Status TraceFile::Close() {
  if (file_.is_open()) {
    file_.close();
  }
  return name_.empty() ? absl::OkStatus() : Written();
}

}  // namespace omserve::server
