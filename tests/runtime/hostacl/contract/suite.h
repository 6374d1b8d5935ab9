// SPDX-License-Identifier: Apache-2.0
// The cases of the suite, what each needs, and what came of it; without Catch, so that the report
// and the choice of cases are plain functions.
#pragma once

#include <cstdint>
#include <map>
#include <optional>
#include <set>
#include <string>
#include <string_view>
#include <vector>

namespace omserve::hostacl {

// A case's tags say what it covers and what it cannot do without:
//   [1.4/aclrtStreamQuery]     covers this row, and needs the function;
//   [rule/null-outputs]        covers this rule;
//   [needs aclrtStreamQuery]   calls a function that came after CANN 5.0 and is no row of the case;
//   [needs hostacl]            sets the device up, or has tasks fail, as only the CPU device lets;
//   [needs two devices], [needs models];
//   [misuse]                   does on purpose what strict mode of the CPU device refuses.
struct ContractCase {
  std::string name;
  std::vector<std::string> rows;   // Ids, as in ContractRow.
  std::vector<std::string> needs;  // What stands behind "needs", and the rows' optional functions.
};

// Sorts the tags; one of no kind above becomes a need that nothing meets, so that it is seen at
// once.
ContractCase MakeCase(std::string name, const std::vector<std::string>& tags);

// The library under test, as far as it decides what can run.
struct LibraryFacts {
  std::string file;
  std::string version;   // Of the API, "1.3.0".
  std::string soc_name;  // "" where it does not say.
  bool is_hostacl = false;
  std::string models_missing;  // Why there are none; "" where there are.
  uint32_t device_count = 0;
  std::set<std::string, std::less<>> functions;  // Of the rows.
};

// Why the case cannot run; nullopt when it can.
std::optional<std::string> ReasonToSkip(const ContractCase& contract_case,
                                        const LibraryFacts& facts);

enum class Outcome { kPassed, kFailed, kSkipped };

struct CaseResult {
  ContractCase contract_case;
  Outcome outcome = Outcome::kSkipped;
  std::string reason;  // Of a skip; of a failure where the assertions do not say it.
};

struct RowResult {
  std::string id;
  Outcome outcome = Outcome::kSkipped;
  std::string reason;  // Of a skip or failure.
};

// One for each row that has a result among `results`: failed when a case of it failed, passed when
// one passed, else skipped.
std::vector<RowResult> RowResults(const std::vector<CaseResult>& results);

// What is wrong with the suite itself: a row without case, a case without row, a tag that is none.
// Each a sentence; empty when all is well.
std::vector<std::string> SuiteDefects(const std::vector<ContractCase>& cases);

}  // namespace omserve::hostacl
