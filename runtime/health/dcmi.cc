// SPDX-License-Identifier: Apache-2.0
#include "runtime/health/dcmi.h"

#include <algorithm>
#include <array>
#include <utility>
#include <vector>

#include "runtime/base/errors.h"
#include "runtime/base/log.h"

namespace omserve::health {
namespace {

struct Row {
  const char* name;
  bool is_needed;
  void (*set)(DcmiSymbols& symbols, void* address);
};

#define OMSERVE_DCMI_ROW(name, is_needed)                                 \
  Row{#name, is_needed, [](DcmiSymbols& symbols, void* address) {         \
        symbols.name = reinterpret_cast<decltype(symbols.name)>(address); \
      }},
#define OMSERVE_DCMI_NEEDED(name) OMSERVE_DCMI_ROW(name, true)
#define OMSERVE_DCMI_OPTIONAL(name) OMSERVE_DCMI_ROW(name, false)
// clang-format off
constexpr Row kRows[] = {
    OMSERVE_DCMI_SYMBOLS(OMSERVE_DCMI_NEEDED, OMSERVE_DCMI_OPTIONAL)
};
// clang-format on
#undef OMSERVE_DCMI_OPTIONAL
#undef OMSERVE_DCMI_NEEDED
#undef OMSERVE_DCMI_ROW

absl::StatusOr<DcmiSymbols> Resolve(const DynamicLibrary& library) {
  DcmiSymbols symbols;
  std::vector<const char*> missing;
  for (const Row& row : kRows) {
    void* address = library.Find(row.name);
    if (address == nullptr && row.is_needed) {
      return Unavailable("'{}' has no function {}", library.name(), row.name);
    }
    if (address == nullptr) {
      missing.push_back(row.name);
    }
    row.set(symbols, address);
  }
  if (!missing.empty()) {
    OMSERVE_LOG(kInfo, "health", "DCMI library={} lacks {}; what they tell is not reported",
                library.name(), fmt::join(missing, ", "));
  }
  return symbols;
}

}  // namespace

std::span<const std::string> Dcmi::DefaultNames() {
  static const std::array<std::string, 2> names = {"libdcmi.so", "/usr/local/dcmi/libdcmi.so"};
  return names;
}

absl::StatusOr<Dcmi> Dcmi::Open(std::span<const std::string> names) {
  ASSIGN_OR_RETURN(const DynamicLibrary library, DynamicLibrary::Open(names));
  ASSIGN_OR_RETURN(const DcmiSymbols symbols, Resolve(library));
  if (const int code = symbols.dcmi_init(); code != DCMI_OK) {
    return Unavailable("'{}': dcmi_init returned {}", library.name(), code);
  }
  OMSERVE_LOG(kInfo, "health", "DCMI library={}", library.name());
  return Dcmi(symbols);
}

bool Dcmi::Succeeded(std::string_view function, int code) {
  if (code != DCMI_OK && failed_.emplace(function).second) {
    new_failures_.push_back(fmt::format("{} ({})", function, code));
  }
  return code == DCMI_OK;
}

void Dcmi::LogNewFailures() {
  if (!new_failures_.empty()) {
    OMSERVE_LOG(kInfo, "health", "not reported while the driver refuses: {}",
                fmt::join(new_failures_, ", "));
    new_failures_.clear();
  }
}

template <typename T>
std::optional<T> Dcmi::Get(int (*function)(int, int, T*) noexcept, std::string_view name,
                           ChipAddress address) {
  T value{};
  if (function == nullptr || !Succeeded(name, function(address.card, address.chip, &value))) {
    return std::nullopt;
  }
  return value;
}

std::optional<unsigned int> Dcmi::GetRate(ChipAddress address, int type) {
  unsigned int percent = 0;
  if (dcmi_.dcmi_get_device_utilization_rate == nullptr ||
      !Succeeded(
          fmt::format("dcmi_get_device_utilization_rate of type {}", type),
          dcmi_.dcmi_get_device_utilization_rate(address.card, address.chip, type, &percent))) {
    return std::nullopt;
  }
  return percent;
}

std::optional<unsigned int> Dcmi::GetFrequency(ChipAddress address, dcmi_freq_type type) {
  unsigned int megahertz = 0;
  if (dcmi_.dcmi_get_device_frequency == nullptr ||
      !Succeeded(fmt::format("dcmi_get_device_frequency of type {}", static_cast<int>(type)),
                 dcmi_.dcmi_get_device_frequency(address.card, address.chip, type, &megahertz))) {
    return std::nullopt;
  }
  return megahertz;
}

