// SPDX-License-Identifier: Apache-2.0
#include "runtime/hostacl/fault_settings.h"

#include <limits>
#include <span>
#include <string>
#include <utility>

#include "runtime/hostacl/acl_status.h"
#include "runtime/hostacl/settings_reader.h"

namespace omserve::hostacl {
namespace {

constexpr int64_t kMost = std::numeric_limits<int64_t>::max();
constexpr int64_t kMostDevices = 64;
constexpr int64_t kMostCode = 999'999;
constexpr double kMostSlow = 1e6;

// Keys of each kind of rule, which the first key that says the kind decides.
constexpr std::string_view kCallKeys[] = {"call", "code", "every", "nth", "times"};
constexpr std::string_view kTaskKeys[] = {"code", "device", "every",  "hang", "hold", "model",
                                          "nth",  "slow",   "stream", "task", "times"};
constexpr std::string_view kMemoryKeys[] = {"after_bytes", "device", "every",
                                            "memory",      "nth",    "times"};
constexpr std::string_view kLostKeys[] = {"call", "device", "device_lost", "model",
                                          "nth",  "stream", "task"};

class RuleReader final {
 public:
  RuleReader(const boost::json::object& object, const std::string& origin,
             KnowsFunction knows_function)
      : object_(object), origin_(origin), reader_(object, origin), knows_(knows_function) {}

  absl::StatusOr<FaultRule> Read() {
    RETURN_IF_ERROR(ReadKind());
    RETURN_IF_ERROR(ReadCounts());
    return std::move(rule_);
  }

 private:
  absl::Status ReadKind() {
    if (Has("device_lost")) {
      return ReadDeviceLost();
    }
    if (Has("memory")) {
      return ReadMemory();
    }
    if (Has("call")) {
      RETURN_IF_ERROR(reader_.OnlyKnownKeys(kCallKeys));
      RETURN_IF_ERROR(Needs("code"));
      RETURN_IF_ERROR(ReadCode("code"));
      return ReadCall();
    }
    if (Has("task")) {
      RETURN_IF_ERROR(reader_.OnlyKnownKeys(kTaskKeys));
      RETURN_IF_ERROR(ReadTask());
      return ReadTaskEffect();
    }
    return Fail(ACL_ERROR_FILE_ATTR_INVALID,
                "{}: expected one of the keys 'call', 'task', 'memory', 'device_lost'", origin_);
  }

  absl::Status ReadDeviceLost() {
    RETURN_IF_ERROR(reader_.OnlyKnownKeys(kLostKeys));
    rule_.effect = FaultRule::Effect::kDeviceLost;
    rule_.device = 0;
    RETURN_IF_ERROR(ReadCode("device_lost"));
    if (Has("call") && Has("task")) {
      return Fail(ACL_ERROR_FILE_ATTR_INVALID,
                  "{}: 'call' and 'task' are both given, expected one or neither", origin_);
    }
    if (Has("call")) {
      RETURN_IF_ERROR(ReadDevice());
      return ReadCall();
    }
    if (Has("task")) {
      return ReadTask();
    }
    rule_.trigger = FaultRule::Trigger::kNow;
    return ReadDevice();
  }

  absl::Status ReadMemory() {
    RETURN_IF_ERROR(reader_.OnlyKnownKeys(kMemoryKeys));
    std::string what;
    RETURN_IF_ERROR(reader_.String("memory", &what));
    if (what != "exhausted") {
      return Fail(ACL_ERROR_FILE_ATTR_INVALID, "{}: 'memory' is '{}', expected 'exhausted'",
                  origin_, what);
    }
    rule_.trigger = FaultRule::Trigger::kAllocation;
    rule_.code = ACL_ERROR_RT_MEMORY_ALLOCATION;
    RETURN_IF_ERROR(reader_.Number("after_bytes", 0, kMost, &rule_.after_bytes));
    return ReadDevice();
  }

  absl::Status ReadCall() {
    rule_.trigger = FaultRule::Trigger::kCall;
    RETURN_IF_ERROR(reader_.String("call", &rule_.call));
    if (!knows_(rule_.call.c_str())) {
      return Fail(ACL_ERROR_FILE_ATTR_INVALID,
                  "{}: 'call' is '{}', expected a function of AscendCL that this device has",
                  origin_, rule_.call);
    }
    return absl::OkStatus();
  }

