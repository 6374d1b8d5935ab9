// SPDX-License-Identifier: Apache-2.0
// Dump and profiling: the order of the calls, and what they leave behind.
#include <unistd.h>

#include <array>
#include <boost/json.hpp>
#include <filesystem>
#include <fstream>
#include <vector>

#include "tests/runtime/hostacl/model_files.h"

namespace omserve::hostacl {
namespace {

std::string Folder(const std::string& name) {
  const std::filesystem::path path = std::filesystem::current_path() / name;
  std::filesystem::remove_all(path);
  std::filesystem::create_directories(path);
  return path.string();
}

// All files below `folder`, by name.
std::vector<std::filesystem::path> FilesIn(const std::string& folder) {
  std::vector<std::filesystem::path> files;
  for (const auto& entry : std::filesystem::recursive_directory_iterator(folder)) {
    if (entry.is_regular_file()) {
      files.push_back(entry.path());
    }
  }
  std::sort(files.begin(), files.end());
  return files;
}

std::string ReadAll(const std::filesystem::path& path) {
  std::ifstream file(path, std::ios::binary);
  return {std::istreambuf_iterator<char>(file), std::istreambuf_iterator<char>()};
}

std::vector<float> ReadFloats(const std::filesystem::path& path) {
  const std::string bytes = ReadAll(path);
  std::vector<float> values(bytes.size() / sizeof(float));
  std::memcpy(values.data(), bytes.data(), values.size() * sizeof(float));
  return values;
}

const std::vector<float>& TwoRows() {
  static const std::vector<float> rows{1, 2, 3, 4, 5, 6};
  return rows;
}

// The static linear model executes once.
void RunOnce(uint32_t model) {
  const DeviceBytes x(TwoRows());
  const DeviceBytes y(2 * 128 * sizeof(float));
  const TestDataset input({EntryOf(x)});
  const TestDataset output({EntryOf(y)});
  REQUIRE_ACL(ACL(aclmdlExecute)(model, input.get(), output.get()));
}

std::string DumpJson(const std::string& list, const std::string& path, const std::string& mode) {
  return R"({"dump": {"dump_list": )" + list + R"(, "dump_path": ")" + path +
         R"(", "dump_mode": ")" + mode + R"("}})";
}

aclError SetDump(const std::string& json) {
  return ACL(aclmdlSetDump)(WriteTextFile("dump.json", json).c_str());
}

// The tensors of a model that was loaded after the configuration are written, those of one loaded
// before, or not listed, are not.
TEST_CASE("Dump writes the tensors of listed models") {
  const AclSession session;
  const std::string folder = Folder("dumped");
  const LoadedModel earlier(StaticLinearModel());
  REQUIRE_ACL(ACL(aclmdlInitDump)());
  REQUIRE_ACL(SetDump(DumpJson(R"([{"model_name": "linear_static"}])", folder, "all")));
  const LoadedModel listed(StaticLinearModel());
  const LoadedModel unlisted(GatherModel());
  RunOnce(earlier.id());
  CHECK(FilesIn(folder).empty());
  RunOnce(listed.id());
  RunOnce(listed.id());
  const std::vector<std::filesystem::path> files = FilesIn(folder);
  REQUIRE(files.size() == 4);
  CHECK(files[0].filename().string().rfind("input.0.x", 0) == 0);
  CHECK(ReadFloats(files[0]) == TwoRows());
  CHECK(files[1].filename().string().rfind("output.0.", 0) == 0);
  CHECK(ReadFloats(files[1]) == LinearAnswer(TwoRows()));
  REQUIRE_ACL(ACL(aclmdlFinalizeDump)());
  RunOnce(listed.id());
  CHECK(FilesIn(folder).size() == 4);
}

// An object in aclInit's file turns dump on for every model, and aclmdlInitDump is then refused.
TEST_CASE("The file of aclInit turns dump on") {
  const std::string folder = Folder("dumped_by_init");
  const std::string path = WriteTextFile("init_dump.json", DumpJson("[{}]", folder, "output"));
  REQUIRE_ACL(ACL(aclInit)(path.c_str()));
  REQUIRE_ACL(ACL(aclrtSetDevice)(0));
  CHECK(ACL(aclmdlInitDump)() == ACL_ERROR_DUMP_ALREADY_RUN);
  {
    const LoadedModel model(StaticLinearModel());
    RunOnce(model.id());
  }
  CHECK(FilesIn(folder).size() == 1);
  REQUIRE_ACL(ACL(aclFinalize)());
  const std::string wrong = WriteTextFile("wrong.json", DumpJson("[{}]", folder, "some"));
  CHECK(ACL(aclInit)(wrong.c_str()) == ACL_ERROR_INVALID_DUMP_CONFIG);
}

