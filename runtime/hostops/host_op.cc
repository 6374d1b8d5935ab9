// SPDX-License-Identifier: Apache-2.0
#include "runtime/hostops/host_op.h"

#include <array>
#include <string_view>

#include "runtime/base/errors.h"
#include "runtime/hostops/argmax_label.h"
#include "runtime/hostops/at_least.h"
#include "runtime/hostops/image_decode.h"
#include "runtime/hostops/parameters.h"
#include "runtime/hostops/tokenize.h"

namespace omserve::hostops {
namespace {

struct Maker {
  std::string_view op;
  absl::StatusOr<std::unique_ptr<HostOp>> (*make)(const HostOpConfig& config);
};
constexpr std::array<Maker, 4> kMakers = {{{"argmax_label", MakeArgmaxLabel},
                                           {"at_least", MakeAtLeast},
                                           {"image_decode", MakeImageDecode},
                                           {"tokenize", MakeTokenize}}};

}  // namespace

absl::StatusOr<std::unique_ptr<HostOp>> MakeHostOp(const HostOpConfig& config) {
  std::vector<std::string_view> names;
  for (const Maker& maker : kMakers) {
    if (maker.op == config.op) {
      return maker.make(config);
    }
    names.push_back(maker.op);
  }
  return InvalidArgument("unknown host op {}", NameAndKnown(config.op, names));
}

std::vector<std::string> HostOpNames() {
  std::vector<std::string> names;
  names.reserve(kMakers.size());
  for (const Maker& maker : kMakers) {
    names.emplace_back(maker.op);
  }
  return names;
}

}  // namespace omserve::hostops
