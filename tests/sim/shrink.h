// SPDX-License-Identifier: Apache-2.0
// From a schedule that breaks an invariant to a short one that breaks it too.
#pragma once

#include <cstdint>
#include <functional>
#include <vector>

namespace omserve::sim {

// Tries lists that are shorter, or as long with smaller numbers, for as long as `fails` says that
// they still fail, at most `most_tries` times. Requires fails(choices). The result fails. The same
// arguments give the same result.
//
// Source: the idea of shrinking what a generator draws instead of what it makes, from Hypothesis.
std::vector<uint32_t> Shrink(std::vector<uint32_t> choices,
                             const std::function<bool(const std::vector<uint32_t>&)>& fails,
                             int most_tries);

}  // namespace omserve::sim
