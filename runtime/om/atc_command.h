// SPDX-License-Identifier: Apache-2.0
// What the command says that compiled a model: the only source of the chip in om2 files, and of
// chip and gears in some `.om` files. Internal to runtime/om.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "runtime/om/model_description.h"
#include "runtime/om/model_io.h"

namespace omserve::om {

// The value of the last `--name=value` or `--name value`, without quotes; nullopt when the option
// is not given.
std::optional<std::string> CommandOption(std::string_view command, std::string_view name);

// --input_shape: names and dims in the command's order; empty when it is absent or malformed.
std::vector<std::pair<std::string, std::vector<int64_t>>> CommandShapes(std::string_view command);

// Gives the inputs the dims of --input_shape, with the -1 where gears decide, wherever their number
// fits; returns the names in the command's order.
std::vector<std::string> ApplyCommandShapes(std::string_view command, ModelIo& io);

struct CommandGears {
  GearKind kind = GearKind::kNone;
  std::vector<std::vector<int64_t>> values;  // Of dims gears in the order of CommandShapes.
};
// --dynamic_batch_size, --dynamic_image_size or --dynamic_dims; kNone when none of them is given or
// what is given is malformed.
CommandGears ReadCommandGears(std::string_view command);

}  // namespace omserve::om
