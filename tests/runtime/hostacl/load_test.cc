// SPDX-License-Identifier: Apache-2.0
// Loading models: sizes, memory, refusals, descriptions.
#include <string>
#include <vector>

#include "tests/runtime/hostacl/model_files.h"
#include "tests/runtime/om/om_builders.h"
#include "tests/runtime/om/om_samples.h"
#include "tests/status_test_util.h"

namespace omserve::hostacl {
namespace {

size_t FreeBytes() {
  size_t free = 0;
  size_t total = 0;
  REQUIRE_ACL(ACL(aclrtGetMemInfo)(ACL_HBM_MEM, &free, &total));
  return free;
}

struct Sizes {
  size_t work = 0;
  size_t weights = 0;
};

Sizes QuerySizes(const std::string& file) {
  Sizes sizes;
  REQUIRE_ACL(ACL(aclmdlQuerySizeFromMem)(file.data(), file.size(), &sizes.work, &sizes.weights));
  return sizes;
}

aclError LoadMem(const std::string& file) {
  uint32_t id = 0;
  return ACL(aclmdlLoadFromMem)(file.data(), file.size(), &id);
}

// A model loaded by path and one from memory take device memory, and give it back when unloaded.
TEST_CASE("A loaded model holds device memory until it is unloaded") {
  const AclSession session;
  const std::string file = StaticLinearModel();
  const std::string path = WriteTextFile("static.om", file);
  const Sizes sizes = QuerySizes(file);
  CHECK(sizes.weights >= 3 * 128 * sizeof(float));
  Sizes of_path;
  REQUIRE_ACL(ACL(aclmdlQuerySize)(path.c_str(), &of_path.work, &of_path.weights));
  CHECK(of_path.work == sizes.work);
  CHECK(of_path.weights == sizes.weights);
  const size_t before = FreeBytes();
  uint32_t by_path = 0;
  uint32_t by_memory = 0;
  REQUIRE_ACL(ACL(aclmdlLoadFromFile)(path.c_str(), &by_path));
  CHECK(before - FreeBytes() >= sizes.work + sizes.weights);
  REQUIRE_ACL(ACL(aclmdlLoadFromMem)(file.data(), file.size(), &by_memory));
  CHECK(by_path != by_memory);
  REQUIRE_ACL(ACL(aclmdlUnload)(by_path));
  REQUIRE_ACL(ACL(aclmdlUnload)(by_memory));
  CHECK(FreeBytes() == before);
  CHECK(ACL(aclmdlUnload)(by_path) == ACL_ERROR_GE_EXEC_MODEL_ID_INVALID);
}

// With the caller's memory a load takes none; memory that is too small or not the device's is
// refused.
TEST_CASE("A model can be loaded into given memory") {
  const AclSession session;
  const std::string file = StaticLinearModel();
  const Sizes sizes = QuerySizes(file);
  const DeviceBytes work(sizes.work);
  const DeviceBytes weights(sizes.weights);
  const size_t before = FreeBytes();
  uint32_t first = 0;
  uint32_t second = 0;
  const auto load = [&](uint32_t* id, void* work_at, size_t work_size, void* weights_at,
                        size_t weights_size) {
    return ACL(aclmdlLoadFromMemWithMem)(file.data(), file.size(), id, work_at, work_size,
                                         weights_at, weights_size);
  };
  REQUIRE_ACL(load(&first, work.get(), sizes.work, weights.get(), sizes.weights));
  REQUIRE_ACL(load(&second, work.get(), sizes.work, weights.get(), sizes.weights));
  CHECK(FreeBytes() == before);
  REQUIRE_ACL(ACL(aclmdlUnload)(first));
  REQUIRE_ACL(ACL(aclmdlUnload)(second));
  uint32_t id = 0;
  CHECK(load(&id, work.get(), sizes.work, weights.get(), sizes.weights - 1) ==
        ACL_ERROR_GE_PARAM_INVALID);
  CHECK_THAT(RecentError(), Catch::Contains("aclmdlQuerySize"));
  CHECK(load(&id, work.get(), sizes.work, nullptr, sizes.weights) == ACL_ERROR_GE_PARAM_INVALID);
  std::vector<std::byte> host(sizes.weights);
  CHECK(load(&id, work.get(), sizes.work, host.data(), sizes.weights) ==
        ACL_ERROR_GE_PARAM_INVALID);
  CHECK(load(&id, work.get(), sizes.work, weights.get(), sizes.weights * 100) ==
        ACL_ERROR_GE_PARAM_INVALID);
  REQUIRE_ACL(load(&id, nullptr, 0, weights.get(), sizes.weights));
  CHECK(FreeBytes() < before);
  REQUIRE_ACL(ACL(aclmdlUnload)(id));
  CHECK(FreeBytes() == before);
}

// A device that is too small refuses the model with 245000 and keeps nothing of it.
TEST_CASE("A model that does not fit is refused") {
  const std::string file = StaticLinearModel();
  const AclSession session(R"({"memory_bytes": 1048576})");
  const DeviceBytes filler(1048576 - 256);
  const size_t before = FreeBytes();
  CHECK(LoadMem(file) == ACL_ERROR_GE_MEMORY_ALLOCATION);
  CHECK(FreeBytes() == before);
}

// A file of another chip is refused with both names; one without a name as well.
TEST_CASE("A model of another chip is refused") {
  const AclSession session;
  const std::string file = ForeignModel("Ascend310P3");
  CHECK(LoadMem(file) == ACL_ERROR_GE_FAILURE);
  const std::string text = RecentError();
  CHECK_THAT(text, Catch::Contains("Ascend310P3"));
  CHECK_THAT(text, Catch::Contains(ACL(aclrtGetSocName)()));
  // Its description can be read all the same.
  aclmdlDesc* desc = ACL(aclmdlCreateDesc)();
  REQUIRE_ACL(ACL(aclmdlGetDescFromMem)(desc, file.data(), file.size()));
  CHECK(ACL(aclmdlGetNumInputs)(desc) == 1);
  REQUIRE_ACL(ACL(aclmdlDestroyDesc)(desc));
}

// A chip that only the command names is named as well; a file that names none says so.
TEST_CASE("A model of a chip that the command names is refused") {
  const AclSession session;
  om::ModelDescription model = om::SmallBatchModel();
  model.soc_version = "unset";
  const auto file = [&](const std::string& command) {
    model.atc_cmdline = command;
    std::string bytes = VALUE(om::WriteHostModel(model, om::AsBytes("g"), om::AsBytes("w")));
    // Spoil the name of the attribute, which stands behind the command.
    const size_t at = bytes.rfind("soc_version");
    REQUIRE(at != std::string::npos);
    return bytes.replace(at, 3, "sox");
  };
  CHECK(LoadMem(file("atc --soc_version=Ascend910B3")) == ACL_ERROR_GE_FAILURE);
  CHECK_THAT(RecentError(), Catch::Contains("compiled for 'Ascend910B3', this device is"));
  CHECK(LoadMem(file("atc")) == ACL_ERROR_GE_FAILURE);
  CHECK_THAT(RecentError(), Catch::Contains("compiled for 'an unnamed older NPU'"));
}

// An om2 archive is described like any model, but refused with both forms and both chips named.
TEST_CASE("An om2 archive is refused") {
  const AclSession session;
  const std::string file = om::Om2Of(om::kManifest, om::kFlatMeta);
  CHECK(LoadMem(file) == ACL_ERROR_GE_FAILURE);
  const std::string text = RecentError();
  CHECK_THAT(text, Catch::Contains("'small' is a file of the om2 form"));
  CHECK_THAT(text, Catch::Contains("classic form of .om"));
  CHECK_THAT(text, Catch::Contains("Ascend910B3"));
  CHECK_THAT(text, Catch::Contains(ACL(aclrtGetSocName)()));
  aclmdlDesc* desc = ACL(aclmdlCreateDesc)();
  REQUIRE_ACL(ACL(aclmdlGetDescFromMem)(desc, file.data(), file.size()));
  CHECK(ACL(aclmdlGetNumInputs)(desc) == 3);
  REQUIRE_ACL(ACL(aclmdlDestroyDesc)(desc));
  CHECK(LoadMem("PK\x03\x04 and no more") == ACL_ERROR_GE_EXEC_MODEL_DATA_SIZE_INVALID);
  CHECK(LoadMem(om::Om2Of(om::kManifest, "{}")) == ACL_ERROR_GE_EXEC_LOAD_MODEL_PARTITION_FAILED);
}

// A bundle is no single model, and says so.
TEST_CASE("A bundle is refused as a single model") {
  const AclSession session;
  const std::string file = StaticLinearModel();
  CHECK(LoadMem(om::BundleOf({file, file}, 0)) == ACL_ERROR_GE_EXEC_MODEL_DATA_SIZE_INVALID);
  CHECK_THAT(RecentError(), Catch::Contains("a bundle of several models"));
}

// Files that are missing, no `.om`, or cut anywhere are refused and never crash the loader.
TEST_CASE("Damaged model files are refused") {
  const AclSession session;
  uint32_t id = 0;
  CHECK(ACL(aclmdlLoadFromFile)("/no/such/model.om", &id) == ACL_ERROR_GE_EXEC_MODEL_PATH_INVALID);
  CHECK_THAT(RecentError(), Catch::Contains("/no/such/model.om"));
  CHECK(ACL(aclmdlLoadFromFile)(nullptr, &id) == ACL_ERROR_INVALID_PARAM);
  CHECK(ACL(aclmdlLoadFromMem)(nullptr, 8, &id) == ACL_ERROR_INVALID_PARAM);
  CHECK(LoadMem("IMOD but not really") == ACL_ERROR_GE_EXEC_MODEL_DATA_SIZE_INVALID);
  const std::string file = StaticLinearModel();
  CHECK(ACL(aclmdlLoadFromMem)(file.data(), file.size(), nullptr) == ACL_ERROR_INVALID_PARAM);
  for (size_t length = 0; length < file.size(); length += 37) {
    if (LoadMem(file.substr(0, length)) == ACL_SUCCESS) {
      FAIL("a file cut to " << length << " bytes was loaded");
    }
  }
}

// A graph that is no ONNX graph is refused by the engine with its words, keeping no device memory.
TEST_CASE("A graph that the engine refuses is refused") {
  const AclSession session;
  std::string file = StaticLinearModel();
  const size_t before = FreeBytes();
  const size_t graph = file.find("MatMul");
  REQUIRE(graph != std::string::npos);
  file.replace(graph, 6, "NoSuch");
  CHECK(LoadMem(file) == ACL_ERROR_GE_LOAD_MODEL);
  CHECK_THAT(RecentError(), Catch::Contains("ONNX Runtime says"));
  CHECK(FreeBytes() == before);
}

// Models go with the context that they were loaded in, and give their memory back.
TEST_CASE("Destroying a context unloads its models") {
  const AclSession session;
  const std::string file = StaticLinearModel();
  aclrtContext mine = nullptr;
  REQUIRE_ACL(ACL(aclrtGetCurrentContext)(&mine));
  const size_t before = FreeBytes();
  aclrtContext other = nullptr;
  REQUIRE_ACL(ACL(aclrtCreateContext)(&other, 0));
  uint32_t id = 0;
  REQUIRE_ACL(ACL(aclmdlLoadFromMem)(file.data(), file.size(), &id));
  REQUIRE_ACL(ACL(aclrtDestroyContext)(other));
  REQUIRE_ACL(ACL(aclrtSetCurrentContext)(mine));
  CHECK(FreeBytes() == before);
  CHECK(ACL(aclmdlUnload)(id) == ACL_ERROR_GE_EXEC_MODEL_ID_INVALID);
}

// A load configuration loads in each of its four ways; queues and unknown types are refused.
TEST_CASE("A model can be loaded by configuration") {
  const AclSession session;
  const std::string file = StaticLinearModel();
  const std::string path = WriteTextFile("configured.om", file);
  aclmdlConfigHandle* config = ACL(aclmdlCreateConfigHandle)();
  const auto set = [config](aclmdlConfigAttr attr, const auto& value) {
    return ACL(aclmdlSetConfigOpt)(config, attr, &value, sizeof(value));
  };
  uint32_t id = 0;
  CHECK(ACL(aclmdlLoadWithConfig)(config, &id) == ACL_ERROR_INVALID_PARAM);
  const char* path_pointer = path.c_str();
  REQUIRE_ACL(set(ACL_MDL_PATH_PTR, path_pointer));
  REQUIRE_ACL(set(ACL_MDL_LOAD_TYPE_SIZET, size_t{ACL_MDL_LOAD_FROM_FILE}));
  REQUIRE_ACL(ACL(aclmdlLoadWithConfig)(config, &id));
  REQUIRE_ACL(ACL(aclmdlUnload)(id));
  const void* bytes = file.data();
  REQUIRE_ACL(set(ACL_MDL_MEM_ADDR_PTR, bytes));
  REQUIRE_ACL(set(ACL_MDL_MEM_SIZET, file.size()));
  REQUIRE_ACL(set(ACL_MDL_LOAD_TYPE_SIZET, size_t{ACL_MDL_LOAD_FROM_MEM_WITH_MEM}));
  const DeviceBytes weights(QuerySizes(file).weights);
  void* weights_at = weights.get();
  REQUIRE_ACL(set(ACL_MDL_WEIGHT_ADDR_PTR, weights_at));
  REQUIRE_ACL(set(ACL_MDL_WEIGHT_SIZET, weights.size_bytes()));
  REQUIRE_ACL(ACL(aclmdlLoadWithConfig)(config, &id));
  REQUIRE_ACL(ACL(aclmdlUnload)(id));
  REQUIRE_ACL(set(ACL_MDL_LOAD_TYPE_SIZET, size_t{ACL_MDL_LOAD_FROM_FILE_WITH_Q}));
  CHECK(ACL(aclmdlLoadWithConfig)(config, &id) == ACL_ERROR_RT_FEATURE_NOT_SUPPORT);
  CHECK(set(ACL_MDL_LOAD_TYPE_SIZET, uint8_t{1}) == ACL_ERROR_INVALID_PARAM);
  REQUIRE_ACL(ACL(aclmdlDestroyConfigHandle)(config));
  CHECK(ACL(aclmdlDestroyConfigHandle)(config) == ACL_ERROR_INVALID_PARAM);
}

// The description has names, types, dims and sizes; the output is called "node:index:name".
TEST_CASE("A model describes itself") {
  const AclSession session;
  const std::string file = StaticLinearModel();
  LoadedModel model(file);
  aclmdlDesc* desc = model.desc();
  CHECK(ACL(aclmdlGetNumInputs)(desc) == 1);
  CHECK(ACL(aclmdlGetNumOutputs)(desc) == 1);
  CHECK(std::string(ACL(aclmdlGetInputNameByIndex)(desc, 0)) == "x");
  const std::string output = ACL(aclmdlGetOutputNameByIndex)(desc, 0);
  CHECK_THAT(output, Catch::EndsWith(":0:y"));
  CHECK(ACL(aclmdlGetInputDataType)(desc, 0) == ACL_FLOAT);
  CHECK(ACL(aclmdlGetOutputDataType)(desc, 0) == ACL_FLOAT);
  CHECK(ACL(aclmdlGetInputFormat)(desc, 0) == ACL_FORMAT_ND);
  CHECK(ACL(aclmdlGetInputSizeByIndex)(desc, 0) == 2 * 3 * sizeof(float));
  CHECK(ACL(aclmdlGetOutputSizeByIndex)(desc, 0) == 2 * 128 * sizeof(float));
  aclmdlIODims dims{};
  REQUIRE_ACL(ACL(aclmdlGetInputDims)(desc, 0, &dims));
  CHECK(dims.dimCount == 2);
  CHECK(dims.dims[0] == 2);
  CHECK(dims.dims[1] == 3);
  CHECK(std::string(dims.name) == "x");
  REQUIRE_ACL(ACL(aclmdlGetCurOutputDims)(desc, 0, &dims));
  CHECK(dims.dims[1] == 128);
  size_t index = 9;
  REQUIRE_ACL(ACL(aclmdlGetOutputIndexByName)(desc, output.c_str(), &index));
  CHECK(index == 0);
  CHECK(std::string(ACL(aclmdlGetTensorRealName)(desc, "x")) == "x");
}

// Indices and names that the model has not, and unknown descriptions, are refused.
TEST_CASE("Wrong questions to a description are refused") {
  const AclSession session;
  LoadedModel model(StaticLinearModel());
  aclmdlDesc* desc = model.desc();
  aclmdlIODims dims{};
  size_t index = 0;
  CHECK(ACL(aclmdlGetInputDims)(desc, 1, &dims) == ACL_ERROR_INVALID_PARAM);
  CHECK(ACL(aclmdlGetInputDims)(desc, 0, nullptr) == ACL_ERROR_INVALID_PARAM);
  CHECK(ACL(aclmdlGetInputSizeByIndex)(desc, 1) == 0);
  CHECK(std::string(ACL(aclmdlGetInputNameByIndex)(desc, 7)).empty());
  CHECK(ACL(aclmdlGetInputDataType)(desc, 7) == ACL_DT_UNDEFINED);
  CHECK(ACL(aclmdlGetInputIndexByName)(desc, "nobody", &index) == ACL_ERROR_INVALID_PARAM);
  CHECK(ACL(aclmdlGetInputIndexByName)(desc, ACL_DYNAMIC_TENSOR_NAME, &index) ==
        ACL_ERROR_INVALID_PARAM);
  CHECK(ACL(aclmdlGetDesc)(desc, 4711) == ACL_ERROR_GE_EXEC_MODEL_ID_INVALID);
  CHECK(ACL(aclmdlGetDesc)(nullptr, model.id()) == ACL_ERROR_INVALID_PARAM);
  CHECK(ACL(aclmdlGetNumInputs)(nullptr) == 0);
  aclmdlDesc* of_file = ACL(aclmdlCreateDesc)();
  CHECK(ACL(aclmdlGetDescFromFile)(of_file, "/no/such/model.om") ==
        ACL_ERROR_GE_EXEC_MODEL_PATH_INVALID);
  const std::string path = WriteTextFile("described.om", StaticLinearModel());
  REQUIRE_ACL(ACL(aclmdlGetDescFromFile)(of_file, path.c_str()));
  CHECK(ACL(aclmdlGetCurOutputDims)(of_file, 0, &dims) == ACL_ERROR_INVALID_PARAM);
  REQUIRE_ACL(ACL(aclmdlDestroyDesc)(of_file));
  CHECK(ACL(aclmdlDestroyDesc)(of_file) == ACL_ERROR_INVALID_PARAM);
}

// AIPP questions have the answer "none" for every input, and setting it is refused.
TEST_CASE("Models here have no AIPP") {
  const AclSession session;
  LoadedModel model(StaticLinearModel());
  aclmdlInputAippType type = ACL_DYNAMIC_AIPP_NODE;
  size_t attached = 0;
  REQUIRE_ACL(ACL(aclmdlGetAippType)(model.id(), 0, &type, &attached));
  CHECK(type == ACL_DATA_WITHOUT_AIPP);
  CHECK(ACL(aclmdlGetAippType)(model.id(), 1, &type, &attached) == ACL_ERROR_INVALID_PARAM);
  CHECK(ACL(aclmdlSetInputAIPP)(model.id(), nullptr, 0, nullptr) == ACL_ERROR_GE_AIPP_NOT_EXIST);
  CHECK(ACL(aclmdlGetFirstAippInfo)(model.id(), 0, nullptr) == ACL_ERROR_GE_AIPP_NOT_EXIST);
}

}  // namespace
}  // namespace omserve::hostacl
