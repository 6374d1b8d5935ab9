// SPDX-License-Identifier: Apache-2.0
// A request while an engine has it. Of the device thread.
#pragma once

#include <cstddef>
#include <cstdint>
#include <map>
#include <memory>
#include <span>
#include <vector>

#include "absl/container/inlined_vector.h"
#include "absl/status/status.h"
#include "scheduler/content_digest.h"
#include "scheduler/ids.h"
#include "scheduler/request.h"
#include "scheduler/stage_times.h"

namespace omserve::scheduler {

// Where one tensor of a request is.
struct TensorPlace {
  std::span<const std::byte> host;    // When it is on the host.
  Dims host_dims;                     // Full dims.
  std::shared_ptr<const void> owner;  // Of `host`, unless the request itself owns it.
  BatchId batch = 0;                  // The batch that makes it on the device.
  int batch_output = 0;
  size_t offset_bytes = 0;
  size_t size_bytes = 0;
  int64_t padding_elements = 0;  // Of an input of the request.
};

// A request that runs in parts, from its arrival until nothing in flight touches its memory.
struct SplitRequest {
  std::unique_ptr<InferRequest> in;
  std::vector<RequestId> parts;
  std::vector<InferResponse> answers;  // By part.
  // By wanted output: where the parts' rows stand one after the other; without an owner while no
  // part was launched alone.
  std::vector<OutputPlace> places;
  size_t unanswered = 0;  // Parts.
  size_t unretired = 0;
  bool answered = false;
};

// What the engine has of a request, or of a part of one, from its arrival until nothing in flight
// touches its memory.
struct ActiveRequest {
  std::unique_ptr<InferRequest> in;
  std::vector<TensorPlace> places;  // By plan tensor.
  absl::Status failure;
  std::vector<StepTrace> trace;
  std::map<int, ContentDigest> digests;       // Of inputs that were not known, by node.
  absl::InlinedVector<StepStamps, 1> stamps;  // By plan node.
  Instant arrived;
  SplitRequest* split = nullptr;  // Whose part it is, which one,
  size_t part = 0;
  int first_row = 0;        // and where its rows begin.
  std::vector<bool> given;  // By wanted output: an early answer had it. Empty: none.
  bool has_news = false;    // Outputs came that no early answer had yet.
  bool is_answered = false;

  const InferRequest& whole() const { return split != nullptr ? *split->in : *in; }

  void Clear() {
    in.reset();
    places.clear();
    failure = absl::OkStatus();
    trace.clear();
    digests.clear();
    stamps.clear();
    split = nullptr;
    part = 0;
    first_row = 0;
    given.clear();
    has_news = false;
    is_answered = false;
  }
};

}  // namespace omserve::scheduler
