// SPDX-License-Identifier: Apache-2.0
// Answers over HTTP that tell their client of load, where it asks for it and may know.
#pragma once

#include "server/core/front_door.h"
#include "server/core/load_report.h"
#include "server/http/http_handler.h"
#include "server/http/infer_json.h"

namespace omserve::server {

inline void NoteLoadFormat(const HttpRequest& request, RestCall& rest) {
  rest.load = ReadLoadFormat(request.Field("endpoint-load-metrics-format"));
}

inline void TellLoad(const FrontDoor& door, const RestCall& rest, HttpReply& reply) {
  if (rest.load.has_value() && door.metrics != nullptr) {
    reply.AddField("endpoint-load-metrics",
                   LoadText(door.metrics->ReportLoad(*rest.call.model), *rest.load));
  }
}

}  // namespace omserve::server
