// SPDX-License-Identifier: Apache-2.0
#include "server/http/infer_route.h"

#include <charconv>
#include <utility>

#include "runtime/base/errors.h"

namespace omserve::server {
namespace {

absl::StatusOr<std::optional<size_t>> HeaderBytes(const std::string& text) {
  if (text.empty()) {
    return std::nullopt;
  }
  size_t bytes = 0;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), bytes);
  if (error != std::errc() || end != text.data() + text.size()) {
    return InvalidArgument("Inference-Header-Content-Length is '{}', expected a number of bytes",
                           text.substr(0, 32));
  }
  return bytes;
}

}  // namespace

absl::StatusOr<scheduler::RequestId> InferRoute::Start(
    const InferMessage& message, RestCall& rest, std::function<void(InferResult)> done) const {
  if (sources_.lifecycle.state() == LifecycleState::kStarting) {
    return scheduler::ToStatus({.reason = scheduler::RefusalReason::kStarting},
                               "the server is still loading its models; retry when it is ready");
  }
  if (!message.encoding.empty() && message.encoding != "identity") {
    return Unimplemented(
        "Content-Encoding '{}' is not supported by omserve yet; send the body as it is",
        message.encoding.substr(0, 32));
  }
  ASSIGN_OR_RETURN(ModelHandle model,
                   sources_.catalog.Find(message.target.model, message.target.version));
  ASSIGN_OR_RETURN(const std::optional<size_t> header_bytes, HeaderBytes(message.header_bytes));
  ASSIGN_OR_RETURN(rest, ParseInferBody(message.body, header_bytes, std::move(model)));
  rest.call.received = message.received;
  return sources_.inference.Start(rest.call, std::move(done));
}

}  // namespace omserve::server
