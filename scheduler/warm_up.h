// SPDX-License-Identifier: Apache-2.0
// Runs a model's gears before it is served, so that the first request is as fast as the others and
// predictions rest on measured times from the start.
#pragma once

#include <chrono>
#include <functional>
#include <span>
#include <string>

#include "absl/status/statusor.h"
#include "runtime/acl/device.h"
#include "runtime/acl/model.h"
#include "runtime/base/clock.h"
#include "scheduler/cost_table.h"
#include "scheduler/subgraph.h"
#include "scheduler/warm_up_sample.h"

namespace omserve::scheduler {

// Runs each gear of `shape` `runs` times with inputs of zeros, on streams and in device memory that
// are let go before the return. Ten seconds in all at most: gears beyond stay unmeasured. Blocks;
// the calling thread is bound to the device. Errors: the device's; kDeadlineExceeded when a run
// does not end, whose stream was then destroyed.
absl::StatusOr<CostTable> WarmUp(const acl::Device& device, acl::CompletionThread& completions,
                                 acl::Model& model, const SubgraphShape& shape, int runs,
                                 Clock& clock);

// How long runs of samples begin, of all instances of a model on a device together: nobody else
// makes or mends streams there until they are over.
inline constexpr std::chrono::seconds kMostSampleTime{60};

// Runs each sample `count` times as WarmUp runs gears. No run begins at `until` or later, nor when
// `ends` says so, which it asks before each. Errors, naming the sample: as WarmUp's;
// kDeadlineExceeded where that time is not enough; kUnavailable at the end.
absl::Status RunSamples(const acl::Device& device, acl::CompletionThread& completions,
                        acl::Model& model, const SubgraphShape& shape,
                        std::span<const WarmUpSample> samples, Clock& clock,
                        Clock::time_point until, const std::function<bool()>& ends);

// "1:2.013 2:2.530": rows and milliseconds of each gear that is known, for a log.
std::string CostsToString(const SubgraphShape& shape, const CostTable& costs);

}  // namespace omserve::scheduler
