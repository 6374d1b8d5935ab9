// SPDX-License-Identifier: Apache-2.0
// Inputs, outputs, gears and facts of a model in its ModelDef. Internal to runtime/om.
#pragma once

#include <string>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "proto/ge/ge_ir.pb.h"
#include "runtime/om/attr_reader.h"
#include "runtime/om/model_io.h"

namespace omserve::om {

// The MODEL_DEF partition of one of the file's models. Errors: kInvalidArgument when there is none,
// or it is no ModelDef.
absl::StatusOr<ge::ModelDef> ParseModelDef(const OmFile& file, size_t model);

// From the root graph: Data ops by their index, the NetOutput op, and the Case op of the gears.
// Where a graph with gears leaves out which, the compiler's command says it. Errors:
// kInvalidArgument naming the op and what it lacks. CheckModelIo judges what it means.
absl::StatusOr<ModelIo> ReadGraphIo(const ge::ModelDef& model, const AttrReader& attrs);

// "node:index" or "node:index:name" of every output; empty when the model does not list them.
std::vector<std::string> ReadOutputNames(const ge::ModelDef& model, const AttrReader& attrs);

// The attributes of the model itself: chip, atc, sizes, streams, events.
// Errors: kInvalidArgument naming the attribute and its value.
absl::Status ReadModelFacts(const ge::ModelDef& model, const AttrReader& attrs,
                            ModelDescription& description);

// The ModelDef of a host file, serialised; the same description gives the same bytes. Requires
// CheckModelIo of the description's inputs, outputs and gears.
std::string WriteModelDef(const ModelDescription& description, const ModelIo& io);

}  // namespace omserve::om