// Dump is begun once, configured between, and ended once; a wrong configuration is refused whole.
TEST_CASE("Dump keeps its order") {
  const AclSession session;
  const std::string folder = Folder("order");
  CHECK(SetDump(DumpJson("[{}]", folder, "all")) == ACL_ERROR_DUMP_NOT_RUN);
  CHECK(ACL(aclmdlFinalizeDump)() == ACL_ERROR_DUMP_NOT_RUN);
  REQUIRE_ACL(ACL(aclmdlInitDump)());
  CHECK(ACL(aclmdlInitDump)() == ACL_ERROR_DUMP_ALREADY_RUN);
  CHECK(ACL(aclmdlSetDump)(nullptr) == ACL_ERROR_INVALID_PARAM);
  CHECK(ACL(aclmdlSetDump)("no/such/file") == ACL_ERROR_INVALID_FILE);
  CHECK(SetDump("not json") == ACL_ERROR_PARSE_FILE);
  CHECK(SetDump("{}") == ACL_ERROR_INVALID_DUMP_CONFIG);
  CHECK(SetDump(DumpJson("[]", folder, "all")) == ACL_ERROR_INVALID_DUMP_CONFIG);
  CHECK(SetDump(DumpJson("[{}]", folder + "/none", "all")) == ACL_ERROR_INVALID_DUMP_CONFIG);
  CHECK(SetDump(DumpJson(R"([{"model_name": 5}])", folder, "all")) ==
        ACL_ERROR_INVALID_DUMP_CONFIG);
  CHECK(SetDump(DumpJson(R"([{"model_name": "a", "layer": ["b"]}])", folder, "all")) ==
        ACL_ERROR_RT_FEATURE_NOT_SUPPORT);
  REQUIRE_ACL(ACL(aclmdlFinalizeDump)());
}

// A profile has one event for each execution between start and stop.
TEST_CASE("Profiling writes a timeline") {
  const AclSession session;
  const std::string folder = Folder("profiled");
  const LoadedModel model(StaticLinearModel());
  REQUIRE_ACL(ACL(aclprofInit)(folder.c_str(), folder.size()));
  std::array<uint32_t, 1> devices{0};
  aclprofConfig* config =
      ACL(aclprofCreateConfig)(devices.data(), 1, ACL_AICORE_ARITHMETIC_UTILIZATION, nullptr,
                               ACL_PROF_ACL_API | ACL_PROF_TASK_TIME);
  REQUIRE(config != nullptr);
  RunOnce(model.id());
  REQUIRE_ACL(ACL(aclprofStart)(config));
  RunOnce(model.id());
  RunOnce(model.id());
  REQUIRE_ACL(ACL(aclprofStop)(config));
  RunOnce(model.id());
  REQUIRE_ACL(ACL(aclprofDestroyConfig)(config));
  REQUIRE_ACL(ACL(aclprofFinalize)());

  const std::vector<std::filesystem::path> files = FilesIn(folder);
  REQUIRE(files.size() == 1);
  CHECK(files[0].parent_path().filename().string().rfind("PROF_000001_", 0) == 0);
  const boost::json::value timeline = boost::json::parse(ReadAll(files[0]));
  const boost::json::array& events = timeline.at("traceEvents").as_array();
  REQUIRE(events.size() == 2);
  CHECK(events[0].at("name").as_string() == "linear_static");
  CHECK(events[0].at("ph").as_string() == "X");
  CHECK(events[0].at("args").at("model_id").to_number<uint32_t>() == model.id());
  CHECK(events[1].at("ts").to_number<double>() >= events[0].at("ts").to_number<double>());
}

// Each call of profiling has its place; out of it the codes say what runs or does not.
TEST_CASE("Profiling keeps its order") {
  const AclSession session;
  const std::string folder = Folder("profile_order");
  std::array<uint32_t, 1> devices{0};
  const auto make = [&] {
    return ACL(aclprofCreateConfig)(devices.data(), 1, ACL_AICORE_NONE, nullptr,
                                    ACL_PROF_TASK_TIME);
  };
  aclprofConfig* config = make();
  aclprofConfig* other = make();
  CHECK(ACL(aclprofStart)(config) == ACL_ERROR_PROF_NOT_RUN);
  CHECK(ACL(aclprofStop)(config) == ACL_ERROR_PROF_NOT_RUN);
  CHECK(ACL(aclprofFinalize)() == ACL_ERROR_PROF_NOT_RUN);
  CHECK(ACL(aclprofInit)(folder.c_str(), folder.size() + 1) == ACL_ERROR_INVALID_PARAM);
  CHECK(ACL(aclprofSetConfig)(ACL_PROF_STORAGE_LIMIT, "200", 3) == ACL_ERROR_PROF_NOT_RUN);
  REQUIRE_ACL(ACL(aclprofInit)(folder.c_str(), folder.size()));
  CHECK(ACL(aclprofInit)(folder.c_str(), folder.size()) == ACL_ERROR_PROF_ALREADY_RUN);
  REQUIRE_ACL(ACL(aclprofSetConfig)(ACL_PROF_STORAGE_LIMIT, "200", 3));
  CHECK(ACL(aclprofSetConfig)(ACL_PROF_STORAGE_LIMIT, "5", 1) == ACL_ERROR_INVALID_PARAM);
  CHECK(ACL(aclprofSetConfig)(ACL_PROF_DVPP_FREQ, "5", 1) == ACL_ERROR_PROF_MODULES_UNSUPPORTED);
  REQUIRE_ACL(ACL(aclprofStart)(config));
  CHECK(ACL(aclprofStart)(other) == ACL_ERROR_PROF_ALREADY_RUN);
  CHECK(ACL(aclprofStop)(other) == ACL_ERROR_PROF_NOT_RUN);
  REQUIRE_ACL(ACL(aclprofStop)(config));
  REQUIRE_ACL(ACL(aclprofFinalize)());
  REQUIRE_ACL(ACL(aclprofDestroyConfig)(config));
  REQUIRE_ACL(ACL(aclprofDestroyConfig)(other));
  devices[0] = 9;
  CHECK(make() == nullptr);
}

