// SPDX-License-Identifier: Apache-2.0
#include "tools/omctl/bench/axis.h"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>

namespace omserve::bench {
namespace {

constexpr size_t kMostMarks = 8;

// 1, 2 or 5 times a power of ten, not below `value`.
double RoundUp(double value) {
  const double power = std::pow(10.0, std::floor(std::log10(value)));
  for (const double digit : {1.0, 2.0, 5.0}) {
    if (digit * power >= value * (1 - 1e-9)) {
      return digit * power;
    }
  }
  return 10 * power;
}

double RoundDown(double value) {
  const double power = std::pow(10.0, std::floor(std::log10(value)));
  for (const double digit : {5.0, 2.0}) {
    if (digit * power <= value * (1 + 1e-9)) {
      return digit * power;
    }
  }
  return power;
}

}  // namespace

Axis Axis::Linear(double most, double length) {
  Axis axis;
  axis.length_ = length;
  const double step = RoundUp(std::max(most, 1e-9) / 5);
  axis.high_ = step * std::ceil(most / step - 1e-9);
  axis.high_ = std::max(axis.high_, step);
  for (int i = 0; i * step <= axis.high_ * (1 + 1e-9); ++i) {
    axis.marks_.push_back(i * step);
  }
  return axis;
}

Axis Axis::Log(double least, double most, double length) {
  Axis axis;
  axis.log_ = true;
  axis.length_ = length;
  axis.low_ = RoundDown(least);
  axis.high_ = RoundUp(std::max(most, axis.low_ * 1.001));
  for (double mark = axis.low_; mark <= axis.high_ * (1 + 1e-9); mark = RoundUp(mark * 1.5)) {
    axis.marks_.push_back(mark);
  }
  if (axis.marks_.size() > kMostMarks) {  // Then whole powers of ten alone.
    std::erase_if(axis.marks_, [](double mark) {
      const double power = std::log10(mark);
      return std::abs(power - std::round(power)) > 1e-6;
    });
  }
  return axis;
}

double Axis::At(double value) const {
  const double share = log_ ? std::log(std::max(value, low_) / low_) / std::log(high_ / low_)
                            : (value - low_) / (high_ - low_);
  return std::clamp(share, 0.0, 1.0) * length_;
}

std::string MarkText(double value) {
  if (value >= 1e6) {
    return fmt::format("{:g}M", value / 1e6);
  }
  return value >= 1e4 ? fmt::format("{:g}k", value / 1e3) : fmt::format("{:g}", value);
}

}  // namespace omserve::bench
