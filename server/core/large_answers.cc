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

size_t Times(size_t count, size_t bytes) {
  return bytes > 0 && count > kUnknown / bytes ? kUnknown : count * bytes;
}

size_t RowsOf(const InferCall& call) {
  if (!call.model->plan->batched || call.inputs.empty() || call.inputs.front().shape.empty()) {
    return 1;
  }
  return static_cast<size_t>(
      std::clamp<int64_t>(call.inputs.front().shape.front(), 1, call.model->max_rows));
}

// Of one row, at most.
size_t RowBytes(const scheduler::Plan& plan, size_t output) {
  const scheduler::PlanTensor& tensor = plan.tensors[static_cast<size_t>(plan.outputs[output])];
  if (tensor.producer >= 0) {
    const scheduler::PlanNode& node = plan.nodes[static_cast<size_t>(tensor.producer)];
    if (node.on_device()) {
      size_t most = 0;
      for (const scheduler::Bucket& bucket : node.subgraph->shape.buckets) {
        most = std::max(most, bucket.output_row_bytes[static_cast<size_t>(tensor.producer_output)]);
      }
      return most;
    }
  }
  const std::optional<int64_t> elements = ElementCount(tensor.spec.dims);
  const bool is_text = tensor.spec.type == DataType::kBytes;
  return elements.has_value() ? Times(static_cast<size_t>(*elements),
                                      is_text ? kTextBytes : DataTypeSize(tensor.spec.type))
                              : kUnknown;
}

// Of the output that is the `wanted`th in the call; kUnknown: it asks for all.
size_t OutputBytes(const InferCall& call, size_t output, size_t wanted, size_t rows) {
  if (wanted < call.places.size() && call.places[wanted].has_value()) {
    return 0;  // It goes to shared memory.
  }
  if (wanted < call.classes.size() && call.classes[wanted] > 0) {
    return Times(Times(rows, call.classes[wanted]), kTextBytes);
  }
  return Times(rows, RowBytes(*call.model->plan, output));
}

}  // namespace

LargeAnswers::Ticket& LargeAnswers::Ticket::operator=(Ticket&& other) noexcept {
  if (this != &other) {
    Reset();
    of_ = std::exchange(other.of_, nullptr);
    is_leaving_ = std::exchange(other.is_leaving_, false);
    size_bytes_ = other.size_bytes_;
  }
  return *this;
}

void LargeAnswers::Ticket::Leave(size_t size_bytes) {
  if (of_ == nullptr || std::exchange(is_leaving_, true)) {
    return;
  }
  size_bytes_ = size_bytes;
  const MutexLock lock(of_->mu_);
  --of_->being_made_;
  ++of_->leaving_;
  of_->leaving_bytes_ += size_bytes;
  of_->fewer_.NotifyAll();
}

void LargeAnswers::Ticket::Reset() {
  LargeAnswers* const of = std::exchange(of_, nullptr);
  if (of == nullptr) {
    return;
  }
  const MutexLock lock(of->mu_);
  if (std::exchange(is_leaving_, false)) {
    --of->leaving_;
    of->leaving_bytes_ -= size_bytes_;
  } else {
    --of->being_made_;
  }
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

void LargeAnswers::AwaitLeft(Clock::duration patience, Clock::time_point deadline) {
  const MutexLock lock(mu_);
  const std::chrono::seconds slow(leaving_bytes_ / kLeastBytesPerSecond);
  Await(leaving_, std::min(deadline, clock_.Now() + patience + slow));
}

size_t EstimateAnswerBytes(const InferCall& call) {
  const std::vector<TensorSpec>& outputs = call.model->outputs;
  const size_t rows = RowsOf(call);
  size_t sum = 0;
  const auto add = [&](size_t output, size_t wanted) {
    const size_t bytes = OutputBytes(call, output, wanted, rows);
    sum = bytes > kUnknown - sum ? kUnknown : sum + bytes;
  };
  for (size_t output = 0; call.outputs.empty() && output < outputs.size(); ++output) {
    add(output, kUnknown);
  }
  for (size_t i = 0; i < call.outputs.size(); ++i) {
    const auto found = std::ranges::find(outputs, call.outputs[i], &TensorSpec::name);
    if (found != outputs.end()) {
      add(static_cast<size_t>(found - outputs.begin()), i);
    }
  }
  return sum;
}

size_t AnswerBytes(const InferResult& result) {
  size_t sum = 0;
  for (const scheduler::ResponseOutput& output : result.outputs) {
    sum += output.bytes.size();
  }
  return sum;
}

}  // namespace omserve::server
