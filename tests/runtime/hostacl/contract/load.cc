// SPDX-License-Identifier: Apache-2.0
// 1.9: loading and unloading models, and the memory that they take.
#include "tests/runtime/hostacl/contract/model_run.h"

namespace omserve::hostacl {
namespace {

struct Sizes {
  size_t work = 0;
  size_t weights = 0;
};

Sizes QuerySizes(const std::string& file) {
  Sizes sizes;
  REQUIRE_ACL(ACL(aclmdlQuerySizeFromMem)(file.data(), file.size(), &sizes.work, &sizes.weights));
  return sizes;
}

// A file with the static linear model.
std::string LinearPath() { return WriteTextFile("linear.om", StaticLinearModel()); }

// Device memory of a size that may be 0, which is no memory at all.
class MaybeBytes final {
 public:
  explicit MaybeBytes(size_t size_bytes)
      : bytes_(size_bytes == 0 ? nullptr : std::make_unique<DeviceBytes>(size_bytes)) {}
  void* get() const { return bytes_ == nullptr ? nullptr : bytes_->get(); }

 private:
  std::unique_ptr<DeviceBytes> bytes_;
};

TEST_CASE("Sizes are told without loading",
          "[1.9/aclmdlQuerySize][1.9/aclmdlQuerySizeFromMem][needs models]") {
  const AclSession session;
  const Sizes of_memory = QuerySizes(StaticLinearModel());
  Sizes of_file;
  REQUIRE_ACL(ACL(aclmdlQuerySize)(LinearPath().c_str(), &of_file.work, &of_file.weights));
  CHECK(of_file.work == of_memory.work);
  CHECK(of_file.weights == of_memory.weights);
  CHECK(of_memory.weights > 0);
  Sizes sizes;
  CHECK(ACL(aclmdlQuerySize)("/no/such/model.om", &sizes.work, &sizes.weights) != ACL_SUCCESS);
  CHECK(ACL(aclmdlQuerySize)(nullptr, &sizes.work, &sizes.weights) != ACL_SUCCESS);
  CHECK(ACL(aclmdlQuerySizeFromMem)(nullptr, 8, &sizes.work, &sizes.weights) != ACL_SUCCESS);
}

// Numbers are unique in the process; an unloaded one is nobody's.
TEST_CASE("Models are loaded from a file and from memory and unloaded",
          "[1.9/aclmdlLoadFromFile][1.9/aclmdlLoadFromMem][1.9/aclmdlUnload][needs models]") {
  const AclSession session;
  const std::string file = StaticLinearModel();
  uint32_t by_file = 0;
  uint32_t by_memory = 0;
  REQUIRE_ACL(ACL(aclmdlLoadFromFile)(LinearPath().c_str(), &by_file));
  REQUIRE_ACL(ACL(aclmdlLoadFromMem)(file.data(), file.size(), &by_memory));
  CHECK(by_file != by_memory);
  CHECK(ACL(aclmdlUnload)(by_file) == ACL_SUCCESS);
  CHECK(ACL(aclmdlUnload)(by_memory) == ACL_SUCCESS);
  CHECK(ACL(aclmdlUnload)(by_file) != ACL_SUCCESS);
}

// The buffer of a load from memory may go when the load is done.
TEST_CASE("The file's memory may go after the load", "[1.9/aclmdlLoadFromMem][needs models]") {
  const AclSession session;
  auto file = std::make_unique<std::string>(StaticLinearModel());
  const ModelRun run(*file);
  file->assign(file->size(), '\0');
  file.reset();
  CheckNear(run.Execute(LinearRows(2), 2 * 128), LinearAnswer(LinearRows(2)));
}

TEST_CASE("Files that are no models are refused",
          "[1.9/aclmdlLoadFromFile][1.9/aclmdlLoadFromMem]") {
  const AclSession session;
  uint32_t id = 0;
  const std::string text = "this is no model";
  CHECK(ACL(aclmdlLoadFromFile)("/no/such/model.om", &id) != ACL_SUCCESS);
  CHECK(ACL(aclmdlLoadFromFile)(WriteTextFile("text.om", text).c_str(), &id) != ACL_SUCCESS);
  CHECK(ACL(aclmdlLoadFromFile)(nullptr, &id) == ACL_ERROR_INVALID_PARAM);
  CHECK(ACL(aclmdlLoadFromMem)(text.data(), text.size(), &id) != ACL_SUCCESS);
  CHECK(ACL(aclmdlLoadFromMem)(nullptr, 8, &id) == ACL_ERROR_INVALID_PARAM);
  CHECK(ACL(aclmdlLoadFromMem)(text.data(), text.size(), nullptr) == ACL_ERROR_INVALID_PARAM);
}

// The caller's memory at the sizes that were told; NULL and 0 leave a part to the library.
TEST_CASE("Models are loaded into given memory",
          "[1.9/aclmdlLoadFromFileWithMem][1.9/aclmdlLoadFromMemWithMem][needs models]") {
  const AclSession session;
  const std::string file = StaticLinearModel();
  const std::string path = LinearPath();
  const Sizes sizes = QuerySizes(file);
  const MaybeBytes work(sizes.work);
  const MaybeBytes weights(sizes.weights);
  struct Parts {
    void* work;
    size_t work_size;
    void* weights;
    size_t weights_size;
  };
  for (const Parts& parts : {Parts{work.get(), sizes.work, weights.get(), sizes.weights},
                             Parts{nullptr, 0, weights.get(), sizes.weights},
                             Parts{work.get(), sizes.work, nullptr, 0}}) {
    uint32_t id = 0;
    REQUIRE_ACL(ACL(aclmdlLoadFromMemWithMem)(file.data(), file.size(), &id, parts.work,
                                              parts.work_size, parts.weights, parts.weights_size));
    CHECK(ACL(aclmdlUnload)(id) == ACL_SUCCESS);
    REQUIRE_ACL(ACL(aclmdlLoadFromFileWithMem)(path.c_str(), &id, parts.work, parts.work_size,
                                               parts.weights, parts.weights_size));
    CHECK(ACL(aclmdlUnload)(id) == ACL_SUCCESS);
  }
}

// Queues are a way of loading that a chip may not have; then it says so and loads nothing.
TEST_CASE("Loads with queues work or are refused",
          "[1.9/aclmdlLoadFromFileWithQ][1.9/aclmdlLoadFromMemWithQ][needs models]") {
  const AclSession session;
  const std::string file = StaticLinearModel();
  const uint32_t queue = 0;
  uint32_t id = 0;
  if (ACL(aclmdlLoadFromFileWithQ)(LinearPath().c_str(), &id, &queue, 1, &queue, 1) ==
      ACL_SUCCESS) {
    CHECK(ACL(aclmdlUnload)(id) == ACL_SUCCESS);
  }
  if (ACL(aclmdlLoadFromMemWithQ)(file.data(), file.size(), &id, &queue, 1, &queue, 1) ==
      ACL_SUCCESS) {
    CHECK(ACL(aclmdlUnload)(id) == ACL_SUCCESS);
  }
  CHECK(ACL(aclmdlLoadFromFileWithQ)(nullptr, &id, &queue, 1, &queue, 1) != ACL_SUCCESS);
  CHECK(ACL(aclmdlLoadFromMemWithQ)(nullptr, 8, &id, &queue, 1, &queue, 1) != ACL_SUCCESS);
}

// What a load takes it gives back when it is unloaded, and with given memory it takes nothing.
TEST_CASE("Loads take device memory and give it back",
          "[1.9/aclmdlLoadFromMem][1.9/aclmdlLoadFromMemWithMem][1.9/aclmdlUnload]"
          "[needs models][needs hostacl]") {
  const AclSession session;
  const std::string file = StaticLinearModel();
  const Sizes sizes = QuerySizes(file);
  const DeviceBytes work(sizes.work);
  const DeviceBytes weights(sizes.weights);
  const size_t before = FreeBytes();
  uint32_t id = 0;
  REQUIRE_ACL(ACL(aclmdlLoadFromMem)(file.data(), file.size(), &id));
  CHECK(before - FreeBytes() >= sizes.work + sizes.weights);
  REQUIRE_ACL(ACL(aclmdlUnload)(id));
  CHECK(FreeBytes() == before);
  REQUIRE_ACL(ACL(aclmdlLoadFromMemWithMem)(file.data(), file.size(), &id, work.get(), sizes.work,
                                            weights.get(), sizes.weights));
  CHECK(FreeBytes() == before);
  REQUIRE_ACL(ACL(aclmdlUnload)(id));
}

// A compiled file names its chip.
TEST_CASE("A model of another chip is refused",
          "[1.9/aclmdlLoadFromMem][needs models][needs hostacl]") {
  const AclSession session;
  const std::string file = ForeignModel("Ascend310P3");
  uint32_t id = 0;
  CHECK(ACL(aclmdlLoadFromMem)(file.data(), file.size(), &id) != ACL_SUCCESS);
}

// A configuration of loads, as the setters fill it.
class LoadConfig final {
 public:
  LoadConfig() : config_(ACL(aclmdlCreateConfigHandle)()) { REQUIRE(config_ != nullptr); }
  ~LoadConfig() {
    if (config_ != nullptr) {
      ACL(aclmdlDestroyConfigHandle)(config_);
    }
  }
  LoadConfig(const LoadConfig&) = delete;
  LoadConfig& operator=(const LoadConfig&) = delete;
  template <typename Value>
  aclError Set(aclmdlConfigAttr attr, const Value& value) const {
    return ACL(aclmdlSetConfigOpt)(config_, attr, &value, sizeof(value));
  }
  aclError Load(uint32_t* id) const { return ACL(aclmdlLoadWithConfig)(config_, id); }
  aclError Destroy() { return ACL(aclmdlDestroyConfigHandle)(std::exchange(config_, nullptr)); }

