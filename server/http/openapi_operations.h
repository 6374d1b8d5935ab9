// SPDX-License-Identifier: Apache-2.0
// The text of openapi_operations.json.
#pragma once

namespace omserve::server {

extern const char kOpenApiOperations[];

}  // namespace omserve::server
