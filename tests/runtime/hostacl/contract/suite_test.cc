// SPDX-License-Identifier: Apache-2.0
// The suite's own bookkeeping: what is skipped and why, what a row comes to, what is missing.
#include "tests/runtime/hostacl/contract/suite.h"

#include <catch2/catch.hpp>
#include <filesystem>
#include <fstream>
#include <regex>

#include "tests/runtime/hostacl/contract/report.h"
#include "tests/runtime/hostacl/contract/rows.h"

namespace omserve::hostacl {
namespace {

using Catch::Matchers::Contains;

// A chip with one device and no models, and a library of CANN 5.0.
LibraryFacts OldChip() {
  LibraryFacts facts;
  facts.file = "libascendcl.so";
  facts.version = "1.2.0";
  facts.models_missing = "there are no models";
  facts.device_count = 1;
  for (const ContractRow& row : ContractRows()) {
    if (!row.is_rule() && !IsOptional(row)) {
      facts.functions.emplace(row.name);
    }
  }
  return facts;
}

// A classic function is always there; a later one that is not names the release that brought it.
TEST_CASE("a case of a later function is skipped on an old library") {
  const LibraryFacts facts = OldChip();
  CHECK_FALSE(ReasonToSkip(MakeCase("a", {"1.4/aclrtCreateStream"}), facts).has_value());
  CHECK(ReasonToSkip(MakeCase("b", {"1.4/aclrtStreamQuery"}), facts) ==
        "since 7.0: the library has no aclrtStreamQuery");
  CHECK(ReasonToSkip(MakeCase("c", {"rule/null-outputs", "needs aclrtStreamQuery"}), facts) ==
        "since 7.0: the library has no aclrtStreamQuery");
}

// Each need is met by one thing: the CPU device, a second device, models.
TEST_CASE("a case is skipped without what it needs") {
  LibraryFacts facts = OldChip();
  const ContractCase ours = MakeCase("a", {"rule/sub-allocation", "needs hostacl"});
  const ContractCase two = MakeCase("b", {"rule/sub-allocation", "needs two devices"});
  const ContractCase models = MakeCase("c", {"rule/sub-allocation", "needs models"});
  CHECK(ReasonToSkip(ours, facts).has_value());
  CHECK(ReasonToSkip(two, facts).has_value());
  CHECK(ReasonToSkip(models, facts) == "there are no models");
  facts.device_count = 2;
  facts.models_missing = "";
  CHECK_FALSE(ReasonToSkip(two, facts).has_value());
  CHECK_FALSE(ReasonToSkip(models, facts).has_value());
  facts.device_count = 1;
  facts.is_hostacl = true;
  CHECK_FALSE(ReasonToSkip(ours, facts).has_value());
  CHECK_FALSE(ReasonToSkip(two, facts).has_value());
}

// One failed case fails the row; one that passed outweighs those that were skipped.
TEST_CASE("a row comes to the worst of its cases that ran") {
  const ContractCase a = MakeCase("a", {"1.1/aclInit", "1.1/aclFinalize", "1.7/aclrtFree"});
  const ContractCase b = MakeCase("b", {"1.1/aclInit", "1.7/aclrtFree"});
  const ContractCase c = MakeCase("c", {"1.1/aclInit"});
  const std::vector<RowResult> rows = RowResults({{c, Outcome::kSkipped, "why"},
                                                  {a, Outcome::kPassed, ""},
                                                  {b, Outcome::kFailed, "signal 11"}});
  REQUIRE(rows.size() == 3);
  CHECK(rows[0].id == "1.1/aclInit");
  CHECK(rows[0].outcome == Outcome::kFailed);
  CHECK(rows[0].reason == "signal 11");
  CHECK(rows[1].id == "1.1/aclFinalize");
  CHECK(rows[1].outcome == Outcome::kPassed);
  CHECK(rows[2].outcome == Outcome::kFailed);
  CHECK(RowResults({{c, Outcome::kSkipped, "why"}})[0].reason == "why");
}

// A wrong tag and a case without row are named, and so is every row that nobody covers.
TEST_CASE("what the suite lacks is named") {
  const std::vector<std::string> defects =
      SuiteDefects({MakeCase("stray", {"1.4/aclrtNoSuchThing"}),
                    MakeCase("good", {"1.1/aclInit", "misuse", "needs aclrtStreamQuery"})});
  std::string all;
  for (const std::string& defect : defects) {
    all += defect + '\n';
  }
  CHECK_THAT(all, Contains("'stray' covers no row"));
  CHECK_THAT(all, Contains("no need: 1.4/aclrtNoSuchThing"));
  CHECK_THAT(all, Contains("the row 1.1/aclFinalize has no case"));
  CHECK_THAT(all, !Contains("good"));
  CHECK_THAT(all, !Contains("the row 1.1/aclInit "));
}

// A tag names one row.
TEST_CASE("rows have ids of their own") {
  std::set<std::string> ids;
  for (const ContractRow& row : ContractRows()) {
    CHECK(ids.insert(row.id()).second);
    CHECK(row.is_rule() == !row.text.empty());
  }
  CHECK(ids.size() > 200);
}

std::set<std::string> DeclaredFunctions() {
  std::set<std::string> names;
  for (const auto& entry : std::filesystem::directory_iterator(OMSERVE_SOURCE_DIR "/runtime/acl")) {
    if (!entry.path().filename().string().starts_with("acl_abi")) {
      continue;
    }
    std::ifstream header(entry.path());
    const std::string text((std::istreambuf_iterator<char>(header)),
                           std::istreambuf_iterator<char>());
    const std::regex declaration(R"(OMSERVE_ACL_API[^;(]*?(acl\w+)\()");
    for (std::sregex_iterator found(text.begin(), text.end(), declaration), end; found != end;
         ++found) {
      names.insert((*found)[1]);
    }
  }
  return names;
}

// What our headers declare the suite covers.
TEST_CASE("every declared function has a row") {
  std::set<std::string> functions;
  for (const ContractRow& row : ContractRows()) {
    functions.emplace(row.name);
  }
  const std::set<std::string> declared = DeclaredFunctions();
  CHECK(declared.size() > 140);
  for (const std::string& name : declared) {
    INFO(name);
    CHECK(functions.contains(name));
  }
}

// The summary counts, names what failed, and puts skipped rows under their reason.
TEST_CASE("a result is told in three forms") {
  const std::vector<CaseResult> results = {
      {MakeCase("first", {"1.1/aclInit"}), Outcome::kPassed, ""},
      {MakeCase("second", {"1.7/aclrtFree"}), Outcome::kFailed, "ended by signal 11"},
      {MakeCase("third", {"1.4/aclrtStreamQuery"}), Outcome::kSkipped, "not there"}};
  const std::string text = ResultReport(OldChip(), results, ReportForm::kText);
  CHECK_THAT(text, Contains("cases    3: 1 passed, 1 failed, 1 skipped\n"));
  CHECK_THAT(text, Contains("failed   second: ended by signal 11 [1.7/aclrtFree]\n"));
  CHECK_THAT(text, Contains("skipped  not there\n           1.4/aclrtStreamQuery\n"));
  CHECK_THAT(text, Contains("absent   aclrtStreamQuery\n"));
  CHECK_THAT(ResultReport(OldChip(), results, ReportForm::kMarkdown),
             Contains("| 1.4/aclrtStreamQuery | skipped | not there |\n"));
  CHECK_THAT(ResultReport(OldChip(), results, ReportForm::kJson),
             Contains(R"({"case":"third","outcome":"skipped","reason":"not there"})"));
}

}  // namespace
}  // namespace omserve::hostacl
