// SPDX-License-Identifier: Apache-2.0
#include "server/http/http_reply.h"

#include <fmt/format.h>

#include <boost/json.hpp>
#include <chrono>
#include <iterator>
#include <optional>

#include "runtime/base/status_macros.h"
#include "scheduler/refusal.h"
#include "server/http/http_status.h"

namespace omserve::server {

void HttpReply::AddField(std::string_view name, std::string_view value) {
  fmt::format_to(std::back_inserter(fields), "{}: {}\r\n", name, value);
}

size_t HttpReply::size_bytes() const {
  size_t size = body.size();
  for (const std::span<const std::byte> tensor : tensors) {
    size += tensor.size();
  }
  return size;
}

HttpReply HttpJson(int status, const boost::json::value& body) {
  return {.status = status, .body = boost::json::serialize(body)};
}

HttpReply HttpError(int status, std::string_view text) {
  return HttpJson(status, {{"error", boost::json::string(text.data(), text.size())}});
}

HttpReply HttpError(const absl::Status& status) {
  HttpReply reply = HttpError(HttpStatusOf(status.code()), MessageOf(status));
  if (const std::optional<scheduler::Refusal> refusal = scheduler::RefusalOf(status)) {
    if (const std::string_view reason = scheduler::RefusalReasonName(refusal->reason);
        !reason.empty()) {
      reply.AddField("Omserve-Refusal", reason);
    }
    // Whole seconds are all that HTTP knows.
    const auto retry_after = std::chrono::ceil<std::chrono::seconds>(refusal->retry_after);
    if (retry_after.count() > 0) {
      reply.AddField("Retry-After", std::to_string(retry_after.count()));
    }
  }
  return reply;
}

}  // namespace omserve::server
