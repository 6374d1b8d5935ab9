// SPDX-License-Identifier: Apache-2.0
// Protobuf messages as Triton's REST has them. Pure.
#pragma once

#include <google/protobuf/message.h>

#include <boost/json/object.hpp>

namespace omserve::server {

// Fields by their names in the .proto file, enums by name, and numbers of 64 bits as numbers, where
// protobuf's own JSON makes them strings. Fields without presence, repeated ones and maps are there
// also when they are empty; the others only when they are set. Bytes are taken as text.
boost::json::object MessageToJson(const google::protobuf::Message& message);

}  // namespace omserve::server
