// SPDX-License-Identifier: Apache-2.0
// Traced requests as a picture: JSON that Perfetto and chrome://tracing open. A track for each
// stream of each lane with what the device did, for what waits on a lane, for host steps, and for
// the requests; arrows lead from a request to its batch, and on to the step on the stream.
//
// Source: the Trace Event Format of Chrome (complete events, flow events, metadata).
#pragma once

#include <string>

#include "server/core/tracing/trace_capture.h"

namespace omserve::server {

// Times are microseconds since the capture began. On a track no two slices overlap, and they stand
// in the order of their beginnings; where a device's clock and the host's disagree by a little, a
// slice begins where the one before it ends. Pure.
std::string ChromeTraceJson(const Captured& captured);

}  // namespace omserve::server