 private:
  aclmdlConfigHandle* config_;
};

// The path is copied: the caller's may go before the load.
TEST_CASE("A configuration loads from a file",
          "[1.9/aclmdlCreateConfigHandle][1.9/aclmdlSetConfigOpt][1.9/aclmdlLoadWithConfig]"
          "[rule/load-option-path-is-copied][needs models]") {
  const AclSession session;
  const LoadConfig config;
  std::string path = LinearPath();
  const char* pointer = path.c_str();
  REQUIRE_ACL(config.Set(ACL_MDL_LOAD_TYPE_SIZET, size_t{ACL_MDL_LOAD_FROM_FILE}));
  REQUIRE_ACL(config.Set(ACL_MDL_PATH_PTR, pointer));
  path.assign(path.size(), 'x');
  uint32_t id = 0;
  REQUIRE_ACL(config.Load(&id));
  CHECK(ACL(aclmdlUnload)(id) == ACL_SUCCESS);
}

TEST_CASE("A configuration loads in four ways",
          "[rule/load-option-four-ways][1.9/aclmdlLoadWithConfig][needs models]") {
  const AclSession session;
  const std::string file = StaticLinearModel();
  const std::string path = LinearPath();
  const Sizes sizes = QuerySizes(file);
  const MaybeBytes work(sizes.work);
  const MaybeBytes weights(sizes.weights);
  const char* const path_pointer = path.c_str();
  const void* const bytes = file.data();
  void* const work_pointer = work.get();
  void* const weights_pointer = weights.get();
  for (const size_t type :
       {size_t{ACL_MDL_LOAD_FROM_FILE}, size_t{ACL_MDL_LOAD_FROM_FILE_WITH_MEM},
        size_t{ACL_MDL_LOAD_FROM_MEM}, size_t{ACL_MDL_LOAD_FROM_MEM_WITH_MEM}}) {
    INFO("load type " << type);
    const LoadConfig config;
    REQUIRE_ACL(config.Set(ACL_MDL_LOAD_TYPE_SIZET, type));
    if (type == ACL_MDL_LOAD_FROM_FILE || type == ACL_MDL_LOAD_FROM_FILE_WITH_MEM) {
      REQUIRE_ACL(config.Set(ACL_MDL_PATH_PTR, path_pointer));
    } else {
      REQUIRE_ACL(config.Set(ACL_MDL_MEM_ADDR_PTR, bytes));
      REQUIRE_ACL(config.Set(ACL_MDL_MEM_SIZET, file.size()));
    }
    if (type == ACL_MDL_LOAD_FROM_FILE_WITH_MEM || type == ACL_MDL_LOAD_FROM_MEM_WITH_MEM) {
      REQUIRE_ACL(config.Set(ACL_MDL_WEIGHT_ADDR_PTR, weights_pointer));
      REQUIRE_ACL(config.Set(ACL_MDL_WEIGHT_SIZET, sizes.weights));
      REQUIRE_ACL(config.Set(ACL_MDL_WORKSPACE_ADDR_PTR, work_pointer));
      REQUIRE_ACL(config.Set(ACL_MDL_WORKSPACE_SIZET, sizes.work));
    }
    uint32_t id = 0;
    REQUIRE_ACL(config.Load(&id));
    CHECK(ACL(aclmdlUnload)(id) == ACL_SUCCESS);
  }
}

// 0 is the highest of eight.
TEST_CASE("A configuration takes a priority",
          "[rule/load-option-priority][1.9/aclmdlSetConfigOpt][needs models]") {
  const AclSession session;
  const std::string path = LinearPath();
  const char* const pointer = path.c_str();
  for (const int32_t priority : {0, 7}) {
    const LoadConfig config;
    REQUIRE_ACL(config.Set(ACL_MDL_PRIORITY_INT32, priority));
    REQUIRE_ACL(config.Set(ACL_MDL_LOAD_TYPE_SIZET, size_t{ACL_MDL_LOAD_FROM_FILE}));
    REQUIRE_ACL(config.Set(ACL_MDL_PATH_PTR, pointer));
    uint32_t id = 0;
    REQUIRE_ACL(config.Load(&id));
    CHECK(ACL(aclmdlUnload)(id) == ACL_SUCCESS);
  }
}

// Work memory without inputs and outputs is enough: the load asks for no more than without.
TEST_CASE("A configuration can leave inputs and outputs out of work memory",
          "[rule/load-option-work-memory][1.9/aclmdlSetConfigOpt][needs models]") {
  const AclSession session;
  const std::string path = LinearPath();
  const char* const pointer = path.c_str();
  for (const size_t optimize : {size_t{0}, size_t{1}}) {
    const LoadConfig config;
    REQUIRE_ACL(config.Set(ACL_MDL_LOAD_TYPE_SIZET, size_t{ACL_MDL_LOAD_FROM_FILE}));
    REQUIRE_ACL(config.Set(ACL_MDL_PATH_PTR, pointer));
    REQUIRE_ACL(config.Set(ACL_MDL_WORKSPACE_MEM_OPTIMIZE, optimize));
    uint32_t id = 0;
    REQUIRE_ACL(config.Load(&id));
    CHECK(ACL(aclmdlUnload)(id) == ACL_SUCCESS);
  }
}

// An incomplete configuration, values of another size and unknown options are refused.
TEST_CASE("Configurations that cannot be are refused",
          "[1.9/aclmdlSetConfigOpt][1.9/aclmdlLoadWithConfig]") {
  const AclSession session;
  const LoadConfig config;
  uint32_t id = 0;
  CHECK(config.Load(&id) != ACL_SUCCESS);
  CHECK(config.Set(ACL_MDL_LOAD_TYPE_SIZET, uint8_t{1}) != ACL_SUCCESS);
  CHECK(config.Set(static_cast<aclmdlConfigAttr>(999), size_t{1}) != ACL_SUCCESS);
  CHECK(ACL(aclmdlLoadWithConfig)(nullptr, &id) == ACL_ERROR_INVALID_PARAM);
  CHECK(ACL(aclmdlDestroyConfigHandle)(nullptr) == ACL_ERROR_INVALID_PARAM);
}

TEST_CASE("A configuration may be destroyed after the load",
          "[1.9/aclmdlDestroyConfigHandle][rule/load-options-outlive-nothing][needs models]") {
  const AclSession session;
  const std::string file = StaticLinearModel();
  const std::string path = LinearPath();
  const char* const pointer = path.c_str();
  LoadConfig config;
  REQUIRE_ACL(config.Set(ACL_MDL_LOAD_TYPE_SIZET, size_t{ACL_MDL_LOAD_FROM_FILE}));
  REQUIRE_ACL(config.Set(ACL_MDL_PATH_PTR, pointer));
  uint32_t id = 0;
  REQUIRE_ACL(config.Load(&id));
  CHECK(config.Destroy() == ACL_SUCCESS);
  aclmdlDesc* desc = ACL(aclmdlCreateDesc)();
  CHECK(ACL(aclmdlGetDesc)(desc, id) == ACL_SUCCESS);
  CHECK(ACL(aclmdlDestroyDesc)(desc) == ACL_SUCCESS);
  CHECK(ACL(aclmdlUnload)(id) == ACL_SUCCESS);
}

}  // namespace
}  // namespace omserve::hostacl
