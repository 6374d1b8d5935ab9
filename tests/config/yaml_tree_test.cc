// SPDX-License-Identifier: Apache-2.0
#include "config/yaml_tree.h"

#include <catch2/catch.hpp>
#include <string>

#include "tests/config/config_test_util.h"

namespace omserve::config {
namespace {

std::string TreeError(const std::string& text) { return ErrorOf(ParseYaml(text, "f")); }

std::string Repeat(const std::string& text, int count) {
  std::string out;
  for (int i = 0; i < count; ++i) {
    out += text;
  }
  return out;
}

// Keys, values and list elements come in the order of the file, each with its place.
TEST_CASE("a tree has the file's order and places") {
  const YamlNode root = VALUE(ParseYaml("b: 1\na:\n  - x\n  - {k: \"v\"}\n", "f"));
  REQUIRE(root.kind == YamlNode::Kind::kMap);
  REQUIRE(root.keys.size() == 2);
  CHECK(root.keys[0].text == "b");
  CHECK(root.items[0].text == "1");
  CHECK(root.items[0].mark.line == 1);
  CHECK(root.items[0].mark.column == 4);
  const YamlNode& list = root.items[1];
  REQUIRE(list.kind == YamlNode::Kind::kSequence);
  REQUIRE(list.items.size() == 2);
  CHECK(list.items[0].text == "x");
  CHECK(list.items[0].mark.line == 3);
  CHECK(list.items[1].kind == YamlNode::Kind::kMap);
  CHECK(list.items[1].items[0].text == "v");
  CHECK(list.items[1].items[0].mark.column == 9);
}

// Text that says nothing is null; a quoted "null" is text.
TEST_CASE("null is what is plainly nothing") {
  CHECK(VALUE(ParseYaml("", "f")).kind == YamlNode::Kind::kNull);
  CHECK(VALUE(ParseYaml("# only a comment\n", "f")).kind == YamlNode::Kind::kNull);
  const YamlNode root = VALUE(ParseYaml("a:\nb: ~\nc: null\nd: \"null\"\n", "f"));
  CHECK(root.items[0].kind == YamlNode::Kind::kNull);
  CHECK(root.items[1].kind == YamlNode::Kind::kNull);
  CHECK(root.items[2].kind == YamlNode::Kind::kNull);
  CHECK(root.items[3].kind == YamlNode::Kind::kScalar);
  CHECK(root.items[0].mark.line == 1);  // At its key, since there is nothing else to point at.
}

// An alias is the anchored value, standing where the alias stands.
TEST_CASE("aliases are expanded") {
  const YamlNode root = VALUE(ParseYaml("a: &x [1, 2]\nb: *x\n", "f"));
  REQUIRE(root.items[1].kind == YamlNode::Kind::kSequence);
  CHECK(root.items[1].items[1].text == "2");
  CHECK(root.items[1].mark.line == 2);
}

// What is not YAML is refused with the place that the parser gives.
TEST_CASE("broken YAML is refused with its place") {
  CHECK(TreeError("a: [1, 2\nb: 3\n").starts_with("f:"));
  CHECK(TreeError("a: *nowhere\n") == "f:1:4: not YAML: the referenced anchor is not defined");
  CHECK(TreeError("a: b: c\n").starts_with("f:1:5: not YAML: "));
  CHECK(TreeError("a: 1\n\tb: 2\n").starts_with("f:2:1: not YAML: "));
  CHECK(TreeError("a: \"open\n").find("not YAML: illegal EOF in scalar") != std::string::npos);
  CHECK(TreeError("a: 'open").find("not YAML: illegal EOF in scalar") != std::string::npos);
}

// One file is one document with text for keys.
TEST_CASE("what a settings file cannot be is refused") {
  CHECK(TreeError("a: 1\n---\nb: 2\n") ==
        "f:2:1: a second document; one document per file is expected");
  CHECK(TreeError("{[1]: 2}") == "f:1:2: a key that is not text");
  CHECK(TreeError("~: 2") == "f:1:1: a key that is not text");
  CHECK(TreeError("a: &x [*x]\n") == "f:1:8: an alias inside the value that it refers to");
}

// Depth is bounded long before a stack could overflow, whichever way it is written.
TEST_CASE("deep nesting is refused") {
  const YamlNode deepest = VALUE(ParseYaml(Repeat("[", 64) + Repeat("]", 64), "f"));
  CHECK(deepest.kind == YamlNode::Kind::kSequence);
  CHECK(TreeError(Repeat("[", 65) + Repeat("]", 65)) == "f:1:65: nested deeper than 64");
  CHECK(TreeError(Repeat("[", 100'000)).find("nested deeper than 64") != std::string::npos);
  CHECK(TreeError(Repeat("{a: ", 100'000)).find("nested deeper than 64") != std::string::npos);
  CHECK(TreeError(Repeat("- ", 100'000)).find("nested deeper than 64") != std::string::npos);
}

// Ten aliases of ten aliases and so on are stopped when they have grown to 100 000 values.
TEST_CASE("an alias bomb is refused") {
  std::string text = "a0: &a0 [x, x, x, x, x, x, x, x, x, x]\n";
  for (int i = 1; i < 12; ++i) {
    const std::string before = "*a" + std::to_string(i - 1);
    text += "a" + std::to_string(i) + ": &a" + std::to_string(i) + " [" + before;
    text += Repeat(", " + before, 9) + "]\n";
  }
  CHECK(TreeError(text).find("more than 100000 values, aliases expanded") != std::string::npos);
}

// A long text repeated by aliases is stopped by its bytes.
TEST_CASE("an alias bomb of text is refused") {
  const std::string text =
      "a: &a " + std::string(1 << 20, 'x') + "\nb: [*a" + Repeat(", *a", 100) + "]\n";
  CHECK(TreeError(text).find("more than 16777216 bytes of text") != std::string::npos);
}

}  // namespace
}  // namespace omserve::config
