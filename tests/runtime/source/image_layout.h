// SPDX-License-Identifier: Apache-2.0
// An OCI image layout that a test writes, and a place for what is read of one.
#pragma once

#include <catch2/catch.hpp>
#include <string>
#include <vector>

#include "runtime/base/errors.h"
#include "runtime/source/oci_layout.h"
#include "tests/runtime/source/scratch_folder.h"
#include "tests/status_test_util.h"

namespace omserve::source {

// An image layout under construction.
class Layout final {
 public:
  Layout() { folder_.Write("oci-layout", R"({"imageLayoutVersion": "1.0.0"})"); }

  const ScratchFolder& folder() const { return folder_; }
  OciLayout Open() const { return {"oci:" + folder_.path(), folder_.path()}; }

  // A descriptor of a blob with these contents.
  std::string Blob(const std::string& contents, std::string_view type,
                   const std::string& annotations = "") const {
    const std::string hex = HexOf(DigestOf(contents));
    folder_.Write("blobs/sha256/" + hex, contents);
    return fmt::format(R"({{"mediaType": "{}", "digest": "sha256:{}", "size": {}{}}})", type, hex,
                       contents.size(),
                       annotations.empty() ? "" : ", \"annotations\": {" + annotations + "}");
  }
  // As ORAS does: files under the type of layers that are archives.
  std::string File(const std::string& title, const std::string& contents) const {
    return Blob(contents, "application/vnd.oci.image.layer.v1.tar",
                fmt::format(R"("org.opencontainers.image.title": "{}")", title));
  }
  std::string Manifest(const std::vector<std::string>& layers, const std::string& ref_name) const {
    return Blob(fmt::format(R"({{"schemaVersion": 2, "config": {{}}, "layers": [{}]}})",
                            fmt::join(layers, ", ")),
                kOciManifestType, Named(ref_name));
  }
  static std::string Index(const std::vector<std::string>& manifests) {
    return fmt::format(R"({{"schemaVersion": 2, "manifests": [{}]}})", fmt::join(manifests, ", "));
  }
  static std::string Named(const std::string& ref_name) {
    return ref_name.empty() ? ""
                            : fmt::format(R"("org.opencontainers.image.ref.name": "{}")", ref_name);
  }
  void SetIndex(const std::vector<std::string>& manifests) const {
    folder_.Write("index.json", Index(manifests));
  }
  std::string Error() const {
    OciLayout source = Open();
    const absl::Status status = source.List({}).status();
    CHECK_FALSE(status.ok());
    return std::string(MessageOf(status));
  }

 private:
  ScratchFolder folder_;
};

class StringSink final : public ByteSink {
 public:
  absl::Status Begin(const Beginning& beginning) override {
    text.resize(beginning.offset);
    tag = beginning.tag;
    return absl::OkStatus();
  }
  absl::Status Write(std::span<const std::byte> bytes) override {
    for (const std::byte byte : bytes) {
      text += static_cast<char>(byte);
    }
    return absl::OkStatus();
  }
  std::string text;
  std::string tag;
};

}  // namespace omserve::source
