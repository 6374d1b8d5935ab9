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
  // `strict`: of health.strict_readiness.
  Readiness(const Catalog& catalog, const scheduler::Dispatcher& dispatcher, Lifecycle& lifecycle,
            bool strict = true)
      : catalog_(catalog), dispatcher_(dispatcher), lifecycle_(lifecycle), strict_(strict) {}

  // Whether requests for the model are welcome, although the daemon as a whole may not be ready.
  // Errors: those of Catalog::Find.
  absl::StatusOr<bool> IsModelReady(const std::string& name, const std::string& version) const;

  // Every model that was loaded is served by some device.
  bool IsEveryModelServed() const;
  // All is as it shall be: every model of the repository was loaded and is served, and the daemon
  // is in service.
  bool IsConverged() const;

  // The daemon is ready while IsEveryModelServed, or whether or not where it is not strict. To be
  // called when a device was lost or is back, when the catalog has changed, and when the daemon has
  // entered kReady.
  void Update();

 private:
  const Catalog& catalog_;
  const scheduler::Dispatcher& dispatcher_;
  Lifecycle& lifecycle_;
  const bool strict_;
};

}  // namespace omserve::server
