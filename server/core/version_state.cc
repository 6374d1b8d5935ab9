// SPDX-License-Identifier: Apache-2.0
#include "server/core/version_state.h"

#include "runtime/base/check.h"

namespace omserve::server {
namespace {

bool IsLegal(VersionState from, VersionState to) {
  const bool fails = to == VersionState::kFailed;
  switch (from) {
    case VersionState::kDiscovered:
      return to == VersionState::kVerifying || to == VersionState::kUnloaded || fails;
    case VersionState::kVerifying:
      return to == VersionState::kLoading || to == VersionState::kVerifying || fails;
    case VersionState::kLoading:
      return to == VersionState::kWarming || to == VersionState::kReady ||
             to == VersionState::kVerifying || fails;
    case VersionState::kWarming:
      return to == VersionState::kReady || to == VersionState::kVerifying || fails;
    case VersionState::kReady:
      return to == VersionState::kDraining;
    case VersionState::kDraining:
      return to == VersionState::kUnloaded || to == VersionState::kVerifying || fails;
    case VersionState::kUnloaded:
      return to == VersionState::kVerifying || fails;
    case VersionState::kFailed:
      return to == VersionState::kVerifying || to == VersionState::kUnloaded;
  }
  return false;
}

}  // namespace

std::string_view VersionStateName(VersionState state) {
  switch (state) {
    case VersionState::kDiscovered:
      return "DISCOVERED";
    case VersionState::kVerifying:
      return "VERIFYING";
    case VersionState::kLoading:
      return "LOADING";
    case VersionState::kWarming:
      return "WARMING";
    case VersionState::kReady:
      return "READY";
    case VersionState::kDraining:
      return "DRAINING";
    case VersionState::kUnloaded:
      return "UNLOADED";
    case VersionState::kFailed:
      return "FAILED";
  }
  return "UNLOADED";
}

std::string_view IndexStateName(VersionState state) {
  if (IsComing(state)) {
    return "LOADING";
  }
  if (state == VersionState::kReady) {
    return "READY";
  }
  return state == VersionState::kDraining ? "UNLOADING" : "UNAVAILABLE";
}

bool IsComing(VersionState state) {
  return state == VersionState::kVerifying || state == VersionState::kLoading ||
         state == VersionState::kWarming;
}

void Transition(VersionState& state, VersionState to) {
  OMSERVE_CHECK(IsLegal(state, to), "a version's life follows its drawing");
  state = to;
}

}  // namespace omserve::server
