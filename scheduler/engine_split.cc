// SPDX-License-Identifier: Apache-2.0
// The engine's requests that are larger than a batch: they run as parts, each a request to the
// core, that are accepted or refused as one, and are answered as one. All of it runs on the device
// thread.
#include <algorithm>
#include <iterator>
#include <memory>
#include <utility>
#include <vector>

#include "runtime/base/status_macros.h"
#include "scheduler/engine.h"
#include "scheduler/request_split.h"

namespace omserve::scheduler {

void Engine::TakeSplit(std::unique_ptr<InferRequest> request, int most_rows) {
  const RequestId id = request->id;
  SplitRequest& split = splits_[id];
  if (request->received == Instant()) {
    request->received = clock_.Now();
  }
  split.in = std::move(request);
  const InferRequest& in = *split.in;
  const std::vector<int> rows = PartRows(in.rows, most_rows);
  std::vector<std::vector<std::span<const std::byte>>> inputs;  // By input, by part.
  for (size_t i = 0; i < in.inputs.size(); ++i) {
    auto parts = SplitRows(in.plan->input(i).type, in.inputs[i].dims, in.inputs[i].bytes, rows);
    if (!parts.ok()) {
      AnswerSplit(split, {.outcome = Outcome::kFailed},
                  {.status = parts.status(), .stages = {.total = clock_.Now() - in.received}});
      splits_.erase(id);
      return;
    }
    inputs.push_back(*std::move(parts));
  }
  ArriveTogether arrival;
  int first_row = 0;
  for (size_t p = 0; p < rows.size(); ++p) {
    auto part = std::make_unique<InferRequest>(InferRequest{.id = next_part_++,
                                                            .plan = in.plan,
                                                            .rows = rows[p],
                                                            .wanted = in.wanted,
                                                            .buckets = in.buckets,
                                                            .priority = in.priority,
                                                            .deadline = in.deadline,
                                                            .delay_at = in.delay_at,
                                                            .received = in.received,
                                                            .trace = in.trace,
                                                            .trace_id = in.trace_id});
    for (size_t i = 0; i < inputs.size(); ++i) {
      RequestInput& input = part->inputs.emplace_back();
      input.dims = in.inputs[i].dims;
      input.dims.front() = rows[p];
      input.bytes = inputs[i][p];
      input.padding_elements = in.inputs[i].padding_elements / in.rows * rows[p];
    }
    split.parts.push_back(part->id);
    arrival.parts.push_back(ArrivalOf(*part));
    ActiveRequest& active = MakeActive(std::move(part));
    active.split = &split;
    active.part = p;
    active.first_row = first_row;
    first_row += rows[p];
  }
  split.unanswered = rows.size();
  split.unretired = rows.size();
  split.answers.resize(rows.size());
  split.places.resize(in.wanted.size());
  Feed(std::move(arrival));
}

void Engine::TakePart(SplitRequest& split, size_t part, const Respond& respond,
                      InferResponse response) {
  if (split.answered) {
    return;  // By another part's failure.
  }
  --split.unanswered;
  if (!response.status.ok()) {
    // The others are of no use any more: what of them still waits never runs.
    for (const RequestId other : split.parts) {
      own_events_.push_back(Cancel{other});
    }
    AnswerSplit(split, respond, std::move(response));
    return;
  }
  const bool is_last = split.unanswered == 0;
  if (split.in->early != nullptr) {
    const ActiveRequest& active = active_.at(split.parts[part]);
    response.first_row = active.first_row;
    if (!is_last) {
      GiveEarly(active, std::move(response));
      return;
    }
  } else {
    const StageTimes stages = response.stages;
    split.answers[part] = std::move(response);
    if (!is_last) {
      return;
    }
    // The last part's time is that of the whole, but for the joining.
    response = JoinAnswers(split);
    response.stages = stages;
  }
  const Clock::duration total = clock_.Now() - split.in->received;
  response.stages[Stage::kOverhead] += total - response.stages.total;
  response.stages.total = total;
  split.answers.clear();
  Respond all = respond;
  all.outcome = response.status.ok() ? Outcome::kOk : Outcome::kFailed;
  AnswerSplit(split, all, std::move(response));
}

InferResponse Engine::JoinAnswers(SplitRequest& split) {
  InferResponse joined;
  for (size_t o = 0; o < split.in->wanted.size(); ++o) {
    std::vector<const ResponseOutput*> outputs;
    for (const InferResponse& answer : split.answers) {
      outputs.push_back(&answer.outputs[o]);
    }
    absl::StatusOr<ResponseOutput> output = JoinRows(outputs, host_pool_);
    if (!output.ok()) {
      joined.status = output.status();
      joined.outputs.clear();
      break;
    }
    joined.outputs.push_back(*std::move(output));
  }
  for (InferResponse& answer : split.answers) {
    std::move(answer.trace.begin(), answer.trace.end(), std::back_inserter(joined.trace));
  }
  return joined;
}

void Engine::AnswerSplit(SplitRequest& split, const Respond& respond, InferResponse response) {
  split.answered = true;
  Record(*split.in, respond, response);
  answers_.push_back({std::move(split.in->done), split.in->group, std::move(response)});
}

void Engine::CancelSplit(const SplitRequest& split) {
  const std::vector<RequestId> parts = split.parts;  // `split` may go with the last of them.
  for (const RequestId part : parts) {
    Feed(Cancel{part});
  }
}

absl::Status Engine::PlacePart(const Launch& launch, size_t output, size_t row_bytes,
                               BatchOutput& target) {
  const RowGroup& group = launch.rows.front();
  ActiveRequest& active = active_.at(group.request);
  const Plan& plan = *active.in->plan;
  const int tensor = plan.nodes[static_cast<size_t>(group.node)].outputs[output];
  for (size_t w = 0; w < active.in->wanted.size(); ++w) {
    if (plan.outputs[static_cast<size_t>(active.in->wanted[w])] != tensor) {
      continue;
    }
    const InferRequest& in = *active.split->in;
    const size_t all_bytes = row_bytes * static_cast<size_t>(in.rows);
    OutputPlace& whole = active.split->places[w];
    if (whole.owner == nullptr && !in.places.empty() && in.places[w].bytes.size() >= all_bytes) {
      whole = in.places[w];
    }
    if (whole.owner == nullptr) {
      ASSIGN_OR_RETURN(memory::HostBlock taken, host_pool_.Allocate(all_bytes));
      const auto block = std::make_shared<memory::HostBlock>(std::move(taken));
      whole = {.bytes = block->bytes(), .owner = block};
    }
    target.host = whole.owner;
    target.host_bytes = whole.bytes.subspan(row_bytes * static_cast<size_t>(active.first_row),
                                            row_bytes * static_cast<size_t>(group.rows));
  }
  return absl::OkStatus();
}

}  // namespace omserve::scheduler
