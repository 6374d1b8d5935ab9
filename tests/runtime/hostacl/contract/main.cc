// SPDX-License-Identifier: Apache-2.0
// acl_conformance: AscendCL's contract, case by case, against any libascendcl.so.
//
//   acl_conformance [--library FILE] [--config acl.json] [--model-dir DIR] [CASE-PATTERN]
//
// Exit code 0 when nothing failed, 1 when something did, 2 for wrong usage.
#define CATCH_CONFIG_RUNNER
#include <fmt/format.h>

#include <algorithm>
#include <catch2/catch.hpp>
#include <cstdlib>
#include <filesystem>
#include <fstream>

#include "runtime/base/status_macros.h"
#include "tests/runtime/hostacl/acl_session.h"
#include "tests/runtime/hostacl/contract/isolation.h"
#include "tests/runtime/hostacl/contract/probe.h"
#include "tests/runtime/hostacl/contract/report.h"
#include "tests/runtime/hostacl/contract/rows.h"
#include "tests/runtime/hostacl/contract/suite.h"
#include "tests/runtime/hostacl/model_files.h"

namespace omserve::hostacl {
namespace {

struct Options {
  bool list = false;
  bool markdown = false;
  bool json = false;
  bool print_models = false;
  std::string write_dir;
  bool foreign = false;
  bool isolate = false;
  std::string only;

