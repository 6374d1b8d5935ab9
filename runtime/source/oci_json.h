// SPDX-License-Identifier: Apache-2.0
// The JSON of an OCI image layout, as far as models need it.
//
// Source: OCI Image Format Specification v1.1, image-layout.md, image-index.md, manifest.md,
// descriptor.md and annotations.md; ORAS and CNCF ModelPack for the annotations of layers that are
// files.
#pragma once

#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "absl/status/statusor.h"
#include "runtime/base/digest.h"

namespace omserve::source {

inline constexpr size_t kMostOciJsonBytes = size_t{4} << 20;
inline constexpr size_t kMostOciDescriptors = 16'384;

inline constexpr std::string_view kOciManifestType = "application/vnd.oci.image.manifest.v1+json";
inline constexpr std::string_view kOciIndexType = "application/vnd.oci.image.index.v1+json";
// How the types of an image's layers begin.
inline constexpr std::string_view kOciLayerTypes = "application/vnd.oci.image.layer.";
inline constexpr std::string_view kInTotoType = "application/vnd.in-toto+json";
inline constexpr std::string_view kOciEmptyType = "application/vnd.oci.empty.v1+json";

struct OciDescriptor {
  std::string media_type;
  Digest digest{};
  uint64_t size_bytes = 0;
  // Annotations; empty where there are none.
  std::string ref_name;    // org.opencontainers.image.ref.name
  std::string title;       // org.opencontainers.image.title
  bool is_packed = false;  // io.deis.oras.content.unpack: a folder as tar+gzip.
  std::string file_path;   // org.cncf.model.filepath

  bool operator==(const OciDescriptor&) const = default;
};

// The errors of all are kInvalidArgument with `where` and the path of the field. All are pure.

// Of the file oci-layout: that its version is known.
absl::Status CheckOciLayout(std::string_view json, std::string_view where);
// The manifests of an index.
absl::StatusOr<std::vector<OciDescriptor>> ParseOciIndex(std::string_view json,
                                                         std::string_view where);
// The layers of a manifest.
absl::StatusOr<std::vector<OciDescriptor>> ParseOciManifest(std::string_view json,
                                                            std::string_view where);
// The model that "text", "text:2" or "registry.example/team/text:2" names: "text".
absl::StatusOr<std::string> ModelOfReference(std::string_view reference);

}  // namespace omserve::source
