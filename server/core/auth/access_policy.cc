// SPDX-License-Identifier: Apache-2.0
#include "server/core/auth/access_policy.h"

namespace omserve::server {

bool IsOpen(const AccessRules& rules, const Operation& operation, PortKind port) {
  if (!rules.asks_who || port == PortKind::kHealth) {
    return true;
  }
  // Whoever probes or scrapes has no secrets, as a rule.
  return operation.group == MethodGroup::kHealth ||
         (operation.group == MethodGroup::kMetrics && rules.open_metrics);
}

Role RoleFor(const Operation& operation) {
  if (!operation.is_control) {
    return Role::kInfer;
  }
  return operation.model.empty() ? Role::kAdmin : Role::kControl;
}

AccessVerdict DecideAccess(const AccessRules& rules, const Operation& operation, PortKind port,
                           const KnownClient* client) {
  if (operation.is_control && port != PortKind::kAdmin && !rules.control_on_public_ports) {
    return AccessVerdict::kAdminPort;
  }
  if (IsOpen(rules, operation, port)) {
    return AccessVerdict::kAllowed;
  }
  if (client == nullptr) {
    return AccessVerdict::kNobody;
  }
  if (client->role < RoleFor(operation)) {
    return AccessVerdict::kRole;
  }
  return operation.model.empty() || client->MayUse(operation.model) ? AccessVerdict::kAllowed
                                                                    : AccessVerdict::kModel;
}

}  // namespace omserve::server
