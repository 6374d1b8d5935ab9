// SPDX-License-Identifier: Apache-2.0
#include "runtime/source/oci_json.h"

#include <boost/json.hpp>
#include <limits>
#include <optional>
#include <utility>

#include "runtime/base/errors.h"
#include "runtime/base/json_fields.h"
#include "runtime/source/sums_file.h"

namespace omserve::source {
namespace {

namespace json = boost::json;

constexpr std::string_view kAlgorithm = "sha256:";
constexpr std::string_view kLayoutVersion = "1.0.0";

absl::Status ReadAnnotations(const json::object& descriptor, std::string_view where,
                             OciDescriptor& read) {
  if (FindField(descriptor, "annotations") == nullptr) {
    return absl::OkStatus();
  }
  ASSIGN_OR_RETURN(const json::object* const annotations,
                   ObjectField(descriptor, "annotations", where));
  const std::string inside = fmt::format("{}: annotations", where);
  const auto text = [&](std::string_view key, std::string& value) -> absl::Status {
    if (FindField(*annotations, key) != nullptr) {
      ASSIGN_OR_RETURN(value, TextField(*annotations, key, inside));
    }
    return absl::OkStatus();
  };
  std::string unpack;
  RETURN_IF_ERROR(text("org.opencontainers.image.ref.name", read.ref_name));
  RETURN_IF_ERROR(text("org.opencontainers.image.title", read.title));
  RETURN_IF_ERROR(text("io.deis.oras.content.unpack", unpack));
  RETURN_IF_ERROR(text("org.cncf.model.filepath", read.file_path));
  read.is_packed = unpack == "true";
  return absl::OkStatus();
}

absl::StatusOr<OciDescriptor> ReadDescriptor(const json::value& value, std::string_view where) {
  ASSIGN_OR_RETURN(const json::object* const object, ObjectOf(value, where));
  OciDescriptor read;
  ASSIGN_OR_RETURN(read.media_type, TextField(*object, "mediaType", where));
  ASSIGN_OR_RETURN(const std::string digest, TextField(*object, "digest", where));
  const std::optional<Digest> sha256 = digest.starts_with(kAlgorithm)
                                           ? DigestFromHex(digest.substr(kAlgorithm.size()))
                                           : std::nullopt;
  if (!sha256.has_value()) {
    return InvalidArgument("{}: digest: expected sha256: and 64 hexadecimal digits, got '{}'",
                           where, Shown(digest));
  }
  read.digest = *sha256;
  const json::value* const size = FindField(*object, "size");
  if (size == nullptr) {
    return InvalidArgument("{}: 'size' is missing; expected a number of bytes", where);
  }
  ASSIGN_OR_RETURN(read.size_bytes, NumberOf(*size, 0, std::numeric_limits<int64_t>::max(),
                                             fmt::format("{}: size", where)));
  RETURN_IF_ERROR(ReadAnnotations(*object, where, read));
  return read;
}

absl::StatusOr<std::vector<OciDescriptor>> ReadDescriptors(std::string_view text,
                                                           std::string_view key,
                                                           std::string_view where) {
  if (text.size() > kMostOciJsonBytes) {
    return InvalidArgument("{}: {} bytes, at most {} are read", where, text.size(),
                           kMostOciJsonBytes);
  }
  ASSIGN_OR_RETURN(const json::object object, ParseObject(text, where));
  const json::value* const version = FindField(object, "schemaVersion");
  if (version == nullptr || !NumberOf(*version, 2, 2, where).ok()) {
    return InvalidArgument("{}: schemaVersion: expected 2", where);
  }
  ASSIGN_OR_RETURN(const json::array* const list,
                   ListField(object, key, kMostOciDescriptors, where));
  std::vector<OciDescriptor> descriptors;
  for (size_t i = 0; i < list->size(); ++i) {
    ASSIGN_OR_RETURN(OciDescriptor descriptor,
                     ReadDescriptor((*list)[i], fmt::format("{}: {}[{}]", where, key, i)));
    descriptors.push_back(std::move(descriptor));
  }
  return descriptors;
}

}  // namespace

absl::Status CheckOciLayout(std::string_view text, std::string_view where) {
  ASSIGN_OR_RETURN(const json::object object, ParseObject(text, where));
  return CheckTextField(object, "imageLayoutVersion", kLayoutVersion, where);
}

absl::StatusOr<std::vector<OciDescriptor>> ParseOciIndex(std::string_view text,
                                                         std::string_view where) {
  return ReadDescriptors(text, "manifests", where);
}

absl::StatusOr<std::vector<OciDescriptor>> ParseOciManifest(std::string_view text,
                                                            std::string_view where) {
  return ReadDescriptors(text, "layers", where);
}

absl::StatusOr<std::string> ModelOfReference(std::string_view reference) {
  const std::string_view whole = reference;
  reference = reference.substr(0, reference.find('@'));
  reference.remove_prefix(reference.rfind('/') + 1);  // npos + 1 is 0.
  const std::string model(reference.substr(0, reference.find(':')));
  const absl::Status checked = CheckPath(model);
  if (!checked.ok()) {
    return InvalidArgument(
        "org.opencontainers.image.ref.name: expected MODEL or MODEL:TAG, got '{}'", Shown(whole));
  }
  return model;
}

}  // namespace omserve::source
