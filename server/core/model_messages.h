// SPDX-License-Identifier: Apache-2.0
// What core knows of models, as the protocol's messages.
#pragma once

#include <string>
#include <vector>

#include "absl/status/status.h"
#include "proto/inference/grpc_service.pb.h"
#include "server/core/catalog.h"
#include "server/core/statistics.h"

namespace omserve::server {

// `versions`: all versions of the model that are served.
void FillMetadata(const Model& model, const std::vector<ModelHandle>& versions,
                  inference::ModelMetadataResponse* response);

void FillStatistics(const ModelStatistics& from, const Model& model,
                    inference::ModelStatistics* to);

// Statistics of one model or, with an empty `name`, of all; of one version or, with an empty
// `version`, of all. Errors: those of Catalog::Find.
absl::Status FillAllStatistics(const Catalog& catalog, const Statistics& statistics,
                               const std::string& name, const std::string& version,
                               inference::ModelStatisticsResponse* response);

// The index; only what is served when `ready_only`.
void FillIndex(const std::vector<CatalogEntry>& entries, bool ready_only,
               inference::RepositoryIndexResponse* response);

}  // namespace omserve::server
