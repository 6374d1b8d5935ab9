// SPDX-License-Identifier: Apache-2.0
// The answers of one request to a decoupled model, from what the engine gives as it comes.
#pragma once

#include <map>
#include <optional>
#include <utility>
#include <vector>

#include "absl/status/statusor.h"
#include "proto/inference/model_config.pb.h"
#include "runtime/base/tensor.h"
#include "scheduler/request.h"
#include "server/core/model.h"

namespace omserve::server {

// The output that model_transaction_policy.answer_rows_where names, an index into `outputs`, which
// are full specs, batch first where `batched`; nullopt where it names none. Errors:
// kInvalidArgument, naming the key, for no output of the model, and for one that is not one BOOL a
// row.
absl::StatusOr<std::optional<int>> FindAnsweredRows(const inference::ModelConfig& config,
                                                    const std::vector<TensorSpec>& outputs,
                                                    bool batched);

// Where the model names rows that are answered, each of them is answered by itself, once the output
// that says which they are is there; the others are not. Else an answer is what the engine gave.
//
// Thread-compatible.
class DecoupledAnswers final {
 public:
  // `drops_mask`: the client does not want the output that says which rows are answered.
  DecoupledAnswers(ModelHandle model, bool drops_mask)
      : model_(std::move(model)), drops_mask_(drops_mask) {}

  // What follows for the client, in order: at least one, the last of which alone has the response's
  // more_follow and is_final. One that has no outputs and is not final says nothing else: the trace
  // of what it took comes with the next one that does. What fails before the end is told with the
  // final one.
  std::vector<scheduler::InferResponse> Take(scheduler::InferResponse response);

 private:
  // Rows that ran together.
  struct Part {
    std::optional<scheduler::ResponseOutput> mask;
    std::vector<scheduler::ResponseOutput> held;  // Until `mask` is there.
  };

  // At least one.
  std::vector<scheduler::InferResponse> AnswersByRow(scheduler::InferResponse& response);
  // Requires that the mask is there. Adds none where it fails.
  absl::Status AnswerRows(int first_row, Part& part,
                          std::vector<scheduler::InferResponse>& answers) const;

  const ModelHandle model_;
  const bool drops_mask_;
  std::map<int, Part> parts_;                // By first row.
  absl::Status failure_;                     // The first one.
  std::vector<scheduler::StepTrace> trace_;  // That was not told.
};

}  // namespace omserve::server
