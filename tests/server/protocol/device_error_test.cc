// SPDX-License-Identifier: Apache-2.0
// What a client reads when the device fails its request, and that the next request is served.
#include <catch2/catch.hpp>
#include <string>

#include "runtime/base/file.h"
#include "tests/server/protocol/daemon_fixture.h"

namespace omserve::server {
namespace {

using Catch::Matchers::Contains;

// A daemon whose device fails by one rule, asked twice.
grpc::Status FirstOfTwo(const std::string& rule) {
  Repository repository;
  repository.AddText();
  const TempFolder folder;
  const std::string file = folder.path() + "/acl.json";
  REQUIRE(WriteFileAtomically(file, R"({"hostacl": {"faults": [)" + rule + "]}}").ok());
  TestDaemon daemon(repository, [&file](ServerConfig& config) {
    config.mutable_device()->set_config_file(file);
  });
  inference::ModelInferResponse response;
  const grpc::Status first = daemon.client().Infer(TextRequest("text", 1), &response);
  const grpc::Status second = daemon.client().Infer(TextRequest("text", 1), &response);
  INFO(second.error_message());
  CHECK(second.ok());
  CHECK(first.error_message().find('\n') == std::string::npos);
  return first;
}

// A task that fails: the stream, the code with its name, the cause, what to do, the device's words.
TEST_CASE("a failed task is explained to the client", "[protocol][1.15/internal]") {
  const grpc::Status status = FirstOfTwo(R"({"task": "execute", "nth": 1, "code": 507018})");
  CHECK(status.error_code() == grpc::StatusCode::INTERNAL);
  CHECK_THAT(status.error_message(),
             Catch::Matchers::Matches(
                 "step 'text': a task of stream [0-9]+ on device 0 failed with 507018 "
                 "\\(ACL_ERROR_RT_AICPU_EXCEPTION\\): a program stopped on an AI CPU, often at an "
                 "index out of range; check the values that the request sends; the device says: "
                 ".*fault rule 0.*"));
}

// A call that fails: the function instead of the stream. The code decides what the client does.
TEST_CASE("a failed call is explained to the client", "[protocol][1.15/unavailable]") {
  const grpc::Status status =
      FirstOfTwo(R"({"call": "aclmdlExecuteAsync", "nth": 1, "code": 507002})");
  CHECK(status.error_code() == grpc::StatusCode::UNAVAILABLE);
  CHECK_THAT(status.error_message(), Contains("aclmdlExecuteAsync") &&
                                         Contains("ACL_ERROR_RT_STREAM_TASK_FULL") &&
                                         Contains("holds as many tasks as it can; try again"));
}

}  // namespace
}  // namespace omserve::server
