// SPDX-License-Identifier: Apache-2.0
#include "server/core/large_answers.h"

#include <algorithm>
#include <cstdint>
#include <limits>

#include "runtime/base/tensor.h"

namespace omserve::server {
namespace {

constexpr size_t kUnknown = std::numeric_limits<size_t>::max();
constexpr size_t kTextBytes = 256;  // Of one text: a label, a sentence.

int64_t RowsOf(const InferCall& call) {
  if (!call.model->plan->batched || call.inputs.empty() || call.inputs.front().shape.empty()) {
    return 1;
  }
  return std::clamp<int64_t>(call.inputs.front().shape.front(), 1, call.model->max_rows);
}

size_t ElementBytes(DataType type) {
  return type == DataType::kBytes ? kTextBytes : DataTypeSize(type);
}

size_t OutputBytes(const TensorSpec& output, bool batched, int64_t rows) {
  const std::span<const int64_t> dims(output.dims);
  const std::optional<int64_t> elements =
      ElementCount(dims.subspan(batched && !dims.empty() ? 1 : 0));
  if (!elements.has_value()) {
    return kUnknown;
  }
  const size_t row_bytes = static_cast<size_t>(*elements) * ElementBytes(output.type);
  return row_bytes > kUnknown / static_cast<size_t>(rows) ? kUnknown
                                                          : row_bytes * static_cast<size_t>(rows);
}

}  // namespace

LargeAnswers::Ticket& LargeAnswers::Ticket::operator=(Ticket&& other) noexcept {
  if (this != &other) {
    Reset();
    of_ = std::exchange(other.of_, nullptr);
    is_leaving_ = other.is_leaving_;
  }
  return *this;
}

void LargeAnswers::Ticket::Leave() {
  if (of_ == nullptr || std::exchange(is_leaving_, true)) {
    return;
  }
  const MutexLock lock(of_->mu_);
  --of_->being_made_;
  ++of_->leaving_;
  of_->fewer_.NotifyAll();
}

void LargeAnswers::Ticket::Reset() {
  LargeAnswers* const of = std::exchange(of_, nullptr);
  if (of == nullptr) {
    return;
  }
  const MutexLock lock(of->mu_);
  --(is_leaving_ ? of->leaving_ : of->being_made_);
  of->fewer_.NotifyAll();
}

std::optional<LargeAnswers::Ticket> LargeAnswers::Begin() {
  const MutexLock lock(mu_);
  if (closed_) {
    return std::nullopt;
  }
  ++being_made_;
  Ticket ticket;
  ticket.of_ = this;
  return ticket;
}

void LargeAnswers::Close() {
  const MutexLock lock(mu_);
  closed_ = true;
}

void LargeAnswers::Await(const size_t& count, Clock::time_point deadline) {
  while (count > 0 && clock_.WaitUntil(fewer_, mu_, deadline)) {
  }
}

void LargeAnswers::AwaitMade(Clock::time_point deadline) {
  const MutexLock lock(mu_);
  Await(being_made_, deadline);
}

void LargeAnswers::AwaitLeft(Clock::time_point deadline) {
  const MutexLock lock(mu_);
  Await(leaving_, deadline);
}

size_t EstimateAnswerBytes(const InferCall& call) {
  const Model& model = *call.model;
  const int64_t rows = RowsOf(call);
  size_t sum = 0;
  const auto add = [&](const TensorSpec& output, size_t wanted) {
    if (wanted < call.places.size() && call.places[wanted].has_value()) {
      return;  // It goes to shared memory.
    }
    const size_t bytes = OutputBytes(output, model.plan->batched, rows);
    sum = bytes > kUnknown - sum ? kUnknown : sum + bytes;
  };
  if (call.outputs.empty()) {
    for (const TensorSpec& output : model.outputs) {
      add(output, kUnknown);
    }
    return sum;
  }
  for (size_t i = 0; i < call.outputs.size(); ++i) {
    const auto found = std::ranges::find(model.outputs, call.outputs[i], &TensorSpec::name);
    if (found != model.outputs.end()) {
      add(*found, i);
    }
  }
  return sum;
}

}  // namespace omserve::server
