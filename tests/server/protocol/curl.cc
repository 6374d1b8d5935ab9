// SPDX-License-Identifier: Apache-2.0
#include "tests/server/protocol/curl.h"

#include <sys/wait.h>

#include <catch2/catch.hpp>
#include <cstdlib>

#include "runtime/base/file.h"
#include "tests/status_test_util.h"

namespace omserve::server {

CurlAnswer Curl(const std::string& arguments) {
  const std::string command = "curl -sS --max-time 30 -o answer -D header -w '%{http_code}' " +
                              arguments + " >status 2>error";
  for (const char* file : {"answer", "header"}) {
    REQUIRE_OK(WriteFileAtomically(file, ""));
  }
  const int exit_code = std::system(command.c_str());  // NOLINT: the tests have one thread.
  return {.status = std::atoi(VALUE(ReadFile("status")).c_str()),
          .header = VALUE(ReadFile("header")),
          .body = VALUE(ReadFile("answer")),
          .exit_code = WEXITSTATUS(exit_code)};
}

CurlAnswer Post(int port, const std::string& path, const std::string& body,
                const std::string& more) {
  REQUIRE_OK(WriteFileAtomically("body", body));
  return Curl(more + " --data-binary @body 'http://127.0.0.1:" + std::to_string(port) + path + "'");
}

}  // namespace omserve::server
