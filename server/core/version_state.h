// SPDX-License-Identifier: Apache-2.0
// The life of one version of a model, as its line in the repository's index tells it.
//
//   kUnavailable ---> kLoading ---> kReady ---> kUnloading ---> kUnavailable
//         ^              |  ^         |  ^           |
//         |______________|  |         |__|           |
//           its load failed |      another load of it|
//                           |________________________|
//                            loaded again meanwhile
//
// While another load of a version that is ready goes on, the one before serves and the version is
// ready; if that load fails, nothing has changed.
#pragma once

#include <string_view>

namespace omserve::server {

enum class VersionState {
  kUnavailable,  // Nothing of it is there; a reason is.
  kLoading,
  kReady,
  kUnloading,  // It takes no requests; those that it has go on.
};
inline constexpr int kVersionStates = 4;

// "UNAVAILABLE", "LOADING", "READY", "UNLOADING": Triton's words.
std::string_view VersionStateName(VersionState state);

// Moves `state` to `to`. Requires an arrow above.
void Transition(VersionState& state, VersionState to);

}  // namespace omserve::server
