// SPDX-License-Identifier: Apache-2.0
#include "tools/omc/onnx_check.h"

#include <onnxruntime_c_api.h>

#include <algorithm>
#include <array>
#include <charconv>
#include <cstring>
#include <optional>
#include <string_view>
#include <utility>

#include "runtime/base/dynamic_library.h"
#include "runtime/base/errors.h"
#include "runtime/om/data_type.h"
#include "runtime/om/model_description.h"

namespace omserve::omc {
namespace {

// The oldest interface with external initialisers from memory; the functions used here have not
// changed since, so an older library than the headers is as good.
constexpr uint32_t kOrtApiVersion = 18;
constexpr uint32_t kOrtApiWithStats = 23;
constexpr uint64_t kMostInputBytes = uint64_t{8} << 30;

// The C interface, because the C++ one throws.
class Ort final {
 public:
  static absl::StatusOr<Ort> Open(const std::string& library_path) {
    const std::string folder = ProgramFolder();
    std::vector<std::string> names = {folder + "/../lib/libonnxruntime.so.1",
                                      folder + "/libonnxruntime.so.1", "libonnxruntime.so.1"};
    if (!library_path.empty()) {
      names = {library_path};
    }
    const absl::StatusOr<DynamicLibrary> library = DynamicLibrary::Open(names);
    if (!library.ok()) {
      return WithContext(library.status(), "ONNX Runtime (name its file with --ort-library)");
    }
    using GetApiBase = const OrtApiBase*(ORT_API_CALL*)();
    const auto get_base = reinterpret_cast<GetApiBase>(library->Find("OrtGetApiBase"));
    const OrtApiBase* base = get_base == nullptr ? nullptr : get_base();
    const OrtApi* api = base == nullptr ? nullptr : base->GetApi(kOrtApiVersion);
    if (api == nullptr) {
      return Unavailable("ONNX Runtime '{}': version {}, expected 1.{} or later", library->name(),
                         base == nullptr ? "unknown" : base->GetVersionString(), kOrtApiVersion);
    }
    return Ort(api, base->GetApi(kOrtApiWithStats));
  }

  const OrtApi* operator->() const { return api_; }
  // Null when the library is too old for allocator statistics.
  const OrtApi* with_stats() const { return with_stats_; }

  // Consumes `status`.
  absl::Status ToStatus(OrtStatus* status) const {
    if (status == nullptr) {
      return absl::OkStatus();
    }
    std::string message = api_->GetErrorMessage(status);
    api_->ReleaseStatus(status);
    std::ranges::replace(message, '\n', ' ');
    message.erase(message.find_last_not_of(' ') + 1);
    return InvalidArgument("ONNX Runtime: {}", message);
  }

 private:
  Ort(const OrtApi* api, const OrtApi* with_stats) : api_(api), with_stats_(with_stats) {}

  const OrtApi* api_;
  const OrtApi* with_stats_;
};

template <typename T>
using OrtHandle = std::unique_ptr<T, void(ORT_API_CALL*)(T*)>;

#define RETURN_IF_ORT_ERROR(expr) RETURN_IF_ERROR(ort_.ToStatus(expr))

// The bytes of the number 1; every type's are unlike zero.
std::array<std::byte, 8> OneOf(DataType type) {
  std::array<std::byte, 8> bytes{};
  const auto put = [&](auto value) { std::memcpy(bytes.data(), &value, sizeof(value)); };
  switch (type) {
    case DataType::kFp16:
      put(uint16_t{0x3C00});
      break;
    case DataType::kBf16:
      put(uint16_t{0x3F80});
      break;
    case DataType::kFp32:
      put(1.0F);
      break;
    case DataType::kFp64:
      put(1.0);
      break;
    default:
      put(uint64_t{1});  // Any integer or bool, little endian.
  }
  return bytes;
}

class OrtChecker final : public OnnxChecker {
 public:
  explicit OrtChecker(Ort ort)
      : ort_(ort), env_(nullptr, ort->ReleaseEnv), session_(nullptr, ort->ReleaseSession) {}

