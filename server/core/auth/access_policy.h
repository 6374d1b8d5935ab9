// SPDX-License-Identifier: Apache-2.0
// Who may do what: a decision without state, clock or lock.
#pragma once

#include "server/core/auth/clients.h"
#include "server/core/auth/operation.h"

namespace omserve::server {

struct AccessRules {
  bool asks_who = false;     // There is a file of clients.
  bool open_metrics = true;  // Metrics are for everybody.
  bool control_on_public_ports = false;
};

enum class AccessVerdict {
  kAllowed,
  kAdminPort,  // It is allowed on another port only.
  kNobody,     // The client has to say who it is.
  kRole,       // Its role does not go so far,
  kModel,      // or not for this model.
};

// Whether it is for everybody on this port, whoever asks.
bool IsOpen(const AccessRules& rules, const Operation& operation, PortKind port);

// `client`: null when it is not known.
AccessVerdict DecideAccess(const AccessRules& rules, const Operation& operation, PortKind port,
                           const KnownClient* client);

// The least role for it.
Role RoleFor(const Operation& operation);

}  // namespace omserve::server
