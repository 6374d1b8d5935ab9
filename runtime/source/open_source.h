// SPDX-License-Identifier: Apache-2.0
// A source by its address:
//
//   https://host/path, http://host/path   a web server or an object store
//   file:///folder                        a folder with SHA256SUMS
//   oci:/folder                           an OCI image layout
#pragma once

#include <chrono>
#include <memory>
#include <string>

#include "absl/status/statusor.h"
#include "runtime/source/source.h"

namespace omserve::source {

struct SourceSettings {
  std::string url;
  std::string ca_file;     // Of https alone, as is
  std::string token_file;  // this. See HttpSource::Options.
  std::chrono::milliseconds connect_timeout{10'000};
  std::chrono::seconds stall_timeout{30};
};

// Errors: kInvalidArgument for another address, and what HttpSource::Make gives. Nothing is asked
// of the source.
absl::StatusOr<std::unique_ptr<Source>> OpenSource(const SourceSettings& settings);

}  // namespace omserve::source
