// SPDX-License-Identifier: Apache-2.0
// The MODEL_INOUT_INFO partition (CANN 7.0 and later): inputs, outputs and gears as a list of
// {i32 type, u32 length, bytes}. The cheapest complete source of them. Internal to runtime/om.
#pragma once

#include <cstddef>
#include <span>
#include <string>

#include "absl/status/statusor.h"
#include "runtime/om/model_io.h"

namespace omserve::om {

// Types that are not known are skipped. The reserved gear input is left out of `inputs`.
// Errors: kInvalidArgument naming the part and the byte where it goes wrong. The result keeps the
// form of the file; CheckModelIo judges what it means.
absl::StatusOr<ModelIo> ReadInoutInfo(std::span<const std::byte> bytes);

// The reserved gear input is appended when there are gears. Requires CheckModelIo.
std::string WriteInoutInfo(const ModelIo& io);

}  // namespace omserve::om
