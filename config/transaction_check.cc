// SPDX-License-Identifier: Apache-2.0
#include "config/transaction_check.h"

namespace omserve::config {

void CheckTransactionPolicy(const inference::ModelConfig& config, Findings& findings) {
  const inference::ModelTransactionPolicy& policy = config.model_transaction_policy();
  if (!policy.decoupled()) {
    if (!policy.answer_rows_where().empty()) {
      findings.Error("model_transaction_policy.answer_rows_where",
                     "needs decoupled: true, since a request may then have no answer or several; "
                     "set it, or remove the key");
    }
    return;
  }
  if (config.response_cache().enable()) {
    findings.Error("response_cache.enable",
                   "cannot stand beside model_transaction_policy.decoupled: what is kept is one "
                   "answer to a request; remove one of them");
  }
  if (config.dynamic_batching().preserve_ordering()) {
    findings.Error("dynamic_batching.preserve_ordering",
                   "cannot stand beside model_transaction_policy.decoupled, whose answers leave as "
                   "they are ready; remove one of them");
  }
}

}  // namespace omserve::config
