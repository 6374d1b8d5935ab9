// SPDX-License-Identifier: Apache-2.0
#include "runtime/source/oci_layout.h"

#include <catch2/catch.hpp>
#include <stop_token>
#include <string>
#include <vector>

#include "runtime/base/errors.h"
#include "tests/runtime/source/scratch_folder.h"
#include "tests/status_test_util.h"

namespace omserve::source {
namespace {

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

// Manifests by name, also through an index that is named; what has no name, and other types, are
// passed over. Files are read, and gone on with.
TEST_CASE("OCI layout: models are listed and read") {
  const Layout layout;
  const std::string nested =
      layout.Blob(Layout::Index({layout.Manifest({layout.File("2/model.om", "two")}, "")}),
                  kOciIndexType, Layout::Named("registry.example:5000/team/text:2"));
  layout.SetIndex({layout.Manifest({layout.File("1/model.om", "one"),
                                    layout.File("config.yaml", "max_batch_size: 8\n"),
                                    layout.Blob("{}", kOciEmptyType)},
                                   "text:1"),
                   nested, layout.Manifest({layout.File("1/model.om", "old")}, ""),
                   layout.Blob("x", "application/vnd.example")});
  OciLayout source = layout.Open();
  const std::vector<SourceFile> files = VALUE(source.List({}));
  REQUIRE(files.size() == 3);
  CHECK(files[0].path == "text/1/model.om");
  CHECK(files[1].path == "text/2/model.om");
  CHECK(files[2].path == "text/config.yaml");
  CHECK(files[1].digest == DigestOf("two"));
  CHECK(files[1].size_bytes == 3U);

  StringSink sink;
  REQUIRE_OK(source.Read(files[2], {}, sink, {}));
  CHECK(sink.text == "max_batch_size: 8\n");
  sink.text = "max_";
  REQUIRE_OK(source.Read(files[2], {.offset = 4, .tag = sink.tag}, sink, {}));
  CHECK(sink.text == "max_batch_size: 8\n");
  sink.text = "another";
  REQUIRE_OK(source.Read(files[2], {.offset = 7, .tag = "of another"}, sink, {}));
  CHECK(sink.text == "max_batch_size: 8\n");
}

// What cannot be a model, or is not what its digest says, is named.
TEST_CASE("OCI layout: what is refused") {
  const Layout layout;
  CHECK_THAT(layout.Error(), Catch::Contains("index.json': no such file"));
  layout.SetIndex({});
  CHECK_THAT(layout.Error(), Catch::Contains("no manifest with"));
  layout.SetIndex(
      {layout.Manifest({layout.Blob("tar", "application/vnd.oci.image.layer.v1.tar")}, "text")});
  CHECK_THAT(layout.Error(), Catch::Contains("no file that has a name"));
  layout.SetIndex({layout.Manifest(
      {layout.Blob(
          "tar", "x",
          R"("org.opencontainers.image.title": "1", "io.deis.oras.content.unpack": "true")")},
      "text")});
  CHECK_THAT(layout.Error(), Catch::Contains("a packed folder"));
  layout.SetIndex({layout.Manifest({layout.File("../other/1/model.om", "x")}, "text")});
  CHECK_THAT(layout.Error(), Catch::Contains("begins with a dot"));
  layout.SetIndex({layout.Manifest({layout.File("1/model.om", "x")}, "text:a"),
                   layout.Manifest({layout.File("1/model.om", "y")}, "text:b")});
  CHECK_THAT(layout.Error(), Catch::Contains("in another manifest"));
  layout.SetIndex({layout.Manifest({layout.File("1/model.om", "x")}, ":1")});
  CHECK_THAT(layout.Error(), Catch::Contains("expected MODEL or MODEL:TAG"));

  const std::string manifest = layout.Manifest({layout.File("1/model.om", "z")}, "text");
  layout.SetIndex({manifest});
  const std::string hex = manifest.substr(manifest.find("sha256:") + 7, 64);
  layout.folder().Write("blobs/sha256/" + hex, "{}");
  CHECK_THAT(layout.Error(), Catch::Contains(hex + ": 2 bytes with SHA-256"));

  std::string deep = layout.Blob(Layout::Index({}), kOciIndexType, Layout::Named("text"));
  for (int i = 0; i < 5; ++i) {
    deep = layout.Blob(Layout::Index({deep}), kOciIndexType);
  }
  layout.SetIndex({deep});
  CHECK_THAT(layout.Error(), Catch::Contains("more than 4 deep"));
  layout.folder().Write("oci-layout", R"({"imageLayoutVersion": "2.0.0"})");
  CHECK_THAT(layout.Error(), Catch::Contains("expected '1.0.0'"));
}

// Fields of the wrong kind are named by their path.
TEST_CASE("OCI layout: damaged JSON") {
  const auto error = [](const std::string& json) {
    return std::string(MessageOf(ParseOciIndex(json, "index.json").status()));
  };
  CHECK_THAT(error("["), Catch::StartsWith("index.json: not JSON"));
  CHECK(error(R"({"manifests": []})") == "index.json: schemaVersion: expected 2");
  CHECK_THAT(error(R"({"schemaVersion": 2})"), Catch::Contains("'manifests' is missing"));
  const auto one = [&error](const std::string& descriptor) {
    return error(R"({"schemaVersion": 2, "manifests": [)" + descriptor + "]}");
  };
  CHECK_THAT(one("1"), Catch::Contains("manifests[0]: not an object"));
  CHECK_THAT(one(R"({"mediaType": "x", "digest": "sha512:00", "size": 1})"),
             Catch::Contains("manifests[0]: digest: expected sha256:"));
  const std::string digest = "\"sha256:" + std::string(64, '0') + "\"";
  CHECK_THAT(one(R"({"mediaType": "x", "digest": )" + digest + R"(, "size": -1})"),
             Catch::Contains("manifests[0]: size"));
  CHECK_THAT(one(R"({"mediaType": "x", "digest": )" + digest +
                 R"(, "size": 1, "annotations": {"org.opencontainers.image.title": 1}})"),
             Catch::Contains("annotations: 'org.opencontainers.image.title' is not a text"));
}

}  // namespace
}  // namespace omserve::source
