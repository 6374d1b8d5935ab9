// SPDX-License-Identifier: Apache-2.0
// Host op "argmax_label": the logits of a classifier to the label of the best class.
#pragma once

#include <memory>

#include "absl/status/statusor.h"
#include "runtime/hostops/host_op.h"

namespace omserve::hostops {

// Input "logits" FP32 [classes]. Outputs "label" BYTES [1], and "score" FP32 [1]: the softmax
// probability of that class.
//
// Of equal logits the first wins. A logit that is NaN is kInvalidArgument, because whatever class
// were named would look like an answer. Infinite logits are taken at their word: classes at
// +infinity share the probability.
//
// | parameter | default | meaning |
// |---|---|---|
// | labels | must be given | file in the model's folder: a JSON array if its name ends in .json, |
// | | | otherwise a label a line |
// | classes | number of labels | if given, it must be the number of labels |
// | input, label, score | logits, label, score | names of the tensors |
absl::StatusOr<std::unique_ptr<HostOp>> MakeArgmaxLabel(const HostOpConfig& config);

}  // namespace omserve::hostops