  absl::Status Open(const OnnxCheckerOptions& options) {
    OrtEnv* env = nullptr;
    // Only this program speaks on stderr; what the library has to say is in its statuses.
    RETURN_IF_ORT_ERROR(ort_->CreateEnv(ORT_LOGGING_LEVEL_FATAL, "omc", &env));
    env_.reset(env);
    OrtSessionOptions* raw_settings = nullptr;
    RETURN_IF_ORT_ERROR(ort_->CreateSessionOptions(&raw_settings));
    const OrtHandle<OrtSessionOptions> settings(raw_settings, ort_->ReleaseSessionOptions);
    RETURN_IF_ORT_ERROR(ort_->SetIntraOpNumThreads(settings.get(), 1));
    RETURN_IF_ORT_ERROR(
        ort_->AddSessionConfigEntry(settings.get(), "session.intra_op.allow_spinning", "0"));
    if (!options.weights.empty()) {
      const char* const name = om::kWeightsLocation;
      // The library takes a pointer to bytes that it could write; it only reads them.
      char* const data =
          const_cast<char*>(reinterpret_cast<const char*>(options.weights.data()));  // NOLINT
      const size_t size = options.weights.size();
      RETURN_IF_ORT_ERROR(
          ort_->AddExternalInitializersFromFilesInMemory(settings.get(), &name, &data, &size, 1));
    }
    OrtSession* session = nullptr;
    RETURN_IF_ORT_ERROR(ort_->CreateSessionFromArray(
        env, options.graph.data(), options.graph.size(), settings.get(), &session));
    session_.reset(session);
    RETURN_IF_ORT_ERROR(ort_->GetAllocatorWithDefaultOptions(&default_allocator_));
    RETURN_IF_ERROR(ReadTensors());
    idle_bytes_ = ArenaBytes("InUse");
    return absl::OkStatus();
  }

  const std::vector<OnnxTensor>& inputs() const override { return inputs_; }
  const std::vector<OnnxTensor>& outputs() const override { return outputs_; }

  absl::StatusOr<std::vector<Dims>> Run(std::span<const Dims> input_dims, Fill fill) override {
    if (input_dims.size() != inputs_.size()) {
      return InvalidArgument("dims of {} inputs, expected {}", input_dims.size(), inputs_.size());
    }
    std::vector<OrtHandle<OrtValue>> held;
    std::vector<const OrtValue*> values;
    uint64_t total_bytes = 0;
    for (size_t i = 0; i < inputs_.size(); ++i) {
      const std::optional<size_t> bytes = TensorBytes(inputs_[i].type, input_dims[i]);
      if (!bytes.has_value() || *bytes > kMostInputBytes - total_bytes) {
        return InvalidArgument("input '{}' {}: the inputs take over {} bytes, too many to try",
                               inputs_[i].name, DimsToString(input_dims[i]), kMostInputBytes);
      }
      total_bytes += *bytes;
      ASSIGN_OR_RETURN(OrtValue* const value, MakeInput(inputs_[i], input_dims[i], *bytes, fill));
      held.emplace_back(value, ort_->ReleaseValue);
      values.push_back(value);
    }
    const std::vector<const char*> input_names = Names(inputs_);
    const std::vector<const char*> output_names = Names(outputs_);
    std::vector<OrtValue*> results(outputs_.size(), nullptr);
    const absl::Status ran = ort_.ToStatus(
        ort_->Run(session_.get(), nullptr, input_names.data(), values.data(), values.size(),
                  output_names.data(), output_names.size(), results.data()));
    for (OrtValue* result : results) {
      held.emplace_back(result, ort_->ReleaseValue);
    }
    RETURN_IF_ERROR(ran);
    std::vector<Dims> dims;
    for (const OrtValue* result : results) {
      ASSIGN_OR_RETURN(Dims output_dims, DimsOf(result));
      dims.push_back(std::move(output_dims));
    }
    return dims;
  }

  uint64_t PeakBytes() const override {
    const uint64_t peak_bytes = ArenaBytes("MaxInUse");
    return peak_bytes > idle_bytes_ ? peak_bytes - idle_bytes_ : 0;
  }

