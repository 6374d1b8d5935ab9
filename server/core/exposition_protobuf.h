// SPDX-License-Identifier: Apache-2.0
// Metrics in Prometheus' protobuf format. Pure.
#pragma once

#include <string>

#include "server/core/exposition.h"

namespace omserve::server {

// Families one after the other, each after its length.
std::string ProtobufExposition(const Exposition& exposition);

}  // namespace omserve::server
