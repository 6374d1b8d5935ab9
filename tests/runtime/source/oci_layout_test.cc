// SPDX-License-Identifier: Apache-2.0
#include "runtime/source/oci_layout.h"

#include <catch2/catch.hpp>
#include <stop_token>
#include <string>
#include <vector>

#include "runtime/base/errors.h"
#include "tests/runtime/source/image_layout.h"
#include "tests/status_test_util.h"

namespace omserve::source {
namespace {

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
  layout.SetIndex({layout.Manifest({layout.Blob("bytes", "application/vnd.example")}, "text")});
  CHECK_THAT(layout.Error(), Catch::Contains("no file that has a name, and no archive"));
  layout.SetIndex({layout.Manifest({layout.File("../other/1/model.om", "x")}, "text")});
  CHECK_THAT(layout.Error(), Catch::Contains("begins with a dot"));
  layout.SetIndex({layout.Manifest({layout.File("1/model.om", "x")}, "text:a"),
                   layout.Manifest({layout.File("1/model.om", "y")}, "text:b")});
  CHECK_THAT(layout.Error(), Catch::Contains("in another layer or manifest"));
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
