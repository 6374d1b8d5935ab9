// SPDX-License-Identifier: Apache-2.0
// The real curl as a client. It works in the current folder, one call at a time.
#pragma once

#include <string>

namespace omserve::server {

struct CurlAnswer {
  int status = 0;
  std::string header;
  std::string body;
  int exit_code = 0;
};

// Posts the contents of `body` and gives the answer; `more` are curl's own options.
CurlAnswer Post(int port, const std::string& path, const std::string& body,
                const std::string& more = "");
// Calls curl with `arguments`, which name the URL.
CurlAnswer Curl(const std::string& arguments);

}  // namespace omserve::server
