// SPDX-License-Identifier: Apache-2.0
// What operators ask of the models that serve (proto/omserve/control.proto), whatever the protocol.
#pragma once

#include <string>

#include "absl/status/status.h"
#include "proto/omserve/control.pb.h"
#include "server/core/auth/access.h"
#include "server/core/catalog.h"
#include "server/core/model_control.h"
#include "server/core/statistics.h"

namespace omserve::server {

// The models that the caller may use. Errors: kNotFound for the one that is asked for.
absl::Status FillModels(const Catalog& catalog, const ModelControl& control,
                        const Statistics& statistics, const Caller& caller,
                        const ListModelsRequest& request, ListModelsResponse* response);
VerifyModelResponse VerifyMessage(const ModelControl::Verified& found);

// Each does what is asked, on behalf of the caller. Errors: those of the methods of ModelControl.
// All of them block on the disk.
absl::Status Perform(ModelControl& control, const Caller& caller, const SetLabelsRequest& request,
                     ModelRoutesResponse* response);
absl::Status Perform(ModelControl& control, const Caller& caller, const SetTrafficRequest& request,
                     ModelRoutesResponse* response);
absl::Status Perform(ModelControl& control, const Caller& caller, const RollBackRequest& request,
                     ModelRoutesResponse* response);
absl::Status Perform(ModelControl& control, const Caller& caller,
                     const SetEpochFloorRequest& request, SetEpochFloorResponse* response);

}  // namespace omserve::server
