// SPDX-License-Identifier: Apache-2.0
#include "runtime/source/oci_layout.h"

#include <map>
#include <string_view>
#include <utility>

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

// Between an archive's place and that of a file in it.
constexpr char kInside = '!';
// Where an image of a program has its model, by a convention of those who serve from images.
constexpr std::string_view kImageFolder = "models/";

absl::Status AddFile(SourceFile file, std::map<std::string, SourceFile>& files) {
  RETURN_IF_ERROR(CheckPath(file.path));
  const std::string path = file.path;
  const Digest digest = file.digest;
  const auto [added, is_new] = files.try_emplace(path, std::move(file));
  if (!is_new && added->second.digest != digest) {
    return InvalidArgument("'{}' is {} here and {} in another layer or manifest; tag one anew",
                           path, HexOf(digest), HexOf(added->second.digest));
  }
  return absl::OkStatus();
}

// The layer is one file, of this name below the model's folder. Empty: it is not.
std::string FileNameOf(const OciDescriptor& layer) {
  if (layer.is_packed) {
    return "";
  }
  const bool is_raw = layer.title.empty() && layer.media_type.ends_with(".raw");
  return is_raw ? layer.file_path : layer.title;
}

bool IsArchive(const OciDescriptor& layer) {
  const std::string_view type = layer.media_type;
  return layer.is_packed || type.ends_with(".tar") || type.ends_with("tar+gzip") ||
         type.ends_with("tar+zstd");
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

absl::Status OciLayout::AddLayer(const OciDescriptor& layer, const std::string& model,
                                 Listing& listing, const std::stop_token& stop) {
  if (layer.media_type == kOciEmptyType || layer.media_type == kInTotoType) {
    return absl::OkStatus();  // Nothing, or what a builder says of how it built.
  }
  if (const std::string name = FileNameOf(layer); !name.empty()) {
    return AddFile({.path = fmt::format("{}/{}", model, name),
                    .digest = layer.digest,
                    .size_bytes = layer.size_bytes,
                    .place = BlobName(layer.digest)},
                   listing.files);
  }
  if (IsArchive(layer)) {
    return AddPacked(layer, model, listing, stop);
  }
  return InvalidArgument(
      "type '{}': no file that has a name, and no archive; expected the annotation "
      "org.opencontainers.image.title, as `oras push` gives it to files, or a type that ends with "
      "tar, tar+gzip or tar+zstd",
      layer.media_type);
}

absl::Status OciLayout::AddPacked(const OciDescriptor& layer, const std::string& model,
                                  Listing& listing, const std::stop_token& stop) {
  const bool is_of_image = layer.media_type.starts_with(kOciLayerTypes) && !layer.is_packed;
  const std::string below(is_of_image ? kImageFolder : "");
  const std::string blob = BlobName(layer.digest);
  const PackedKey key(layer.digest, layer.size_bytes, below);
  const bool is_new = listing.archives.insert(key).second;
  listing.packed_bytes += is_new ? layer.size_bytes : 0;
  auto inside = packed_.find(key);
  if (inside == packed_.end()) {
    const uint64_t most_bytes = MostUnpackedBytes(listing.packed_bytes);
    ASSIGN_OR_RETURN(PackedFiles unpacked,
                     ListPackedLayer({.path = fmt::format("{}/{}", folder_, blob),
                                      .digest = layer.digest,
                                      .size_bytes = layer.size_bytes,
                                      .below = below,
                                      .most_bytes = most_bytes - listing.unpacked_bytes},
                                     stop));
    inside = packed_.emplace(key, std::move(unpacked)).first;
  }
  if (is_new) {
    listing.packed_files += inside->second.files.size();
    listing.unpacked_bytes += inside->second.unpacked_bytes;
  }
  if (listing.unpacked_bytes > MostUnpackedBytes(listing.packed_bytes)) {
    return InvalidArgument("its archives unpack to more than {} bytes",
                           MostUnpackedBytes(listing.packed_bytes));
  }
  if (listing.packed_files > kMostFiles) {
    return InvalidArgument("more than {} files in archives", kMostFiles);
  }
  for (const PackedFile& file : inside->second.files) {
    RETURN_IF_ERROR(AddFile({.path = fmt::format("{}/{}", model, file.path.substr(below.size())),
                             .digest = file.digest,
                             .size_bytes = file.size_bytes,
                             .place = fmt::format("{}{}{}", blob, kInside, file.path)},
                            listing.files));
  }
  return absl::OkStatus();
}

absl::StatusOr<std::vector<SourceFile>> OciLayout::ListAll(Listing& listing,
                                                           const std::stop_token& stop) {
  ASSIGN_OR_RETURN(const std::string layout, ReadFile(folder_ + "/oci-layout", kMostLayoutBytes));
  RETURN_IF_ERROR(CheckOciLayout(layout, "oci-layout"));
  ASSIGN_OR_RETURN(const std::string index, ReadFile(folder_ + "/index.json", kMostOciJsonBytes));
  ASSIGN_OR_RETURN(const std::vector<OciDescriptor> roots, ParseOciIndex(index, "index.json"));
  std::vector<Listed> open;
  for (const OciDescriptor& root : roots) {
    open.push_back({.descriptor = root, .ref_name = root.ref_name});
  }
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
          WithContext(AddLayer(layer, model, listing, stop),
                      fmt::format("'{}': {}: layer {}", model, where, BlobName(layer.digest))));
      if (listing.files.size() > kMostFiles) {
        return InvalidArgument("more than {} files", kMostFiles);
      }
    }
  }
  if (listing.files.empty()) {
    return InvalidArgument(
        "index.json: no manifest with org.opencontainers.image.ref.name has a file, in images "
        "below '{}'; nothing is removed for it",
        kImageFolder);
  }
  std::vector<SourceFile> listed;
  for (auto& [path, file] : listing.files) {
    listed.push_back(std::move(file));
  }
  return listed;
}

absl::StatusOr<std::vector<SourceFile>> OciLayout::List(const std::stop_token& stop) {
  Listing listing;
  absl::StatusOr<std::vector<SourceFile>> files = ListAll(listing, stop);
  std::erase_if(packed_,
                [&](const auto& entry) { return !listing.archives.contains(entry.first); });
  if (!files.ok()) {
    return WithContext(files.status(), fmt::format("source '{}'", name_));
  }
  return files;
}

absl::Status OciLayout::Read(const SourceFile& file, const Resume& resume, ByteSink& sink,
                             const std::stop_token& stop) {
  const std::string path = fmt::format("{}/{}", folder_, file.place);
  const size_t inside = path.find(kInside, folder_.size());
  if (inside == std::string::npos) {
    return ReadLocalFile(path, resume, sink, stop);
  }
  const std::string archive = path.substr(0, inside);
  return WithContext(ReadPackedFile(archive, path.substr(inside + 1), resume, sink, stop),
                     fmt::format("'{}'", archive));
}

}  // namespace omserve::source
