// SPDX-License-Identifier: Apache-2.0
#include "server/core/warm_up_samples.h"

#include <algorithm>
#include <cstdint>
#include <cstring>
#include <map>
#include <random>
#include <utility>

#include "config/model_config.h"
#include "runtime/base/errors.h"
#include "runtime/base/file.h"

namespace omserve::server {
namespace {

using inference::ModelWarmup;
using scheduler::Bucket;
using scheduler::SubgraphShape;

std::string NamesOf(const std::vector<TensorSpec>& specs) {
  std::string names;
  for (const TensorSpec& spec : specs) {
    names += fmt::format("{}'{}'", names.empty() ? "" : ", ", spec.name);
  }
  return names;
}

// The bits of a number: numbers from 0.5 to 1 have one exponent, so that any fraction will do.
uint64_t RandomBits(DataType type, uint64_t random) {
  constexpr uint64_t kHalf = 0x3800;
  constexpr uint64_t kBrainHalf = 0x3F00;
  constexpr uint64_t kSingleHalf = 0x3F000000;
  constexpr uint64_t kDoubleHalf = 0x3FE0000000000000;
  switch (type) {
    case DataType::kFp16:
      return kHalf | (random & 0x3FF);
    case DataType::kBf16:
      return kBrainHalf | (random & 0x7F);
    case DataType::kFp32:
      return kSingleHalf | (random & 0x7FFFFF);
    case DataType::kFp64:
      return kDoubleHalf | (random & 0xFFFFFFFFFFFFF);
    case DataType::kBool:
      return random & 1U;
    default:
      return random & 7U;  // Indices into anything that is larger exist.
  }
}

std::string RandomBytes(DataType type, size_t size_bytes) {
  std::mt19937_64 random;  // Not seeded: a failure comes again at the next load.
  std::string bytes(size_bytes, '\0');
  const size_t element_bytes = DataTypeSize(type);
  for (size_t at = 0; at + element_bytes <= size_bytes; at += element_bytes) {
    const uint64_t bits = RandomBits(type, random());
    std::memcpy(&bytes[at], &bits, element_bytes);  // Both are little-endian.
  }
  return bytes;
}

class SampleMaker final {
 public:
  SampleMaker(const inference::ModelConfig& config, const SubgraphShape& shape,
              const ModelWarmup& from, const std::string& folder)
      : config_(config),
        shape_(shape),
        from_(from),
        inputs_(from.inputs().begin(), from.inputs().end()),
        folder_(folder) {}

  absl::StatusOr<scheduler::WarmUpSample> Make() {
    sample_.name = from_.name();
    sample_.count = std::max(1, static_cast<int>(from_.count()));
    RETURN_IF_ERROR(CheckRows());
    RETURN_IF_ERROR(CheckNames());
    RETURN_IF_ERROR(CheckInputs());
    RETURN_IF_ERROR(FindBucket());
    for (const TensorSpec& spec : shape_.inputs) {
      const auto input = inputs_.find(spec.name);
      std::string& bytes = sample_.inputs.emplace_back();
      if (input != inputs_.end()) {
        ASSIGN_OR_RETURN(bytes, BytesOf(spec, sample_.inputs.size() - 1, input->second));
      }
    }
    return std::move(sample_);
  }

 private:
  absl::Status CheckRows() {
    const int most = shape_.batched ? std::max(1, config_.max_batch_size()) : 1;
    sample_.rows = std::max(1, static_cast<int>(from_.batch_size()));
    if (sample_.rows > most) {
      return InvalidArgument("batch_size is {}, expected 1{}", sample_.rows,
                             shape_.batched ? fmt::format(" to {} (max_batch_size)", most)
                                            : ", as the model does not batch");
    }
    return absl::OkStatus();
  }

  // Every input that is named is there, and every one that a request needs is named.
  absl::Status CheckNames() const {
    for (const auto& [name, input] : inputs_) {
      if (std::none_of(shape_.inputs.begin(), shape_.inputs.end(),
                       [&name = name](const TensorSpec& spec) { return spec.name == name; })) {
        return InvalidArgument("input '{}' is no input of the model; it has {}", name,
                               NamesOf(shape_.inputs));
      }
    }
    for (const inference::ModelInput& input : config_.input()) {
      if (!input.optional() && !inputs_.contains(input.name())) {
        return InvalidArgument("input '{}' is missing; add it to inputs", input.name());
      }
    }
    return absl::OkStatus();
  }

