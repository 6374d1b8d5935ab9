// SPDX-License-Identifier: Apache-2.0
#include "tools/omc/measure.h"

#include <algorithm>
#include <boost/json.hpp>
#include <chrono>
#include <cmath>
#include <cstdlib>
#include <filesystem>
#include <memory>
#include <system_error>
#include <utility>

#include "runtime/acl/device.h"
#include "runtime/acl/model.h"
#include "runtime/base/clock.h"
#include "runtime/base/dynamic_library.h"
#include "runtime/base/errors.h"
#include "runtime/base/file.h"
#include "runtime/om/costs.h"
#include "runtime/om/om_file.h"

namespace omserve::omc {
namespace {

namespace json = boost::json;

constexpr uint64_t kDefaultMemoryBytes = uint64_t{4} << 30;

// The CPU device that was installed with this program; "" where there is none, which leaves the
// search to acl::Runtime. CANN's library comes second here: it cannot run what omc compiled.
std::string OwnLibrary() {
  for (const char* place :
       {"/../lib/libascendcl.so", "/../lib/omserve/libascendcl.so", "/libascendcl.so"}) {
    const std::string path = ProgramFolder() + place;
    std::error_code error;
    if (std::filesystem::exists(path, error)) {
      return path;
    }
  }
  return "";
}

void TellHostDevice(const MeasureOptions& options, const om::ModelDescription& model) {
  uint64_t io_bytes = 0;
  for (const auto* side : {&model.inputs, &model.outputs}) {
    for (const om::IoDescription& tensor : *side) {
      io_bytes += tensor.size_bytes;
    }
  }
  // As much again as is asked for: room for what the device rounds up.
  const uint64_t needed = 2 * (model.work_bytes + model.weight_bytes + io_bytes);
  json::object settings = {{"engine", "onnxruntime"},
                           {"intra_op_threads", options.intra_op_threads},
                           {"memory_bytes", std::max(kDefaultMemoryBytes, needed)}};
  if (!options.ort_library.empty()) {
    settings["ort_library"] = json::string(options.ort_library);
  }
  // CANN's library does not know the variable.
  setenv("HOSTACL_CONFIG", json::serialize(settings).c_str(), 1);  // NOLINT: see the header.
}

// A loaded model with memory for the largest gear. Destroyed in reverse order.
class Bench final {
 public:
  static absl::StatusOr<std::unique_ptr<Bench>> Open(const MeasureOptions& options,
                                                     std::span<const std::byte> file) {
    auto bench = std::make_unique<Bench>();
    ASSIGN_OR_RETURN(bench->runtime_, acl::Runtime::Open({.library = options.acl_library.empty()
                                                                         ? OwnLibrary()
                                                                         : options.acl_library,
                                                          .config_file = ""}));
    ASSIGN_OR_RETURN(bench->device_, bench->runtime_->OpenDevice(0));
    const acl::Device& device = *bench->device_;
    ASSIGN_OR_RETURN(bench->stream_, device.CreateStream());
    ASSIGN_OR_RETURN(const std::shared_ptr<const acl::SharedWeights> weights,
                     acl::SharedWeights::Allocate(device, file));
    ASSIGN_OR_RETURN(bench->model_, acl::Model::Load(device, file, weights));
    ASSIGN_OR_RETURN(acl::Binding binding, acl::Binding::Create(*bench->model_));
    bench->binding_ = std::make_unique<acl::Binding>(std::move(binding));
    const acl::ModelInfo& info = bench->model_->info();
    for (size_t i = 0; i < info.inputs.size(); ++i) {
      ASSIGN_OR_RETURN(const acl::DevicePtr at, bench->Zeros(info.inputs[i].max_bytes));
      RETURN_IF_ERROR(bench->binding_->BindInput(i, at, info.inputs[i].max_bytes));
    }
    for (size_t i = 0; i < info.outputs.size(); ++i) {
      ASSIGN_OR_RETURN(const acl::DevicePtr at, bench->Zeros(info.outputs[i].max_bytes));
      RETURN_IF_ERROR(bench->binding_->BindOutput(i, at, info.outputs[i].max_bytes));
    }
    return bench;
  }

