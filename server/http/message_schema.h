// SPDX-License-Identifier: Apache-2.0
// The JSON schema of a message as MessageToJson (message_json.h) writes it. Pure.
#pragma once

#include <google/protobuf/descriptor.h>

#include <boost/json/object.hpp>

namespace omserve::server {

// Adds the schema of `message`, and of the messages in it, to `schemas` under their full names.
void AddMessageSchemas(const google::protobuf::Descriptor& message, boost::json::object& schemas);

}  // namespace omserve::server
