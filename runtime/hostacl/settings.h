// SPDX-License-Identifier: Apache-2.0
// What the CPU device is told about itself: how many devices, how large, how many at once.
#pragma once

#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "absl/status/statusor.h"
#include "runtime/acl/acl_abi.h"
#include "runtime/hostacl/faults.h"
#include "runtime/hostacl/strict/violation_log.h"
#include "runtime/hostacl/timed_settings.h"

namespace omserve::hostacl {

inline constexpr std::string_view kOrtEngine = "onnxruntime";
inline constexpr std::string_view kTimedEngine = "timed";

struct Settings {
  int32_t device_count = 1;               // 1..64
  size_t memory_bytes = size_t{4} << 30;  // Per device; 1 MiB..64 TiB.
  uint32_t cores = 0;                     // Models that execute at once per device, 1..4096;
                                          // 0: the machine's hardware threads.
  aclrtRunMode run_mode = ACL_HOST;       // JSON: "host" or "device".
  uint32_t max_streams = 1984;            // Per device, those inside models included.
  uint32_t max_events = 65536;            // Per device, of those made with ACL_EVENT_SYNC.
  std::string engine{kOrtEngine};         // What executes models: one of the two above.
  int32_t intra_op_threads = 1;           // Of one model's execution; 1..256.
  std::string ort_library;                // Path; empty: beside this library, then the loader's.
  TimedSettings timed;                    // Of the engine "timed".
  std::vector<FaultRule> faults;          // What shall go wrong; fault_settings.h has the form.
  std::vector<int32_t> visible_devices;   // The machine's index of each device, by its own.
  bool share_error_texts = false;         // err_msg_mode "1" of AscendCL's own.
  std::string faults_file;                // Path of a file with more rules, read when it changes.

  // JSON: "off", "report" or "abort".
  StrictLevel strict = StrictLevel::kOff;
  // The file that violations are appended to; empty: none.
  std::string strict_report;
};

// Reads the JSON object `text`, which is either the settings or has them under "hostacl". `origin`
// names the text in messages. Errors: ACL_ERROR_PARSE_FILE where it is not a JSON object,
// ACL_ERROR_FILE_ATTR_INVALID naming a key that is unknown or has a value out of its range.
absl::StatusOr<Settings> ParseSettings(std::string_view text, std::string_view origin);

// The settings that aclInit(config_path) means: the object "hostacl" of that file; where there is
// no file or no such object, the environment variable HOSTACL_CONFIG (a path, or JSON where it
// begins with '{'); else the defaults. Where they do not say "strict", the environment variable
// HOSTACL_STRICT does, which has the same values: so a program's own tests run strictly as they
// are. `config_text` becomes the file's text, "" without a file. Other objects of the file are
// AscendCL's own and have no meaning on this device.
absl::StatusOr<Settings> LoadSettings(const char* config_path, std::string* config_text);

}  // namespace omserve::hostacl
