// SPDX-License-Identifier: Apache-2.0
#include "runtime/om/attr_reader.h"

#include <catch2/catch.hpp>

#include "tests/status_test_util.h"

namespace omserve::om {
namespace {

// 300 names, so that indices need two digits; the texts of name 200 are indices.
ge::ModelDef CompressedModel() {
  ge::ModelDef model;
  auto& attrs = *model.mutable_attr();
  attrs["om_compress_version"].set_i(1);
  attrs["soc_version"].set_s("Ascend310P3");
  auto* const names = attrs["attr_name_enum"].mutable_list();
  auto* const flags = attrs["attrs_use_string_value"].mutable_list();
  for (int i = 0; i < 300; ++i) {
    names->add_s("name" + std::to_string(i));
    flags->add_b(i == 200);
  }
  auto* const values = attrs["attr_value_enum"].mutable_list();
  values->add_s("zero");
  values->add_s("one");
  return model;
}

// "\0", then the index in base 127 with each digit plus one, least first.
std::string Key(int index) {
  std::string key(1, '\0');
  do {
    key += static_cast<char>(index % 127 + 1);
    index /= 127;
  } while (index > 0);
  return key;
}

// Without compression names are what they are.
TEST_CASE("plain attributes are found by name", "[attr_reader]") {
  ge::ModelDef model;
  auto& attrs = *model.mutable_attr();
  attrs["i"].set_i(-5);
  attrs["s"].set_s("text");
  attrs["li"].mutable_list()->add_i(7);
  attrs["ls"].mutable_list()->add_s("a");
  const AttrReader reader = VALUE(AttrReader::Make(model));
  CHECK(reader.Int(attrs, "i") == -5);
  CHECK(reader.Text(attrs, "s") == "text");
  CHECK(reader.Ints(attrs, "li") == std::vector<int64_t>{7});
  CHECK(reader.Texts(attrs, "ls") == std::vector<std::string>{"a"});
  CHECK_FALSE(reader.Int(attrs, "none").has_value());
  CHECK_FALSE(reader.Int(attrs, "s").has_value());
  CHECK_FALSE(reader.Ints(attrs, "i").has_value());
  CHECK_FALSE(reader.Text(attrs, "i").has_value());
  CHECK_FALSE(reader.Texts(attrs, "i").has_value());
}

// Compressed names are found by their plain names; marked texts come from the table of values.
TEST_CASE("compressed attributes are found by their plain names", "[attr_reader]") {
  const ge::ModelDef model = CompressedModel();
  const AttrReader reader = VALUE(AttrReader::Make(model));
  ge::OpDef op;
  auto& attrs = *op.mutable_attr();
  attrs[Key(0)].set_i(10);
  attrs[Key(126)].set_i(11);
  attrs[Key(127)].set_i(12);
  attrs[Key(299)].set_i(13);
  attrs["plain"].set_i(14);
  CHECK(reader.Int(attrs, "name0") == 10);
  CHECK(reader.Int(attrs, "name126") == 11);
  CHECK(reader.Int(attrs, "name127") == 12);
  CHECK(reader.Int(attrs, "name299") == 13);
  CHECK(reader.Int(attrs, "plain") == 14);
  CHECK_FALSE(reader.Int(attrs, "name1").has_value());
  CHECK_FALSE(reader.Int(attrs, "name300").has_value());
  CHECK(reader.Text(model.attr(), "soc_version") == "Ascend310P3");

  attrs[Key(200)].set_i(1);
  CHECK(reader.Text(attrs, "name200") == "one");
  auto* const list = attrs[Key(200)].mutable_list();
  list->add_i(1);
  list->add_i(0);
  CHECK(reader.Texts(attrs, "name200") == std::vector<std::string>{"one", "zero"});
}

// Indices that lead nowhere, digits that are none and endless names give "absent".
TEST_CASE("broken compression gives absent attributes", "[attr_reader]") {
  const AttrReader reader = VALUE(AttrReader::Make(CompressedModel()));
  ge::OpDef op;
  auto& attrs = *op.mutable_attr();
  attrs[Key(200)].set_i(2);
  CHECK_FALSE(reader.Text(attrs, "name200").has_value());
  attrs[Key(200)].set_i(-1);
  CHECK_FALSE(reader.Text(attrs, "name200").has_value());
  attrs[Key(200)].mutable_list()->add_i(99);
  CHECK_FALSE(reader.Texts(attrs, "name200").has_value());
  attrs[std::string("\0\0", 2)].set_i(1);
  attrs[std::string(1, '\0') + std::string(40, '\x7f')].set_i(1);
  CHECK_FALSE(reader.Int(attrs, "name5").has_value());

  ge::ModelDef no_tables;
  (*no_tables.mutable_attr())["om_compress_version"].set_i(1);
  CHECK_FALSE(VALUE(AttrReader::Make(no_tables)).Int(attrs, "name0").has_value());
}

// A compression of a later version cannot be guessed at.
TEST_CASE("an unknown compression is refused", "[attr_reader]") {
  ge::ModelDef model;
  (*model.mutable_attr())["om_compress_version"].set_i(2);
  const absl::StatusOr<AttrReader> reader = AttrReader::Make(model);
  REQUIRE_FALSE(reader.ok());
  CHECK_THAT(std::string(MessageOf(reader.status())), Catch::Contains("is 2"));
}

}  // namespace
}  // namespace omserve::om
