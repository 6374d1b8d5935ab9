// SPDX-License-Identifier: Apache-2.0
// The life of one version of a model, and of another load of it beside one that serves.
//
//   kDiscovered --> kVerifying --> kLoading --> kWarming --> kReady --> kDraining --> kUnloaded
//                       |              |            |           |            |
//                       |______________|____________|           |            |
//                                      v                        v            |
//                                   kFailed <---- judged worse than the one before
//
// From kUnloaded, kFailed and kDraining it may be asked for again: kVerifying; as a load that found
// no memory is tried again once there is some. A pipeline has nothing to warm; a model that cannot
// be read fails before anything of it is verified. While another load of a version that is ready
// goes on, the one before serves and the version stays ready: the load has a state of its own,
// which ends in kReady as it takes that one's place, or in kFailed.
#pragma once

#include <string_view>

namespace omserve::server {

enum class VersionState {
  kDiscovered,  // It is in the repository, and nobody has asked for it yet.
  kVerifying,   // Its files are read, checked and, where they are sealed, opened.
  kLoading,     // It gets memory on its devices, and its instances.
  kWarming,     // Every gear runs once or more, so that no request is its first.
  kReady,
  kDraining,  // It takes no requests; those that it has go on.
  kUnloaded,
  kFailed,  // With the reason.
};
inline constexpr int kVersionStates = 8;

// "VERIFYING", and so on.
std::string_view VersionStateName(VersionState state);
// What Triton's clients know it as: "UNAVAILABLE", "LOADING", "READY" or "UNLOADING".
std::string_view IndexStateName(VersionState state);

// A load of it goes on.
bool IsComing(VersionState state);

// Moves `state` to `to`, the only place that does. Requires an arrow above.
void Transition(VersionState& state, VersionState to);

}  // namespace omserve::server
