// SPDX-License-Identifier: Apache-2.0
// Where an engine's requests go when it cannot serve them and others can.
#pragma once

#include <memory>

#include "scheduler/request.h"

namespace omserve::scheduler {

// Called on the device thread; must not block.
class Diversion {
 public:
  virtual ~Diversion() = default;
  // A request that the engine had accepted, of which nothing ever ran, and whose device is lost.
  // Null: it is answered elsewhere. Else it comes back, and the engine answers it.
  virtual std::unique_ptr<InferRequest> Divert(std::unique_ptr<InferRequest> request) = 0;
  // A cancellation of a request that the engine does not have: it was answered, or diverted.
  virtual void CancelDiverted(RequestId id) = 0;
};

}  // namespace omserve::scheduler
