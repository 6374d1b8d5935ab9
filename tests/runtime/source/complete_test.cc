// SPDX-License-Identifier: Apache-2.0
#include "runtime/source/complete.h"

#include <catch2/catch.hpp>
#include <string>

#include "tests/runtime/source/scratch_folder.h"
#include "tests/status_test_util.h"

namespace omserve::source {
namespace {

std::string Line(const std::string& path, const std::string& contents) {
  return WriteSums({{.path = path, .digest = DigestOf(contents)}});
}

// Digests that are known, no bound on what is read, and a stop.
struct Checker {
  absl::Status Check(const std::string& model, int64_t version) {
    return CheckComplete(model, version, digests, pace, stop.get_token());
  }

  DigestCache digests;
  Pace pace{0, SteadyClock()};
  std::stop_source stop;
};

// Without a list nothing is asked; with one in the version's folder, each file that it names.
TEST_CASE("Complete: a list in the version's folder") {
  const ScratchFolder models;
  Checker checker;
  const std::string model = models.Path("text");
  const auto check = [&] { return checker.Check(model, 2); };
  models.Write("text/2/model.om", "two");
  CHECK(check().ok());
  models.Write("text/2/SHA256SUMS", Line("model.om", "two") + Line("vocab/a.txt", "a"));
  CHECK(absl::IsUnavailable(check()));
  CHECK_THAT(std::string(MessageOf(check())), Catch::Contains("vocab/a.txt': no such file"));
  models.Write("text/2/vocab/a.txt", "b");
  CHECK(absl::IsUnavailable(check()));
  CHECK_THAT(std::string(MessageOf(check())), Catch::Contains("vocab/a.txt' has SHA-256"));
  models.Write("text/2/vocab/a.txt", "a");
  CHECK(check().ok());
  models.Write("text/2/model.om", "TWO");
  CHECK_FALSE(check().ok());
  models.Write("text/2/SHA256SUMS", "nonsense\n");
  CHECK(absl::IsInvalidArgument(check()));
}

// A list in the model's folder speaks of each version, and of what all have in common.
TEST_CASE("Complete: a list in the model's folder") {
  const ScratchFolder models;
  Checker checker;
  const std::string model = models.Path("text");
  models.Write("text/1/model.om", "one");
  models.Write("text/SHA256SUMS",
               Line("1/model.om", "one") + Line("2/model.om", "two") + Line("config.yaml", ""));
  CHECK_FALSE(checker.Check(model, 1).ok());
  models.Write("text/config.yaml", "");
  CHECK(checker.Check(model, 1).ok());
  CHECK_FALSE(checker.Check(model, 2).ok());
  CHECK(checker.Check(model, 3).ok());
}

// The end of the daemon does not wait for large files.
TEST_CASE("Complete: a stop while a file is read") {
  const ScratchFolder models;
  Checker checker;
  models.Write("text/1/model.om", "one");
  models.Write("text/1/SHA256SUMS", Line("model.om", "one"));
  checker.stop.request_stop();
  CHECK(absl::IsCancelled(checker.Check(models.Path("text"), 1)));
  checker.stop = {};
  CHECK(checker.Check(models.Path("text"), 1).ok());
}

}  // namespace
}  // namespace omserve::source
