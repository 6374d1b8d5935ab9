// SPDX-License-Identifier: Apache-2.0
#include "tests/runtime/hostacl/contract/suite.h"

#include <algorithm>
#include <utility>

#include "tests/runtime/hostacl/contract/rows.h"

namespace omserve::hostacl {
namespace {

constexpr std::string_view kNeeds = "needs ";
constexpr std::string_view kMisuse = "misuse";

const ContractRow* FindRow(std::string_view id) {
  const auto rows = ContractRows();
  const auto found = std::find_if(rows.begin(), rows.end(),
                                  [id](const ContractRow& row) { return row.id() == id; });
  return found == rows.end() ? nullptr : &*found;
}

const ContractRow* FindFunction(std::string_view name) {
  const auto rows = ContractRows();
  const auto found = std::find_if(rows.begin(), rows.end(), [name](const ContractRow& row) {
    return !row.is_rule() && row.name == name;
  });
  return found == rows.end() ? nullptr : &*found;
}

void AddNeed(ContractCase& contract_case, std::string need) {
  if (std::find(contract_case.needs.begin(), contract_case.needs.end(), need) ==
      contract_case.needs.end()) {
    contract_case.needs.push_back(std::move(need));
  }
}

}  // namespace

ContractCase MakeCase(std::string name, const std::vector<std::string>& tags) {
  ContractCase made{std::move(name), {}, {}};
  for (const std::string& tag : tags) {
    if (tag.starts_with(kNeeds)) {
      AddNeed(made, tag.substr(kNeeds.size()));
      continue;
    }
    const ContractRow* row = FindRow(tag);
    if (row == nullptr) {
      if (tag != kMisuse) {
        AddNeed(made, tag);
      }
      continue;
    }
    made.rows.push_back(tag);
    if (IsOptional(*row)) {
      AddNeed(made, std::string(row->name));
    }
  }
  return made;
}

std::optional<std::string> ReasonToSkip(const ContractCase& contract_case,
                                        const LibraryFacts& facts) {
  for (const std::string& need : contract_case.needs) {
    if (need == "hostacl") {
      if (!facts.is_hostacl) {
        return "only the CPU device can be set up, or made to fail, as this needs";
      }
    } else if (need == "two devices") {
      if (!facts.is_hostacl && facts.device_count < 2) {
        return "there is one device, and this needs two";
      }
    } else if (need == "models") {
      if (!facts.models_missing.empty()) {
        return facts.models_missing;
      }
    } else if (!facts.functions.contains(need)) {
      const ContractRow* row = FindFunction(need);
      const std::string since =
          row == nullptr || row->since.empty() ? "" : "since " + std::string(row->since) + ": ";
      return since + "the library has no " + need;
    }
  }
  return std::nullopt;
}

std::vector<RowResult> RowResults(const std::vector<CaseResult>& results) {
  std::vector<RowResult> rows;
  for (const ContractRow& row : ContractRows()) {
    std::optional<RowResult> of_row;
    for (const CaseResult& result : results) {
      const std::vector<std::string>& ids = result.contract_case.rows;
      if (std::find(ids.begin(), ids.end(), row.id()) == ids.end()) {
        continue;
      }
      if (!of_row.has_value()) {
        of_row = RowResult{row.id(), result.outcome, result.reason};
      } else if (result.outcome == Outcome::kFailed ||
                 (result.outcome == Outcome::kPassed && of_row->outcome == Outcome::kSkipped)) {
        of_row->outcome = result.outcome;
        of_row->reason = result.reason;
      }
    }
    if (of_row.has_value()) {
      rows.push_back(*std::move(of_row));
    }
  }
  return rows;
}

std::vector<std::string> SuiteDefects(const std::vector<ContractCase>& cases) {
  std::vector<std::string> defects;
  std::set<std::string, std::less<>> covered;
  for (const ContractCase& contract_case : cases) {
    covered.insert(contract_case.rows.begin(), contract_case.rows.end());
    if (contract_case.rows.empty()) {
      defects.push_back("the case '" + contract_case.name + "' covers no row");
    }
    for (const std::string& need : contract_case.needs) {
      if (need != "hostacl" && need != "two devices" && need != "models" &&
          FindFunction(need) == nullptr) {
        defects.push_back("the case '" + contract_case.name + "' has a tag that is no row and no " +
                          "need: " + need);
      }
    }
  }
  for (const ContractRow& row : ContractRows()) {
    if (!covered.contains(row.id())) {
      defects.push_back("the row " + row.id() + " has no case");
    }
  }
  return defects;
}

}  // namespace omserve::hostacl
