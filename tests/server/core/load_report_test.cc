// SPDX-License-Identifier: Apache-2.0
#include "server/core/load_report.h"

#include <catch2/catch.hpp>

namespace omserve::server {
namespace {

TEST_CASE("Load reports as ORCA has them", "[load]") {
  const LoadReport report = {{"queue_rows", 3}, {"device_utilization", 0.25}};
  CHECK(LoadText(report, LoadFormat::kText) ==
        "TEXT named_metrics.queue_rows=3, named_metrics.device_utilization=0.25");
  CHECK(LoadText(report, LoadFormat::kJson) ==
        R"(JSON {"named_metrics":{"queue_rows":3,"device_utilization":0.25}})");
  CHECK(LoadText({}, LoadFormat::kJson) == R"(JSON {"named_metrics":{}})");
  CHECK(ReadLoadFormat("TEXT") == LoadFormat::kText);
  CHECK(ReadLoadFormat("json") == LoadFormat::kJson);
  CHECK_FALSE(ReadLoadFormat("bin").has_value());
  CHECK_FALSE(ReadLoadFormat("").has_value());
}

}  // namespace
}  // namespace omserve::server
