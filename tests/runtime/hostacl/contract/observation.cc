// SPDX-License-Identifier: Apache-2.0
// 1.11: dumping tensors and profiling.
#include <fcntl.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <filesystem>
#include <string>

#include "tests/runtime/hostacl/contract/model_run.h"

namespace omserve::hostacl {
namespace {

std::string NewFolder(const std::string& name) {
  const std::filesystem::path path = std::filesystem::current_path() / name;
  std::filesystem::remove_all(path);
  std::filesystem::create_directories(path);
  return path.string();
}

std::string DumpJson() {
  return R"({"dump": {"dump_path": ")" + NewFolder("dump") +
         R"(", "dump_mode": "all", "dump_list": [{"model_name": "linear_static"}]}})";
}

// After aclInit and before the load: then the model's executions are dumped, and it works as ever.
TEST_CASE("Tensors of a model can be dumped",
          "[1.11/aclmdlInitDump][1.11/aclmdlSetDump][1.11/aclmdlFinalizeDump][needs models]") {
  const AclSession session;
  const std::string config = WriteTextFile("dump.json", DumpJson());
  REQUIRE_ACL(ACL(aclmdlInitDump)());
  CHECK(ACL(aclmdlSetDump)("/no/such/dump.json") != ACL_SUCCESS);
  REQUIRE_ACL(ACL(aclmdlSetDump)(config.c_str()));
  {
    const ModelRun run(StaticLinearModel());
    CheckNear(run.Execute(LinearRows(2), 2 * 128), LinearAnswer(LinearRows(2)));
  }
  CHECK(ACL(aclmdlFinalizeDump)() == ACL_SUCCESS);
}

TEST_CASE("Dumping begins with its initialisation",
          "[1.11/aclmdlSetDump][1.11/aclmdlFinalizeDump]") {
  const AclSession session;
  const std::string config = WriteTextFile("dump.json", DumpJson());
  CHECK(ACL(aclmdlSetDump)(config.c_str()) != ACL_SUCCESS);
  CHECK(ACL(aclmdlFinalizeDump)() != ACL_SUCCESS);
}

// 100044: aclInit's file has the last word.
TEST_CASE("Dumping is set in one place", "[1.11/aclmdlInitDump]") {
  REQUIRE_ACL(ACL(aclInit)(WriteTextFile("init_dump.json", DumpJson()).c_str()));
  REQUIRE_ACL(ACL(aclrtSetDevice)(0));
  CHECK(ACL(aclmdlInitDump)() == ACL_ERROR_DUMP_ALREADY_RUN);
  REQUIRE_ACL(ACL(aclFinalize)());
}

constexpr uint64_t kData = ACL_PROF_ACL_API | ACL_PROF_TASK_TIME;

aclprofConfig* ConfigForDevice0() {
  uint32_t device = 0;
  return ACL(aclprofCreateConfig)(&device, 1, ACL_AICORE_PIPE_UTILIZATION, nullptr, kData);
}

// The order of the documents, with an execution in the middle; the results stand below PROF_.
TEST_CASE("A profile is taken in order",
          "[1.11/aclprofInit][1.11/aclprofCreateConfig][1.11/aclprofStart][1.11/aclprofStop]"
          "[1.11/aclprofDestroyConfig][1.11/aclprofFinalize][needs models]") {
  const AclSession session;
  const std::string folder = NewFolder("profile");
  REQUIRE_ACL(ACL(aclprofInit)(folder.c_str(), folder.size()));
  aclprofConfig* config = ConfigForDevice0();
  REQUIRE(config != nullptr);
  REQUIRE_ACL(ACL(aclprofStart)(config));
  {
    const ModelRun run(StaticLinearModel());
    CheckNear(run.Execute(LinearRows(2), 2 * 128), LinearAnswer(LinearRows(2)));
  }
  CHECK(ACL(aclprofStop)(config) == ACL_SUCCESS);
  CHECK(ACL(aclprofDestroyConfig)(config) == ACL_SUCCESS);
  CHECK(ACL(aclprofFinalize)() == ACL_SUCCESS);
  const std::filesystem::directory_iterator results(folder);
  CHECK(std::any_of(begin(results), end(results), [](const auto& entry) {
    return entry.path().filename().string().starts_with("PROF_");
  }));
}

