// SPDX-License-Identifier: Apache-2.0
#include "server/core/trace_json.h"

#include <boost/json.hpp>
#include <chrono>

namespace omserve::server {

std::string TraceToJson(const std::vector<scheduler::StepTrace>& trace) {
  boost::json::array steps;
  for (const scheduler::StepTrace& step : trace) {
    steps.push_back(boost::json::object{
        {"step", step.step},
        {"model", step.model},
        {"lane", step.lane},
        {"stream", step.stream},
        {"batch_rows", step.batch_rows},
        {"gear_rows", step.gear_rows},
        {"reason", boost::json::string_view(step.reason.data(), step.reason.size())},
        {"start_us", step.start_us},
        {"end_us", step.end_us}});
  }
  return boost::json::serialize(steps);
}

std::string StagesToJson(const scheduler::StageTimes& times) {
  const auto us = [](Clock::duration duration) {
    return std::chrono::duration<double, std::micro>(duration).count();
  };
  boost::json::object stages{{"total_us", us(times.total)}};
  for (size_t s = 0; s < scheduler::kStageCount; ++s) {
    stages[std::string(scheduler::StageName(static_cast<scheduler::Stage>(s))) + "_us"] =
        us(times.stages[s]);
  }
  return boost::json::serialize(stages);
}

}  // namespace omserve::server
