// SPDX-License-Identifier: Apache-2.0
// Whether a text is a trace that Perfetto and chrome://tracing open as it was meant.
//
// Source: the Trace Event Format of Chrome.
#pragma once

#include <string>
#include <vector>

namespace omserve::server {

struct ChromeSlice {
  std::string process;
  std::string track;
  std::string name;
  double begin_us = 0;
  double end_us = 0;
};

struct ChromeTrace {
  std::vector<std::string> errors;  // Empty: it is right.
  std::vector<ChromeSlice> slices;
  int flows = 0;  // Arrows from one slice to another, each counted once.
};

// Checks that each event has what its kind needs; that each track has a name and a process that has
// one; that slices of a track stand in the order of their beginnings and do not overlap; that an
// arrow begins once and ends once, in that order, and every point of it lies in a slice.
ChromeTrace CheckChromeTrace(const std::string& text);

}  // namespace omserve::server
