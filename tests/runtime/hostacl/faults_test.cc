// SPDX-License-Identifier: Apache-2.0
// Fault rules apart from a device: what they match, what they count, and how they are written.
#include "runtime/hostacl/faults.h"

#include <catch2/catch.hpp>
#include <string>
#include <vector>

#include "runtime/hostacl/acl_status.h"
#include "runtime/hostacl/fault_settings.h"
#include "tests/status_test_util.h"

namespace omserve::hostacl {
namespace {

bool KnowsMemcpy(const char* name) { return std::string(name) == "aclrtMemcpyAsync"; }

FaultRules Rules(const std::string& json) {
  return FaultRules(VALUE(ParseFaultRules(json, "test", &KnowsMemcpy)));
}

std::string ErrorOf(const std::string& json, aclError code = ACL_ERROR_FILE_ATTR_INVALID) {
  const absl::Status status = ParseFaultRules(json, "test", &KnowsMemcpy).status();
  CHECK(AclCodeOf(status) == code);
  return std::string(MessageOf(status));
}

constexpr TaskInfo kVision{.what = TaskClass::kExecute, .model = "vision", .stream = 3};
constexpr TaskInfo kCopy{.what = TaskClass::kCopy, .device = 1, .stream = 4};

// The numbers, from 1, of those of `count` tasks that fail.
std::vector<int> FailingTasks(FaultRules rules, int count, const TaskInfo& task = kVision) {
  std::vector<int> failing;
  for (int i = 1; i <= count; ++i) {
    if (rules.OnTask(task).code != ACL_SUCCESS) {
      failing.push_back(i);
    }
  }
  return failing;
}

// The nth call of the function that is named fails, and no other.
TEST_CASE("A rule fails one call") {
  FaultRules rules = Rules(R"([{"call": "aclrtMemcpyAsync", "nth": 2, "code": 507899}])");
  CHECK(rules.OnCall("aclrtMemcpyAsync", 0).code == ACL_SUCCESS);
  CHECK(rules.OnCall("aclrtMalloc", 0).code == ACL_SUCCESS);
  CHECK(rules.OnCall("aclrtMemcpyAsync", -1).code == 507899);
  CHECK(rules.OnCall("aclrtMemcpyAsync", 0).code == ACL_SUCCESS);
  CHECK(rules.OnTask(kVision).code == ACL_SUCCESS);
}

// "nth" says where it begins, "every" how often, "times" when it ends.
TEST_CASE("Rules count what matches") {
  const std::string head = R"([{"task": "any", "code": 507011, )";
  CHECK(FailingTasks(Rules(R"([{"task": "any", "code": 1}])"), 5) == std::vector<int>{1});
  CHECK(FailingTasks(Rules(head + R"("nth": 3}])"), 5) == std::vector<int>{3});
  CHECK(FailingTasks(Rules(head + R"("nth": 2, "times": 2}])"), 5) == std::vector<int>{2, 3});
  CHECK(FailingTasks(Rules(head + R"("nth": 4, "times": 0}])"), 6) == std::vector<int>{4, 5, 6});
  CHECK(FailingTasks(Rules(head + R"("nth": 2, "every": 3}])"), 9) == std::vector<int>{2, 5, 8});
  CHECK(FailingTasks(Rules(head + R"("every": 2, "times": 2}])"), 9) == std::vector<int>{1, 3});
}

// Kind, model, device and stream each narrow a rule, and what does not match is not counted.
TEST_CASE("Rules choose tasks") {
  const auto fails = [](const std::string& keys, const TaskInfo& task) {
    return !FailingTasks(Rules(R"([{"code": 507011, )" + keys + "}]"), 1, task).empty();
  };
  CHECK(fails(R"("task": "execute")", kVision));
  CHECK_FALSE(fails(R"("task": "copy")", kVision));
  CHECK(fails(R"("task": "copy", "device": 1, "stream": 4)", kCopy));
  CHECK_FALSE(fails(R"("task": "copy", "device": 0)", kCopy));
  CHECK_FALSE(fails(R"("task": "copy", "stream": 3)", kCopy));
  CHECK(fails(R"("task": "any", "model": "vision")", kVision));
  CHECK_FALSE(fails(R"("task": "any", "model": "text")", kVision));
}

// Of several rules each counts; the first that fails decides, and slowness multiplies.
TEST_CASE("Rules add up") {
  FaultRules rules = Rules(R"([{"task": "any", "slow": 2.0}, {"task": "any", "slow": 1.5},
      {"task": "any", "nth": 2, "hang": true}, {"task": "any", "nth": 2, "times": 2, "code": 7}])");
  CHECK(rules.OnTask(kVision).slow == 3.0);
  const Fault second = rules.OnTask(kVision);
  CHECK((second.hang && second.code == ACL_SUCCESS && second.rule == 2));
  const Fault third = rules.OnTask(kVision);
  CHECK((!third.hang && third.code == 7 && third.rule == 3));
  FaultRules held = Rules(R"([{"task": "any", "hold": true}, {"task": "any", "code": 7}])");
  const Fault hold = held.OnTask(kVision);
  CHECK((hold.hold && hold.code == ACL_SUCCESS && hold.rule == 0));
}

// Memory runs out beyond a number of bytes for good, or at one allocation.
TEST_CASE("Rules take memory away") {
  FaultRules bytes = Rules(R"([{"memory": "exhausted", "device": 0, "after_bytes": 1000}])");
  CHECK(bytes.OnAllocation(0, 1000).code == ACL_SUCCESS);
  CHECK(bytes.OnAllocation(0, 1001).code == ACL_ERROR_RT_MEMORY_ALLOCATION);
  CHECK(bytes.OnAllocation(0, 2000).code == ACL_ERROR_RT_MEMORY_ALLOCATION);
  CHECK(bytes.OnAllocation(1, 2000).code == ACL_SUCCESS);
  FaultRules second = Rules(R"([{"memory": "exhausted", "nth": 2}])");
  CHECK(second.OnAllocation(0, 1).code == ACL_SUCCESS);
  CHECK(second.OnAllocation(0, 1).code == ACL_ERROR_RT_MEMORY_ALLOCATION);
  CHECK(second.OnAllocation(0, 1).code == ACL_SUCCESS);
}

// A device is lost at a task or a call on it, or as soon as the rule is read.
TEST_CASE("Rules lose a device") {
  FaultRules task = Rules(R"([{"device_lost": 507010, "device": 1, "task": "copy"}])");
  CHECK_FALSE(task.OnTask(kVision).device_lost);
  const Fault lost = task.OnTask(kCopy);
  CHECK((lost.device_lost && lost.code == 507010));
  FaultRules call = Rules(R"([{"device_lost": 507010, "call": "aclrtMemcpyAsync", "nth": 2}])");
  CHECK_FALSE(call.OnCall("aclrtMemcpyAsync", 0).device_lost);
  CHECK_FALSE(call.OnCall("aclrtMemcpyAsync", 1).device_lost);  // Another device's.
  CHECK(call.OnCall("aclrtMemcpyAsync", 0).device_lost);
  const std::vector<FaultRule> at_once =
      VALUE(ParseFaultRules(R"({"faults": [{"device_lost": 507010}]})", "test", &KnowsMemcpy));
  REQUIRE(at_once.size() == 1);
  CHECK(at_once[0].trigger == FaultRule::Trigger::kNow);
  CHECK(at_once[0].device == 0);
}

// A wrong rule is refused, naming its number, the key, the value and what was expected.
TEST_CASE("Wrong rules are refused") {
  const std::string error =
      ErrorOf(R"([{"task": "any", "code": 1}, {"call": "aclrtMemcpyAsync", "nth": 0, "code": 1}])");
  CHECK_THAT(error, Catch::Contains("test: faults[1]"));
  CHECK_THAT(error, Catch::Contains("'nth' is 0, expected an integer from 1"));
  CHECK_THAT(ErrorOf(R"([{"call": "aclrtMemcopy", "code": 1}])"),
             Catch::Contains("'call' is 'aclrtMemcopy', expected a function"));
  for (const char* json :
       {R"([{}])", R"([7])", R"({"faults": 1})", R"([{"call": "aclrtMemcpyAsync"}])",
        R"([{"task": "sort", "code": 1}])", R"([{"task": "any"}])",
        R"([{"task": "any", "code": 1, "hang": true}])", R"([{"task": "any", "hang": false}])",
        R"([{"task": "any", "hold": true, "hang": true}])", R"([{"task": "any", "slow": 0.5}])",
        R"([{"task": "any", "code": 0}])",
        R"([{"task": "any", "code": 1, "call": "aclrtMemcpyAsync"}])",
        R"([{"task": "any", "code": 1, "device": 64}])", R"([{"memory": "full"}])",
        R"([{"memory": "exhausted", "code": 1}])", R"([{"device_lost": "yes"}])",
        R"([{"device_lost": 507010, "task": "any", "call": "aclrtMemcpyAsync"}])",
        R"([{"device_lost": 507010, "times": 2}])"}) {
    INFO(json);
    const std::string text = ErrorOf(json);
    CHECK((text.find("expected") != std::string::npos ||
           text.find("missing") != std::string::npos ||
           text.find("unknown key") != std::string::npos));
  }
  ErrorOf("[", ACL_ERROR_PARSE_FILE);
  ErrorOf("{}", ACL_ERROR_PARSE_FILE);
}

}  // namespace
}  // namespace omserve::hostacl
