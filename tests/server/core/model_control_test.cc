// SPDX-License-Identifier: Apache-2.0
#include "server/core/model_control.h"

#include <catch2/catch.hpp>
#include <chrono>
#include <string>
#include <vector>

#include "runtime/base/errors.h"
#include "tests/runtime/source/scratch_folder.h"
#include "tests/status_test_util.h"

namespace omserve::server {
namespace {

std::chrono::milliseconds NoTime() { return {}; }

// Two versions of one model, in a repository of which no signatures are asked.
struct Rig {
  Rig() {
    models.Write("text/1/model.om", "one");
    models.Write("text/2/model.om", "two");
  }
  absl::Status Verify(const ModelControl::OnVerified& on_version, int64_t version = 0) {
    return control.Verify("text", version, "somebody", on_version);
  }
  std::string Audit() const { return models.Read("audit.jsonl"); }

  source::ScratchFolder models;
  std::vector<std::string> folders{models.Path("")};
  Catalog catalog{&NoTime};
  std::unique_ptr<RegistryState> state = VALUE(RegistryState::Open(models.Path("state.json")));
  std::unique_ptr<ModelTrust> trust = VALUE(
      ModelTrust::Make(RepositoryConfig(), folders, [] { return std::chrono::nanoseconds(0); }));
  std::unique_ptr<AuditLog> audit = VALUE(AuditLog::Open(models.Path("audit.jsonl"), &NoTime));
  ModelControl control{folders, catalog, *state, *trust, *audit, SteadyClock()};
};

// OK says that all were looked at, and not that they are good: each tells that of itself.
TEST_CASE("Model control: all versions are verified") {
  Rig rig;
  std::vector<int64_t> told;
  CHECK(rig.Verify([&](const ModelControl::Verified& found) {
             CHECK(found.versions == 2);
             CHECK(absl::IsFailedPrecondition(found.report.status()));
             told.push_back(found.version);
             return true;
           })
            .ok());
  CHECK(told == std::vector<int64_t>{1, 2});
  CHECK_THAT(rig.Audit(), Catch::Contains("FAILED_PRECONDITION"));
  CHECK(absl::IsNotFound(rig.Verify(nullptr, 3)));
}

// What ends before its end is no success, whatever was told until then.
TEST_CASE("Model control: a verification that ends early says so") {
  Rig rig;
  int told = 0;
  const absl::Status gone = rig.Verify([&](const ModelControl::Verified& /*found*/) {
    ++told;
    return false;
  });
  CHECK(absl::IsCancelled(gone));
  CHECK(told == 1);
  const absl::Status stopped = rig.Verify([&](const ModelControl::Verified& /*found*/) {
    ++told;
    rig.control.EndVerification();
    return true;
  });
  CHECK(absl::IsUnavailable(stopped));
  CHECK_THAT(std::string(MessageOf(stopped)), Catch::Contains("shutting down"));
  CHECK(told == 2);
}

TEST_CASE("Model control: one verification at a time") {
  Rig rig;
  CHECK(rig.Verify([&](const ModelControl::Verified& /*found*/) {
             const absl::Status second = rig.Verify(nullptr);
             CHECK(absl::IsUnavailable(second));
             CHECK_THAT(std::string(MessageOf(second)), Catch::Contains("another verification"));
             return true;
           })
            .ok());
}

// Clients learn what is wrong, and not where this machine keeps it; the audit log tells both.
TEST_CASE("Model control: errors of a verification name no places") {
  Rig rig;
  rig.models.Write("text/config.yaml", "max_batch_size: many\n");
  const std::string error(MessageOf(rig.Verify(nullptr)));
  CHECK_THAT(error, Catch::Contains("text/config.yaml"));
  CHECK_THAT(error, !Catch::Contains(rig.models.path()));
  CHECK_THAT(rig.Audit(), Catch::Contains(rig.models.path()));
}

}  // namespace
}  // namespace omserve::server
