// SPDX-License-Identifier: Apache-2.0
// Which bodies are compressed, and how. Pure.
//
// Source: RFC 9110, 8.4 and 12.5.3.
#pragma once

#include <optional>
#include <string_view>

namespace omserve::server {

enum class ContentCoding {
  kIdentity,
  kGzip,
  kDeflate,  // zlib's format, as the RFC has it.
};

// As in Content-Encoding and Accept-Encoding.
std::string_view ContentCodingName(ContentCoding coding);
inline constexpr std::string_view kContentCodings = "gzip, deflate";  // Those that are known.

// Of a request's Content-Encoding, where empty is kIdentity. nullopt for a coding that is not
// known, and for several.
std::optional<ContentCoding> ContentCodingOf(std::string_view content_encoding);

// For an answer, by the request's Accept-Encoding: the one with the highest weight, gzip where two
// have it, and kIdentity where that is named with a higher one or nothing else is wanted.
ContentCoding ChooseContentCoding(std::string_view accept_encoding);

}  // namespace omserve::server
