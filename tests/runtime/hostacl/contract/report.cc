// SPDX-License-Identifier: Apache-2.0
#include "tests/runtime/hostacl/contract/report.h"

#include <fmt/format.h>

#include <algorithm>
#include <boost/json.hpp>
#include <map>

#include "tests/runtime/hostacl/contract/rows.h"
#include "tests/runtime/hostacl/model_files.h"

namespace omserve::hostacl {
namespace {

std::vector<std::string> TitlesOf(const ContractRow& row, const std::vector<ContractCase>& cases) {
  std::vector<std::string> titles;
  for (const ContractCase& contract_case : cases) {
    if (std::find(contract_case.rows.begin(), contract_case.rows.end(), row.id()) !=
        contract_case.rows.end()) {
      titles.push_back(contract_case.name);
    }
  }
  return titles;
}

const char* NameOf(Outcome outcome) {
  switch (outcome) {
    case Outcome::kPassed:
      return "passed";
    case Outcome::kFailed:
      return "failed";
    case Outcome::kSkipped:
      return "skipped";
  }
  return "";
}

std::string JsonList(const std::vector<ContractCase>& cases) {
  boost::json::array rows;
  for (const ContractRow& row : ContractRows()) {
    boost::json::array titles;
    for (const std::string& title : TitlesOf(row, cases)) {
      titles.emplace_back(title);
    }
    rows.push_back({{"row", row.id()},
                    {"since", std::string(row.since)},
                    {"rule", std::string(row.text)},
                    {"cases", titles}});
  }
  return boost::json::serialize(rows) + '\n';
}

std::string MarkdownList(const std::vector<ContractCase>& cases) {
  std::string text =
      "# Rows of the conformance suite\n\n"
      "Written by `acl_conformance --list --markdown`; see [conformance.md](conformance.md). "
      "Sections: 1.1 init, 1.2 devices,\n1.3 contexts, 1.4 streams, 1.5 events, 1.6 callbacks, "
      "1.7 memory, 1.8 data, 1.9 models, 1.11 dump and profiling;\nrules, which are no one "
      "function's, at the end.\n\n"
      "| row | since CANN | cases |\n|---|---|---|\n";
  for (const ContractRow& row : ContractRows()) {
    text += fmt::format("| {}/`{}` | {} | {}{} |\n", row.section, row.name, row.since,
                        row.is_rule() ? fmt::format("*{}* ", row.text) : "",
                        fmt::join(TitlesOf(row, cases), "; "));
  }
  return text;
}

std::string TextList(const std::vector<ContractCase>& cases) {
  std::string text;
  for (const ContractRow& row : ContractRows()) {
    text += fmt::format("{:<42} {:<6} {}\n", row.id(), row.since, row.text);
    for (const std::string& title : TitlesOf(row, cases)) {
      text += fmt::format("{:<6}{}\n", "", title);
    }
  }
  return text;
}

std::vector<std::string> AbsentFunctions(const LibraryFacts& facts) {
  std::vector<std::string> absent;
  for (const ContractRow& row : ContractRows()) {
    if (!row.is_rule() && !facts.functions.contains(row.name)) {
      absent.emplace_back(row.name);
    }
  }
  return absent;
}

template <typename Result>
std::string Counts(const std::vector<Result>& results) {
  const auto count = [&results](Outcome outcome) {
    return std::count_if(results.begin(), results.end(),
                         [outcome](const Result& result) { return result.outcome == outcome; });
  };
  return fmt::format("{}: {} passed, {} failed, {} skipped", results.size(),
                     count(Outcome::kPassed), count(Outcome::kFailed), count(Outcome::kSkipped));
}

std::string JsonResult(const LibraryFacts& facts, const std::vector<CaseResult>& results) {
  boost::json::array rows;
  for (const RowResult& row : RowResults(results)) {
    rows.push_back({{"row", row.id}, {"outcome", NameOf(row.outcome)}, {"reason", row.reason}});
  }
  boost::json::array cases;
  for (const CaseResult& result : results) {
    cases.push_back({{"case", result.contract_case.name},
                     {"outcome", NameOf(result.outcome)},
                     {"reason", result.reason}});
  }
  boost::json::array absent;
  for (const std::string& function : AbsentFunctions(facts)) {
    absent.emplace_back(function);
  }
  const boost::json::object whole{{"library", facts.file},
                                  {"api_version", facts.version},
                                  {"soc_name", facts.soc_name},
                                  {"device_count", facts.device_count},
                                  {"rows", rows},
                                  {"cases", cases},
                                  {"absent_functions", absent}};
  return boost::json::serialize(whole) + '\n';
}

std::string MarkdownResult(const std::vector<CaseResult>& results) {
  std::string text = "| row | outcome | reason |\n|---|---|---|\n";
  for (const RowResult& row : RowResults(results)) {
    text += fmt::format("| {} | {} | {} |\n", row.id, NameOf(row.outcome), row.reason);
  }
  return text;
}

// The failed cases by name, and the skipped rows under their reasons.
std::string TextResult(const LibraryFacts& facts, const std::vector<CaseResult>& results) {
  const std::vector<RowResult> rows = RowResults(results);
  std::string text = fmt::format(
      "library  {}\ndevice   {}, API {}, devices: {}\nrows     {}\ncases    {}\n", facts.file,
      facts.soc_name.empty() ? "a chip that does not say its name" : facts.soc_name, facts.version,
      facts.device_count, Counts(rows), Counts(results));
  for (const CaseResult& result : results) {
    if (result.outcome == Outcome::kFailed) {
      text += fmt::format("failed   {}{}{} [{}]\n", result.contract_case.name,
                          result.reason.empty() ? "" : ": ", result.reason,
                          fmt::join(result.contract_case.rows, " "));
    }
  }
  std::map<std::string, std::vector<std::string>> skipped;
  for (const RowResult& row : rows) {
    if (row.outcome == Outcome::kSkipped) {
      skipped[row.reason].push_back(row.id);
    }
  }
  for (const auto& [reason, ids] : skipped) {
    text += fmt::format("skipped  {}\n", reason);
    for (const std::string& id : ids) {
      text += fmt::format("           {}\n", id);
    }
  }
  for (const std::string& function : AbsentFunctions(facts)) {
    text += fmt::format("absent   {}\n", function);
  }
  return text;
}

std::string OmcOptions(const omc::GearFlags& gears) {
  const std::pair<const char*, const std::string&> options[] = {
      {"--input-shape", gears.input_shape},
      {"--batch-gears", gears.batch_gears},
      {"--dims-gears", gears.dims_gears},
      {"--dynamic-shape", gears.dynamic_shape}};
  std::string text;
  for (const auto& [option, value] : options) {
    if (!value.empty()) {
      text += fmt::format("{}{} \"{}\"", text.empty() ? "" : " ", option, value);
    }
  }
  return text;
}

}  // namespace

std::string ListReport(const std::vector<ContractCase>& cases, ReportForm form) {
  switch (form) {
    case ReportForm::kText:
      return TextList(cases);
    case ReportForm::kMarkdown:
      return MarkdownList(cases);
    case ReportForm::kJson:
      return JsonList(cases);
  }
  return "";
}

std::string ResultReport(const LibraryFacts& facts, const std::vector<CaseResult>& results,
                         ReportForm form) {
  switch (form) {
    case ReportForm::kText:
      return TextResult(facts, results);
    case ReportForm::kMarkdown:
      return MarkdownResult(results);
    case ReportForm::kJson:
      return JsonResult(facts, results);
  }
  return "";
}

std::string ModelReport() {
  std::string text =
      "# The ONNX files come from --write-models DIR; the chip is what npu-smi or aclrtGetSocName "
      "says.\n";
  for (const ModelSource& source : ModelSources()) {
    text += fmt::format("atc --framework=5 --model={0}.onnx --output={0} --soc_version=CHIP {1}\n",
                        source.name, source.atc_options);
  }
  text +=
      "# The same for the CPU device, which compiles them itself where --model-dir is not given.\n";
  for (const ModelSource& source : ModelSources()) {
    const std::string options = OmcOptions(source.gears);
    text += options.empty()
                ? fmt::format("# {}: omc has no option for such gears\n", source.name)
                : fmt::format("omc compile {0}.onnx -o {0}.om {1}\n", source.name, options);
  }
  return text;
}

}  // namespace omserve::hostacl
