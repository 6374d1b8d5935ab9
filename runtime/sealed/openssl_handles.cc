// SPDX-License-Identifier: Apache-2.0
#include "runtime/sealed/openssl_handles.h"

#include <openssl/err.h>

namespace omserve::sealed {

Key Share(EVP_PKEY* key) { return Key(EVP_PKEY_up_ref(key) == 1 ? key : nullptr); }

std::string OpensslErrorText() {
  const auto code = ERR_get_error();
  ERR_clear_error();
  const char* const reason = code == 0 ? nullptr : ERR_reason_error_string(code);
  return reason == nullptr ? "OpenSSL gives no reason" : reason;
}

}  // namespace omserve::sealed
