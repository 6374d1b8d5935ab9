// SPDX-License-Identifier: Apache-2.0
#include "tests/bench/bench_rows.h"

#include <algorithm>
#include <boost/json.hpp>

namespace omserve::bench {

std::string ToJson(const std::vector<Row>& rows, const std::string& conditions) {
  boost::json::array benchmarks;
  for (const Row& row : rows) {
    boost::json::object entry{{"name", row.name}};
    for (const auto& [figure, value] : row.figures) {
      entry[figure] = value;
    }
    benchmarks.push_back(std::move(entry));
  }
  return boost::json::serialize(
      boost::json::object{{"context", {{"conditions", conditions}}}, {"benchmarks", benchmarks}});
}

double Median(std::vector<double> values) {
  if (values.empty()) {
    return 0;
  }
  std::sort(values.begin(), values.end());
  const size_t middle = values.size() / 2;
  return values.size() % 2 == 1 ? values[middle] : (values[middle - 1] + values[middle]) / 2;
}

}  // namespace omserve::bench
