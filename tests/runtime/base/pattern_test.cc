// SPDX-License-Identifier: Apache-2.0
// What names mean that people write: patterns, and folders of versions.
#include "runtime/base/pattern.h"

#include <catch2/catch.hpp>
#include <string>

#include "runtime/base/version_folder.h"

namespace omserve {
namespace {

TEST_CASE("Patterns of names", "[pattern]") {
  CHECK(FitsPattern("resnet", "resnet"));
  CHECK_FALSE(FitsPattern("resnet", "resnet50"));
  CHECK(FitsPattern("resnet*", "resnet50"));
  CHECK(FitsPattern("resnet*", "resnet"));
  CHECK(FitsPattern("*", ""));
  CHECK(FitsPattern("*a*b", "xaxbab"));
  CHECK_FALSE(FitsPattern("*a*b", "xaxba"));
  CHECK(FitsPattern("team/*/v*", "team/a/v1"));
  CHECK_FALSE(FitsPattern("", "a"));
  CHECK_FALSE(FitsPattern("a", ""));
}

// Whole numbers above 0 as they are usually written, and nothing that only looks like one.
TEST_CASE("Folders of versions", "[pattern]") {
  CHECK(VersionOfFolder("1") == 1);
  CHECK(VersionOfFolder("9223372036854775807") == 9223372036854775807);
  for (const char* name : {"", "0", "01", "-1", "+1", " 1", "1 ", "1a", "9223372036854775808"}) {
    CAPTURE(name);
    CHECK_FALSE(VersionOfFolder(name).has_value());
  }
}

}  // namespace
}  // namespace omserve
