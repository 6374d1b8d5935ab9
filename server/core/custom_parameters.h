// SPDX-License-Identifier: Apache-2.0
// Request parameters that nobody here knows, as whoever looks at a trace sees them: a compiled
// model takes none.
#pragma once

#include <string_view>

#include "config/header_pattern.h"
#include "server/core/tracing/request_trace.h"

namespace omserve::server {

// Not one that the daemon itself obeys, over any protocol.
bool IsCustomParameter(std::string_view name);

// Beyond kMostTracedParameters it is passed over, as is a name that is there already.
void TraceParameter(std::string_view name, std::string_view value, RequestTrace& trace);

// A header of the request, where `pattern` takes it, by its name in lower case; likewise. Bytes
// that are no printable ASCII are told as '?'.
void TraceHeader(const config::HeaderPattern& pattern, std::string_view name,
                 std::string_view value, RequestTrace& trace);

}  // namespace omserve::server
