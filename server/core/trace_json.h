// SPDX-License-Identifier: Apache-2.0
// What a request that asked for a trace is told of itself, in the words of both protocols.
#pragma once

#include <string>
#include <vector>

#include "scheduler/request.h"

namespace omserve::server {

// A JSON array with an object for each step.
std::string TraceToJson(const std::vector<scheduler::StepTrace>& trace);
// A JSON object: the stages and the total in microseconds.
std::string StagesToJson(const scheduler::StageTimes& times);

}  // namespace omserve::server