std::optional<std::vector<unsigned int>> Dcmi::GetErrorCodes(ChipAddress address) {
  std::vector<unsigned int> codes(DCMI_MAX_ERROR_CODES);
  int count = 0;
  if (dcmi_.dcmi_get_device_errorcode_v2 == nullptr ||
      !Succeeded("dcmi_get_device_errorcode_v2",
                 dcmi_.dcmi_get_device_errorcode_v2(address.card, address.chip, &count,
                                                    codes.data(), DCMI_MAX_ERROR_CODES))) {
    return std::nullopt;
  }
  codes.resize(static_cast<size_t>(std::clamp(count, 0, DCMI_MAX_ERROR_CODES)));
  // Each code becomes a label, of which there may be only one.
  std::sort(codes.begin(), codes.end());
  codes.erase(std::unique(codes.begin(), codes.end()), codes.end());
  return codes;
}

std::optional<int> Dcmi::CountChips() {
  std::array<int, DCMI_MAX_CARDS> cards{};
  int card_count = 0;
  if (dcmi_.dcmi_get_card_list == nullptr || dcmi_.dcmi_get_device_num_in_card == nullptr ||
      !Succeeded("dcmi_get_card_list",
                 dcmi_.dcmi_get_card_list(&card_count, cards.data(), DCMI_MAX_CARDS))) {
    return std::nullopt;
  }
  int chip_count = 0;
  for (int i = 0; i < std::clamp(card_count, 0, DCMI_MAX_CARDS); ++i) {
    int on_card = 0;
    if (!Succeeded("dcmi_get_device_num_in_card",
                   dcmi_.dcmi_get_device_num_in_card(cards[static_cast<size_t>(i)], &on_card))) {
      return std::nullopt;  // A count that leaves a card out would be wrong.
    }
    chip_count += on_card;
  }
  return chip_count;
}

std::optional<ChipAddress> Dcmi::Find(unsigned int logical_id) {
  ChipAddress address;
  if (!Succeeded(fmt::format("dcmi_get_card_id_device_id_from_logicid of {}", logical_id),
                 dcmi_.dcmi_get_card_id_device_id_from_logicid(&address.card, &address.chip,
                                                               logical_id))) {
    return std::nullopt;
  }
  return address;
}

ChipIdentity Dcmi::Identify(unsigned int logical_id, ChipAddress address) {
  ChipIdentity identity{.physical_id = logical_id};
  unsigned int physical_id = 0;
  if (dcmi_.dcmi_get_device_phyid_from_logicid != nullptr &&
      Succeeded("dcmi_get_device_phyid_from_logicid",
                dcmi_.dcmi_get_device_phyid_from_logicid(logical_id, &physical_id))) {
    identity.physical_id = physical_id;
  }
  const std::optional<dcmi_chip_info> info =
      Get(dcmi_.dcmi_get_device_chip_info, "dcmi_get_device_chip_info", address);
  if (info.has_value()) {
    identity.model = ChipModel(*info);
  }
  return identity;
}

DcmiAnswers Dcmi::Ask(ChipAddress address) {
  DcmiAnswers answers;
#define OMSERVE_DCMI_GET(name) Get(dcmi_.name, #name, address)
  answers.temperature = OMSERVE_DCMI_GET(dcmi_get_device_temperature);
  answers.power = OMSERVE_DCMI_GET(dcmi_get_device_power_info);
  answers.voltage = OMSERVE_DCMI_GET(dcmi_get_device_voltage);
  answers.health = OMSERVE_DCMI_GET(dcmi_get_device_health);
  answers.hbm = OMSERVE_DCMI_GET(dcmi_get_device_hbm_info);
  answers.memory = OMSERVE_DCMI_GET(dcmi_get_device_memory_info_v3);
#undef OMSERVE_DCMI_GET
  int card_power = 0;
  if (dcmi_.dcmi_mcu_get_power_info != nullptr &&
      Succeeded("dcmi_mcu_get_power_info",
                dcmi_.dcmi_mcu_get_power_info(address.card, &card_power))) {
    answers.card_power = card_power;
  }
  answers.error_codes = GetErrorCodes(address);

  answers.ai_core_rate = GetRate(address, DCMI_UTILIZATION_AI_CORE);
  answers.vector_core_rate = GetRate(address, DCMI_UTILIZATION_VECTOR_CORE);
  answers.npu_rate = GetRate(address, DCMI_UTILIZATION_NPU);
  answers.ai_cpu_rate = GetRate(address, DCMI_UTILIZATION_AI_CPU);
  answers.control_cpu_rate = GetRate(address, DCMI_UTILIZATION_CONTROL_CPU);
  answers.hbm_bandwidth_rate = GetRate(address, DCMI_UTILIZATION_HBM_BANDWIDTH);
  answers.ddr_bandwidth_rate = GetRate(address, DCMI_UTILIZATION_DDR_BANDWIDTH);

  answers.ai_core_frequency = GetFrequency(address, DCMI_FREQ_AICORE_CURRENT);
  answers.hbm_frequency = GetFrequency(address, DCMI_FREQ_HBM);
  answers.ddr_frequency = GetFrequency(address, DCMI_FREQ_DDR);
  return answers;
}

}  // namespace omserve::health
