// SPDX-License-Identifier: Apache-2.0
// Host op "tokenize": a text to the numbers of its words, padded to a fixed length.
#pragma once

#include <memory>

#include "absl/status/statusor.h"
#include "runtime/hostops/host_op.h"

namespace omserve::hostops {

// Input "text" BYTES [1]: one text a row. Outputs "input_ids" INT64 [length], and "attention_mask"
// INT64 [length], 1 where there is a token and 0 where there is padding.
//
// Words are what stands between spaces (ASCII white space and the characters of `strip`). Texts are
// bytes: UTF-8 is neither checked nor needed, and lower case is that of ASCII letters only.
//
// | parameter | default | meaning |
// |---|---|---|
// | vocab | must be given | JSON file in the model's folder: array of words, index = number |
// | length | must be given | tokens a row, 1 to 1048576 |
// | lower_case | true | A to Z become a to z before words are looked up |
// | strip | ?. | characters that count as spaces |
// | isolate | none | characters that are words of their own even with no space around them |
// | unk | <unk> | the word that stands for words not in `vocab` |
// | bos, eos | <bos>, <eos> | words put in front and at the end; empty: none |
// | pad | <pad> | the word that fills up |
// | truncate | false | true: words beyond `length` are dropped, bos and eos stay; false: such a |
// | | | text is refused |
// | input, ids, mask | text, input_ids, attention_mask | names of the tensors |
absl::StatusOr<std::unique_ptr<HostOp>> MakeTokenize(const HostOpConfig& config);

}  // namespace omserve::hostops
