// SPDX-License-Identifier: Apache-2.0
#include "runtime/om/utf8.h"

#include <catch2/catch.hpp>

namespace omserve::om {
namespace {

// Texts of one to four bytes a character are UTF-8.
TEST_CASE("well-formed text is UTF-8", "[utf8]") {
  CHECK(IsUtf8(""));
  CHECK(IsUtf8("image"));
  CHECK(IsUtf8("\xc3\xa4 \xe5\x9b\xbe \xf0\x9f\x98\x80"));
  CHECK(IsUtf8("\xed\x9f\xbf\xee\x80\x80\xf4\x8f\xbf\xbf"));
}

// Stray, missing, overlong, surrogate and too large sequences are each refused.
TEST_CASE("malformed text is not UTF-8", "[utf8]") {
  for (const char* text :
       {"\x80", "\xc3", "\xc3(", "\xc0\x80", "\xc1\xbf", "\xe0\x9f\xbf", "\xed\xa0\x80",
        "\xf0\x8f\xbf\xbf", "\xf4\x90\x80\x80", "\xf5", "\xff", "\xe5\x9b", "ok\xfe"}) {
    CAPTURE(text);
    CHECK_FALSE(IsUtf8(text));
  }
}

// Text that is only shown keeps its UTF-8 and loses what is none.
TEST_CASE("text in another encoding is shown with question marks", "[utf8]") {
  CHECK(ToUtf8("\xc3\xa4") == "\xc3\xa4");
  CHECK(ToUtf8("a\xffz\n") == "a?z?");
  CHECK(PrintableText(std::string(200, 'a')) == std::string(80, 'a'));
  CHECK(PrintableText("a\x01\xc3\xa4") == "a???");
}

}  // namespace
}  // namespace omserve::om