  // At the gear with these dims of the inputs.
  absl::StatusOr<GearTime> Run(const std::vector<Dims>& input_dims, int repeat) {
    const std::vector<acl::ModelGear>& gears = model_->info().gears;
    const auto gear = std::find_if(gears.begin(), gears.end(), [&](const acl::ModelGear& one) {
      return one.input_dims == input_dims;
    });
    if (gear == gears.end()) {
      return Internal("the device does not know a gear that the file has");
    }
    const auto index = static_cast<size_t>(gear - gears.begin());
    RETURN_IF_ERROR(Once(index).status());
    std::vector<double> times;
    for (int i = 0; i < repeat; ++i) {
      ASSIGN_OR_RETURN(const double us, Once(index));
      times.push_back(us);
    }
    std::sort(times.begin(), times.end());
    return GearTime{
        .median_us = times[times.size() / 2], .least_us = times.front(), .most_us = times.back()};
  }

  const acl::Runtime& runtime() const { return *runtime_; }

 private:
  absl::StatusOr<acl::DevicePtr> Zeros(size_t size_bytes) {
    ASSIGN_OR_RETURN(acl::DeviceBuffer buffer, device_->Allocate(size_bytes));
    RETURN_IF_ERROR(device_->Clear(buffer.get(), size_bytes));
    buffers_.push_back(std::move(buffer));
    return buffers_.back().get();
  }

  absl::StatusOr<double> Once(size_t gear) {
    const Clock::time_point start = SteadyClock().Now();
    RETURN_IF_ERROR(model_->Enqueue(*binding_, gear, stream_));
    RETURN_IF_ERROR(stream_.Synchronize());
    return std::chrono::duration<double, std::micro>(SteadyClock().Now() - start).count();
  }

