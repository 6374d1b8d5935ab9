// SPDX-License-Identifier: Apache-2.0
// What a benchmark program of our own prints: rows of figures, as JSON in the form of Google
// Benchmark, so that one table (bench_table) reads all programs of this folder.
#pragma once

#include <string>
#include <utility>
#include <vector>

namespace omserve::bench {

struct Row {
  std::string name;                                     // "identity16/c1".
  std::vector<std::pair<std::string, double>> figures;  // "p50_us", 71.2; in the order to show.
};

// {"context": {"conditions": ...}, "benchmarks": [{"name": ..., FIGURE: VALUE, ...}, ...]}.
std::string ToJson(const std::vector<Row>& rows, const std::string& conditions);

// The middle value; the mean of the two in the middle of an even number. 0 of none.
double Median(std::vector<double> values);

}  // namespace omserve::bench
