// SPDX-License-Identifier: Apache-2.0
// A libdcmi.so whose answers stand in the file "dcmi.txt" of the working folder, which is read
// again for every call. A line is a name, an address and a value, "temperature 0 1 57": chip 1 of
// card 0 has 57 degrees. What has no line is not supported. "wait 0 0 FIFO" makes every question
// for a temperature wait until somebody opens the FIFO for writing.
#include <fcntl.h>
#include <unistd.h>

#include <cstdlib>
#include <cstring>
#include <fstream>
#include <optional>
#include <sstream>
#include <string>

#include "runtime/health/dcmi_abi.h"

#define FAKE_DCMI_API extern "C" __attribute__((visibility("default")))

namespace {

constexpr int kNotSupported = -8255;

std::optional<std::string> Line(const std::string& name, int card, int chip) {
  std::ifstream file("dcmi.txt");
  const std::string start = name + " " + std::to_string(card) + " " + std::to_string(chip) + " ";
  for (std::string line; std::getline(file, line);) {
    if (line.starts_with(start)) {
      return line.substr(start.size());
    }
  }
  return std::nullopt;
}

template <typename T>
int Answer(const std::string& name, int card, int chip, T* value) {
  const std::optional<std::string> line = Line(name, card, chip);
  if (!line.has_value()) {
    return kNotSupported;
  }
  *value = static_cast<T>(std::stoll(*line));
  return DCMI_OK;
}

template <size_t kSize>
int AnswerText(const std::string& name, int card, int chip, unsigned char (&value)[kSize]) {
  const std::optional<std::string> line = Line(name, card, chip);
  if (!line.has_value()) {
    return kNotSupported;
  }
  std::memset(value, 0, kSize);
  std::memcpy(value, line->data(), std::min(line->size(), kSize));
  return DCMI_OK;
}

}  // namespace

FAKE_DCMI_API int dcmi_init() noexcept {
  int code = DCMI_OK;
  Answer("init", 0, 0, &code);
  return code;
}

FAKE_DCMI_API int dcmi_get_card_id_device_id_from_logicid(int* card, int* chip,
                                                          unsigned int logic) noexcept {
  const std::optional<std::string> line = Line("logical", static_cast<int>(logic), 0);
  if (!line.has_value()) {
    return kNotSupported;
  }
  std::istringstream(*line) >> *card >> *chip;
  return DCMI_OK;
}

FAKE_DCMI_API int dcmi_get_device_temperature(int card, int chip, int* temperature) noexcept {
  if (const std::optional<std::string> fifo = Line("wait", 0, 0)) {
    close(open(fifo->c_str(), O_RDONLY | O_CLOEXEC));
  }
  return Answer("temperature", card, chip, temperature);
}

#ifndef OMSERVE_PARTIAL_DCMI

FAKE_DCMI_API int dcmi_get_card_list(int* count, int* cards, int length) noexcept {
  const std::optional<std::string> line = Line("cards", 0, 0);
  if (!line.has_value()) {
    return kNotSupported;
  }
  std::istringstream numbers(*line);
  for (*count = 0; *count < length && numbers >> cards[*count];) {
    ++*count;
  }
  return DCMI_OK;
}

FAKE_DCMI_API int dcmi_get_device_num_in_card(int card, int* count) noexcept {
  return Answer("chips", card, 0, count);
}

FAKE_DCMI_API int dcmi_get_device_phyid_from_logicid(unsigned int logic,
                                                     unsigned int* physical) noexcept {
  return Answer("physical", static_cast<int>(logic), 0, physical);
}

FAKE_DCMI_API int dcmi_get_device_chip_info(int card, int chip, dcmi_chip_info* info) noexcept {
  if (AnswerText("chip_name", card, chip, info->chip_name) != DCMI_OK) {
    return kNotSupported;
  }
  AnswerText("chip_type", card, chip, info->chip_type);
  AnswerText("chip_ver", card, chip, info->chip_ver);
  return DCMI_OK;
}

FAKE_DCMI_API int dcmi_get_device_power_info(int card, int chip, int* power) noexcept {
  return Answer("power", card, chip, power);
}

FAKE_DCMI_API int dcmi_mcu_get_power_info(int card, int* power) noexcept {
  return Answer("card_power", card, 0, power);
}

FAKE_DCMI_API int dcmi_get_device_voltage(int card, int chip, unsigned int* voltage) noexcept {
  return Answer("voltage", card, chip, voltage);
}

FAKE_DCMI_API int dcmi_get_device_frequency(int card, int chip, dcmi_freq_type type,
                                            unsigned int* frequency) noexcept {
  return Answer("frequency" + std::to_string(static_cast<int>(type)), card, chip, frequency);
}

FAKE_DCMI_API int dcmi_get_device_utilization_rate(int card, int chip, int type,
                                                   unsigned int* rate) noexcept {
  return Answer("rate" + std::to_string(type), card, chip, rate);
}

FAKE_DCMI_API int dcmi_get_device_hbm_info(int card, int chip, dcmi_hbm_info* info) noexcept {
  Answer("hbm_temperature", card, chip, &info->temp);
  Answer("hbm_used", card, chip, &info->memory_usage);
  return Answer("hbm_size", card, chip, &info->memory_size);
}

FAKE_DCMI_API int dcmi_get_device_memory_info_v3(int card, int chip,
                                                 dcmi_get_memory_info_stru* info) noexcept {
  Answer("ddr_available", card, chip, &info->memory_available);
  return Answer("ddr_size", card, chip, &info->memory_size);
}

FAKE_DCMI_API int dcmi_get_device_health(int card, int chip, unsigned int* health) noexcept {
  return Answer("health", card, chip, health);
}

FAKE_DCMI_API int dcmi_get_device_errorcode_v2(int card, int chip, int* count, unsigned int* codes,
                                               unsigned int length) noexcept {
  const std::optional<std::string> line = Line("errors", card, chip);
  if (!line.has_value()) {
    return kNotSupported;
  }
  std::istringstream numbers(*line);
  for (*count = 0; *count < static_cast<int>(length) && numbers >> codes[*count];) {
    ++*count;
  }
  return DCMI_OK;
}

#endif  // OMSERVE_PARTIAL_DCMI
