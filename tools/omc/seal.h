// SPDX-License-Identifier: Apache-2.0
// `omc seal`, `omc open` and `omc rekey`: model files that only some can read. What the options
// mean; the command line itself is in seal_command.h.
#pragma once

#include <cstddef>
#include <cstdint>
#include <span>
#include <string>
#include <vector>

#include "absl/status/statusor.h"
#include "tools/omc/seal_keys.h"

namespace omserve::omc {

struct SealArguments {
  std::string path;
  std::string output_path;
  std::vector<std::string> recipients;
  SharedKeyOptions shared_key;
  uint32_t chunk_kib = 1024;
};

struct OpenArguments {
  std::string path;
  std::string output_path;
  std::vector<std::string> identities;
  SharedKeyOptions shared_key;
  bool replaces = false;
};

struct RekeyArguments {
  std::string path;
  std::vector<std::string> identities;
  SharedKeyOptions shared_key;
  std::vector<std::string> recipients;
  SharedKeyOptions new_shared_key;
};

// Each gives the line for standard output. Progress of large files and warnings go to standard
// error. Errors name the file or the key.
absl::StatusOr<std::string> Seal(const SealArguments& arguments);
absl::StatusOr<std::string> Open(const OpenArguments& arguments);
absl::StatusOr<std::string> Rekey(const RekeyArguments& arguments);

// What a sealed file says of itself without a key: sizes and recipients. Errors: kInvalidArgument.
absl::StatusOr<std::string> InspectSealedText(std::span<const std::byte> bytes);
absl::StatusOr<std::string> InspectSealedJson(std::span<const std::byte> bytes);

}  // namespace omserve::omc
