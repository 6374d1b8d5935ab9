// SPDX-License-Identifier: Apache-2.0
// libdcmi.so, opened at run time.
#pragma once

#include <optional>
#include <set>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "absl/status/statusor.h"
#include "runtime/base/dynamic_library.h"
#include "runtime/health/dcmi_abi.h"
#include "runtime/health/dcmi_answers.h"

// Every function that is called here, once. Without a NEEDED one nothing can be asked; an OPTIONAL
// one is null in a driver that lacks it, and what it would tell is absent.
#define OMSERVE_DCMI_SYMBOLS(NEEDED, OPTIONAL)    \
  NEEDED(dcmi_init)                               \
  NEEDED(dcmi_get_card_id_device_id_from_logicid) \
  OPTIONAL(dcmi_get_card_list)                    \
  OPTIONAL(dcmi_get_device_num_in_card)           \
  OPTIONAL(dcmi_get_device_phyid_from_logicid)    \
  OPTIONAL(dcmi_get_device_chip_info)             \
  OPTIONAL(dcmi_get_device_temperature)           \
  OPTIONAL(dcmi_get_device_power_info)            \
  OPTIONAL(dcmi_mcu_get_power_info)               \
  OPTIONAL(dcmi_get_device_voltage)               \
  OPTIONAL(dcmi_get_device_frequency)             \
  OPTIONAL(dcmi_get_device_utilization_rate)      \
  OPTIONAL(dcmi_get_device_hbm_info)              \
  OPTIONAL(dcmi_get_device_memory_info_v3)        \
  OPTIONAL(dcmi_get_device_health)                \
  OPTIONAL(dcmi_get_device_errorcode_v2)

namespace omserve::health {

// One pointer per function, under its own name.
struct DcmiSymbols {
  // NOLINTBEGIN(readability-identifier-naming): the vendor's names.
#define OMSERVE_DCMI_MEMBER(name) decltype(&::name) name = nullptr;
  OMSERVE_DCMI_SYMBOLS(OMSERVE_DCMI_MEMBER, OMSERVE_DCMI_MEMBER)
#undef OMSERVE_DCMI_MEMBER
  // NOLINTEND(readability-identifier-naming)
};

struct ChipAddress {
  int card = 0;
  int chip = 0;  // On the card.
};

// Confined to one thread. Every call may block for as long as the driver likes.
class Dcmi final {
 public:
  // Where the driver puts the library.
  static std::span<const std::string> DefaultNames();
  // Opens the first library of `names` that is there and initialises it. Functions that it lacks
  // are named in the log. Errors: kUnavailable with the names tried, the missing function, or the
  // code with which the driver refuses.
  static absl::StatusOr<Dcmi> Open(std::span<const std::string> names);

  // All chips of the machine that the driver lets this process see.
  std::optional<int> CountChips();
  // By the number that AscendCL has for the device before ASCEND_RT_VISIBLE_DEVICES renumbers.
  std::optional<ChipAddress> Find(unsigned int logical_id);
  ChipIdentity Identify(unsigned int logical_id, ChipAddress address);
  DcmiAnswers Ask(ChipAddress address);
  // One line about the calls that have failed since the last one, each the first time only: a chip
  // does not support a dozen of them, and would say so every few seconds.
  void LogNewFailures();

 private:
  explicit Dcmi(const DcmiSymbols& symbols) : dcmi_(symbols) {}
  // Whether the call that returned `code` has succeeded.
  bool Succeeded(std::string_view function, int code);
  // Function(card, chip, &value).
  template <typename T>
  std::optional<T> Get(int (*function)(int, int, T*) noexcept, std::string_view name,
                       ChipAddress address);
  std::optional<unsigned int> GetRate(ChipAddress address, int type);
  std::optional<unsigned int> GetFrequency(ChipAddress address, dcmi_freq_type type);
  std::optional<std::vector<unsigned int>> GetErrorCodes(ChipAddress address);

  DcmiSymbols dcmi_;
  std::set<std::string, std::less<>> failed_;  // Calls that have failed once.
  std::vector<std::string> new_failures_;      // Of these, those that are not logged yet.
};

}  // namespace omserve::health
