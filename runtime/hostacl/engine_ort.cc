// SPDX-License-Identifier: Apache-2.0
// ONNX Runtime through its C interface, which returns statuses where the C++ one throws.
#include <dlfcn.h>
#include <onnxruntime_c_api.h>

#include <algorithm>
#include <array>
#include <optional>
#include <utility>

#include "runtime/base/dynamic_library.h"
#include "runtime/hostacl/acl_status.h"
#include "runtime/hostacl/device.h"
#include "runtime/hostacl/engine.h"
#include "runtime/om/model_description.h"

namespace omserve::hostacl {
namespace {

// The oldest interface that has all that is used here (external initialisers from memory).
constexpr uint32_t kApiVersion = 18;
constexpr char kLibraryName[] = "libonnxruntime.so.1";

template <typename T>
using OrtOwned = std::unique_ptr<T, void (*)(T*)>;

// ORT's status to ours; takes ownership.
absl::Status Translate(const OrtApi& api, OrtStatus* status, aclError code,
                       const std::string& what) {
  if (status == nullptr) {
    return absl::OkStatus();
  }
  const OrtOwned<OrtStatus> owned(status, api.ReleaseStatus);
  return Fail(code, "{}: ONNX Runtime says: {}", what, api.GetErrorMessage(status));
}

std::optional<ONNXTensorElementDataType> ElementType(int32_t acl_data_type) {
  switch (acl_data_type) {
    case ACL_FLOAT:
      return ONNX_TENSOR_ELEMENT_DATA_TYPE_FLOAT;
    case ACL_FLOAT16:
      return ONNX_TENSOR_ELEMENT_DATA_TYPE_FLOAT16;
    case ACL_BF16:
      return ONNX_TENSOR_ELEMENT_DATA_TYPE_BFLOAT16;
    case ACL_DOUBLE:
      return ONNX_TENSOR_ELEMENT_DATA_TYPE_DOUBLE;
    case ACL_BOOL:
      return ONNX_TENSOR_ELEMENT_DATA_TYPE_BOOL;
    case ACL_INT8:
      return ONNX_TENSOR_ELEMENT_DATA_TYPE_INT8;
    case ACL_INT16:
      return ONNX_TENSOR_ELEMENT_DATA_TYPE_INT16;
    case ACL_INT32:
      return ONNX_TENSOR_ELEMENT_DATA_TYPE_INT32;
    case ACL_INT64:
      return ONNX_TENSOR_ELEMENT_DATA_TYPE_INT64;
    case ACL_UINT8:
      return ONNX_TENSOR_ELEMENT_DATA_TYPE_UINT8;
    case ACL_UINT16:
      return ONNX_TENSOR_ELEMENT_DATA_TYPE_UINT16;
    case ACL_UINT32:
      return ONNX_TENSOR_ELEMENT_DATA_TYPE_UINT32;
    case ACL_UINT64:
      return ONNX_TENSOR_ELEMENT_DATA_TYPE_UINT64;
    default:
      return std::nullopt;
  }
}

// The library's function table and its environment; shared by the engine and its sessions.
struct Ort {
  explicit Ort(const OrtApi& ort_api)
      : api(ort_api),
        env(nullptr, ort_api.ReleaseEnv),
        memory(nullptr, ort_api.ReleaseMemoryInfo) {}

  const OrtApi& api;
  OrtOwned<OrtEnv> env;
  OrtOwned<OrtMemoryInfo> memory;
};

class OrtModelSession final : public Session {
 public:
  OrtModelSession(std::shared_ptr<const Ort> ort, std::string name, std::vector<std::string> inputs)
      : ort_(std::move(ort)),
        name_(std::move(name)),
        inputs_(std::move(inputs)),
        session_(nullptr, ort_->api.ReleaseSession) {}

  absl::Status Open(OrtSessionOptions& options, const SessionSource& source);
  absl::Status Run(const Placement& placement, std::span<const TensorView> inputs,
                   std::span<const TensorView> outputs) const override;
  absl::Status RunSizing(const Placement& placement, std::span<const TensorView> inputs,
                         const OutputSink& sink) const override;

 private:
  using Values = std::vector<OrtOwned<OrtValue>>;

  absl::Status CheckInputs() const;
  absl::Status ReadNames(bool inputs, std::vector<std::string>* names) const;
  absl::Status Wrap(std::span<const TensorView> tensors, Values* values) const;
  // Where `out` is null, ORT puts an output of its own making, which is the caller's to release.
  absl::Status RunOn(const Placement& placement, const Values& inputs,
                     std::span<OrtValue*> out) const;
  absl::Status Tell(size_t index, OrtValue* value, const OutputSink& sink) const;
  absl::Status Check(OrtStatus* status, aclError code, const char* what) const {
    return Translate(ort_->api, status, code, fmt::format("model '{}': {}", name_, what));
  }

