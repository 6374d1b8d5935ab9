// SPDX-License-Identifier: Apache-2.0
// Layers of an image that are archives: what is in them is listed and read as files are.
#include <archive.h>
#include <archive_entry.h>

#include <catch2/catch.hpp>
#include <filesystem>
#include <stop_token>
#include <string>
#include <vector>

#include "runtime/source/oci_layout.h"
#include "runtime/source/packed_layer.h"
#include "tests/runtime/source/image_layout.h"
#include "tests/status_test_util.h"

namespace omserve::source {
namespace {

constexpr char kTar[] = "application/vnd.oci.image.layer.v1.tar";
constexpr char kTarGzip[] = "application/vnd.oci.image.layer.v1.tar+gzip";
constexpr char kTarZstd[] = "application/vnd.oci.image.layer.v1.tar+zstd";

struct Entry {
  std::string path;
  std::string contents;
  unsigned type = AE_IFREG;
  size_t zeros = 0;  // In place of contents.
  int holes = 0;     // Of which the header has a map: a byte, a hole of one, and so on.
};

std::string Archive(const std::vector<Entry>& entries, std::string_view type = kTar) {
  std::string file(size_t{1} << 20, '\0');
  size_t used = 0;
  archive* const writer = archive_write_new();
  archive_write_set_format_pax_restricted(writer);
  if (type.ends_with("twice")) {
    archive_write_add_filter_zstd(writer);
    archive_write_add_filter_zstd(writer);
  } else if (type.ends_with("gzip")) {
    archive_write_add_filter_gzip(writer);
  } else if (type.ends_with("zstd")) {
    archive_write_add_filter_zstd(writer);
  }
  REQUIRE(archive_write_open_memory(writer, file.data(), file.size(), &used) == ARCHIVE_OK);
  for (const Entry& entry : entries) {
    archive_entry* const header = archive_entry_new();
    archive_entry_set_pathname(header, entry.path.c_str());
    archive_entry_set_perm(header, 0644);
    archive_entry_set_filetype(header, entry.type);
    if (entry.type == AE_IFLNK) {
      archive_entry_set_symlink(header, entry.contents.c_str());
    } else {
      archive_entry_set_size(
          header, static_cast<int64_t>(entry.zeros > 0 ? entry.zeros : entry.contents.size()));
    }
    for (int i = 0; i < entry.holes; ++i) {
      archive_entry_sparse_add_entry(header, int64_t{2} * i, 1);
    }
    REQUIRE(archive_write_header(writer, header) == ARCHIVE_OK);
    if (entry.type == AE_IFREG) {
      archive_write_data(writer, entry.contents.data(), entry.contents.size());
    }
    const std::string block(size_t{1} << 20, '\0');
    for (size_t done = 0; done < entry.zeros; done += block.size()) {
      archive_write_data(writer, block.data(), std::min(block.size(), entry.zeros - done));
    }
    archive_entry_free(header);
  }
  REQUIRE(archive_write_close(writer) == ARCHIVE_OK);
  archive_write_free(writer);
  file.resize(used);
  return file;
}

std::string ReadAll(OciLayout& source, const SourceFile& file) {
  StringSink sink;
  REQUIRE_OK(source.Read(file, {}, sink, {}));
  return sink.text;
}

// A file that no one read() brings.
std::string LargeText() {
  std::string text;
  for (int i = 0; i < 100'000; ++i) {
    text += std::to_string(i);
  }
  return text;
}

// An image of a program that serves: of its files those below models/ are the model's.
TEST_CASE("OCI archives: models in images, however they are packed") {
  const std::string large = LargeText();
  for (const char* const type : {kTar, kTarGzip, kTarZstd}) {
    CAPTURE(type);
    const Layout layout;
    layout.SetIndex({layout.Manifest(
        {layout.Blob(Archive({{"bin/sh", "busybox", AE_IFLNK}, {"etc/passwd", "root"}}, type),
                     type),
         layout.Blob(Archive({{"./models", "", AE_IFDIR},
                              {"./models/1/model.om", large},
                              {"./models/config.yaml", "max_batch_size: 8\n"}},
                             type),
                     type)},
        "text:1")});
    OciLayout source = layout.Open();
    const std::vector<SourceFile> files = VALUE(source.List({}));
    REQUIRE(files.size() == 2);
    CHECK(files[0].path == "text/1/model.om");
    CHECK(files[0].digest == DigestOf(large));
    CHECK(files[0].size_bytes == large.size());
    CHECK(files[1].path == "text/config.yaml");
    CHECK(ReadAll(source, files[0]) == large);
    CHECK(ReadAll(source, files[1]) == "max_batch_size: 8\n");

    // Gone on with, in the middle and at the end; from the beginning where it was another's.
    StringSink sink;
    REQUIRE_OK(source.Read(files[0], {}, sink, {}));
    for (const size_t offset : {size_t{1}, large.size() / 2, large.size()}) {
      sink.text = large.substr(0, offset);
      REQUIRE_OK(source.Read(files[0], {.offset = offset, .tag = sink.tag}, sink, {}));
      CHECK(sink.text == large);
    }
    sink.text = "of another";
    REQUIRE_OK(source.Read(files[0], {.offset = 10, .tag = "another"}, sink, {}));
    CHECK(sink.text == large);
  }
}

// A folder that ORAS has packed carries its name inside; ModelPack names files by an annotation.
TEST_CASE("OCI archives: packed folders and ModelPack") {
  const Layout layout;
  layout.SetIndex(
      {layout.Manifest(
           {layout.Blob(
               Archive({{"1/model.om", "one"}, {"1/vocab.txt", "a"}}, kTarGzip), kTarGzip,
               R"("org.opencontainers.image.title": "1", "io.deis.oras.content.unpack": "true")")},
           "packed"),
       layout.Manifest({layout.Blob("raw", "application/vnd.cncf.model.weight.v1.raw",
                                    R"("org.cncf.model.filepath": "2/model.om")"),
                        layout.Blob("{}", kInTotoType),
                        layout.Blob(Archive({{"config.yaml", "{}"}}),
                                    "application/vnd.cncf.model.weight.config.v1.tar",
                                    R"("org.cncf.model.filepath": "config.yaml")")},
                       "pack")});
  OciLayout source = layout.Open();
  const std::vector<SourceFile> files = VALUE(source.List({}));
  REQUIRE(files.size() == 4);
  CHECK(files[0].path == "pack/2/model.om");
  CHECK(ReadAll(source, files[0]) == "raw");
  CHECK(files[1].path == "pack/config.yaml");
  CHECK(ReadAll(source, files[1]) == "{}");
  CHECK(files[2].path == "packed/1/model.om");
  CHECK(ReadAll(source, files[2]) == "one");
  CHECK(files[3].path == "packed/1/vocab.txt");
}

// Listing again does not unpack again.
TEST_CASE("OCI archives: unpacked once") {
  const Layout layout;
  const std::string file = Archive({{"models/1/model.om", "one"}});
  layout.SetIndex({layout.Manifest({layout.Blob(file, kTar)}, "text")});
  OciLayout source = layout.Open();
  CHECK(VALUE(source.List({})).size() == 1);
  std::filesystem::remove(layout.folder().path() + "/blobs/sha256/" + HexOf(DigestOf(file)));
  CHECK(VALUE(source.List({})).size() == 1);
}

TEST_CASE("OCI archives: what is refused") {
  const Layout layout;
  const auto error = [&layout](const std::vector<Entry>& entries) {
    layout.SetIndex({layout.Manifest({layout.Blob(Archive(entries), kTar)}, "text")});
    return layout.Error();
  };
  CHECK_THAT(error({{"models/1/model.om", "/etc/shadow", AE_IFLNK}}),
             Catch::Contains("'models/1/model.om' is a link or a device"));
  CHECK_THAT(error({{"models/../../x", "x"}}), Catch::Contains("begins with a dot"));
  CHECK_THAT(error({{"models/a", "x"}, {"models/a", "y"}}), Catch::Contains("is in it twice"));
  CHECK_THAT(error({{"other/a", "x"}}), Catch::Contains("in images below 'models/'"));

  CHECK_THAT(error({{".wh.models", ""}, {"models/a", "x"}}),
             Catch::Contains("'.wh.models' removes what an earlier layer"));
  CHECK_THAT(error({{"models/1/.wh.model.om", ""}}), Catch::Contains("put the model into one"));

  // A header that is damaged, by who also made the digest: what follows is not passed over.
  std::string damaged = Archive({{"models/a", "x"}, {"models/b", "y"}, {"models/c", "z"}});
  ++damaged[1024 + 5];
  layout.SetIndex({layout.Manifest({layout.Blob(damaged, kTar)}, "text")});
  CHECK_THAT(layout.Error(), Catch::Contains("no tar archive that can be read"));
  layout.SetIndex(
      {layout.Manifest({layout.Blob(Archive({{"models/a", "x"}}, "twice"), kTarZstd)}, "text")});
  CHECK_THAT(layout.Error(), Catch::Contains("it is packed more than once"));
  layout.SetIndex({layout.Manifest({layout.Blob("no tar at all", kTarGzip)}, "text")});
  CHECK_THAT(layout.Error(), Catch::Contains("no tar archive that can be read"));
  std::stop_source stop;
  stop.request_stop();
  layout.SetIndex({layout.Manifest({layout.Blob(Archive({{"models/a", "x"}}), kTar)}, "text")});
  OciLayout source = layout.Open();
  CHECK(source.List(stop.get_token()).status().code() == absl::StatusCode::kCancelled);
}

// A small file that would fill a disk, or keep a processor busy with what is passed over.
TEST_CASE("OCI archives: bombs") {
  const Layout layout;
  const std::string path = GENERATE("models/zeros", "other/zeros");
  const Entry zeros = {.path = path, .contents = "", .zeros = kLeastPackedLimit + 1};
  layout.SetIndex({layout.Manifest({layout.Blob(Archive({zeros}, kTarZstd), kTarZstd)}, "text")});
  CHECK_THAT(layout.Error(),
             Catch::Contains("it unpacks to more than the 1073741824 bytes that are left for it"));
}

// What one archive may unpack to is for all of a listing, or a thousand of them would do.
TEST_CASE("OCI archives: bombs in pieces") {
  const Layout layout;
  std::vector<std::string> layers;
  for (const char* const path : {"models/1/a", "models/1/b", "models/1/c"}) {
    const Entry zeros = {.path = path, .contents = "", .zeros = kLeastPackedLimit * 2 / 5};
    layers.push_back(layout.Blob(Archive({zeros}, kTarZstd), kTarZstd));
  }
  layout.SetIndex({layout.Manifest({layers[0], layers[1]}, "text")});
  OciLayout source = layout.Open();
  CHECK(VALUE(source.List({})).size() == 2);
  layout.SetIndex({layout.Manifest(layers, "text")});
  const absl::Status status = source.List({}).status();
  CHECK_THAT(std::string(MessageOf(status)), Catch::Contains("it unpacks to more than the 2147"));
}

// Headers alone keep a reader as busy as files do.
TEST_CASE("OCI archives: all that is unpacked counts") {
  const Layout layout;
  const std::string file =
      Archive(std::vector<Entry>(100, {.path = "other/empty", .contents = ""}));
  layout.folder().Write("archive", file);
  PackedLayer layer = {.path = layout.folder().path() + "/archive",
                       .digest = DigestOf(file),
                       .size_bytes = file.size(),
                       .below = "models/",
                       .most_bytes = file.size()};
  const PackedFiles found = VALUE(ListPackedLayer(layer, {}));
  CHECK(found.files.empty());
  CHECK(found.unpacked_bytes >= 100 * 512);
  layer.most_bytes = 100 * 512 / 2;
  CHECK(ListPackedLayer(layer, {}).status().code() == absl::StatusCode::kInvalidArgument);
}

// What a layer may unpack to goes by its size, so that must be so, now and when it was seen before.
TEST_CASE("OCI archives: sizes that are not so") {
  const Layout layout;
  const std::string honest = layout.Blob(Archive({{"models/1/a", "x"}}), kTar);
  layout.SetIndex({layout.Manifest({honest}, "text")});
  OciLayout source = layout.Open();
  CHECK(VALUE(source.List({})).size() == 1);
  const size_t at = honest.find("\"size\": ") + 8;
  const std::string false_size = honest.substr(0, at) + "1000000000000}";
  layout.SetIndex({layout.Manifest({false_size}, "text")});
  const absl::Status status = source.List({}).status();
  CHECK_THAT(std::string(MessageOf(status)),
             Catch::Contains("expected 1000000000000; copy the image again"));
}

// A map of holes is held in memory, however little it is packed to.
TEST_CASE("OCI archives: headers without an end") {
  const Layout layout;
  const int holes = GENERATE(1000, 700'000);
  const size_t size = size_t{2} * static_cast<size_t>(holes);
  const std::string file =
      Archive({{.path = "models/a", .contents = "", .zeros = size, .holes = holes}}, kTarZstd);
  layout.SetIndex({layout.Manifest({layout.Blob(file, kTarZstd)}, "text")});
  OciLayout source = layout.Open();
  if (holes == 1000) {
    CHECK(ReadAll(source, VALUE(source.List({})).at(0)) == std::string(size, '\0'));
  } else {
    CHECK_THAT(layout.Error(), Catch::Contains("a header of more than 4194304 bytes"));
  }
}

// Whatever is changed or cut off in an archive, its digest tells.
TEST_CASE("OCI archives: damage") {
  const Layout layout;
  for (const char* const type : {kTar, kTarGzip, kTarZstd}) {
    const std::string file = Archive({{"models/1/model.om", LargeText().substr(0, 3000)}}, type);
    layout.SetIndex({layout.Manifest({layout.Blob(file, type)}, "text")});
    const std::string blob = "blobs/sha256/" + HexOf(DigestOf(file));
    for (size_t i = 0; i < file.size(); i += file.size() / 61 + 1) {
      CAPTURE(type, i);
      std::string changed = file;
      changed[i] = static_cast<char>(changed[i] ^ 0x41);
      layout.folder().Write(blob, changed);
      CHECK_THAT(layout.Error(), Catch::Contains("copy the image again"));
      layout.folder().Write(blob, file.substr(0, i));
      CHECK_THAT(layout.Error(), Catch::Contains("copy the image again"));
    }
  }
}

}  // namespace
}  // namespace omserve::source
