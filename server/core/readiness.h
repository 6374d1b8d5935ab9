// SPDX-License-Identifier: Apache-2.0
// Whether models are served: they exist, the daemon is in service, and a device that holds them is
// not lost.
#pragma once

#include <string>

#include "absl/status/statusor.h"
#include "scheduler/dispatcher.h"
#include "server/core/catalog.h"
#include "server/core/lifecycle.h"

namespace omserve::server {

// Thread-safe. The references outlive it.
class Readiness final {
 public:
  Readiness(const Catalog& catalog, const scheduler::Dispatcher& dispatcher, Lifecycle& lifecycle)
      : catalog_(catalog), dispatcher_(dispatcher), lifecycle_(lifecycle) {}

  // Whether requests for the model are welcome, although the daemon as a whole may not be ready.
  // Errors: those of Catalog::Find.
  absl::StatusOr<bool> IsModelReady(const std::string& name, const std::string& version) const;

  // The daemon is ready while every model that it loaded is served by some device. To be called
  // when a device was lost or is back, and when the daemon has entered kReady.
  void Update();

 private:
  bool IsEveryModelServed() const;

  const Catalog& catalog_;
  const scheduler::Dispatcher& dispatcher_;
  Lifecycle& lifecycle_;
};

}  // namespace omserve::server
