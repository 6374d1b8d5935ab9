// SPDX-License-Identifier: Apache-2.0
#include "runtime/source/oci_layout.h"

#include <map>

#include "runtime/base/errors.h"
#include "runtime/base/file.h"
#include "runtime/source/local_file.h"
#include "runtime/source/sums_file.h"

namespace omserve::source {
namespace {

constexpr size_t kMostLayoutBytes = 4096;
// Indexes may name indexes; so deep nobody means it.
constexpr int kMostDepth = 4;
constexpr size_t kMostManifests = 16'384;

std::string BlobName(const Digest& digest) { return fmt::format("blobs/sha256/{}", HexOf(digest)); }

struct Listed {
  OciDescriptor descriptor;
  std::string ref_name;  // Its own, or that of the index which names it.
  int depth = 0;
};

absl::Status AddLayer(const OciDescriptor& layer, const std::string& model,
                      std::map<std::string, SourceFile>& files) {
  if (layer.media_type == kOciEmptyType) {
    return absl::OkStatus();
  }
  if (layer.title.empty() || layer.is_packed) {
    return InvalidArgument(
        "the layer {} of type '{}' is {}; expected one layer for each file, with the annotation "
        "org.opencontainers.image.title, as `oras push` makes them of files",
        HexOf(layer.digest), layer.media_type,
        layer.is_packed ? "a packed folder" : "no file that has a name");
  }
  const std::string path = fmt::format("{}/{}", model, layer.title);
  const absl::Status checked = CheckPath(path);
  if (!checked.ok()) {
    return WithContext(checked, "org.opencontainers.image.title");
  }
  const auto [file, is_new] = files.try_emplace(path, SourceFile{.path = path,
                                                                 .digest = layer.digest,
                                                                 .size_bytes = layer.size_bytes,
                                                                 .place = BlobName(layer.digest)});
  if (!is_new && file->second.digest != layer.digest) {
    return InvalidArgument("'{}' is {} here and {} in another manifest; tag one of them anew", path,
                           HexOf(layer.digest), HexOf(file->second.digest));
  }
  return absl::OkStatus();
}

}  // namespace

absl::StatusOr<std::string> OciLayout::ReadJson(const OciDescriptor& descriptor) const {
  const std::string blob = BlobName(descriptor.digest);
  ASSIGN_OR_RETURN(std::string text,
                   ReadFile(fmt::format("{}/{}", folder_, blob), kMostOciJsonBytes));
  if (text.size() != descriptor.size_bytes || DigestOf(text) != descriptor.digest) {
    return InvalidArgument(
        "{}: {} bytes with SHA-256 {}, expected {} bytes with that of its name; copy the image "
        "again",
        blob, text.size(), HexOf(DigestOf(text)), descriptor.size_bytes);
  }
  return text;
}

absl::StatusOr<std::vector<SourceFile>> OciLayout::ListAll(const std::stop_token& stop) const {
  ASSIGN_OR_RETURN(const std::string layout, ReadFile(folder_ + "/oci-layout", kMostLayoutBytes));
  RETURN_IF_ERROR(CheckOciLayout(layout, "oci-layout"));
  ASSIGN_OR_RETURN(const std::string index, ReadFile(folder_ + "/index.json", kMostOciJsonBytes));
  ASSIGN_OR_RETURN(const std::vector<OciDescriptor> roots, ParseOciIndex(index, "index.json"));
  std::vector<Listed> open;
  for (const OciDescriptor& root : roots) {
    open.push_back({.descriptor = root, .ref_name = root.ref_name});
  }
  std::map<std::string, SourceFile> files;
  for (size_t at = 0; at < open.size(); ++at) {
    const Listed listed = open[at];
    if (stop.stop_requested()) {
      return Cancelled("stopped");
    }
    const std::string where = BlobName(listed.descriptor.digest);
    if (listed.descriptor.media_type == kOciIndexType) {
      if (listed.depth >= kMostDepth || open.size() > kMostManifests) {
        return InvalidArgument("{}: indexes below indexes, more than {} deep or {} manifests",
                               where, kMostDepth, kMostManifests);
      }
      ASSIGN_OR_RETURN(const std::string text, ReadJson(listed.descriptor));
      ASSIGN_OR_RETURN(const std::vector<OciDescriptor> below, ParseOciIndex(text, where));
      for (const OciDescriptor& one : below) {
        open.push_back({.descriptor = one,
                        .ref_name = one.ref_name.empty() ? listed.ref_name : one.ref_name,
                        .depth = listed.depth + 1});
      }
      continue;
    }
    // What has lost its name to a newer one stays in the index; other types are for others.
    if (listed.descriptor.media_type != kOciManifestType || listed.ref_name.empty()) {
      continue;
    }
    ASSIGN_OR_RETURN(const std::string model, ModelOfReference(listed.ref_name));
    ASSIGN_OR_RETURN(const std::string text, ReadJson(listed.descriptor));
    ASSIGN_OR_RETURN(const std::vector<OciDescriptor> layers, ParseOciManifest(text, where));
    for (const OciDescriptor& layer : layers) {
      RETURN_IF_ERROR(
          WithContext(AddLayer(layer, model, files), fmt::format("'{}': {}", model, where)));
    }
    if (files.size() > kMostFiles) {
      return InvalidArgument("more than {} files", kMostFiles);
    }
  }
  if (files.empty()) {
    return InvalidArgument(
        "index.json: no manifest with org.opencontainers.image.ref.name has a file; nothing is "
        "removed for it");
  }
  std::vector<SourceFile> listed;
  for (auto& [path, file] : files) {
    listed.push_back(std::move(file));
  }
  return listed;
}

absl::StatusOr<std::vector<SourceFile>> OciLayout::List(const std::stop_token& stop) {
  absl::StatusOr<std::vector<SourceFile>> files = ListAll(stop);
  if (!files.ok()) {
    return WithContext(files.status(), fmt::format("source '{}'", name_));
  }
  return files;
}

absl::Status OciLayout::Read(const SourceFile& file, const Resume& resume, ByteSink& sink,
                             const std::stop_token& stop) {
  return ReadLocalFile(fmt::format("{}/{}", folder_, file.place), resume, sink, stop);
}

}  // namespace omserve::source
