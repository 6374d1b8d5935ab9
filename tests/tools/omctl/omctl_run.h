// SPDX-License-Identifier: Apache-2.0
// The real omctl, run once: its exit status, and what went to which stream.
#pragma once

#include <sys/wait.h>

#include <algorithm>
#include <cstdlib>
#include <string>

#include "runtime/base/file.h"
#include "tests/status_test_util.h"

namespace omserve::testing {

struct Outcome {
  int exit_code;
  std::string out;
  std::string err;
};

// `environment` is "NAME=VALUE ..." or empty; `arguments` is for a shell.
inline Outcome RunOmctl(const std::string& arguments, const std::string& environment = "") {
  const std::string command =
      environment + " " OMSERVE_BINARY_DIR "/bin/omctl " + arguments + " >out.txt 2>err.txt";
  const int status = std::system(command.c_str());  // NOLINT: the test has one thread.
  return Outcome{.exit_code = WIFEXITED(status) ? WEXITSTATUS(status) : -1,
                 .out = VALUE(ReadFile("out.txt")),
                 .err = VALUE(ReadFile("err.txt"))};
}

// A failure: exit status 1, and one line "omctl: CODE: why" on standard error.
inline void CheckFails(const Outcome& outcome, const std::string& code) {
  INFO(outcome.err);
  CHECK(outcome.exit_code == 1);
  CHECK(outcome.err.starts_with("omctl: " + code + ": "));
  CHECK(std::count(outcome.err.begin(), outcome.err.end(), '\n') == 1);
}

}  // namespace omserve::testing
