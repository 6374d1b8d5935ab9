// SPDX-License-Identifier: Apache-2.0
#include "server/core/places.h"

#include "runtime/base/errors.h"

namespace omserve::server {

absl::Status WithoutPlaces(const absl::Status& status, const std::vector<std::string>& places) {
  std::string text(MessageOf(status));
  for (const std::string& place : places) {
    for (size_t at = text.find(place); at != std::string::npos; at = text.find(place, at)) {
      // The '/' behind it goes too.
      const size_t end = at + place.size();
      text.erase(at, end - at + (end < text.size() && text[end] == '/' ? 1 : 0));
    }
  }
  return {status.code(), text};
}

}  // namespace omserve::server