  absl::Status CheckInputs() const {
    for (const TensorSpec& spec : shape_.inputs) {
      const auto found = inputs_.find(spec.name);
      if (found == inputs_.end()) {
        continue;
      }
      const ModelWarmup::Input& input = found->second;
      const DataType type = config::FromConfigType(input.data_type());
      if (type != DataType::kInvalid && type != spec.type) {
        return InvalidArgument("input '{}': data_type is {}, but the model has {}", spec.name,
                               DataTypeName(type), DataTypeName(spec.type));
      }
    }
    return absl::OkStatus();
  }

  // Dims that are left out are whatever the others leave.
  bool Fits(const Bucket& bucket) const {
    for (size_t i = 0; i < shape_.inputs.size(); ++i) {
      const auto found = inputs_.find(shape_.inputs[i].name);
      if (found != inputs_.end() && !found->second.dims().empty() &&
          !std::ranges::equal(found->second.dims(), bucket.input_dims[i])) {
        return false;
      }
    }
    return true;
  }

  absl::Status FindBucket() {
    const auto found = std::find_if(shape_.buckets.begin(), shape_.buckets.end(),
                                    [this](const Bucket& bucket) { return Fits(bucket); });
    if (found == shape_.buckets.end()) {
      std::string given;
      for (const TensorSpec& spec : shape_.inputs) {
        const auto input = inputs_.find(spec.name);
        given += input == inputs_.end()
                     ? "[]"
                     : DimsToString(Dims(input->second.dims().begin(), input->second.dims().end()));
      }
      return InvalidArgument("rows of dims {} were not compiled; the model has {}", given,
                             shape_.BucketsToString());
    }
    sample_.bucket = static_cast<size_t>(found - shape_.buckets.begin());
    return absl::OkStatus();
  }

  absl::StatusOr<std::string> BytesOf(const TensorSpec& spec, size_t input,
                                      const ModelWarmup::Input& from) const {
    const size_t row_bytes = shape_.buckets[sample_.bucket].input_row_bytes[input];
    const size_t size_bytes = row_bytes * static_cast<size_t>(sample_.rows);
    if (from.has_random_data()) {
      return RandomBytes(spec.type, size_bytes);
    }
    if (!from.has_input_data_file()) {
      return std::string();
    }
    const std::string path = fmt::format("{}/warmup/{}", folder_, from.input_data_file());
    ASSIGN_OR_RETURN(std::string bytes, ReadFile(path));
    if (bytes.size() == size_bytes) {
      return bytes;
    }
    if (bytes.size() != row_bytes) {
      return InvalidArgument(
          "input '{}': {} has {} bytes, expected {}, those of one row{}", spec.name, path,
          bytes.size(), row_bytes,
          sample_.rows == 1 ? ""
                            : fmt::format(", or {}, those of {} rows", size_bytes, sample_.rows));
    }
    std::string all;
    all.reserve(size_bytes);
    for (int row = 0; row < sample_.rows; ++row) {
      all += bytes;
    }
    return all;
  }

  const inference::ModelConfig& config_;
  const SubgraphShape& shape_;
  const ModelWarmup& from_;
  const std::map<std::string, ModelWarmup::Input> inputs_;  // In one order, for errors.
  const std::string& folder_;
  scheduler::WarmUpSample sample_;
};

}  // namespace

absl::StatusOr<std::vector<scheduler::WarmUpSample>> MakeWarmUpSamples(
    const inference::ModelConfig& config, const SubgraphShape& shape, const std::string& folder) {
  std::vector<scheduler::WarmUpSample> samples;
  for (int i = 0; i < config.model_warmup_size(); ++i) {
    const ModelWarmup& from = config.model_warmup(i);
    absl::StatusOr<scheduler::WarmUpSample> sample =
        SampleMaker(config, shape, from, folder).Make();
    if (!sample.ok()) {
      return WithContext(sample.status(), fmt::format("model_warmup[{}] '{}'", i, from.name()));
    }
    samples.push_back(*std::move(sample));
  }
  return samples;
}

}  // namespace omserve::server