  const std::shared_ptr<const Ort> ort_;
  const std::string name_;
  const std::vector<std::string> inputs_;
  std::vector<std::string> outputs_;
  std::vector<int32_t> output_types_;  // aclDataType.
  OrtOwned<OrtSession> session_;
};

absl::Status OrtModelSession::Open(OrtSessionOptions& options, const SessionSource& source) {
  if (!source.weights.empty()) {
    const std::array<const char*, 1> names{om::kWeightsLocation};
    // The interface takes mutable bytes but only copies them.
    std::array<char*, 1> buffers{
        const_cast<char*>(reinterpret_cast<const char*>(source.weights.data()))};  // NOLINT
    const std::array<size_t, 1> sizes{source.weights.size()};
    RETURN_IF_ERROR(Check(ort_->api.AddExternalInitializersFromFilesInMemory(
                              &options, names.data(), buffers.data(), sizes.data(), names.size()),
                          ACL_ERROR_GE_EXEC_LOAD_WEIGHT_PARTITION_FAILED, "its weights"));
  }
  OrtSession* session = nullptr;
  RETURN_IF_ERROR(Check(ort_->api.CreateSessionFromArray(ort_->env.get(), source.graph.data(),
                                                         source.graph.size(), &options, &session),
                        ACL_ERROR_GE_LOAD_MODEL, "its graph is refused"));
  session_.reset(session);
  RETURN_IF_ERROR(CheckInputs());
  RETURN_IF_ERROR(ReadNames(/*inputs=*/false, &outputs_));
  if (outputs_.size() != source.output_count) {
    return Fail(ACL_ERROR_GE_LOAD_MODEL,
                "model '{}': its graph has {} outputs, its description {}; compile it again", name_,
                outputs_.size(), source.output_count);
  }
  for (const om::IoDescription& output : source.description->outputs) {
    output_types_.push_back(output.acl_data_type);
  }
  return absl::OkStatus();
}

absl::Status OrtModelSession::ReadNames(bool inputs, std::vector<std::string>* names) const {
  const OrtApi& api = ort_->api;
  size_t count = 0;
  RETURN_IF_ERROR(Check(inputs ? api.SessionGetInputCount(session_.get(), &count)
                               : api.SessionGetOutputCount(session_.get(), &count),
                        ACL_ERROR_GE_LOAD_MODEL, "counting inputs and outputs"));
  OrtAllocator* allocator = nullptr;
  RETURN_IF_ERROR(Check(api.GetAllocatorWithDefaultOptions(&allocator), ACL_ERROR_GE_LOAD_MODEL,
                        "the allocator"));
  for (size_t i = 0; i < count; ++i) {
    char* name = nullptr;
    RETURN_IF_ERROR(Check(inputs ? api.SessionGetInputName(session_.get(), i, allocator, &name)
                                 : api.SessionGetOutputName(session_.get(), i, allocator, &name),
                          ACL_ERROR_GE_LOAD_MODEL, "reading a name"));
    names->emplace_back(name);
    RETURN_IF_ERROR(
        Check(api.AllocatorFree(allocator, name), ACL_ERROR_GE_LOAD_MODEL, "releasing a name"));
  }
  return absl::OkStatus();
}

absl::Status OrtModelSession::CheckInputs() const {
  std::vector<std::string> graph_inputs;
  RETURN_IF_ERROR(ReadNames(/*inputs=*/true, &graph_inputs));
  for (const std::string& input : inputs_) {
    if (std::find(graph_inputs.begin(), graph_inputs.end(), input) == graph_inputs.end()) {
      return Fail(ACL_ERROR_GE_LOAD_MODEL,
                  "model '{}': its description has input '{}', its graph only {}; compile it again",
                  name_, input, fmt::join(graph_inputs, ", "));
    }
  }
  return absl::OkStatus();
}

absl::Status OrtModelSession::Wrap(std::span<const TensorView> tensors, Values* values) const {
  values->reserve(tensors.size());
  for (const TensorView& tensor : tensors) {
    const std::optional<ONNXTensorElementDataType> type = ElementType(tensor.acl_data_type);
    if (!type.has_value()) {
      return Fail(ACL_ERROR_RT_MODEL_EXECUTE, "model '{}': aclDataType {} cannot be computed here",
                  name_, tensor.acl_data_type);
    }
    OrtValue* value = nullptr;
    RETURN_IF_ERROR(Check(ort_->api.CreateTensorWithDataAsOrtValue(
                              ort_->memory.get(), tensor.data, tensor.size_bytes,
                              tensor.dims.data(), tensor.dims.size(), *type, &value),
                          ACL_ERROR_RT_MODEL_EXECUTE, "a tensor over its buffer"));
    values->emplace_back(value, ort_->api.ReleaseValue);
  }
  return absl::OkStatus();
}

absl::Status OrtModelSession::Run(const Placement& placement, std::span<const TensorView> inputs,
                                  std::span<const TensorView> outputs) const {
  if (inputs.size() != inputs_.size() || outputs.size() != outputs_.size()) {
    return Fail(ACL_ERROR_RT_MODEL_EXECUTE,
                "model '{}': {} inputs and {} outputs given, it has {} "
                "and {}",
                name_, inputs.size(), outputs.size(), inputs_.size(), outputs_.size());
  }
  Values input_values;
  Values output_values;
  RETURN_IF_ERROR(Wrap(inputs, &input_values));
  RETURN_IF_ERROR(Wrap(outputs, &output_values));
  std::vector<OrtValue*> out;
  for (const OrtOwned<OrtValue>& value : output_values) {
    out.push_back(value.get());
  }
  // Outputs that are given are written in place; one whose shape differs is an error of ORT's.
  return RunOn(placement, input_values, out);
}

absl::Status OrtModelSession::RunOn(const Placement& placement, const Values& inputs,
                                    std::span<OrtValue*> out) const {
  std::vector<const char*> names;
  std::vector<const char*> output_names;
  std::vector<const OrtValue*> in;
  for (size_t i = 0; i < inputs_.size(); ++i) {
    names.push_back(inputs_[i].c_str());
    in.push_back(inputs[i].get());
  }
  for (const std::string& output : outputs_) {
    output_names.push_back(output.c_str());
  }
  const CoreGate::Hold core(placement.device.cores());
  return Check(ort_->api.Run(session_.get(), nullptr, names.data(), in.data(), in.size(),
                             output_names.data(), output_names.size(), out.data()),
               ACL_ERROR_RT_MODEL_EXECUTE, "execution failed");
}

absl::Status OrtModelSession::RunSizing(const Placement& placement,
                                        std::span<const TensorView> inputs,
                                        const OutputSink& sink) const {
  if (inputs.size() != inputs_.size()) {
    return Fail(ACL_ERROR_RT_MODEL_EXECUTE, "model '{}': {} inputs given, it has {}", name_,
                inputs.size(), inputs_.size());
  }
  Values input_values;
  RETURN_IF_ERROR(Wrap(inputs, &input_values));
  std::vector<OrtValue*> out(outputs_.size(), nullptr);
  const absl::Status status = RunOn(placement, input_values, out);
  Values output_values;
  for (OrtValue* const value : out) {
    output_values.emplace_back(value, ort_->api.ReleaseValue);
  }
  RETURN_IF_ERROR(status);
  for (size_t i = 0; i < out.size(); ++i) {
    RETURN_IF_ERROR(Tell(i, out[i], sink));
  }
  return absl::OkStatus();
}

absl::Status OrtModelSession::Tell(size_t index, OrtValue* value, const OutputSink& sink) const {
  const OrtApi& api = ort_->api;
  constexpr aclError kCode = ACL_ERROR_RT_MODEL_EXECUTE;
  OrtTensorTypeAndShapeInfo* made = nullptr;
  RETURN_IF_ERROR(Check(api.GetTensorTypeAndShape(value, &made), kCode, "an output's shape"));
  const OrtOwned<OrtTensorTypeAndShapeInfo> info(made, api.ReleaseTensorTypeAndShapeInfo);
  ONNXTensorElementDataType type = ONNX_TENSOR_ELEMENT_DATA_TYPE_UNDEFINED;
  RETURN_IF_ERROR(Check(api.GetTensorElementType(made, &type), kCode, "an output's type"));
  if (ElementType(output_types_[index]) != type) {
    return Fail(kCode, "model '{}': output '{}' came out as another type than aclDataType {}",
                name_, outputs_[index], output_types_[index]);
  }
  size_t rank = 0;
  RETURN_IF_ERROR(Check(api.GetDimensionsCount(made, &rank), kCode, "an output's rank"));
  std::vector<int64_t> dims(rank);
  RETURN_IF_ERROR(Check(api.GetDimensions(made, dims.data(), rank), kCode, "an output's dims"));
  void* data = nullptr;
  RETURN_IF_ERROR(Check(api.GetTensorMutableData(value, &data), kCode, "an output's bytes"));
  return sink(index, {.data = static_cast<const std::byte*>(data), .dims = dims});
}

class OrtEngine final : public Engine {
 public:
  OrtEngine(std::shared_ptr<const Ort> ort, int32_t intra_op_threads)
      : ort_(std::move(ort)), intra_op_threads_(intra_op_threads) {}

