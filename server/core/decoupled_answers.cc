// SPDX-License-Identifier: Apache-2.0
#include "server/core/decoupled_answers.h"

#include <span>
#include <string>
#include <utility>

#include "runtime/base/errors.h"
#include "scheduler/request_split.h"

namespace omserve::server {

using scheduler::InferResponse;
using scheduler::ResponseOutput;

absl::StatusOr<std::optional<int>> FindAnsweredRows(const inference::ModelConfig& config,
                                                    const std::vector<TensorSpec>& outputs,
                                                    bool batched) {
  constexpr std::string_view kKey = "model_transaction_policy.answer_rows_where";
  const std::string& name = config.model_transaction_policy().answer_rows_where();
  if (name.empty()) {
    return std::nullopt;
  }
  const Dims one_a_row = batched ? Dims{-1, 1} : Dims{1};
  std::string known;
  for (size_t i = 0; i < outputs.size(); ++i) {
    const TensorSpec& output = outputs[i];
    known += (known.empty() ? "'" : ", '") + output.name + "'";
    if (output.name != name) {
      continue;
    }
    if (output.type != DataType::kBool || output.dims != one_a_row) {
      return InvalidArgument("{}: output '{}' is {} {}, expected BOOL {}, one a row", kKey, name,
                             DataTypeName(output.type), DimsToString(output.dims),
                             DimsToString(one_a_row));
    }
    return static_cast<int>(i);
  }
  return InvalidArgument("{}: there is no output '{}'; the outputs are {}", kKey, name, known);
}

std::vector<InferResponse> DecoupledAnswers::Take(InferResponse response) {
  failure_.Update(std::exchange(response.status, absl::OkStatus()));
  std::vector<InferResponse> answers;
  if (!failure_.ok()) {
    answers.emplace_back().status = response.is_final ? failure_ : absl::OkStatus();
  } else if (model_->answered_rows.has_value()) {
    answers = AnswersByRow(response);
  } else {
    InferResponse& answer = answers.emplace_back();
    answer.outputs = std::move(response.outputs);
    answer.first_row = response.first_row;
  }
  for (InferResponse& answer : answers) {
    answer.is_final = false;
    answer.more_follow = true;
  }
  InferResponse& last = answers.back();
  trace_.insert(trace_.end(), response.trace.begin(), response.trace.end());
  if (response.is_final || !last.outputs.empty()) {
    last.trace = std::exchange(trace_, {});
  }
  last.stages = response.stages;
  last.is_final = response.is_final;
  last.more_follow = response.more_follow;
  return answers;
}

std::vector<InferResponse> DecoupledAnswers::AnswersByRow(InferResponse& response) {
  Part& part = parts_[response.first_row];
  for (ResponseOutput& output : response.outputs) {
    const bool is_mask = output.output == *model_->answered_rows;
    if (is_mask) {
      part.mask = output;
    }
    if (!is_mask || !drops_mask_) {
      part.held.push_back(std::move(output));
    }
  }
  std::vector<InferResponse> answers;
  if (part.mask.has_value()) {
    failure_ = AnswerRows(response.first_row, part, answers);
  }
  if (answers.empty()) {
    answers.emplace_back().status = response.is_final ? failure_ : absl::OkStatus();
  }
  return answers;
}

absl::Status DecoupledAnswers::AnswerRows(int first_row, Part& part,
                                          std::vector<InferResponse>& answers) const {
  const std::vector<ResponseOutput> outputs = std::exchange(part.held, {});
  if (outputs.empty()) {
    return absl::OkStatus();  // They come later.
  }
  const std::span<const std::byte> mask = part.mask->bytes;
  const std::vector<int> each(mask.size(), 1);
  std::vector<std::vector<std::span<const std::byte>>> rows;  // By output, by row.
  for (const ResponseOutput& output : outputs) {
    if (!model_->plan->batched) {
      rows.push_back({output.bytes});
      continue;
    }
    const TensorSpec& spec = model_->outputs[static_cast<size_t>(output.output)];
    ASSIGN_OR_RETURN(rows.emplace_back(),
                     scheduler::SplitRows(spec.type, output.dims, output.bytes, each));
  }
  for (size_t row = 0; row < mask.size(); ++row) {
    if (mask[row] == std::byte{0}) {
      continue;
    }
    InferResponse& answer = answers.emplace_back();
    answer.first_row = first_row + static_cast<int>(row);
    for (size_t i = 0; i < outputs.size(); ++i) {
      ResponseOutput& output = answer.outputs.emplace_back(outputs[i]);
      output.bytes = rows[i][row];
      if (model_->plan->batched) {
        output.dims.front() = 1;
      }
    }
  }
  return absl::OkStatus();
}

}  // namespace omserve::server
