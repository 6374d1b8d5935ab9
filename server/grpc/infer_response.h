// SPDX-License-Identifier: Apache-2.0
// A ModelInferResponse as bytes, with its tensors where the device left them; also in a stream.
#pragma once

#include <grpcpp/support/byte_buffer.h>

#include <string>
#include <string_view>

#include "server/core/inference.h"
#include "server/grpc/infer_start.h"

namespace omserve::server {

// The serialised inference.ModelInferResponse: outputs in order, each with its raw_output_contents;
// `id` is echoed. Larger tensors are not copied: their slices keep the pinned blocks until gRPC has
// sent them, so the pool must outlive the server's connections. Requires result.status.ok(), and
// that ClassifyOutputs was called.
grpc::ByteBuffer BuildInferResponse(const std::string& id, const InferResult& result);

// The same in an inference.ModelStreamInferResponse, which says whether it is the last answer to
// its request, and for a decoupled model that batches in omserve_first_row which rows it is of.
grpc::ByteBuffer BuildStreamResponse(const std::string& id, const InferResult& result);
// An inference.ModelStreamInferResponse that says why a request has no answer.
grpc::ByteBuffer BuildStreamError(const RequestNames& names, std::string_view message);

}  // namespace omserve::server