 private:
  absl::Status ReadTensors() {
    size_t count = 0;
    RETURN_IF_ORT_ERROR(ort_->SessionGetInputCount(session_.get(), &count));
    for (size_t i = 0; i < count; ++i) {
      ASSIGN_OR_RETURN(OnnxTensor tensor, ReadTensor(i, ort_->SessionGetInputName,
                                                     ort_->SessionGetInputTypeInfo, "input"));
      inputs_.push_back(std::move(tensor));
    }
    RETURN_IF_ORT_ERROR(ort_->SessionGetOutputCount(session_.get(), &count));
    for (size_t i = 0; i < count; ++i) {
      ASSIGN_OR_RETURN(OnnxTensor tensor, ReadTensor(i, ort_->SessionGetOutputName,
                                                     ort_->SessionGetOutputTypeInfo, "output"));
      outputs_.push_back(std::move(tensor));
    }
    return absl::OkStatus();
  }

  template <typename GetName, typename GetType>
  absl::StatusOr<OnnxTensor> ReadTensor(size_t index, GetName get_name, GetType get_type,
                                        std::string_view kind) {
    OnnxTensor tensor;
    char* name = nullptr;
    RETURN_IF_ORT_ERROR(get_name(session_.get(), index, default_allocator_, &name));
    tensor.name = name;
    default_allocator_->Free(default_allocator_, name);
    OrtTypeInfo* raw_type = nullptr;
    RETURN_IF_ORT_ERROR(get_type(session_.get(), index, &raw_type));
    const OrtHandle<OrtTypeInfo> type(raw_type, ort_->ReleaseTypeInfo);
    const OrtTensorTypeAndShapeInfo* info = nullptr;
    RETURN_IF_ORT_ERROR(ort_->CastTypeInfoToTensorInfo(type.get(), &info));
    if (info == nullptr) {
      return InvalidArgument("{} '{}' is a sequence, map or optional, only tensors are served",
                             kind, tensor.name);
    }
    ONNXTensorElementDataType element = ONNX_TENSOR_ELEMENT_DATA_TYPE_UNDEFINED;
    RETURN_IF_ORT_ERROR(ort_->GetTensorElementType(info, &element));
    tensor.type = om::DataTypeFromOnnx(static_cast<int32_t>(element));
    if (tensor.type == DataType::kBytes) {
      return InvalidArgument(
          "{} '{}' holds strings, which have no fixed size and cannot be on the device: turn them "
          "into numbers before the model",
          kind, tensor.name);
    }
    if (tensor.type == DataType::kInvalid) {
      return InvalidArgument(
          "{} '{}' has element type {} ({}), expected a bool, an integer of 8 to 64 bits or a "
          "float of 16 to 64: add a Cast to the model",
          kind, tensor.name, om::OnnxTypeName(static_cast<int32_t>(element)),
          static_cast<int>(element));
    }
    ASSIGN_OR_RETURN(tensor.dims, DimsOf(info));
    std::vector<const char*> dim_names(tensor.dims.size(), nullptr);
    RETURN_IF_ORT_ERROR(ort_->GetSymbolicDimensions(info, dim_names.data(), dim_names.size()));
    for (const char* dim_name : dim_names) {
      tensor.dim_names.emplace_back(dim_name == nullptr ? "" : dim_name);
    }
    return tensor;
  }

  absl::StatusOr<Dims> DimsOf(const OrtTensorTypeAndShapeInfo* info) const {
    size_t rank = 0;
    RETURN_IF_ORT_ERROR(ort_->GetDimensionsCount(info, &rank));
    Dims dims(rank);
    RETURN_IF_ORT_ERROR(ort_->GetDimensions(info, dims.data(), rank));
    return dims;
  }

  absl::StatusOr<Dims> DimsOf(const OrtValue* value) const {
    OrtTensorTypeAndShapeInfo* raw_info = nullptr;
    RETURN_IF_ORT_ERROR(ort_->GetTensorTypeAndShape(value, &raw_info));
    const OrtHandle<OrtTensorTypeAndShapeInfo> info(raw_info, ort_->ReleaseTensorTypeAndShapeInfo);
    return DimsOf(info.get());
  }

