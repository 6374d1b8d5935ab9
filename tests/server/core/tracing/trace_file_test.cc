// SPDX-License-Identifier: Apache-2.0
#include "server/core/tracing/trace_file.h"

#include <boost/json.hpp>
#include <catch2/catch.hpp>
#include <string>
#include <vector>

#include "runtime/base/file.h"
#include "tests/server/core/tracing/traces.h"
#include "tests/status_test_util.h"

namespace omserve::server {
namespace {

namespace json = boost::json;

json::array Elements(const std::string& file) {
  json::error_code error;
  const json::value value = json::parse(VALUE(ReadFile(file)), error);
  REQUIRE_FALSE(error);
  return value.as_array();
}

// A model by itself: one element for the request, one with its times in order.
TEST_CASE("A trace as tritonserver writes it", "[trace_file]") {
  auto request = Request("text", 1, 1000, 9000);
  request->request_id = "q";
  request->steps = {DeviceStep("text", 1, 1100, 1500, 3000)};
  request->inputs = {{.name = "in", .datatype = "FP32", .shape = {1, 2}}};
  TraceFile file("one.json");
  REQUIRE_OK(file.Write(std::vector<RequestTraceHandle>{request}, {}));
  json::array elements = Elements("one.json");  // Whole before the end.
  REQUIRE(elements.size() == 3);
  CHECK(elements[0] ==
        json::value{{"id", 1}, {"model_name", "text"}, {"model_version", 1}, {"request_id", "q"}});
  std::vector<std::string> names;
  int64_t last = 0;
  for (const json::value& stamp : elements[1].at("timestamps").as_array()) {
    names.emplace_back(std::string_view(stamp.at("name").as_string()));
    CHECK(stamp.at("ns").to_number<int64_t>() >= last);
    last = stamp.at("ns").to_number<int64_t>();
  }
  CHECK(names == std::vector<std::string>{"REQUEST_START", "QUEUE_START", "COMPUTE_START",
                                          "COMPUTE_INPUT_END", "COMPUTE_OUTPUT_START",
                                          "COMPUTE_END", "REQUEST_END"});
  CHECK(elements[2].at("tensor").at("shape") == "[1,2]");
  // A pipeline's steps are its children.
  auto pipeline = Request("scenes", 2, 1000, 9000);
  pipeline->steps = {DeviceStep("vision", 1, 1100, 1500, 3000),
                     DeviceStep("text", 1, 1100, 1500, 3000)};
  REQUIRE_OK(file.Write(std::vector<RequestTraceHandle>{pipeline}, {}));
  REQUIRE_OK(file.Close());
  elements = Elements("one.json");
  REQUIRE(elements.size() == 9);
  CHECK(elements[3].at("id") == 2);
  CHECK(elements[5].at("id") == 3);
  CHECK(elements[5].at("parent_id") == 2);
  CHECK(elements[7].at("model_name") == "text");
}

// log_frequency: a file for each so many traces.
TEST_CASE("Traces in several files", "[trace_file]") {
  TraceFile file("many.json");
  for (SpanId i = 1; i <= 5; ++i) {
    auto request = Request("text", i, 1000, 9000);
    request->log_frequency = 2;
    REQUIRE_OK(file.Write(std::vector<RequestTraceHandle>{request}, {}));
  }
  REQUIRE_OK(file.Close());
  CHECK(Elements("many.json.0").size() == 4);
  CHECK(Elements("many.json.1").size() == 4);
  CHECK(Elements("many.json.2").size() == 2);
  CHECK(Elements("many.json.2")[0].at("id") == 5);
}

// What was written before it failed stays, and is not begun anew.
TEST_CASE("A file that cannot be written", "[trace_file]") {
  TraceFile file("no/such/folder/t.json");
  const std::vector<RequestTraceHandle> traces{Request("text", 1, 1000, 9000)};
  CHECK(file.Write(traces, {}).code() == absl::StatusCode::kInternal);
  CHECK(file.Write(traces, {}).code() == absl::StatusCode::kInternal);
  CHECK(file.Close().code() == absl::StatusCode::kInternal);
}

}  // namespace
}  // namespace omserve::server
