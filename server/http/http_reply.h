// SPDX-License-Identifier: Apache-2.0
// An answer over HTTP, before it is bytes on a connection.
#pragma once

#include <boost/json/value.hpp>
#include <cstddef>
#include <memory>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "absl/status/status.h"

namespace omserve::server {

struct HttpReply {
  int status = 200;
  std::string_view content_type = "application/json";  // Of a constant.
  std::string fields;                                  // More header lines, from AddField.
  std::string body;
  std::vector<std::span<const std::byte>> tensors;  // Sent after `body` from where they are:
  std::shared_ptr<const void> owner;                // this keeps them.

  // `value` is without line breaks.
  void AddField(std::string_view name, std::string_view value);
  size_t size_bytes() const;  // Of body and tensors.
};

HttpReply HttpJson(int status, const boost::json::value& body);
// {"error":"TEXT"} with `status`.
HttpReply HttpError(int status, std::string_view text);
// With what a refusal (scheduler/refusal.h) says beside its message.
HttpReply HttpError(const absl::Status& status);

}  // namespace omserve::server