  std::unique_ptr<acl::Runtime> runtime_;
  std::unique_ptr<acl::Device> device_;
  std::vector<acl::DeviceBuffer> buffers_;
  std::unique_ptr<acl::Model> model_;
  std::unique_ptr<acl::Binding> binding_;
  acl::Stream stream_;
};

absl::StatusOr<Measurement> MeasureBytes(const MeasureOptions& options,
                                         std::span<const std::byte> file) {
  ASSIGN_OR_RETURN(const om::OmFile parsed, om::OmFile::Parse(file));
  Measurement measurement;
  ASSIGN_OR_RETURN(measurement.description, om::DescribeModel(parsed));
  om::ModelDescription& model = measurement.description;
  TellHostDevice(options, model);
  ASSIGN_OR_RETURN(const std::unique_ptr<Bench> bench, Bench::Open(options, file));
  measurement.device = bench->runtime().soc_name();
  model.cost_us.clear();
  for (size_t gear = 0; gear < std::max<size_t>(1, model.gears.size()); ++gear) {
    ASSIGN_OR_RETURN(const GearTime time,
                     bench->Run(om::InputDimsAtGear(model, gear), options.repeat));
    measurement.times.push_back(time);
    model.cost_us.push_back(std::clamp<int64_t>(std::llround(time.median_us), 1, om::kMostCostUs));
  }
  return measurement;
}

std::string GearName(const om::ModelDescription& model, size_t gear) {
  return model.gears.empty() ? "none" : om::GearKey(model.gears[gear].values);
}

std::string TableOf(const Measurement& measurement, const MeasureOptions& options) {
  const om::ModelDescription& model = measurement.description;
  size_t width = 4;
  for (size_t i = 0; i < measurement.times.size(); ++i) {
    width = std::max(width, GearName(model, i).size());
  }
  std::string text = fmt::format(
      "Model {} on {}, {} executions at each gear, microseconds\n  {:<{}}  {:>10}  "
      "{:>10}  {:>10}\n",
      model.name, measurement.device, options.repeat, "gear", width, "median", "least", "most");
  for (size_t i = 0; i < measurement.times.size(); ++i) {
    const GearTime& time = measurement.times[i];
    text += fmt::format("  {:<{}}  {:>10.0f}  {:>10.0f}  {:>10.0f}\n", GearName(model, i), width,
                        time.median_us, time.least_us, time.most_us);
  }
  return text + (options.write
                     ? fmt::format("Recorded in {}\n", options.path)
                     : fmt::format("As a flag: --cost-us \"{}\"\n", om::FormatCosts(model)));
}

std::string JsonOf(const Measurement& measurement, const MeasureOptions& options) {
  const om::ModelDescription& model = measurement.description;
  json::array gears;
  for (size_t i = 0; i < measurement.times.size(); ++i) {
    const GearTime& time = measurement.times[i];
    gears.push_back(json::object{{"gear", json::string(GearName(model, i))},
                                 {"median_us", time.median_us},
                                 {"least_us", time.least_us},
                                 {"most_us", time.most_us}});
  }
  return json::serialize(json::object{{"model", json::string(model.name)},
                                      {"device", json::string(measurement.device)},
                                      {"repeat", options.repeat},
                                      {"gears", std::move(gears)},
                                      {"cost_us", json::string(om::FormatCosts(model))},
                                      {"recorded", options.write}}) +
         "\n";
}

}  // namespace

absl::StatusOr<Measurement> Measure(const MeasureOptions& options) {
  ASSIGN_OR_RETURN(const MappedFile file, MappedFile::Open(options.path));
  absl::StatusOr<Measurement> measurement = MeasureBytes(options, file.bytes());
  if (!measurement.ok()) {
    return WithContext(measurement.status(), "'" + options.path + "'");
  }
  return measurement;
}

absl::StatusOr<std::string> RecordCosts(std::span<const std::byte> file,
                                        const std::vector<int64_t>& cost_us) {
  ASSIGN_OR_RETURN(const om::OmFile parsed, om::OmFile::Parse(file));
  ASSIGN_OR_RETURN(om::ModelDescription model, om::DescribeModel(parsed));
  if (model.soc_version != om::kHostSocVersion) {
    return InvalidArgument(
        "the file is for {}, costs are recorded only in files of the CPU device: compile one with "
        "`omc compile --cost-us`",
        model.soc_version);
  }
  const auto ours = [](const om::Partition& partition) {
    return partition.type == om::PartitionType::kModelInoutInfo ||
           partition.type == om::PartitionType::kModelDef ||
           partition.type == om::PartitionType::kWeightsData ||
           partition.type == om::PartitionType::kTaskInfo;
  };
  const om::Partition* const graph = parsed.Find(om::PartitionType::kTaskInfo);
  const om::Partition* const weights = parsed.Find(om::PartitionType::kWeightsData);
  const std::span<const om::Partition> partitions = parsed.partitions();
  if (parsed.model_count() != 1 || graph == nullptr || weights == nullptr ||
      !std::all_of(partitions.begin(), partitions.end(), ours)) {
    return InvalidArgument(
        "the file has other contents than `omc compile` writes: compile it again");
  }
  model.cost_us = cost_us;
  return om::WriteHostModel(model, graph->data, weights->data, parsed.has_wide_tables());
}

absl::StatusOr<std::string> MeasureFile(const MeasureOptions& options) {
  ASSIGN_OR_RETURN(const Measurement measurement, Measure(options));
  if (options.write) {
    ASSIGN_OR_RETURN(const MappedFile file, MappedFile::Open(options.path));
    const absl::StatusOr<std::string> recorded =
        RecordCosts(file.bytes(), measurement.description.cost_us);
    if (!recorded.ok()) {
      return WithContext(recorded.status(), "'" + options.path + "'");
    }
    RETURN_IF_ERROR(WriteFileAtomically(options.path, *recorded));
  }
  return options.as_json ? JsonOf(measurement, options) : TableOf(measurement, options);
}

}  // namespace omserve::omc
