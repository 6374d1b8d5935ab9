// SPDX-License-Identifier: Apache-2.0
// A folder of models with a SHA256SUMS of all of them, on this machine or mounted on it.
#pragma once

#include <stop_token>
#include <string>
#include <utility>
#include <vector>

#include "runtime/source/source.h"

namespace omserve::source {

class FolderSource final : public Source {
 public:
  FolderSource(std::string name, std::string folder)
      : name_(std::move(name)), folder_(std::move(folder)) {}
  const std::string& name() const override { return name_; }
  absl::StatusOr<std::vector<SourceFile>> List(const std::stop_token& stop) override;
  absl::Status Read(const SourceFile& file, const Resume& resume, ByteSink& sink,
                    const std::stop_token& stop) override;

 private:
  const std::string name_;
  const std::string folder_;
};

}  // namespace omserve::source