  // The caller owns the value. Memory comes from the library, which reports when there is none.
  absl::StatusOr<OrtValue*> MakeInput(const OnnxTensor& input, const Dims& dims, size_t size_bytes,
                                      Fill fill) const {
    OrtValue* raw_value = nullptr;
    RETURN_IF_ORT_ERROR(ort_->CreateTensorAsOrtValue(
        default_allocator_, dims.data(), dims.size(),
        static_cast<ONNXTensorElementDataType>(om::OnnxFromDataType(input.type)), &raw_value));
    OrtHandle<OrtValue> value(raw_value, ort_->ReleaseValue);
    void* data = nullptr;
    RETURN_IF_ORT_ERROR(ort_->GetTensorMutableData(raw_value, &data));
    if (fill == Fill::kZeros) {
      std::memset(data, 0, size_bytes);
    } else {
      const std::array<std::byte, 8> one = OneOf(input.type);
      const size_t element_bytes = DataTypeSize(input.type);
      for (size_t at = 0; at < size_bytes; at += element_bytes) {
        std::memcpy(static_cast<std::byte*>(data) + at, one.data(), element_bytes);
      }
    }
    return value.release();
  }

  static std::vector<const char*> Names(const std::vector<OnnxTensor>& tensors) {
    std::vector<const char*> names;
    names.reserve(tensors.size());
    for (const OnnxTensor& tensor : tensors) {
      names.push_back(tensor.name.c_str());
    }
    return names;
  }

  // A figure of the session's arena; 0 when it cannot be had. Only an estimate rests on it.
  uint64_t ArenaBytes(std::string_view figure) const {
    if (ort_.with_stats() == nullptr) {
      return 0;
    }
    const OrtApi& api = *ort_.with_stats();
    const auto failed = [&](OrtStatus* status) { return !ort_.ToStatus(status).ok(); };
    OrtMemoryInfo* raw_info = nullptr;
    if (failed(api.CreateCpuMemoryInfo(OrtArenaAllocator, OrtMemTypeDefault, &raw_info))) {
      return 0;
    }
    const OrtHandle<OrtMemoryInfo> info(raw_info, api.ReleaseMemoryInfo);
    OrtAllocator* raw_allocator = nullptr;
    if (failed(api.CreateAllocator(session_.get(), info.get(), &raw_allocator))) {
      return 0;
    }
    const OrtHandle<OrtAllocator> allocator(raw_allocator, api.ReleaseAllocator);
    OrtKeyValuePairs* raw_stats = nullptr;
    if (failed(api.AllocatorGetStats(allocator.get(), &raw_stats))) {
      return 0;
    }
    const OrtHandle<OrtKeyValuePairs> stats(raw_stats, api.ReleaseKeyValuePairs);
    const char* text = api.GetKeyValue(stats.get(), std::string(figure).c_str());
    uint64_t bytes = 0;
    if (text != nullptr) {
      std::from_chars(text, text + std::strlen(text), bytes);
    }
    return bytes;
  }

  Ort ort_;
  OrtHandle<OrtEnv> env_;
  OrtHandle<OrtSession> session_;
  OrtAllocator* default_allocator_ = nullptr;  // The library's own.
  std::vector<OnnxTensor> inputs_;
  std::vector<OnnxTensor> outputs_;
  uint64_t idle_bytes_ = 0;
};

#undef RETURN_IF_ORT_ERROR

}  // namespace

absl::StatusOr<std::unique_ptr<OnnxChecker>> OpenOnnx(const OnnxCheckerOptions& options) {
  ASSIGN_OR_RETURN(const Ort ort, Ort::Open(options.ort_library));
  auto checker = std::make_unique<OrtChecker>(ort);
  RETURN_IF_ERROR(checker->Open(options));
  return std::unique_ptr<OnnxChecker>(std::move(checker));
}

}  // namespace omserve::omc
