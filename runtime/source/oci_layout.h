// SPDX-License-Identifier: Apache-2.0
// An OCI image layout: a folder in which models are artifacts, as `oras copy` and `skopeo copy`
// leave them. Each manifest that has a name is a model, each of its layers a file of it.
#pragma once

#include <stop_token>
#include <string>
#include <utility>
#include <vector>

#include "runtime/source/oci_json.h"
#include "runtime/source/source.h"

namespace omserve::source {

class OciLayout final : public Source {
 public:
  OciLayout(std::string name, std::string folder)
      : name_(std::move(name)), folder_(std::move(folder)) {}
  const std::string& name() const override { return name_; }
  absl::StatusOr<std::vector<SourceFile>> List(const std::stop_token& stop) override;
  absl::Status Read(const SourceFile& file, const Resume& resume, ByteSink& sink,
                    const std::stop_token& stop) override;

 private:
  absl::StatusOr<std::vector<SourceFile>> ListAll(const std::stop_token& stop) const;
  // A manifest or index, whose digest is as the descriptor says.
  absl::StatusOr<std::string> ReadJson(const OciDescriptor& descriptor) const;

  const std::string name_;
  const std::string folder_;
};

}  // namespace omserve::source
