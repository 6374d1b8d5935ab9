// SPDX-License-Identifier: Apache-2.0
// A mirror of a source in memory, over a repository in a folder of the test.
#pragma once

#include <catch2/catch.hpp>
#include <cstdint>
#include <functional>
#include <stop_token>
#include <string>
#include <string_view>
#include <utility>

#include "runtime/base/clock.h"
#include "runtime/source/mirror.h"
#include "tests/runtime/source/fake_source.h"
#include "tests/runtime/source/scratch_folder.h"

namespace omserve::source {

// Contents of a file of a few chunks, not the same anywhere.
inline std::string Bytes(const std::string& seed, size_t size = 3500) {
  std::string bytes = seed;
  while (bytes.size() < size) {
    bytes += HexOf(DigestOf(seed + std::to_string(bytes.size())));
  }
  bytes.resize(size);
  return bytes;
}

struct MirrorRig {
  explicit MirrorRig(Files files = {}) : source(std::move(files)) {}

  // With a mirror of its own, as after a start.
  absl::Status Run(std::function<absl::Status(std::string_view)> before_change = nullptr) {
    report = {};
    Mirror mirror(source,
                  {.folder = repository.path(),
                   .max_file_bytes = 10'000,
                   .before_change = std::move(before_change),
                   .exchanges_folders = exchanges_folders},
                  SteadyClock());
    return mirror.Run(report, stop.get_token());
  }
  std::string Error(absl::StatusCode code) {
    const absl::Status status = Run();
    CHECK(status.code() == code);
    return std::string(MessageOf(status));
  }

  FakeSource source;
  ScratchFolder repository;
  std::stop_source stop;
  MirrorReport report;  // Of the last run.
  bool exchanges_folders = true;
};

}  // namespace omserve::source
