// SPDX-License-Identifier: Apache-2.0
#include "server/core/version_state.h"

#include "runtime/base/check.h"

namespace omserve::server {
namespace {

bool IsLegal(VersionState from, VersionState to) {
  switch (from) {
    case VersionState::kUnavailable:
      return to == VersionState::kLoading;
    case VersionState::kLoading:
      return to == VersionState::kReady || to == VersionState::kUnavailable;
    case VersionState::kReady:
      return to == VersionState::kReady || to == VersionState::kUnloading;
    case VersionState::kUnloading:
      return to == VersionState::kUnavailable || to == VersionState::kLoading;
  }
  return false;
}

}  // namespace

std::string_view VersionStateName(VersionState state) {
  switch (state) {
    case VersionState::kUnavailable:
      return "UNAVAILABLE";
    case VersionState::kLoading:
      return "LOADING";
    case VersionState::kReady:
      return "READY";
    case VersionState::kUnloading:
      return "UNLOADING";
  }
  return "UNAVAILABLE";
}

void Transition(VersionState& state, VersionState to) {
  OMSERVE_CHECK(IsLegal(state, to), "a version's life follows its drawing");
  state = to;
}

}  // namespace omserve::server
