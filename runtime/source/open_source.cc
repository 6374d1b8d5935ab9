// SPDX-License-Identifier: Apache-2.0
#include "runtime/source/open_source.h"

#include <string_view>

#include "runtime/base/errors.h"
#include "runtime/source/folder_source.h"
#include "runtime/source/http_source.h"
#include "runtime/source/oci_layout.h"

namespace omserve::source {

absl::StatusOr<std::unique_ptr<Source>> OpenSource(const SourceSettings& settings) {
  constexpr std::string_view kFile = "file://";
  constexpr std::string_view kOci = "oci:";
  const std::string& url = settings.url;
  if (url.starts_with("http://") || url.starts_with("https://")) {
    return HttpSource::Make({.url = url,
                             .ca_file = settings.ca_file,
                             .token_file = settings.token_file,
                             .connect_timeout = settings.connect_timeout,
                             .stall_timeout = settings.stall_timeout});
  }
  if (!settings.ca_file.empty() || !settings.token_file.empty()) {
    return InvalidArgument("'{}': ca_file and token_file: expected https://", url);
  }
  if (url.starts_with("file:///")) {
    return std::make_unique<FolderSource>(url, url.substr(kFile.size()));
  }
  if (url.starts_with("oci:/")) {
    return std::make_unique<OciLayout>(url, url.substr(kOci.size()));
  }
  return InvalidArgument(
      "'{}': expected https://HOST/PATH, http://HOST/PATH, file:///FOLDER or oci:/FOLDER", url);
}

}  // namespace omserve::source
