// SPDX-License-Identifier: Apache-2.0
// The protocol extensions that server metadata tells of, over gRPC and over HTTP alike: clients ask
// one port and then use the other.
//
// Source: the names that Triton's server metadata has.
#pragma once

#include <array>
#include <string_view>

namespace omserve::server {

inline constexpr std::array<std::string_view, 13> kExtensions = {
    "binary_tensor_data",
    "classification",
    "logging",
    "model_configuration",
    "model_repository",
    "model_repository(unload_dependents)",
    "parameters",
    "schedule_policy",
    "sequence",
    "sequence(string_id)",
    "statistics",
    "system_shared_memory",
    "trace"};

}  // namespace omserve::server
