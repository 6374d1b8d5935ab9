// SPDX-License-Identifier: Apache-2.0
// Text from files: is it UTF-8, and how to quote it in a message. Internal to runtime/om.
#pragma once

#include <string>
#include <string_view>

namespace omserve::om {

// True for well-formed UTF-8 (no overlong forms, no surrogates, nothing above U+10FFFF).
bool IsUtf8(std::string_view text);

// `text` itself when it is UTF-8; otherwise with everything but printable ASCII replaced by '?'.
// For texts that are only shown, such as a command line with paths in another encoding.
std::string ToUtf8(std::string text);

// The first 80 bytes with everything but printable ASCII shown as '?', for messages.
std::string PrintableText(std::string_view text);

}  // namespace omserve::om
