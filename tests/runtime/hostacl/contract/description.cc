// SPDX-License-Identifier: Apache-2.0
// 1.9: what a model says of itself.
#include <algorithm>
#include <array>
#include <string>

#include "tests/runtime/hostacl/contract/model_run.h"

namespace omserve::hostacl {
namespace {

constexpr size_t kNoIndex = static_cast<size_t>(-1);

// A description for the time of a case.
class TestDesc final {
 public:
  TestDesc() : desc_(ACL(aclmdlCreateDesc)()) { REQUIRE(desc_ != nullptr); }
  ~TestDesc() { ACL(aclmdlDestroyDesc)(desc_); }
  TestDesc(const TestDesc&) = delete;
  TestDesc& operator=(const TestDesc&) = delete;
  aclmdlDesc* get() const { return desc_; }

 private:
  aclmdlDesc* desc_;
};

TEST_CASE("A loaded model describes itself",
          "[1.9/aclmdlCreateDesc][1.9/aclmdlGetDesc][1.9/aclmdlGetNumInputs]"
          "[1.9/aclmdlGetNumOutputs][1.9/aclmdlGetInputDims][1.9/aclmdlGetOutputDims]"
          "[1.9/aclmdlGetInputDataType][1.9/aclmdlGetOutputDataType]"
          "[1.9/aclmdlGetInputSizeByIndex][1.9/aclmdlGetOutputSizeByIndex][needs models]") {
  const AclSession session;
  const LoadedModel model(StaticLinearModel());
  const TestDesc desc;
  REQUIRE_ACL(ACL(aclmdlGetDesc)(desc.get(), model.id()));
  CHECK(ACL(aclmdlGetDesc)(nullptr, model.id()) == ACL_ERROR_INVALID_PARAM);
  CHECK(ACL(aclmdlGetNumInputs)(desc.get()) == 1);
  CHECK(ACL(aclmdlGetNumOutputs)(desc.get()) == 1);
  CHECK(ACL(aclmdlGetInputDataType)(desc.get(), 0) == ACL_FLOAT);
  CHECK(ACL(aclmdlGetOutputDataType)(desc.get(), 0) == ACL_FLOAT);
  CHECK(ACL(aclmdlGetInputSizeByIndex)(desc.get(), 0) >= 2 * 3 * sizeof(float));
  CHECK(ACL(aclmdlGetOutputSizeByIndex)(desc.get(), 0) >= 2 * 128 * sizeof(float));
  aclmdlIODims dims{};
  REQUIRE_ACL(ACL(aclmdlGetInputDims)(desc.get(), 0, &dims));
  REQUIRE(dims.dimCount == 2);
  CHECK(dims.dims[0] == 2);
  CHECK(dims.dims[1] == 3);
  REQUIRE_ACL(ACL(aclmdlGetOutputDims)(desc.get(), 0, &dims));
  REQUIRE(dims.dimCount == 2);
  CHECK(dims.dims[0] == 2);
  CHECK(dims.dims[1] == 128);
}

// Without AIPP the two questions have one answer.
TEST_CASE("Input dims of both versions agree without AIPP",
          "[1.9/aclmdlGetInputDimsV2][needs models]") {
  const AclSession session;
  LoadedModel model(StaticLinearModel());
  aclmdlIODims dims{};
  aclmdlIODims dims_v2{};
  REQUIRE_ACL(ACL(aclmdlGetInputDims)(model.desc(), 0, &dims));
  REQUIRE_ACL(ACL(aclmdlGetInputDimsV2)(model.desc(), 0, &dims_v2));
  REQUIRE(dims_v2.dimCount == dims.dimCount);
  CHECK(dims_v2.dims[0] == dims.dims[0]);
  CHECK(dims_v2.dims[1] == dims.dims[1]);
}

TEST_CASE("Formats are told",
          "[1.9/aclmdlGetInputFormat][1.9/aclmdlGetOutputFormat][needs models]") {
  const AclSession session;
  LoadedModel model(StaticLinearModel());
  CHECK(ACL(aclmdlGetInputFormat)(model.desc(), 0) != ACL_FORMAT_UNDEFINED);
  CHECK(ACL(aclmdlGetOutputFormat)(model.desc(), 0) != ACL_FORMAT_UNDEFINED);
}

// The description's own words; outputs are called "node:index:name" or the like.
TEST_CASE("Tensors are found by name and named by index",
          "[1.9/aclmdlGetInputNameByIndex][1.9/aclmdlGetOutputNameByIndex]"
          "[1.9/aclmdlGetInputIndexByName][1.9/aclmdlGetOutputIndexByName][needs models]") {
  const AclSession session;
  LoadedModel model(StaticLinearModel());
  aclmdlDesc* desc = model.desc();
  const char* input = ACL(aclmdlGetInputNameByIndex)(desc, 0);
  const char* output = ACL(aclmdlGetOutputNameByIndex)(desc, 0);
  REQUIRE(input != nullptr);
  REQUIRE(output != nullptr);
  CHECK(std::string(input) == "x");
  CHECK_FALSE(std::string(output).empty());
  size_t index = 9;
  REQUIRE_ACL(ACL(aclmdlGetInputIndexByName)(desc, input, &index));
  CHECK(index == 0);
  index = 9;
  REQUIRE_ACL(ACL(aclmdlGetOutputIndexByName)(desc, output, &index));
  CHECK(index == 0);
}

// 100000 for a name that is not there; "" for a name at an index that is not there.
TEST_CASE("Names and indices that are not there",
          "[1.9/aclmdlGetInputIndexByName][1.9/aclmdlGetOutputIndexByName]"
          "[1.9/aclmdlGetInputNameByIndex][1.9/aclmdlGetOutputNameByIndex]"
          "[1.9/aclmdlGetInputDims][1.9/aclmdlGetOutputDims][needs models]") {
  const AclSession session;
  LoadedModel model(StaticLinearModel());
  aclmdlDesc* desc = model.desc();
  size_t index = 0;
  CHECK(ACL(aclmdlGetInputIndexByName)(desc, "nobody", &index) == ACL_ERROR_INVALID_PARAM);
  CHECK(ACL(aclmdlGetOutputIndexByName)(desc, "nobody", &index) == ACL_ERROR_INVALID_PARAM);
  CHECK(std::string(ACL(aclmdlGetInputNameByIndex)(desc, 7)).empty());
  CHECK(std::string(ACL(aclmdlGetOutputNameByIndex)(desc, 7)).empty());
  aclmdlIODims dims{};
  CHECK(ACL(aclmdlGetInputDims)(desc, 1, &dims) == ACL_ERROR_INVALID_PARAM);
  CHECK(ACL(aclmdlGetOutputDims)(desc, 1, &dims) == ACL_ERROR_INVALID_PARAM);
  CHECK(ACL(aclmdlGetInputDims)(desc, 0, nullptr) == ACL_ERROR_INVALID_PARAM);
}

// A short name is its own real name.
TEST_CASE("A short name is the real one", "[1.9/aclmdlGetTensorRealName][needs models]") {
  const AclSession session;
  LoadedModel model(StaticLinearModel());
  const char* name = ACL(aclmdlGetTensorRealName)(model.desc(), "x");
  REQUIRE(name != nullptr);
  CHECK(std::string(name) == "x");
}

// An attribute that an operator has not is no attribute, and no crash.
TEST_CASE("Attributes that are not there are empty", "[1.9/aclmdlGetOpAttr][needs models]") {
  const AclSession session;
  LoadedModel model(StaticLinearModel());
  const char* value = ACL(aclmdlGetOpAttr)(model.desc(), "no_such_operator", "no_such_attribute");
  CHECK((value == nullptr || *value == '\0'));
}

TEST_CASE("A file describes itself without being loaded",
          "[1.9/aclmdlGetDescFromFile][1.9/aclmdlGetDescFromMem][needs models]") {
  const AclSession session;
  const std::string file = StaticLinearModel();
  const std::string path = WriteTextFile("described.om", file);
  const TestDesc of_file;
  const TestDesc of_memory;
  REQUIRE_ACL(ACL(aclmdlGetDescFromFile)(of_file.get(), path.c_str()));
  REQUIRE_ACL(ACL(aclmdlGetDescFromMem)(of_memory.get(), file.data(), file.size()));
  for (aclmdlDesc* desc : {of_file.get(), of_memory.get()}) {
    CHECK(ACL(aclmdlGetNumInputs)(desc) == 1);
    CHECK(ACL(aclmdlGetInputDataType)(desc, 0) == ACL_FLOAT);
    aclmdlIODims dims{};
    REQUIRE_ACL(ACL(aclmdlGetInputDims)(desc, 0, &dims));
    CHECK(dims.dims[1] == 3);
    // The live dims are a live model's only.
    CHECK(ACL(aclmdlGetCurOutputDims)(desc, 0, &dims) != ACL_SUCCESS);
  }
  CHECK(ACL(aclmdlGetDescFromFile)(of_file.get(), "/no/such/model.om") != ACL_SUCCESS);
}

TEST_CASE("Descriptions that cannot be are refused", "[1.9/aclmdlGetDesc][1.9/aclmdlDestroyDesc]") {
  const AclSession session;
  const TestDesc desc;
  CHECK(ACL(aclmdlGetDesc)(desc.get(), 4711) != ACL_SUCCESS);
  CHECK(ACL(aclmdlDestroyDesc)(nullptr) == ACL_ERROR_INVALID_PARAM);
}

// Once filled it is data: the model may go, and any thread may read.
TEST_CASE("A description outlives its model",
          "[rule/description-outlives-model][1.9/aclmdlGetDesc][1.9/aclmdlDestroyDesc]"
          "[needs models]") {
  const AclSession session;
  const TestDesc desc;
  {
    const LoadedModel model(StaticLinearModel());
    REQUIRE_ACL(ACL(aclmdlGetDesc)(desc.get(), model.id()));
  }
  size_t inputs = 0;
  aclmdlIODims dims{};
  aclError code = ACL_ERROR_FAILURE;
  InNewThread([&] {
    inputs = ACL(aclmdlGetNumInputs)(desc.get());
    code = ACL(aclmdlGetInputDims)(desc.get(), 0, &dims);
  });
  CHECK(inputs == 1);
  CHECK(code == ACL_SUCCESS);
  CHECK(dims.dims[1] == 3);
}

// Bytes behind the public structs, which a library built for larger ones would overwrite.
template <typename Struct>
struct Guarded {
  Struct value{};
  std::array<uint8_t, 64> guard{};
  Guarded() { guard.fill(0xA5); }
  bool intact() const {
    return std::all_of(guard.begin(), guard.end(), [](uint8_t byte) { return byte == 0xA5; });
  }
};

TEST_CASE("The library writes no more than the public structs",
          "[rule/structs-keep-their-size][needs models]") {
  const AclSession session;
  LoadedModel batch_model(BatchLinearModel());
  LoadedModel image_model(ImageModel());
  Guarded<aclmdlIODims> dims;
  Guarded<aclmdlBatch> batch;
  Guarded<aclmdlHW> images;
  REQUIRE_ACL(ACL(aclmdlGetInputDims)(batch_model.desc(), 0, &dims.value));
  REQUIRE_ACL(ACL(aclmdlGetDynamicBatch)(batch_model.desc(), &batch.value));
  REQUIRE_ACL(ACL(aclmdlGetDynamicHW)(image_model.desc(), kNoIndex, &images.value));
  CHECK(dims.intact());
  CHECK(batch.intact());
  CHECK(images.intact());
}

// No input of these models is a picture.
TEST_CASE("A model without AIPP says so", "[1.9/aclmdlGetAippType][needs models]") {
  const AclSession session;
  const LoadedModel model(StaticLinearModel());
  aclmdlInputAippType type = ACL_DYNAMIC_AIPP_NODE;
  size_t attached = 0;
  REQUIRE_ACL(ACL(aclmdlGetAippType)(model.id(), 0, &type, &attached));
  CHECK(type == ACL_DATA_WITHOUT_AIPP);
  CHECK(ACL(aclmdlGetAippType)(model.id(), 7, &type, &attached) != ACL_SUCCESS);
}

TEST_CASE("AIPP is refused by a model without it",
          "[1.9/aclmdlSetInputAIPP][1.9/aclmdlGetFirstAippInfo][needs models]") {
  const AclSession session;
  const LoadedModel model(StaticLinearModel());
  CHECK(ACL(aclmdlSetInputAIPP)(model.id(), nullptr, 0, nullptr) != ACL_SUCCESS);
  CHECK(ACL(aclmdlGetFirstAippInfo)(model.id(), 0, nullptr) != ACL_SUCCESS);
}

}  // namespace
}  // namespace omserve::hostacl
