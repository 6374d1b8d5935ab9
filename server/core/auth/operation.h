// SPDX-License-Identifier: Apache-2.0
// What a call is about, as far as access to it goes.
#pragma once

#include <string_view>

#include "server/core/method_group.h"

namespace omserve::server {

struct Operation {
  // On no model, or on one that is not known yet: then Access::CheckModel follows.
  Operation(MethodGroup of) : group(of) {}  // NOLINT(google-explicit-constructor): a group is one.
  Operation(MethodGroup of, std::string_view of_model) : group(of), model(of_model) {}
  // What changes the models that are served or, without a model, the server.
  static Operation Control(MethodGroup of, std::string_view of_model = "") {
    Operation operation(of, of_model);
    operation.is_control = true;
    return operation;
  }

  MethodGroup group;
  bool is_control = false;
  std::string_view model;  // Empty: none.
};

// What a port is for.
enum class PortKind {
  kPublic,
  kAdmin,   // Takes control operations in any case.
  kHealth,  // Nothing but probes, for everybody.
};

}  // namespace omserve::server
