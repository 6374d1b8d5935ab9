// SPDX-License-Identifier: Apache-2.0
// A ModelInferResponse as bytes, with its tensors where the device left them.
#pragma once

#include <grpcpp/support/byte_buffer.h>

#include <string>

#include "server/core/inference.h"

namespace omserve::server {

// The serialised inference.ModelInferResponse: outputs in order, each with its raw_output_contents;
// `id` is echoed. Larger tensors are not copied: their slices keep the pinned blocks until gRPC has
// sent them, so the pool must outlive the server's connections. Requires result.status.ok().
grpc::ByteBuffer BuildInferResponse(const std::string& id, const InferResult& result);

}  // namespace omserve::server
