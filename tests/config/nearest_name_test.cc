// SPDX-License-Identifier: Apache-2.0
#include "config/nearest_name.h"

#include <catch2/catch.hpp>
#include <string>
#include <vector>

namespace omserve::config {
namespace {

const std::vector<std::string> kKnown = {"max_queue_size", "timeout_action", "name"};

// Known pairs have the distance that counting by hand gives.
TEST_CASE("edit distance of known pairs") {
  CHECK(EditDistance("", "") == 0);
  CHECK(EditDistance("", "abc") == 3);
  CHECK(EditDistance("kitten", "sitting") == 3);
  CHECK(EditDistance("nmae", "name") == 1);  // One swap of neighbours.
  CHECK(EditDistance("max_que_size", "max_queue_size") == 2);
}

// A typing error finds the name that was meant.
TEST_CASE("a mistyped name finds its neighbour") {
  CHECK(NearestName("max_que_size", kKnown) == "max_queue_size");
  CHECK(NearestName("nmae", kKnown) == "name");
  CHECK(NearestName("naem", kKnown) == "name");
}

// Something altogether different, or too long to be a typing error, finds nothing.
TEST_CASE("an unrelated name finds nothing") {
  CHECK(NearestName("zebra", kKnown).empty());
  CHECK(NearestName("", kKnown).empty());
  CHECK(NearestName(std::string(1'000'000, 'n'), kKnown).empty());
  CHECK(NearestName("name", {}).empty());
}

// The text gives the suggestion only where there is one, and always the known names.
TEST_CASE("the text for an unknown name") {
  CHECK(UnknownName("nane", "keys", kKnown) ==
        "unknown; did you mean 'name'? known keys: max_queue_size, timeout_action, name");
  CHECK(UnknownName("zebra", "keys", kKnown) ==
        "unknown; known keys: max_queue_size, timeout_action, name");
  CHECK(UnknownName("x", "keys", {}) == "unknown; there are no known keys");
}

}  // namespace
}  // namespace omserve::config