  ReportForm form() const {
    return json ? ReportForm::kJson : markdown ? ReportForm::kMarkdown : ReportForm::kText;
  }
};

// The failed cases of Catch's run.
std::set<std::string>& FailedCases() {
  static std::set<std::string> failed;
  return failed;
}

// Functions that the running case may call; what came after CANN 5.0 must be declared by a tag, or
// the case would fail on an older library instead of being skipped.
const ContractCase*& RunningCase() {
  static const ContractCase* running = nullptr;
  return running;
}

std::vector<ContractCase>& AllCases() {
  static std::vector<ContractCase> cases;
  return cases;
}

class CaseWatcher final : public Catch::TestEventListenerBase {
 public:
  using TestEventListenerBase::TestEventListenerBase;
  void testCaseStarting(const Catch::TestCaseInfo& info) override {
    const auto found =
        std::find_if(AllCases().begin(), AllCases().end(),
                     [&info](const ContractCase& known) { return known.name == info.name; });
    RunningCase() = found == AllCases().end() ? nullptr : &*found;
  }
  void testCaseEnded(const Catch::TestCaseStats& stats) override {
    if (stats.totals.assertions.failed > 0) {
      FailedCases().insert(stats.testInfo.name);
    }
  }
};
CATCH_REGISTER_LISTENER(CaseWatcher)

// Failures as Catch shows them, without the names of all chosen cases and without its own sums: the
// report has them by row.
class FailureReporter final : public Catch::ConsoleReporter {
 public:
  using ConsoleReporter::ConsoleReporter;
  static std::string getDescription() { return "failed assertions only"; }
  void testRunStarting(const Catch::TestRunInfo& info) override {
    StreamingReporterBase::testRunStarting(info);
  }
  void testRunEnded(const Catch::TestRunStats& stats) override {
    StreamingReporterBase::testRunEnded(stats);
  }
};
CATCH_REGISTER_REPORTER("failures", FailureReporter)

void RefuseUndeclared(const char* function) {
  const ContractCase* running = RunningCase();
  if (running == nullptr) {
    return;
  }
  const auto rows = ContractRows();
  const auto row = std::find_if(rows.begin(), rows.end(), [function](const ContractRow& known) {
    return !known.is_rule() && known.name == function;
  });
  if (row != rows.end() && !IsOptional(*row)) {
    return;
  }
  if (std::find(running->needs.begin(), running->needs.end(), function) == running->needs.end()) {
    FAIL("the case calls " << function << " and has no tag [needs " << function << "]");
  }
}

void CollectCases() {
  for (const Catch::TestCase& test : Catch::getRegistryHub().getTestCaseRegistry().getAllTests()) {
    AllCases().push_back(MakeCase(test.name, test.tags));
  }
}

// What the pattern chooses; everything without one.
std::vector<ContractCase> ChosenCases(Catch::Session& session, const Options& options) {
  std::vector<ContractCase> chosen;
  const auto& tests = Catch::getRegistryHub().getTestCaseRegistry().getAllTests();
  for (size_t i = 0; i < tests.size(); ++i) {
    const bool fits =
        options.only.empty()
            ? !session.config().hasTestFilters() ||
                  Catch::matchTest(tests[i], session.config().testSpec(), session.config())
            : tests[i].name == options.only;
    if (fits) {
      chosen.push_back(AllCases()[i]);
    }
  }
  return chosen;
}

// Runs the cases of `results` that have no reason to be skipped, in one go.
void RunTogether(Catch::Session& session, std::vector<CaseResult>& results) {
  std::string names;
  for (const CaseResult& result : results) {
    if (result.reason.empty()) {
      names += fmt::format("{}\"{}\"", names.empty() ? "" : ",", result.contract_case.name);
    }
  }
  if (names.empty()) {
    return;
  }
  Catch::ConfigData config = session.configData();
  config.testsOrTags = {names};
  session.useConfigData(config);
  Target().on_use = &RefuseUndeclared;
  session.run();
  Target().on_use = nullptr;
  for (CaseResult& result : results) {
    if (result.reason.empty()) {
      result.outcome =
          FailedCases().contains(result.contract_case.name) ? Outcome::kFailed : Outcome::kPassed;
    }
  }
}

void RunIsolated(std::span<char* const> arguments, std::vector<CaseResult>& results) {
  for (CaseResult& result : results) {
    if (result.reason.empty()) {
      result.reason = RunInOwnProcess(arguments, result.contract_case.name);
      result.outcome = result.reason.empty() ? Outcome::kPassed : Outcome::kFailed;
    }
  }
}

int RunSuite(Catch::Session& session, const Options& options, std::span<char* const> arguments) {
  const absl::StatusOr<LibraryFacts> facts = Probe(options.foreign);
  if (!facts.ok()) {
    fmt::print(stderr, "acl_conformance: {}\n", MessageOf(facts.status()));
    return 1;
  }
  std::vector<CaseResult> results;
  for (ContractCase& chosen : ChosenCases(session, options)) {
    const std::optional<std::string> reason = ReasonToSkip(chosen, *facts);
    results.push_back({std::move(chosen), Outcome::kSkipped, reason.value_or("")});
  }
  if (options.isolate) {
    RunIsolated(arguments, results);
  } else {
    RunTogether(session, results);
  }
  if (options.only.empty()) {
    fmt::print("{}", ResultReport(*facts, results, options.form()));
  }
  return std::any_of(results.begin(), results.end(),
                     [](const CaseResult& result) { return result.outcome == Outcome::kFailed; })
             ? 1
             : 0;
}

bool WriteBytes(const std::string& path, const std::string& bytes) {
  std::ofstream file(path, std::ios::binary);
  if (!(file << bytes).flush()) {
    fmt::print(stderr, "acl_conformance: '{}' cannot be written\n", path);
    return false;
  }
  fmt::print("{}\n", path);
  return true;
}

// Each model as ONNX and, where ONNX Runtime is there to compile it, for the CPU device.
int WriteModels(const std::string& dir) {
  for (const ModelSource& source : ModelSources()) {
    const std::string stem = (std::filesystem::path(dir) / source.name).string();
    if (!WriteBytes(stem + ".onnx", source.onnx)) {
      return 1;
    }
    const absl::StatusOr<std::string> om = CompileForHost(source);
    if (!om.ok()) {
      fmt::print(stderr, "acl_conformance: no {}.om for the CPU device: {}\n", stem,
                 MessageOf(om.status()));
    } else if (!WriteBytes(stem + ".om", *om)) {
      return 1;
    }
  }
  return 0;
}

int ReportDefects() {
  const std::vector<std::string> defects = SuiteDefects(AllCases());
  for (const std::string& defect : defects) {
    fmt::print(stderr, "acl_conformance: {}\n", defect);
  }
  return defects.empty() ? 0 : 1;
}

void AddOptions(Catch::Session& session, Options& options) {
  using Catch::clara::Opt;
  session.cli(
      session.cli() |
      Opt(Target().library,
          "file")["--library"]("the libascendcl.so to test; default: this build's") |
      Opt(Target().config, "file")["--config"]("JSON file for aclInit") |
      Opt(Target().model_dir, "folder")["--model-dir"]("where the compiled models are") |
      Opt(options.list)["--list"]("list the rows and their cases, and run nothing") |
      Opt(options.markdown)["--markdown"]("print list or result as a Markdown table") |
      Opt(options.json)["--json"]("print list or result as JSON; assertions go to stderr") |
      Opt(options.print_models)["--print-models"]("print how the models are compiled") |
      Opt(options.write_dir, "folder")["--write-models"](
          "write the models there: as ONNX, and compiled for the CPU device") |
      Opt(options.foreign)["--foreign"](
          "treat the library as another than the CPU device, whatever it is") |
      Opt(options.isolate)["--isolate"]("run each case in a process of its own") |
      Opt(options.only, "case")["--only"]("run the one case of this name, without a summary"));
}

int Main(int argc, char** argv) {
  // CANN's aclFinalize waits for the device's log otherwise, for 2 s a case.
  setenv("ASCEND_LOG_DEVICE_FLUSH_TIMEOUT", "0", /*overwrite=*/0);
  Catch::Session session;
  session.configData().reporterName = "failures";
  Options options;
  AddOptions(session, options);
  if (session.applyCommandLine(argc, argv) != 0) {
    return 2;
  }
  if (session.configData().showHelp) {
    return 0;
  }
  if (options.json) {
    session.configData().outputFilename = "/dev/stderr";
  }
  CollectCases();
  if (options.print_models) {
    fmt::print("{}", ModelReport());
    return 0;
  }
  if (!options.write_dir.empty()) {
    return WriteModels(options.write_dir);
  }
  if (options.list) {
    fmt::print("{}", ListReport(AllCases(), options.form()));
    return ReportDefects();
  }
  const std::span<char* const> arguments(argv, static_cast<size_t>(argc));
  const int result = RunSuite(session, options, arguments);
  return result != 0 || !options.only.empty() ? result : ReportDefects();
}

}  // namespace
}  // namespace omserve::hostacl

int main(int argc, char** argv) { return omserve::hostacl::Main(argc, argv); }
