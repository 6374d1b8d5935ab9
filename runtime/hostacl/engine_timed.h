// SPDX-License-Identifier: Apache-2.0
// The engine that lets time pass in place of computing: an execution takes the cost of its gear on
// the device's shared cores (clocked_cores.h), and answers by timed_function.h.
//
// Where every input and output of a model has the same dim 0 at each gear, that is the rows, and
// each row is answered for itself; else the tensors are one row as a whole.
#pragma once

#include <memory>

#include "runtime/hostacl/engine.h"

namespace omserve::hostacl {

// Needs no library. Its Load refuses with ACL_ERROR_GE_LOAD_MODEL a model that has no cost at some
// gear, costs for gears that it has not, and one that wants more cores than a device has. The time
// of an execution is over no sooner than the cost, later when the function takes longer than that.
std::unique_ptr<Engine> MakeTimedEngine(const Settings& settings);

}  // namespace omserve::hostacl
