// SPDX-License-Identifier: Apache-2.0
#include "server/grpc/inference_service.h"

#include <utility>

#include "server/grpc/rpc_methods.h"

namespace omserve::server {

InferenceMethods MakeInferenceService(const FrontDoor& door) {
  auto service = std::make_unique<InferenceService>(door);
  RequestInfer infer = [raw = service.get()](auto* context, auto* bytes, auto* writer, auto* queue,
                                             QueueEvent* tag) {
    raw->RequestModelInfer(context, bytes, writer, queue, queue, tag);
  };
  RequestStream stream = [raw = service.get()](auto* context, auto* read_and_write, auto* queue,
                                               QueueEvent* tag) {
    raw->RequestModelStreamInfer(context, read_and_write, queue, queue, tag);
  };
  return {std::move(service), std::move(infer), std::move(stream)};
}

}  // namespace omserve::server
