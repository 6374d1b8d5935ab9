// SPDX-License-Identifier: Apache-2.0
#include "server/open_files.h"

#include <sys/resource.h>

namespace omserve::server {

size_t RaiseOpenFileLimit() {
  rlimit limit{};
  if (getrlimit(RLIMIT_NOFILE, &limit) != 0) {
    return 0;
  }
  // The low limit is for programs that use select, which this one does not.
  const rlimit raised{.rlim_cur = limit.rlim_max, .rlim_max = limit.rlim_max};
  return setrlimit(RLIMIT_NOFILE, &raised) == 0 ? raised.rlim_cur : limit.rlim_cur;
}

}  // namespace omserve::server
