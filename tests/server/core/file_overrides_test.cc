// SPDX-License-Identifier: Apache-2.0
#include "server/core/file_overrides.h"

#include <catch2/catch.hpp>
#include <filesystem>
#include <string>

#include "runtime/base/file.h"
#include "tests/status_test_util.h"

namespace omserve::server {
namespace {

TEST_CASE("Base64 is what RFC 4648 has padded") {
  const std::pair<const char*, std::string> right[] = {
      {"", ""}, {"Zg==", "f"}, {"Zm8=", "fo"}, {"Zm9v", "foo"}, {"AAEC/w==", {"\0\1\2\xff", 4}}};
  for (const auto& [text, bytes] : right) {
    CHECK(VALUE(DecodeBase64(text)) == bytes);
  }
  for (const char* wrong : {"Z", "Zg", "Zg=", "Z===", "Zm9*", "====", "Z=9v", "-_-_"}) {
    CAPTURE(wrong);
    CHECK_FALSE(DecodeBase64(wrong).ok());
  }
}

// Files stand under their paths, and go with the folder.
TEST_CASE("Files of a request stand in a folder of their own") {
  LoadParameters parameters;
  REQUIRE_OK(AddFile("file:1/model.om", "one", parameters));
  REQUIRE_OK(AddFile("file:1/parts/w.bin", "two", parameters));
  REQUIRE_OK(AddFile("file:labels.txt", "three", parameters));
  std::string path;
  {
    const auto folder = VALUE(WriteFiles(parameters.files));
    path = folder->path();
    CHECK(VALUE(ReadFile(path + "/1/model.om")) == "one");
    CHECK(VALUE(ReadFile(path + "/1/parts/w.bin")) == "two");
    CHECK(VALUE(ReadFile(path + "/labels.txt")) == "three");
  }
  CHECK_FALSE(std::filesystem::exists(path));
  for (const char* name : {"file:", "file:/etc/passwd", "file:../x", "file:1/../../x", "file:1/",
                           "file:.", "file:./x", "file:1/.."}) {
    CAPTURE(name);
    CHECK_FALSE(AddFile(name, "x", parameters).ok());
  }
  CHECK(parameters.files.size() == 3);
}

TEST_CASE("Names of models stay within the repository", "[1.12/model-names]") {
  REQUIRE_OK(CheckModelName("text"));
  REQUIRE_OK(CheckModelName("a model.v2"));
  for (const std::string& name : {std::string(), std::string(" "), std::string("a/b"),
                                  std::string(".."), std::string("a..b"), std::string("a\0b", 3)}) {
    CHECK_FALSE(CheckModelName(name).ok());
  }
}

}  // namespace
}  // namespace omserve::server
