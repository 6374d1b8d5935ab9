// SPDX-License-Identifier: Apache-2.0
#include <utility>

#include "runtime/base/errors.h"
#include "runtime/base/log.h"
#include "runtime/health/acl_health.h"
#include "runtime/health/dcmi.h"
#include "runtime/health/health_source.h"
#include "runtime/health/visible_devices.h"

namespace omserve::health {
namespace {

class ChipHealthSource final : public HealthSource {
 public:
  ChipHealthSource(const std::vector<const acl::Device*>& devices, ChipSourceOptions options,
                   const Clock& clock)
      : options_(std::move(options)), clock_(clock) {
    for (const acl::Device* device : devices) {
      chips_.push_back({.device = device});
    }
  }

  HealthReport Read() override {
    if (!std::exchange(opened_, true)) {
      Open();
    }
    HealthReport report{.machine_chip_count = chip_count_};
    for (Chip& chip : chips_) {
      report.devices.push_back(ReadChip(chip));
    }
    if (dcmi_.has_value()) {
      dcmi_->LogNewFailures();
    }
    return report;
  }

 private:
  struct Chip {
    const acl::Device* device = nullptr;
    // Both nullopt when the driver does not know the device.
    std::optional<ChipAddress> address;
    std::optional<ChipIdentity> identity;
  };

  void Open() {
    absl::StatusOr<Dcmi> dcmi = Dcmi::Open(
        options_.dcmi_libraries.empty() ? Dcmi::DefaultNames() : options_.dcmi_libraries);
    if (!dcmi.ok()) {
      OMSERVE_LOG(kWarning, "health",
                  "temperature, power and faults of the chips are not reported: {}",
                  MessageOf(dcmi.status()));
      return;
    }
    dcmi_ = *std::move(dcmi);
    chip_count_ = dcmi_->CountChips();
    for (Chip& chip : chips_) {
      const std::optional<unsigned int> logical_id =
          LogicalDeviceId(options_.visible_devices, chip.device->id());
      if (!logical_id.has_value()) {
        OMSERVE_LOG(
            kWarning, "health",
            "device={} is not in ASCEND_RT_VISIBLE_DEVICES='{}'; its health is not reported",
            chip.device->id(), options_.visible_devices.value_or(""));
        continue;
      }
      chip.address = dcmi_->Find(*logical_id);
      if (chip.address.has_value()) {
        chip.identity = dcmi_->Identify(*logical_id, *chip.address);
      }
    }
  }

  DeviceHealth ReadChip(const Chip& chip) {
    DeviceHealth health{.device = chip.device->id(), .read_at = clock_.Now()};
    if (chip.address.has_value()) {
      health.chip = chip.identity;
      AddDcmiAnswers(dcmi_->Ask(*chip.address), health);
    }
    acl_.AddTo(*chip.device, health);
    return health;
  }

  const ChipSourceOptions options_;
  const Clock& clock_;
  std::vector<Chip> chips_;
  bool opened_ = false;
  std::optional<Dcmi> dcmi_;
  std::optional<int> chip_count_;
  AclHealth acl_;
};

}  // namespace

std::unique_ptr<HealthSource> MakeChipHealthSource(const std::vector<const acl::Device*>& devices,
                                                   ChipSourceOptions options, const Clock& clock) {
  return std::make_unique<ChipHealthSource>(devices, std::move(options), clock);
}

}  // namespace omserve::health
