// SPDX-License-Identifier: Apache-2.0
// An OCI image layout: a folder in which models are artifacts or images, as `oras copy` and
// `skopeo copy` leave them. Each manifest that has a name is a model; each of its layers is a file
// of it, or an archive of files.
#pragma once

#include <map>
#include <set>
#include <stop_token>
#include <string>
#include <tuple>
#include <utility>
#include <vector>

#include "runtime/source/oci_json.h"
#include "runtime/source/packed_layer.h"
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
  // PackedLayer's digest, size, which is a promise until it was looked at, and `below`.
  using PackedKey = std::tuple<Digest, uint64_t, std::string>;
  // What a List has found so far.
  struct Listing {
    std::map<std::string, SourceFile> files;  // By path.
    std::set<PackedKey> archives;
    size_t packed_files = 0;  // In these.
    uint64_t packed_bytes = 0;
    uint64_t unpacked_bytes = 0;
  };
  absl::StatusOr<std::vector<SourceFile>> ListAll(Listing& listing, const std::stop_token& stop);
  absl::Status AddLayer(const OciDescriptor& layer, const std::string& model, Listing& listing,
                        const std::stop_token& stop);
  absl::Status AddPacked(const OciDescriptor& layer, const std::string& model, Listing& listing,
                         const std::stop_token& stop);
  // A manifest or index, whose digest is as the descriptor says.
  absl::StatusOr<std::string> ReadJson(const OciDescriptor& descriptor) const;

  const std::string name_;
  const std::string folder_;
  // What archives hold; of those that the last List named, so that each is unpacked once.
  std::map<PackedKey, PackedFiles> packed_;
};

}  // namespace omserve::source
