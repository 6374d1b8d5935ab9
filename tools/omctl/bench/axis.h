// SPDX-License-Identifier: Apache-2.0
// Scales of a plot: where a value stands, and which values get a mark. Pure.
#pragma once

#include <string>
#include <vector>

namespace omserve::bench {

// From `low` to `high` on a line of `length` pixels.
class Axis final {
 public:
  // From 0 to a round number not below `most`.
  static Axis Linear(double most, double length);
  // From a round number not above `least` to one not below `most`; both above 0.
  static Axis Log(double least, double most, double length);

  // 0 to length; values outside are put on the nearer end.
  double At(double value) const;
  // Round values from low to high, at most eight.
  const std::vector<double>& marks() const { return marks_; }
  double high() const { return high_; }

 private:
  bool log_ = false;
  double low_ = 0;
  double high_ = 1;
  double length_ = 1;
  std::vector<double> marks_;
};

// "0", "0.05", "250", "12k", "1.5M".
std::string MarkText(double value);

}  // namespace omserve::bench
