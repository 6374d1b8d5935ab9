// SPDX-License-Identifier: Apache-2.0
// What each path of the HTTP port answers; no socket in here.
//
// Source: KServe v2's REST paths for health, and Prometheus' text format 0.0.4.
#pragma once

#include <string>
#include <string_view>

#include "server/core/catalog.h"
#include "server/core/lifecycle.h"
#include "server/core/metrics.h"
#include "server/core/readiness.h"
#include "server/http/path.h"

namespace omserve::server {

struct HttpReply {
  int status = 200;
  std::string content_type = "application/json";
  std::string body;
  std::string allow;        // Of a 405: the verbs that exist.
  int retry_after_s = 0;    // 0: the client is told nothing.
  std::string_view reason;  // Of a refusal, by RefusalReasonName.
};

// Thread-safe. The references outlive it.
class HttpRoutes final {
 public:
  struct Sources {
    const Catalog& catalog;
    const Lifecycle& lifecycle;
    const Readiness& readiness;
    const Metrics& metrics;
    std::string name;     // Of the server, in its metadata.
    std::string version;  // Likewise.
  };
  explicit HttpRoutes(Sources sources) : sources_(std::move(sources)) {}

  // `target` is the request line's, with a query or without. HEAD is answered as GET: who writes
  // the reply leaves out the body.
  HttpReply Answer(std::string_view verb, std::string_view target) const;

 private:
  // `path` without its query. A status of 404 where there is no such path.
  HttpReply Get(std::string_view path) const;
  HttpReply ModelReady(const ModelTarget& target) const;
  HttpReply ServerMetadata() const;

  const Sources sources_;
};

// {"error":"TEXT"} with `status`.
HttpReply HttpError(int status, std::string_view text);
// With what a refusal (scheduler/refusal.h) says beside its message.
HttpReply HttpError(const absl::Status& status);

}  // namespace omserve::server