TEST_CASE("Profiling begins with its initialisation",
          "[1.11/aclprofStart][1.11/aclprofStop][1.11/aclprofFinalize]") {
  const AclSession session;
  aclprofConfig* config = ConfigForDevice0();
  CHECK(ACL(aclprofStart)(config) != ACL_SUCCESS);
  CHECK(ACL(aclprofStop)(config) != ACL_SUCCESS);
  CHECK(ACL(aclprofFinalize)() != ACL_SUCCESS);
  if (config != nullptr) {
    CHECK(ACL(aclprofDestroyConfig)(config) == ACL_SUCCESS);
  }
}

TEST_CASE("Profiles of nothing are refused",
          "[1.11/aclprofInit][1.11/aclprofCreateConfig][1.11/aclprofStart]"
          "[1.11/aclprofDestroyConfig]") {
  const AclSession session;
  CHECK(ACL(aclprofInit)(nullptr, 0) != ACL_SUCCESS);
  CHECK(ACL(aclprofCreateConfig)(nullptr, 1, ACL_AICORE_NONE, nullptr, kData) == nullptr);
  CHECK(ACL(aclprofStart)(nullptr) != ACL_SUCCESS);
  CHECK(ACL(aclprofDestroyConfig)(nullptr) != ACL_SUCCESS);
}

// The space that the results may take, in MB.
TEST_CASE("A profile can be limited", "[1.11/aclprofSetConfig]") {
  const AclSession session;
  const std::string folder = NewFolder("profile");
  REQUIRE_ACL(ACL(aclprofInit)(folder.c_str(), folder.size()));
  const std::string limit = "200";
  CheckDoneOrUnsupported(
      ACL(aclprofSetConfig)(ACL_PROF_STORAGE_LIMIT, limit.c_str(), limit.size()));
  CHECK(ACL(aclprofSetConfig)(ACL_PROF_STORAGE_LIMIT, nullptr, 5) != ACL_SUCCESS);
  CHECK(ACL(aclprofFinalize)() == ACL_SUCCESS);
}

// The end of a pipe that does not block, and the one that is given away.
struct Pipe {
  Pipe() {
    std::array<int, 2> ends{};
    REQUIRE(pipe(ends.data()) == 0);
    read_end = ends[0];
    write_end = ends[1];
    fcntl(read_end, F_SETFL, O_NONBLOCK);
  }
  ~Pipe() { close(read_end); }
  Pipe(const Pipe&) = delete;
  Pipe& operator=(const Pipe&) = delete;
  std::vector<char> ReadAll() const {
    std::vector<char> all;
    std::array<char, 4096> part{};
    for (ssize_t got = read(read_end, part.data(), part.size()); got > 0;
         got = read(read_end, part.data(), part.size())) {
      all.insert(all.end(), part.begin(), part.begin() + got);
    }
    return all;
  }
  int read_end = -1;
  int write_end = -1;
};

