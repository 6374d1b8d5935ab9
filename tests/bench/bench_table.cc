// SPDX-License-Identifier: Apache-2.0
// Shows what a benchmark program measured beside what was measured before.
//
//   bench_table PROGRAM RESULT.json BASELINE.json            prints the table
//   bench_table PROGRAM RESULT.json BASELINE.json --update   and writes the figures down
//
// RESULT.json has the form of Google Benchmark; BASELINE.json is {PROGRAM: {ROW: {FIGURE: VALUE}}}.
#include <fmt/format.h>

#include <boost/json.hpp>
#include <cmath>
#include <string>
#include <string_view>

#include "runtime/base/errors.h"
#include "runtime/base/file.h"

namespace omserve::bench {
namespace {

using boost::json::object;
using boost::json::value;

// Google Benchmark's bookkeeping, which says nothing of the code.
bool IsFigure(std::string_view key) {
  for (const std::string_view other : {"family_index", "per_family_instance_index", "repetitions",
                                       "repetition_index", "threads", "iterations"}) {
    if (key == other) {
      return false;
    }
  }
  return true;
}

absl::StatusOr<object> ReadObject(const std::string& path) {
  ASSIGN_OR_RETURN(const std::string text, ReadFile(path));
  boost::json::error_code error;
  value parsed = boost::json::parse(text, error);
  if (error || !parsed.is_object()) {
    return InvalidArgument("{} is no JSON object", path);
  }
  return std::move(parsed.as_object());
}

// The member of that name, an object; made where there is none.
object& Member(object& parent, std::string_view key) {
  value& member = parent[boost::json::string_view(key.data(), key.size())];
  if (!member.is_object()) {
    member = object();
  }
  return member.as_object();
}

const value* FindMember(const object& parent, std::string_view key) {
  return parent.if_contains(boost::json::string_view(key.data(), key.size()));
}

// {ROW: {FIGURE: VALUE}} of a program's output.
object FiguresOf(const object& result) {
  object rows;
  const value* benchmarks = FindMember(result, "benchmarks");
  if (benchmarks == nullptr || !benchmarks->is_array()) {
    return rows;
  }
  for (const value& entry : benchmarks->as_array()) {
    const object* row = entry.if_object();
    const value* name = row == nullptr ? nullptr : FindMember(*row, "name");
    if (name == nullptr || !name->is_string()) {
      continue;
    }
    const value* unit = FindMember(*row, "time_unit");
    const std::string suffix =
        unit != nullptr && unit->is_string() ? "_" + std::string(unit->as_string().c_str()) : "";
    object& figures = Member(rows, name->as_string().c_str());
    for (const auto& [key, figure] : *row) {
      const std::string_view word(key.data(), key.size());
      if (!figure.is_number() || !IsFigure(word)) {
        continue;
      }
      const std::string shown(word);
      const bool is_time = shown == "real_time" || shown == "cpu_time";
      // Four digits: no machine here repeats more, and the file stays readable.
      const double measured = figure.to_number<double>();
      figures[is_time ? shown + suffix : shown] = std::stod(fmt::format("{:.4g}", measured));
    }
  }
  return rows;
}

void PrintTable(const object& rows, const object& before) {
  fmt::print("{:<44} {:<22} {:>12} {:>12} {:>7}\n", "row", "figure", "now", "before", "ratio");
  for (const auto& [name, row] : rows) {
    const value* row_before = before.if_contains(name);
    for (const auto& [figure, now] : row.as_object()) {
      const value* then = row_before != nullptr && row_before->is_object()
                              ? row_before->as_object().if_contains(figure)
                              : nullptr;
      const double measured = now.to_number<double>();
      std::string shown = "-";
      std::string ratio = "-";
      if (then != nullptr && then->is_number()) {
        const double old = then->to_number<double>();
        shown = fmt::format("{:.4g}", old);
        ratio = old == 0 ? "-" : fmt::format("{:.2f}", measured / old);
      }
      fmt::print("{:<44} {:<22} {:>12.4g} {:>12} {:>7}\n",
                 std::string_view(name.data(), name.size()),
                 std::string_view(figure.data(), figure.size()), measured, shown, ratio);
    }
  }
}

// {"p50_us": 71.2, ...}.
std::string RowText(const object& row) {
  std::string text = "{";
  for (const auto& [figure, measured] : row) {
    text += fmt::format("{}{}: {:.4g}", text.size() == 1 ? "" : ", ",
                        boost::json::serialize(value(figure)), measured.to_number<double>());
  }
  return text + "}";
}

// One row a line, so that a change of the file shows what changed.
std::string Pretty(const object& baseline) {
  std::string text = "{";
  const char* program_comma = "";
  for (const auto& [program, rows] : baseline) {
    text += fmt::format("{}\n  {}: {{", program_comma, boost::json::serialize(value(program)));
    const char* row_comma = "";
    for (const auto& [name, row] : rows.as_object()) {
      text += fmt::format("{}\n    {}: {}", row_comma, boost::json::serialize(value(name)),
                          RowText(row.as_object()));
      row_comma = ",";
    }
    text += "\n  }";
    program_comma = ",";
  }
  return text + "\n}\n";
}

absl::Status Run(const std::string& program, const std::string& result_path,
                 const std::string& baseline_path, bool updates) {
  ASSIGN_OR_RETURN(const object result, ReadObject(result_path));
  ASSIGN_OR_RETURN(object baseline, ReadObject(baseline_path));
  const object rows = FiguresOf(result);
  if (rows.empty()) {
    return InvalidArgument("{} holds no figures", result_path);
  }
  object& known = Member(baseline, program);
  PrintTable(rows, known);
  if (!updates) {
    return absl::OkStatus();
  }
  for (const auto& [name, row] : rows) {
    known[name] = row;
  }
  return WriteFileAtomically(baseline_path, Pretty(baseline));
}

}  // namespace
}  // namespace omserve::bench

int main(int argc, char** argv) {
  const bool updates = argc == 5 && std::string_view(argv[4]) == "--update";
  if (argc != 4 && !updates) {
    fmt::print(stderr, "usage: bench_table PROGRAM RESULT.json BASELINE.json [--update]\n");
    return 2;
  }
  const absl::Status status = omserve::bench::Run(argv[1], argv[2], argv[3], updates);
  if (!status.ok()) {
    fmt::print(stderr, "bench_table: {}\n", omserve::MessageOf(status));
    return 1;
  }
  return 0;
}
