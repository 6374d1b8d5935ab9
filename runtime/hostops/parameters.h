// SPDX-License-Identifier: Apache-2.0
// The parameters of a host op: text from a configuration, read with exact checking.
#pragma once

#include <cstdint>
#include <map>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"

namespace omserve::hostops {

struct HostOpConfig;

// Every reader takes a name from the list given to Make. A value that cannot be read is
// kInvalidArgument naming the op, the parameter, the value and what was expected.
// Thread-compatible. Borrows the configuration.
class Parameters final {
 public:
  // kInvalidArgument when the configuration has a name that is not in `known`: it says which known
  // name is nearest, and all of them.
  static absl::StatusOr<Parameters> Make(const HostOpConfig& config,
                                         std::span<const std::string_view> known);

  bool Has(std::string_view name) const;
  // The text as it stands; `fallback` when the parameter is absent.
  std::string Text(std::string_view name, std::string_view fallback) const;
  // As Text, but a given text must not be empty: for names of tensors and of words.
  absl::StatusOr<std::string> Word(std::string_view name, std::string_view fallback) const;
  // One of `choices`; the first is the default.
  absl::StatusOr<std::string> Choice(std::string_view name,
                                     std::span<const std::string_view> choices) const;
  // "true" or "false".
  absl::StatusOr<bool> Flag(std::string_view name, bool fallback) const;
  // A whole number within [least, most]; must be given.
  absl::StatusOr<int64_t> Integer(std::string_view name, int64_t least, int64_t most) const;
  absl::StatusOr<int64_t> Integer(std::string_view name, int64_t least, int64_t most,
                                  int64_t fallback) const;
  // Finite numbers separated by commas, `count` of them; a single one stands for all.
  absl::StatusOr<std::vector<double>> Numbers(std::string_view name, size_t count,
                                              double fallback) const;
  // The path of the file the parameter names, which must be given. The name is relative to the
  // configuration's folder and must stay inside it, symbolic links followed: a repository that was
  // copied from elsewhere must not read the host's files. kNotFound when there is no such file.
  absl::StatusOr<std::string> File(std::string_view name) const;

  // kInvalidArgument about parameter `name`, for a rule only the op knows.
  absl::Status Wrong(std::string_view name, std::string_view expected) const;

 private:
  explicit Parameters(const HostOpConfig& config) : config_(&config) {}

  const HostOpConfig* config_;
};

// What stands nearest to `word` in `known` by edit distance; empty when nothing is near.
std::string_view NearestName(std::string_view word, std::span<const std::string_view> known);

// The end of a message about a name that is not in `known`: the name, the nearest, and all.
std::string NameAndKnown(std::string_view name, std::span<const std::string_view> known);

}  // namespace omserve::hostops
