// SPDX-License-Identifier: Apache-2.0
// `omc inspect`: what a model file holds, for people and for programs. Files of every form are
// shown: `.om` with one model or several, bundles, and the om2 archives of CANN 9. Of a sealed file
// only that it is sealed, its sizes and its recipients.
#pragma once

#include <cstddef>
#include <span>
#include <string>

#include "absl/status/statusor.h"

namespace omserve::omc {

enum class InspectForm {
  kText,
  kJson,       // The same as JSON.
  kModelJson,  // The model's graph, as om::ModelDefJson gives it.
};

// The file, its parts, and model `model` of it: how it was compiled, what it needs, inputs, outputs
// and gears. Ends with a line feed. A file whose container is sound but whose model cannot be
// described shows the container and the reason. Errors: kInvalidArgument when the bytes are no
// model file, or have no such model (or, for kModelJson, no such graph).
absl::StatusOr<std::string> Inspect(std::span<const std::byte> bytes, InspectForm form,
                                    size_t model = 0);

// The same for a file; errors name it.
absl::StatusOr<std::string> InspectFile(const std::string& path, InspectForm form,
                                        size_t model = 0);

}  // namespace omserve::omc
