/* SPDX-License-Identifier: Apache-2.0 */
/* DCMI, the management interface of the Ascend driver (libdcmi.so), as omserve uses it: restated by
 * us as interface facts. AscendCL has neither temperature nor power; DCMI has. Names are the
 * interface's own, not ours.
 *
 * Every call returns 0 for success. A chip's address is the number of its card and its own number
 * on that card. Memory is told in MB (1 MiB), frequencies in MHz.
 */
#pragma once

/* NOLINTBEGIN: a C interface with names that are given. */
#include <stddef.h>

#ifdef __cplusplus
#define OMSERVE_DCMI_NOEXCEPT noexcept
extern "C" {
#else
#define OMSERVE_DCMI_NOEXCEPT
#endif

#define DCMI_OK 0
#define DCMI_MAX_CARDS 64
#define DCMI_MAX_ERROR_CODES 128

/* Values of a sensor that has none to give, and whose reading failed. */
#define DCMI_SENSOR_INVALID 0x7ffd
#define DCMI_SENSOR_FAILED 0x7fff
/* Health of a chip that is not there; also an unsigned value that is not known. */
#define DCMI_ABSENT 0xFFFFFFFFU

/* input_type of dcmi_get_device_utilization_rate. */
#define DCMI_UTILIZATION_AI_CORE 2
#define DCMI_UTILIZATION_AI_CPU 3
#define DCMI_UTILIZATION_CONTROL_CPU 4
#define DCMI_UTILIZATION_DDR_BANDWIDTH 5
#define DCMI_UTILIZATION_HBM_BANDWIDTH 10
#define DCMI_UTILIZATION_VECTOR_CORE 12
#define DCMI_UTILIZATION_NPU 13

enum dcmi_freq_type { DCMI_FREQ_DDR = 1, DCMI_FREQ_HBM = 6, DCMI_FREQ_AICORE_CURRENT = 7 };

struct dcmi_chip_info {
  unsigned char chip_type[32];
  unsigned char chip_name[32];
  unsigned char chip_ver[32];
  unsigned int aicore_cnt;
};

struct dcmi_hbm_info {
  unsigned long long memory_size;
  unsigned int freq;
  unsigned long long memory_usage;
  int temp;
  unsigned int bandwith_util_rate; /* The interface's own spelling. */
};

struct dcmi_get_memory_info_stru {
  unsigned long long memory_size;
  unsigned long long memory_available;
  unsigned int freq;
  unsigned long hugepagesize; /* KB. */
  unsigned long hugepages_total;
  unsigned long hugepages_free;
  unsigned int utiliza;
  unsigned char reserve[60];
};

int dcmi_init(void) OMSERVE_DCMI_NOEXCEPT;
int dcmi_get_card_list(int* card_num, int* card_list, int list_len) OMSERVE_DCMI_NOEXCEPT;
int dcmi_get_device_num_in_card(int card_id, int* device_num) OMSERVE_DCMI_NOEXCEPT;
int dcmi_get_card_id_device_id_from_logicid(int* card_id, int* device_id,
                                            unsigned int device_logic_id) OMSERVE_DCMI_NOEXCEPT;
int dcmi_get_device_phyid_from_logicid(unsigned int logicid,
                                       unsigned int* phyid) OMSERVE_DCMI_NOEXCEPT;
int dcmi_get_device_chip_info(int card_id, int device_id,
                              struct dcmi_chip_info* chip_info) OMSERVE_DCMI_NOEXCEPT;
/* Degrees Celsius. */
int dcmi_get_device_temperature(int card_id, int device_id, int* temperature) OMSERVE_DCMI_NOEXCEPT;
/* 0.1 W; the second is of the whole card and works where the first does not (310P). */
int dcmi_get_device_power_info(int card_id, int device_id, int* power) OMSERVE_DCMI_NOEXCEPT;
int dcmi_mcu_get_power_info(int card_id, int* power) OMSERVE_DCMI_NOEXCEPT;
/* 0.01 V. */
int dcmi_get_device_voltage(int card_id, int device_id,
                            unsigned int* voltage) OMSERVE_DCMI_NOEXCEPT;
int dcmi_get_device_frequency(int card_id, int device_id, enum dcmi_freq_type input_type,
                              unsigned int* frequency) OMSERVE_DCMI_NOEXCEPT;
/* Percent. AI and vector cores read 0 while the chip is profiled. */
int dcmi_get_device_utilization_rate(int card_id, int device_id, int input_type,
                                     unsigned int* utilization_rate) OMSERVE_DCMI_NOEXCEPT;
int dcmi_get_device_hbm_info(int card_id, int device_id,
                             struct dcmi_hbm_info* hbm_info) OMSERVE_DCMI_NOEXCEPT;
int dcmi_get_device_memory_info_v3(int card_id, int device_id,
                                   struct dcmi_get_memory_info_stru* memory_info)
    OMSERVE_DCMI_NOEXCEPT;
/* 0 well, 1 minor, 2 major, 3 critical. */
int dcmi_get_device_health(int card_id, int device_id, unsigned int* health) OMSERVE_DCMI_NOEXCEPT;
int dcmi_get_device_errorcode_v2(int card_id, int device_id, int* error_count,
                                 unsigned int* error_code_list,
                                 unsigned int list_len) OMSERVE_DCMI_NOEXCEPT;

#ifdef __cplusplus
}

static_assert(sizeof(dcmi_chip_info) == 100, "three names of 32 bytes and a count");
static_assert(offsetof(dcmi_chip_info, aicore_cnt) == 96, "the count follows the names");
static_assert(sizeof(dcmi_hbm_info) == 32, "dcmi_hbm_info is 32 bytes");
static_assert(offsetof(dcmi_hbm_info, memory_usage) == 16, "memory_usage is aligned to 8");
static_assert(offsetof(dcmi_hbm_info, temp) == 24, "temp follows memory_usage");
static_assert(sizeof(dcmi_get_memory_info_stru) == 112, "52 bytes and 60 reserved");
static_assert(offsetof(dcmi_get_memory_info_stru, hugepagesize) == 24, "aligned to 8");
static_assert(offsetof(dcmi_get_memory_info_stru, utiliza) == 48, "after three longs");
#endif
/* NOLINTEND */