  absl::StatusOr<std::unique_ptr<Session>> Load(const SessionSource& source) override {
    OrtOwned<OrtSessionOptions> options(nullptr, ort_->api.ReleaseSessionOptions);
    RETURN_IF_ERROR(MakeOptions(&options));
    auto session = std::make_unique<OrtModelSession>(ort_, source.model_name, source.inputs);
    RETURN_IF_ERROR(session->Open(*options, source));
    return session;
  }

 private:
  absl::Status Check(OrtStatus* status) const {
    return Translate(ort_->api, status, ACL_ERROR_GE_LOAD_MODEL, "session options");
  }

  absl::Status MakeOptions(OrtOwned<OrtSessionOptions>* owned) const {
    const OrtApi& api = ort_->api;
    OrtSessionOptions* options = nullptr;
    RETURN_IF_ERROR(Check(api.CreateSessionOptions(&options)));
    owned->reset(options);
    RETURN_IF_ERROR(Check(api.SetIntraOpNumThreads(options, intra_op_threads_)));
    RETURN_IF_ERROR(Check(api.SetInterOpNumThreads(options, 1)));
    RETURN_IF_ERROR(Check(api.SetSessionExecutionMode(options, ORT_SEQUENTIAL)));
    // Threads that spin take the cores of the streams beside them: 2 to 4 times slower, measured
    // with two threads on two shared cores.
    RETURN_IF_ERROR(
        Check(api.AddSessionConfigEntry(options, "session.intra_op.allow_spinning", "0")));
    // A model with gears runs at many shapes; a plan of memory kept for each is not worth its
    // bytes.
    return Check(api.DisableMemPattern(options));
  }

