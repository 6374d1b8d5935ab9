// SPDX-License-Identifier: Apache-2.0
// An inference over HTTP, from its bytes to the core and back; no socket in here.
#pragma once

#include <functional>
#include <memory>
#include <optional>
#include <string>

#include "absl/status/statusor.h"
#include "runtime/base/clock.h"
#include "server/core/catalog.h"
#include "server/core/inference.h"
#include "server/core/lifecycle.h"
#include "server/http/infer_json.h"
#include "server/http/path.h"

namespace omserve::server {

// POST .../infer as it came.
struct InferMessage {
  ModelTarget target;
  std::string body;
  std::string header_bytes;  // Inference-Header-Content-Length; empty: none.
  std::string encoding;      // Content-Encoding; empty: none.
  scheduler::Instant received;
};

// Thread-safe. The references outlive it.
class InferRoute final {
 public:
  struct Sources {
    const Catalog& catalog;
    Inference& inference;
    const Lifecycle& lifecycle;
  };
  explicit InferRoute(const Sources& sources) : sources_(sources) {}

  // Reads the message and starts the inference; `done` as in Inference::Start. Nothing of the
  // message is used after the return. `rest` is what the answer has to be built with, in place
  // before `done` can run. Does not block, but takes the time that reading the body takes. Errors:
  // those of Catalog::Find, ParseInferBody and Inference::Start; kUnavailable while models load;
  // kUnimplemented for a compressed body.
  absl::StatusOr<scheduler::RequestId> Start(const InferMessage& message, RestCall& rest,
                                             std::function<void(InferResult)> done) const;
  void Cancel(scheduler::RequestId id) const { sources_.inference.Cancel(id); }

 private:
  const Sources sources_;
};

}  // namespace omserve::server