// A subscription sends one record for each execution through a pipe, which its end closes.
TEST_CASE("A subscription streams records") {
  const AclSession session;
  const LoadedModel model(StaticLinearModel());
  std::array<int, 2> ends{};
  REQUIRE(pipe(ends.data()) == 0);
  aclprofSubscribeConfig* config = ACL(aclprofCreateSubscribeConfig)(1, ACL_AICORE_NONE, &ends[1]);
  REQUIRE_ACL(ACL(aclprofModelSubscribe)(model.id(), config));
  CHECK(ACL(aclprofModelSubscribe)(model.id(), config) == ACL_ERROR_PROF_REPEAT_SUBSCRIBE);
  RunOnce(model.id());
  RunOnce(model.id());
  REQUIRE_ACL(ACL(aclprofModelUnSubscribe)(model.id()));
  CHECK(ACL(aclprofModelUnSubscribe)(model.id()) == ACL_ERROR_INVALID_PARAM);
  REQUIRE_ACL(ACL(aclprofDestroySubscribeConfig)(config));

  size_t record_bytes = 0;
  REQUIRE_ACL(ACL(aclprofGetOpDescSize)(&record_bytes));
  std::vector<char> bytes(3 * record_bytes);
  size_t length = 0;
  for (ssize_t part = 1; part > 0; length += static_cast<size_t>(part)) {
    part = read(ends[0], bytes.data() + length, bytes.size() - length);
    REQUIRE(part >= 0);  // 0: the writing end is closed.
  }
  close(ends[0]);
  uint32_t count = 0;
  REQUIRE_ACL(ACL(aclprofGetOpNum)(bytes.data(), length, &count));
  REQUIRE(count == 2);
  size_t name_length = 0;
  REQUIRE_ACL(ACL(aclprofGetOpNameLen)(bytes.data(), length, 1, &name_length));
  std::string name(name_length, '\0');
  REQUIRE_ACL(ACL(aclprofGetOpName)(bytes.data(), length, 1, name.data(), name_length));
  CHECK(std::string(name.c_str()) == "linear_static");
  CHECK(ACL(aclprofGetModelId)(bytes.data(), length, 1) == model.id());
  const uint64_t begin = ACL(aclprofGetOpStart)(bytes.data(), length, 1);
  CHECK(begin >= ACL(aclprofGetOpEnd)(bytes.data(), length, 0));
  CHECK(ACL(aclprofGetOpDuration)(bytes.data(), length, 1) ==
        ACL(aclprofGetOpEnd)(bytes.data(), length, 1) - begin);
  CHECK(ACL(aclprofGetOpName)(bytes.data(), length, 2, name.data(), name_length) ==
        ACL_ERROR_INVALID_PARAM);
  CHECK(ACL(aclprofGetOpName)(bytes.data(), length, 1, name.data(), 3) == ACL_ERROR_INVALID_PARAM);
}

// A reader that has gone away costs records, not the process.
TEST_CASE("A subscription survives its reader") {
  const AclSession session;
  const LoadedModel model(StaticLinearModel());
  std::array<int, 2> ends{};
  REQUIRE(pipe(ends.data()) == 0);
  aclprofSubscribeConfig* config = ACL(aclprofCreateSubscribeConfig)(1, ACL_AICORE_NONE, &ends[1]);
  REQUIRE_ACL(ACL(aclprofModelSubscribe)(model.id(), config));
  close(ends[0]);
  RunOnce(model.id());
  REQUIRE_ACL(ACL(aclprofModelUnSubscribe)(model.id()));
  REQUIRE_ACL(ACL(aclprofDestroySubscribeConfig)(config));
}

}  // namespace
}  // namespace omserve::hostacl
