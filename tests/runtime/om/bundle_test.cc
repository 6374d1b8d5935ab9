// SPDX-License-Identifier: Apache-2.0
#include "runtime/om/bundle.h"

#include <catch2/catch.hpp>
#include <limits>

#include "tests/runtime/om/om_builders.h"
#include "tests/runtime/om/om_samples.h"
#include "tests/status_test_util.h"

namespace omserve::om {
namespace {

constexpr size_t kTable = kHeaderBytes + 8;

std::string SampleBundle() {
  const std::string file = VALUE(WriteHostModel(SmallBatchModel(), AsBytes("g"), AsBytes("w")));
  return BundleOf({file, file}, 4096);
}

std::string ErrorOf(const std::string& bundle) {
  const absl::StatusOr<Bundle> parsed = ParseBundle(AsBytes(bundle));
  REQUIRE_FALSE(parsed.ok());
  CHECK(parsed.status().code() == absl::StatusCode::kInvalidArgument);
  return std::string(MessageOf(parsed.status()));
}

// Each model of a bundle is a whole file, described like any other.
TEST_CASE("a bundle gives its models", "[bundle]") {
  const std::string bytes = SampleBundle();
  CHECK(KindOf(AsBytes(bytes)) == FileKind::kBundle);
  const Bundle bundle = VALUE(ParseBundle(AsBytes(bytes)));
  CHECK(bundle.header.name == "bundle");
  CHECK(bundle.variable_bytes == 4096);
  REQUIRE(bundle.models.size() == 2);
  for (const std::span<const std::byte> model : bundle.models) {
    CHECK(VALUE(DescribeModel(VALUE(OmFile::Parse(model)))) == SmallBatchModel());
  }
}

// The loader of single models says that it is a bundle; that of bundles, that it is none.
TEST_CASE("bundles and single files are told apart", "[bundle]") {
  const std::string bytes = SampleBundle();
  const absl::StatusOr<OmFile> file = OmFile::Parse(AsBytes(bytes));
  REQUIRE_FALSE(file.ok());
  CHECK_THAT(std::string(MessageOf(file.status())), Catch::Contains("a bundle"));
  CHECK_THAT(ErrorOf(VALUE(WriteHostModel(SmallBatchModel(), {}, {}))),
             Catch::Contains("model type 0"));
  CHECK_THAT(ErrorOf("PK\x03\x04"), Catch::Contains("ZIP"));
}

// The length counts the header, unlike that of a single file.
TEST_CASE("a bundle's length is that of the whole file", "[bundle]") {
  const std::string good = SampleBundle();
  CHECK_THAT(ErrorOf(Patched(good, 184, uint64_t{good.size() - kHeaderBytes})),
             Catch::Contains("model_length"));
  CHECK_THAT(ErrorOf(good + "x"), Catch::Contains("model_length"));
  CHECK_THAT(ErrorOf(Patched(good, 80, uint8_t{1})), Catch::Contains("encrypted"));
}

// Counts, offsets and sizes are each set to values that do not fit.
TEST_CASE("a wrong bundle table is refused", "[bundle]") {
  const std::string good = SampleBundle();
  constexpr uint64_t kMost = std::numeric_limits<uint64_t>::max();
  CHECK_THAT(ErrorOf(Patched(good, kHeaderBytes, uint32_t{0})), Catch::Contains("0 entries"));
  CHECK_THAT(ErrorOf(Patched(good, kHeaderBytes, uint32_t{4097})), Catch::Contains("4097 entries"));
  CHECK_THAT(ErrorOf(Patched(good, kHeaderBytes, uint32_t{4000})), Catch::Contains("4000 entries"));
  CHECK_THAT(ErrorOf(Patched(good, kHeaderBytes, uint32_t{1})), Catch::Contains("none of its 1"));
  for (const size_t field : {size_t{8}, size_t{16}}) {
    CHECK_THAT(ErrorOf(Patched(good, kTable + 24 + field, kMost)), Catch::Contains("entry 1"));
  }
  CHECK_THAT(ErrorOf(Patched(good, kTable + 24 + 8, uint64_t{0})), Catch::Contains("entry 1"));
}

// Whatever is cut off, the rest is refused.
TEST_CASE("a bundle cut at any byte is refused", "[bundle]") {
  const std::string good = SampleBundle();
  for (size_t length = 0; length < good.size(); ++length) {
    CHECK_FALSE(ParseBundle(AsBytes(good.substr(0, length))).ok());
    if (length >= kHeaderBytes) {  // Even where the header says that this is all.
      const std::string cut = Patched(good.substr(0, length), 184, uint64_t{length});
      CHECK_FALSE(ParseBundle(AsBytes(cut)).ok());
    }
  }
}

}  // namespace
}  // namespace omserve::om