  absl::Status ReadTask() {
    rule_.trigger = FaultRule::Trigger::kTask;
    std::string task;
    RETURN_IF_ERROR(reader_.String("task", &task));
    if (task == "execute") {
      rule_.task = TaskClass::kExecute;
    } else if (task == "copy") {
      rule_.task = TaskClass::kCopy;
    } else if (task != "any") {
      return Fail(ACL_ERROR_FILE_ATTR_INVALID,
                  "{}: 'task' is '{}', expected 'execute', 'copy' or 'any'", origin_, task);
    }
    RETURN_IF_ERROR(reader_.String("model", &rule_.model));
    int32_t stream = 0;
    RETURN_IF_ERROR(reader_.Number("stream", 1, std::numeric_limits<int32_t>::max(), &stream));
    if (Has("stream")) {
      rule_.stream = stream;
    }
    return ReadDevice();
  }

  absl::Status ReadTaskEffect() {
    bool hang = false;
    bool hold = false;
    RETURN_IF_ERROR(reader_.Bool("hang", &hang));
    RETURN_IF_ERROR(reader_.Bool("hold", &hold));
    RETURN_IF_ERROR(reader_.Real("slow", 1.0, kMostSlow, &rule_.slow));
    RETURN_IF_ERROR(ReadCode("code"));
    if ((hang ? 1 : 0) + (hold ? 1 : 0) + (Has("slow") ? 1 : 0) + (Has("code") ? 1 : 0) != 1) {
      return Fail(ACL_ERROR_FILE_ATTR_INVALID,
                  "{}: expected exactly one of 'code', 'hang' (true), 'hold' (true) and 'slow' "
                  "beside 'task'",
                  origin_);
    }
    if (hang) {
      rule_.effect = FaultRule::Effect::kHang;
    } else if (hold) {
      rule_.effect = FaultRule::Effect::kHold;
    } else if (Has("slow")) {
      rule_.effect = FaultRule::Effect::kSlow;
    }
    return absl::OkStatus();
  }

  absl::Status ReadCode(const char* key) { return reader_.Number(key, 1, kMostCode, &rule_.code); }

  absl::Status ReadDevice() {
    int32_t device = 0;
    RETURN_IF_ERROR(reader_.Number("device", 0, kMostDevices - 1, &device));
    if (Has("device")) {
      rule_.device = device;
    }
    return absl::OkStatus();
  }

  absl::Status ReadCounts() {
    RETURN_IF_ERROR(reader_.Number("nth", 1, kMost, &rule_.nth));
    RETURN_IF_ERROR(reader_.Number("every", 1, kMost, &rule_.every));
    rule_.times = Has("every") || Has("slow") || Has("after_bytes") ? 0 : 1;
    return reader_.Number("times", 0, kMost, &rule_.times);
  }

  absl::Status Needs(const char* key) const {
    return Has(key) ? absl::OkStatus()
                    : Fail(ACL_ERROR_FILE_ATTR_INVALID, "{}: '{}' is missing", origin_, key);
  }
  bool Has(const char* key) const { return object_.contains(key); }

  const boost::json::object& object_;
  const std::string& origin_;
  const SettingsReader reader_;
  const KnowsFunction knows_;
  FaultRule rule_;
};

}  // namespace

absl::StatusOr<std::vector<FaultRule>> ReadFaultRules(const boost::json::value& rules,
                                                      std::string_view origin,
                                                      KnowsFunction knows_function) {
  if (!rules.is_array()) {
    return Fail(ACL_ERROR_FILE_ATTR_INVALID, "{}: 'faults' is {}, expected an array of rules",
                origin, boost::json::serialize(rules));
  }
  std::vector<FaultRule> read;
  for (const boost::json::value& element : rules.get_array()) {
    const std::string where = fmt::format("{}: faults[{}]", origin, read.size());
    if (!element.is_object()) {
      return Fail(ACL_ERROR_FILE_ATTR_INVALID, "{} is {}, expected an object", where,
                  boost::json::serialize(element));
    }
    ASSIGN_OR_RETURN(FaultRule rule,
                     RuleReader(element.get_object(), where, knows_function).Read());
    read.push_back(std::move(rule));
  }
  return read;
}

absl::StatusOr<std::vector<FaultRule>> ParseFaultRules(std::string_view text,
                                                       std::string_view origin,
                                                       KnowsFunction knows_function) {
  boost::json::error_code error;
  const boost::json::value value =
      boost::json::parse(boost::json::string_view(text.data(), text.size()), error);
  if (error) {
    return Fail(ACL_ERROR_PARSE_FILE, "{}: not JSON: {}", origin, error.message());
  }
  if (value.is_array()) {
    return ReadFaultRules(value, origin, knows_function);
  }
  const boost::json::value* inner =
      value.is_object() ? value.get_object().if_contains("faults") : nullptr;
  if (inner == nullptr) {
    return Fail(ACL_ERROR_PARSE_FILE,
                "{}: expected an array of fault rules, or an object with one under 'faults'",
                origin);
  }
  return ReadFaultRules(*inner, origin, knows_function);
}

}  // namespace omserve::hostacl
