// SPDX-License-Identifier: Apache-2.0
// The program itself: exit codes, and what goes to which stream.
#include <sys/wait.h>

#include <algorithm>
#include <catch2/catch.hpp>
#include <cstdlib>
#include <string>

#include "runtime/base/file.h"
#include "tests/status_test_util.h"
#include "tests/tools/omc/onnx_builder.h"

namespace omserve::omc {
namespace {

struct Outcome {
  int exit_code;
  std::string out;
  std::string err;
};

Outcome RunOmc(const std::string& arguments) {
  const std::string command = OMSERVE_BINARY_DIR "/bin/omc " + arguments + " >out.txt 2>err.txt";
  const int status = std::system(command.c_str());  // NOLINT: the test has one thread.
  return Outcome{.exit_code = WIFEXITED(status) ? WEXITSTATUS(status) : -1,
                 .out = VALUE(ReadFile("out.txt")),
                 .err = VALUE(ReadFile("err.txt"))};
}

// The way a user goes: compile, then look at the file.
TEST_CASE("omc compiles and inspects", "[main]") {
  REQUIRE_OK(WriteFileAtomically("linear.onnx", LinearModel()));
  const Outcome compiled = RunOmc("compile linear.onnx -o linear.om --batch-gears 1,2");
  CHECK(compiled.err.empty());
  CHECK(compiled.exit_code == 0);
  CHECK_THAT(compiled.out, Catch::Contains("linear.om: model 'linear'"));
  const Outcome inspected = RunOmc("inspect linear.om");
  CHECK(inspected.exit_code == 0);
  CHECK_THAT(inspected.out, Catch::Contains("y:0:y"));
  CHECK(RunOmc("inspect linear.om --json").out.front() == '{');
  const Outcome written = RunOmc("inspect linear.om --model-json -o linear.json");
  CHECK(written.exit_code == 0);
  CHECK(written.out.empty());
  CHECK_THAT(VALUE(ReadFile("linear.json")), Catch::Contains("\"graph\": ["));
}

// A failure is exit code 1 and one line on stderr, nothing on stdout, and no file.
TEST_CASE("omc fails with one line", "[main]") {
  REQUIRE_OK(WriteFileAtomically("linear.onnx", LinearModel()));
  for (const char* arguments :
       {"compile linear.onnx -o bad.om", "inspect linear.onnx",
        "inspect linear.onnx --model-json -o bad.om", "compile none.onnx -o bad.om",
        "inspect none.om", "compile linear.onnx -o bad.om --batch-gears 0"}) {
    CAPTURE(arguments);
    const Outcome outcome = RunOmc(arguments);
    CHECK(outcome.exit_code == 1);
    CHECK(outcome.out.empty());
    CHECK(outcome.err.rfind("omc: ", 0) == 0);
    CHECK(std::count(outcome.err.begin(), outcome.err.end(), '\n') == 1);
  }
  CHECK_FALSE(ReadFile("bad.om").ok());
}

// Wrong usage is exit code 2; asking for help is none.
TEST_CASE("omc tells wrong usage from failure", "[main]") {
  for (const char* arguments :
       {"", "frobnicate", "compile", "compile a.onnx", "inspect", "inspect a.om --yaml",
        "inspect a.om --json --model-json", "inspect a.om --model -1",
        "compile a.onnx -o a.om --batch-gears 1 --dims-gears 1"}) {
    CAPTURE(arguments);
    const Outcome outcome = RunOmc(arguments);
    CHECK(outcome.exit_code == 2);
    CHECK_FALSE(outcome.err.empty());
  }
  const Outcome help = RunOmc("--help");
  CHECK(help.exit_code == 0);
  CHECK_THAT(help.out,
             Catch::Contains("omc compile vision.onnx -o vision.om --batch-gears 1,2,4,8"));
  CHECK_THAT(RunOmc("compile --help").out, Catch::Contains("--input-shape"));
  CHECK_THAT(RunOmc("inspect --help").out, Catch::Contains("omc inspect vision.om --model-json"));
  CHECK(RunOmc("--version").out.rfind("omc ", 0) == 0);
}

}  // namespace
}  // namespace omserve::omc