  const std::shared_ptr<const Ort> ort_;
  const int32_t intra_op_threads_;
};

// The folder that this library was loaded from, with a trailing slash; "" when unknown.
std::string OwnFolder() {
  Dl_info info{};
  if (dladdr(reinterpret_cast<const void*>(&MakeOrtEngine), &info) == 0 ||
      info.dli_fname == nullptr) {
    return "";
  }
  const std::string path = info.dli_fname;
  const size_t slash = path.rfind('/');
  return slash == std::string::npos ? "" : path.substr(0, slash + 1);
}

}  // namespace

absl::StatusOr<std::unique_ptr<Engine>> MakeOrtEngine(const Settings& settings) {
  std::vector<std::string> names;
  if (!settings.ort_library.empty()) {
    names.push_back(settings.ort_library);
  } else {
    names = {OwnFolder() + kLibraryName, kLibraryName};
  }
  const absl::StatusOr<DynamicLibrary> library = DynamicLibrary::Open(names);
  if (!library.ok()) {
    return WithAclCode(WithContext(library.status(), "ONNX Runtime, which computes models here"),
                       ACL_ERROR_GE_FAILURE);
  }
  const auto get_base = reinterpret_cast<const OrtApiBase* (*)()>(library->Find("OrtGetApiBase"));
  const OrtApi* api = get_base == nullptr ? nullptr : get_base()->GetApi(kApiVersion);
  if (api == nullptr) {
    return Fail(ACL_ERROR_GE_FAILURE,
                "'{}' is no ONNX Runtime of interface version {} or newer (release 1.18)",
                library->name(), kApiVersion);
  }
  auto ort = std::make_shared<Ort>(*api);
  OrtEnv* env = nullptr;
  // Errors come back as statuses; printed as well they would be reported twice.
  RETURN_IF_ERROR(Translate(*api, api->CreateEnv(ORT_LOGGING_LEVEL_FATAL, "hostacl", &env),
                            ACL_ERROR_GE_FAILURE, "ONNX Runtime's environment"));
  ort->env.reset(env);
  OrtMemoryInfo* memory = nullptr;
  RETURN_IF_ERROR(
      Translate(*api, api->CreateCpuMemoryInfo(OrtDeviceAllocator, OrtMemTypeDefault, &memory),
                ACL_ERROR_GE_FAILURE, "ONNX Runtime's memory"));
  ort->memory.reset(memory);
  return std::make_unique<OrtEngine>(std::move(ort), settings.intra_op_threads);
}

}  // namespace omserve::hostacl
