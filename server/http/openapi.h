// SPDX-License-Identifier: Apache-2.0
// The routes of the HTTP port as an OpenAPI 3.1 document. Pure.
//
// What each route takes and gives is written down in openapi_operations.json; paths, their
// parameters and their optional parts come from the routes themselves, and the schemas of messages
// from their descriptors.
#pragma once

#include <boost/json/object.hpp>
#include <span>
#include <string>
#include <string_view>

#include "absl/status/statusor.h"
#include "server/http/router.h"

namespace omserve::server {

// Errors: kInternal naming the routes that are not written down, and what is written down of routes
// that need not be there (see IsOptional in openapi.cc) and are not.
absl::StatusOr<boost::json::object> OpenApiDocument(std::span<const Route> routes,
                                                    std::string_view version);

}  // namespace omserve::server
