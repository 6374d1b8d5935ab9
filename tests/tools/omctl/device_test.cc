// SPDX-License-Identifier: Apache-2.0
// `omctl device` on the CPU device of this build and on libraries that lack something.
#include <boost/json.hpp>
#include <catch2/catch.hpp>
#include <filesystem>
#include <string>

#include "tests/tools/omctl/omctl_run.h"

namespace omserve::omctl {
namespace {

using Catch::Matchers::Contains;
using testing::CheckFails;
using testing::Outcome;
using testing::RunOmctl;

constexpr char kHostLibrary[] = OMSERVE_BINARY_DIR "/lib/libascendcl.so";

std::string Library(const std::string& path) { return "device --library " + path; }

boost::json::value ParseJson(const std::string& text) {
  boost::system::error_code error;
  boost::json::value value = boost::json::parse(text, error);
  INFO(text);
  REQUIRE_FALSE(error);
  return value;
}

// The CPU device has everything: no table of what is missing.
TEST_CASE("omctl device tells of the CPU device", "[device]") {
  const Outcome outcome = RunOmctl(Library(kHostLibrary));
  CHECK(outcome.exit_code == 0);
  CHECK(outcome.err.empty());
  CHECK_THAT(outcome.out, Contains(std::filesystem::canonical(kHostLibrary).string()) &&
                              Contains("CPU device") && Contains("OmserveHost") &&
                              Contains("run mode   host") && Contains("normal") &&
                              !Contains("FUNCTION"));
}

// The same for programs: every value under a name.
TEST_CASE("omctl device prints JSON", "[device]") {
  const Outcome outcome = RunOmctl(Library(kHostLibrary) + " --json");
  CHECK(outcome.exit_code == 0);
  const boost::json::value json = ParseJson(outcome.out);
  CHECK(json.at("kind").as_string() == "CPU device");
  CHECK(json.at("soc_name").as_string() == "OmserveHost");
  CHECK(json.at("run_mode").as_string() == "host");
  CHECK(json.at("missing_functions").as_array().empty());
  REQUIRE(json.at("devices").as_array().size() == 1);
  const boost::json::value& device = json.at("devices").at(0);
  CHECK(device.at("id") == 0);
  CHECK(device.at("state").as_string() == "normal");
  CHECK(device.at("total_bytes").to_number<int64_t>() > 0);
  CHECK_FALSE(json.as_object().contains("passed_over"));
}

// All functions, with the release that brought them, on request.
TEST_CASE("omctl device --symbols lists all functions", "[device]") {
  const Outcome outcome = RunOmctl(Library(kHostLibrary) + " --symbols");
  CHECK_THAT(outcome.out, Contains("aclrtMalloc ") && Contains("(needed)") &&
                              Contains("aclrtCreateEventExWithFlag") && Contains("7.1"));
  const boost::json::value json =
      ParseJson(RunOmctl(Library(kHostLibrary) + " --symbols --json").out);
  CHECK(json.at("functions").as_array().size() ==
        json.at("needed_functions").to_number<size_t>() +
            json.at("later_functions").to_number<size_t>());
}

// The settings file of omserved counts as it does there.
TEST_CASE("omctl device takes omserved's settings", "[device]") {
  REQUIRE_OK(WriteFileAtomically(
      "omserve.yaml",
      std::string("device:\n  library: ") + kHostLibrary + "\n  host:\n    device_count: 3\n"));
  const Outcome outcome = RunOmctl("device --config omserve.yaml");
  CHECK(outcome.exit_code == 0);
  CHECK_THAT(outcome.out, Contains("devices    3"));
  CheckFails(RunOmctl("device --config no_such.yaml"), "NOT_FOUND");
}

// A library of CANN 5.0 works; each function that it lacks is told with what is done instead.
TEST_CASE("omctl device tells what an old library lacks", "[device]") {
  const Outcome outcome = RunOmctl(Library(OMSERVE_LEGACY_LIBRARY));
  CHECK(outcome.exit_code == 0);
  CHECK_THAT(outcome.out, Contains("0 of ") && Contains("FUNCTION") &&
                              Contains("aclrtStreamGetId") && Contains("8.5") &&
                              Contains("a task's failure counts for all streams") &&
                              Contains("not told") && Contains("open"));
}

// What cannot be opened is one line with the remedy, and exit status 1.
TEST_CASE("omctl device fails with one line", "[device]") {
  const Outcome missing = RunOmctl(Library("no/such/libascendcl.so"));
  CheckFails(missing, "UNAVAILABLE");
  CHECK(missing.out.empty());
  CHECK_THAT(missing.err, Contains("no/such/libascendcl.so") && Contains("set_env.sh") &&
                              Contains("'" + std::filesystem::canonical(kHostLibrary).string()));
  const Outcome partial = RunOmctl(Library(OMSERVE_PARTIAL_LIBRARY));
  CheckFails(partial, "UNAVAILABLE");
  CHECK_THAT(partial.err, Contains("has no function") && Contains("CANN 5.0"));
  const Outcome no_driver = RunOmctl(Library(OMSERVE_LIBRARY_WITHOUT_DRIVER));
  CheckFails(no_driver, "UNAVAILABLE");
  CHECK_THAT(no_driver.err, Contains("libascend_hal.so") && Contains("driver is missing"));
}

// A device that does not open leaves the rest to be seen, and is a failure.
TEST_CASE("omctl device shows a device that does not open", "[device]") {
  REQUIRE_OK(WriteFileAtomically("failing.yaml", std::string("device:\n  library: ") +
                                                     OMSERVE_FAILING_LIBRARY +
                                                     "\n  config_file: aclrtSetDevice=507033\n"));
  const Outcome outcome = RunOmctl("device --config failing.yaml");
  CheckFails(outcome, "UNAVAILABLE");
  CHECK_THAT(outcome.out, Contains("OmserveHost") && Contains("507033"));
  REQUIRE_OK(WriteFileAtomically("none.yaml", std::string("device:\n  library: ") +
                                                  OMSERVE_FAILING_LIBRARY +
                                                  "\n  config_file: no_device=0\n"));
  const Outcome none = RunOmctl("device --config none.yaml");
  CheckFails(none, "UNAVAILABLE");
  CHECK_THAT(none.err, Contains("no NPU is visible"));
}

// A CANN without its driver comes first in the loader's path: the CPU device stands in, and says
// what was passed over.
TEST_CASE("omctl device tells of a CANN that is passed over", "[device]") {
  const std::string folder =
      std::filesystem::path(OMSERVE_LIBRARY_WITHOUT_DRIVER).parent_path().string();
  const Outcome outcome = RunOmctl("device", "LD_LIBRARY_PATH=" + folder);
  CHECK(outcome.exit_code == 0);
  CHECK_THAT(outcome.out, Contains("CPU device") && Contains("not used") &&
                              Contains("libascend_hal.so") && Contains("driver is missing"));
}

// Wrong usage is exit status 2; help names the options.
TEST_CASE("omctl device tells wrong usage from failure", "[device]") {
  CHECK(RunOmctl("device --nonsense").exit_code == 2);
  const Outcome help = RunOmctl("device --help");
  CHECK(help.exit_code == 0);
  CHECK_THAT(help.out, Contains("--library") && Contains("--symbols") && Contains("errors"));
}

// Completion knows the command and its options, and its script is one that bash accepts.
TEST_CASE("omctl completion knows device", "[device]") {
  const Outcome outcome = RunOmctl("completion bash");
  CHECK(outcome.exit_code == 0);
  REQUIRE_OK(WriteFileAtomically("completion.bash", outcome.out));
  const std::string complete =
      "bash -c 'source completion.bash; COMP_WORDS=(omctl %) COMP_CWORD=1; _omctl; "
      "echo ${COMPREPLY[@]}' >words.txt";
  const auto words_for = [&complete](const std::string& word) {
    std::string command = complete;
    command.replace(command.find('%'), 1, word);
    CHECK(std::system(command.c_str()) == 0);  // NOLINT: the test has one thread.
    return VALUE(ReadFile("words.txt"));
  };
  CHECK(words_for("dev") == "device\n");
  CHECK(words_for("--sym") == "--symbols\n");
}

}  // namespace
}  // namespace omserve::omctl
