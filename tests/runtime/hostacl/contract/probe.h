// SPDX-License-Identifier: Apache-2.0
// What the library under test is, found out by its own functions.
#pragma once

#include "absl/status/statusor.h"
#include "tests/runtime/hostacl/contract/suite.h"

namespace omserve::hostacl {

// Opens Target().library, and initialises and finalises it. Sets Target().is_hostacl, to false for
// any library where `foreign`.
// Errors: kUnavailable when it is no such library, has no aclInit, or finds no device.
absl::StatusOr<LibraryFacts> Probe(bool foreign);

}  // namespace omserve::hostacl
