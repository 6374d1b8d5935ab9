// SPDX-License-Identifier: Apache-2.0
// How the thread of a server's completion queue waits for its events.
#pragma once

namespace omserve::server {

// Whether a queue's thread waits in gRPC. There it takes up events of every server of the process,
// and hands those of others on to their threads: a second queue that waits for its few calls costs
// the busy one a fifth of its speed.
enum class QueueWaits {
  kAlways,
  // It looks every 20 ms, and for as long after each event. Needs another queue that always waits,
  // which takes up its events then.
  kNowAndThen,
};

}  // namespace omserve::server