// Records of whole size, each with the model, a name, and an end that is not before its start.
void CheckRecords(const std::vector<char>& bytes, uint32_t model_id) {
  size_t size = 0;
  REQUIRE_ACL(ACL(aclprofGetOpDescSize)(&size));
  REQUIRE(size > 0);
  REQUIRE(!bytes.empty());
  CHECK(bytes.size() % size == 0);
  uint32_t count = 0;
  REQUIRE_ACL(ACL(aclprofGetOpNum)(bytes.data(), bytes.size(), &count));
  REQUIRE(count > 0);
  for (uint32_t i = 0; i < count; ++i) {
    CHECK(ACL(aclprofGetModelId)(bytes.data(), bytes.size(), i) == model_id);
    size_t name_length = 0;
    REQUIRE_ACL(ACL(aclprofGetOpNameLen)(bytes.data(), bytes.size(), i, &name_length));
    std::string name(name_length, '\0');
    REQUIRE_ACL(ACL(aclprofGetOpName)(bytes.data(), bytes.size(), i, name.data(), name.size()));
    size_t type_length = 0;
    REQUIRE_ACL(ACL(aclprofGetOpTypeLen)(bytes.data(), bytes.size(), i, &type_length));
    std::string type(type_length, '\0');
    REQUIRE_ACL(ACL(aclprofGetOpType)(bytes.data(), bytes.size(), i, type.data(), type.size()));
    CHECK(name[0] != '\0');
    CHECK(type[0] != '\0');
    const uint64_t start = ACL(aclprofGetOpStart)(bytes.data(), bytes.size(), i);
    const uint64_t end = ACL(aclprofGetOpEnd)(bytes.data(), bytes.size(), i);
    CHECK(end >= start);
    CHECK(ACL(aclprofGetOpDuration)(bytes.data(), bytes.size(), i) <= end - start);
  }
}

TEST_CASE("A model's operators are told through a pipe",
          "[1.11/aclprofCreateSubscribeConfig][1.11/aclprofDestroySubscribeConfig]"
          "[1.11/aclprofModelSubscribe][1.11/aclprofModelUnSubscribe][1.11/aclprofGetOpDescSize]"
          "[1.11/aclprofGetOpNum][1.11/aclprofGetModelId][1.11/aclprofGetOpTypeLen]"
          "[1.11/aclprofGetOpType][1.11/aclprofGetOpNameLen][1.11/aclprofGetOpName]"
          "[1.11/aclprofGetOpStart][1.11/aclprofGetOpEnd][1.11/aclprofGetOpDuration]"
          "[needs models]") {
  const AclSession session;
  const ModelRun run(StaticLinearModel());
  Pipe records;
  aclprofSubscribeConfig* config =
      ACL(aclprofCreateSubscribeConfig)(1, ACL_AICORE_NONE, &records.write_end);
  REQUIRE(config != nullptr);
  REQUIRE_ACL(ACL(aclprofModelSubscribe)(run.id(), config));
  for (int round = 0; round < 3; ++round) {
    run.Execute(LinearRows(2), 2 * 128);
  }
  CHECK(ACL(aclprofModelUnSubscribe)(run.id()) == ACL_SUCCESS);
  CHECK(ACL(aclprofDestroySubscribeConfig)(config) == ACL_SUCCESS);
  CheckRecords(records.ReadAll(), run.id());
}

// 148047: a running profile and a subscription exclude each other.
TEST_CASE("A subscription is refused while a profile is taken",
          "[1.11/aclprofModelSubscribe][needs models]") {
  const AclSession session;
  const ModelRun run(StaticLinearModel());
  const std::string folder = NewFolder("profile");
  REQUIRE_ACL(ACL(aclprofInit)(folder.c_str(), folder.size()));
  aclprofConfig* config = ConfigForDevice0();
  REQUIRE(config != nullptr);
  REQUIRE_ACL(ACL(aclprofStart)(config));
  Pipe records;
  aclprofSubscribeConfig* subscription =
      ACL(aclprofCreateSubscribeConfig)(1, ACL_AICORE_NONE, &records.write_end);
  REQUIRE(subscription != nullptr);
  CHECK(ACL(aclprofModelSubscribe)(run.id(), subscription) == 148047);
  close(records.write_end);
  CHECK(ACL(aclprofDestroySubscribeConfig)(subscription) == ACL_SUCCESS);
  CHECK(ACL(aclprofStop)(config) == ACL_SUCCESS);
  CHECK(ACL(aclprofDestroyConfig)(config) == ACL_SUCCESS);
  CHECK(ACL(aclprofFinalize)() == ACL_SUCCESS);
}

}  // namespace
}  // namespace omserve::hostacl
