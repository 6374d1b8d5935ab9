// SPDX-License-Identifier: Apache-2.0
// A source in memory, with everything that goes wrong on a line and on a server.
#pragma once

#include <algorithm>
#include <cstdint>
#include <functional>
#include <optional>
#include <span>
#include <string>
#include <utility>
#include <vector>

#include "runtime/base/errors.h"
#include "runtime/source/source.h"
#include "tests/runtime/source/scratch_folder.h"

namespace omserve::source {

class FakeSource final : public Source {
 public:
  explicit FakeSource(Files what = {}) : files(std::move(what)) {}

  const std::string& name() const override { return name_; }
  absl::StatusOr<std::vector<SourceFile>> List(const std::stop_token& /*stop*/) override {
    RETURN_IF_ERROR(list_error);
    std::vector<SourceFile> listed;
    for (const auto& [path, contents] : listed_files.value_or(files)) {
      listed.push_back(
          {.path = path,
           .digest = DigestOf(contents),
           .size_bytes = says_sizes ? std::optional<uint64_t>(contents.size()) : std::nullopt,
           .place = path});
    }
    return listed;
  }
  absl::Status Read(const SourceFile& file, const Resume& resume, ByteSink& sink,
                    const std::stop_token& stop) override {
    ++reads;
    const std::string& contents = files.at(file.place);
    const std::string tag = has_tags ? HexOf(DigestOf(contents)) : "";
    const bool resumes = has_tags && resume.tag == tag && resume.offset <= contents.size();
    uint64_t at = resumes ? resume.offset : 0;
    resumed_bytes += at;
    RETURN_IF_ERROR(sink.Begin({.offset = at, .tag = tag, .size_bytes = contents.size()}));
    while (at < contents.size()) {
      if (stop.stop_requested()) {
        return Cancelled("stopped");
      }
      const uint64_t left = cut_after - std::min(cut_after, sent_bytes);
      const uint64_t size = std::min({chunk_bytes, contents.size() - at, left});
      if (size == 0) {
        return Unavailable("connection cut after {} bytes", sent_bytes);
      }
      RETURN_IF_ERROR(sink.Write(std::as_bytes(std::span(contents)).subspan(at, size)));
      at += size;
      sent_bytes += size;
    }
    return absl::OkStatus();
  }

  Files files;
  std::optional<Files> listed_files;  // What is listed, where that is not what is there.
  absl::Status list_error;
  bool says_sizes = true;
  bool has_tags = true;
  uint64_t chunk_bytes = 1000;
  uint64_t cut_after = UINT64_MAX;  // Bytes in all, until the line is cut.
  uint64_t sent_bytes = 0;
  uint64_t resumed_bytes = 0;  // That were not sent again.
  int reads = 0;

 private:
  const std::string name_ = "https://models.example/released";
};

}  // namespace omserve::source
