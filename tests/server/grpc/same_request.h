// SPDX-License-Identifier: Apache-2.0
// Whether a request that was walked holds what the generated parser found in the same bytes.
#pragma once

#include <cstddef>
#include <functional>
#include <string>
#include <string_view>

#include "server/grpc/infer_request.h"

namespace omserve::server {

// `bytes` as gRPC delivers them, in slices of next_size() bytes (at least 1) as far as they go.
grpc::ByteBuffer InSlices(std::string_view bytes, const std::function<size_t()>& next_size);

std::string Joined(const WirePieces& pieces);

// The first difference in words; empty when there is none. Unknown fields, which nobody here keeps,
// do not count.
std::string Difference(const WireInferRequest& walked, inference::ModelInferRequest expected);

}  // namespace omserve::server
