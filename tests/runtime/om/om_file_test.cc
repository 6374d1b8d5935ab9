// SPDX-License-Identifier: Apache-2.0
#include "runtime/om/om_file.h"

#include <catch2/catch.hpp>
#include <limits>

#include "runtime/om/byte_reader.h"
#include "tests/runtime/om/om_builders.h"
#include "tests/status_test_util.h"

namespace omserve::om {
namespace {

Header SampleHeader() {
  Header header;
  header.name = "sample";
  header.platform_version = "1.11.z.0";
  header.om_ir_version = 7;
  return header;
}

// Three partitions: 5, 0 and 3 bytes.
std::string SampleFile(bool wide) {
  const std::vector<Partition> partitions = {{PartitionType::kModelDef, AsBytes("model")},
                                             {PartitionType::kWeightsData, {}},
                                             {PartitionType::kTaskInfo, AsBytes("job")}};
  return VALUE(WriteOm(SampleHeader(), partitions, wide));
}

// The error's text; the test fails when there is none.
std::string ErrorOf(const std::string& file) {
  const absl::StatusOr<OmFile> parsed = OmFile::Parse(AsBytes(file));
  REQUIRE_FALSE(parsed.ok());
  CHECK(parsed.status().code() == absl::StatusCode::kInvalidArgument);
  return std::string(MessageOf(parsed.status()));
}

// What was written with either table comes back: header, partitions, order.
TEST_CASE("a file is read as it was written", "[om_file]") {
  const bool wide = GENERATE(true, false);
  const std::string bytes = SampleFile(wide);
  const OmFile file = VALUE(OmFile::Parse(AsBytes(bytes)));
  CHECK(file.has_wide_tables() == wide);
  CHECK(file.header().name == "sample");
  CHECK(file.header().platform_version == "1.11.z.0");
  CHECK(file.header().om_ir_version == 7);
  CHECK(file.header().model_num == 1);
  CHECK(file.header().length == (wide ? 0 : bytes.size() - kHeaderBytes));
  CHECK(file.header().model_length == (wide ? bytes.size() - kHeaderBytes : 0));
  REQUIRE(file.model_count() == 1);
  REQUIRE(file.partitions().size() == 3);
  CHECK(AsText(file.partitions()[0].data) == "model");
  CHECK(file.partitions()[1].data.empty());
  const Partition* task = file.Find(PartitionType::kTaskInfo);
  REQUIRE(task != nullptr);
  CHECK(AsText(task->data) == "job");
  CHECK(file.Find(PartitionType::kSoBins) == nullptr);
}

// A v1 header has its platform version where v2 has the model count; version decides.
TEST_CASE("a v1 header is read by its own layout", "[om_file]") {
  std::string bytes = Patched(SampleFile(false), 8, kVersion1);
  bytes.replace(156, 20, std::string("1.11.z.0\0\0\0\0\0\0\0\0\0\0\0\0", 20));
  bytes[176] = 1;
  const OmFile file = VALUE(OmFile::Parse(AsBytes(bytes)));
  CHECK(file.header().version == kVersion1);
  CHECK(file.header().model_num == 1);
  CHECK(file.header().platform_version == "1.11.z.0");
  CHECK(file.header().platform_type == 1);
  CHECK_FALSE(file.has_wide_tables());
  CHECK(file.partitions().size() == 3);
}

// With several models, each has its table after the data of the one before.
TEST_CASE("every model of a file is found", "[om_file]") {
  const std::string bytes = JoinModels({SampleFile(true), SampleFile(true)});
  const OmFile file = VALUE(OmFile::Parse(AsBytes(bytes)));
  REQUIRE(file.model_count() == 2);
  CHECK(AsText(file.Find(PartitionType::kTaskInfo, 1)->data) == "job");
}

// The last model's data end where the payload does: one model too few leaves bytes behind it.
TEST_CASE("the models fill the file exactly", "[om_file]") {
  const std::string bytes = JoinModels({SampleFile(true), SampleFile(true)});
  CHECK_THAT(ErrorOf(Patched(bytes, 156, uint32_t{1})), Catch::Contains("bytes follow"));
  CHECK_THAT(ErrorOf(Patched(bytes, 156, uint32_t{3})), Catch::Contains("model 2"));
}

// Several models, or the flag of unknown shapes, make a file dynamic; a v1 file never is.
TEST_CASE("dynamic files are known by their header", "[om_file]") {
  const auto header = [](const std::string& bytes) {
    return VALUE(OmFile::Parse(AsBytes(bytes))).header();
  };
  const std::string one = SampleFile(true);
  CHECK_FALSE(header(one).is_dynamic());
  CHECK(header(JoinModels({one, one})).is_dynamic());
  CHECK(header(Patched(one, 193, uint8_t{1})).is_dynamic());
  CHECK(header(Patched(one, 192, uint8_t{1})).need_check_os_cpu);
  std::string old = Patched(Patched(SampleFile(false), 8, kVersion1), 193, uint8_t{1});
  old.replace(156, 20, std::string("1.11.z.0").append(12, '\0'));
  CHECK_FALSE(header(old).is_dynamic());
}

// A flow model has wide tables whatever its lengths say, and more partitions than others may have.
TEST_CASE("a flow model is recognised", "[om_file]") {
  Header flow = SampleHeader();
  flow.model_type = kFlowModelType;
  std::vector<Partition> partitions(20, Partition{PartitionType::kFlowSubmodel, AsBytes("sub")});
  partitions.front().type = PartitionType::kFlowModel;
  std::string bytes = VALUE(WriteOm(flow, partitions));
  CHECK(VALUE(OmFile::Parse(AsBytes(bytes))).partitions().size() == 20);
  const auto length = static_cast<uint32_t>(bytes.size() - kHeaderBytes);
  bytes = Patched(Patched(bytes, 184, uint64_t{0}), 76, length);
  CHECK(VALUE(OmFile::Parse(AsBytes(bytes))).has_wide_tables());
  CHECK(ModelTypeName(flow.model_type) == "flow");
  CHECK(ModelTypeName(6) == "unknown");
}

// A loader does not look at a count of 0, so it means one model.
TEST_CASE("a model count of zero is one model", "[om_file]") {
  const std::string bytes = Patched(SampleFile(true), 156, uint32_t{0});
  CHECK(VALUE(OmFile::Parse(AsBytes(bytes))).model_count() == 1);
}

// Aligned files leave gaps between partitions, which are skipped.
TEST_CASE("a gap before a partition is skipped", "[om_file]") {
  std::string bytes = SampleFile(true) + "....";
  const size_t task_at = bytes.size() - 7;
  bytes.replace(task_at, 7, "....job");
  bytes = Patched(bytes, kHeaderBytes + 8 + 48 + 8, uint64_t{9});  // TASK_INFO's offset: 5 + 4.
  bytes = Patched(bytes, 184, uint64_t{bytes.size() - kHeaderBytes});
  CHECK(AsText(VALUE(OmFile::Parse(AsBytes(bytes))).Find(PartitionType::kTaskInfo)->data) == "job");
}

// Files of other formats are named as what they seem to be.
TEST_CASE("another format is recognised", "[om_file]") {
  CHECK_THAT(ErrorOf("PK\x03\x04 and so on"), Catch::Contains("ZIP"));
  CHECK(KindOf(AsBytes("GIF89a")) == FileKind::kOther);
  CHECK(KindOf(AsBytes(SampleFile(true))) == FileKind::kOm);
  CHECK(KindOf(AsBytes("IMOD")) == FileKind::kOm);
  CHECK_THAT(ErrorOf(std::string("\x08\x08\x12\x07pytorch", 11)), Catch::Contains("omc compile"));
  CHECK_THAT(ErrorOf("version https://git-lfs.github.com/spec/v1\n"), Catch::Contains("LFS"));
  CHECK_THAT(ErrorOf("GIF89a"), Catch::Contains("0x38464947"));
  CHECK_THAT(ErrorOf(""), Catch::Contains("0 bytes"));
  CHECK_THAT(ErrorOf("IMOD"), Catch::Contains("4 of its 256 bytes"));
}

// Bundles and encrypted files are sound files that are not served; the message says so.
TEST_CASE("kinds of files that are not served are named", "[om_file]") {
  CHECK_THAT(ErrorOf(Patched(SampleFile(true), 82, uint8_t{5})), Catch::Contains("bundle"));
  CHECK_THAT(ErrorOf(Patched(SampleFile(true), 80, uint8_t{1})), Catch::Contains("encrypted"));
}

// Each field of the header that can be wrong is named with its value.
TEST_CASE("a wrong header is refused", "[om_file]") {
  const std::string good = SampleFile(true);
  CHECK_THAT(ErrorOf(Patched(good, 4, uint32_t{255})), Catch::Contains("255"));
  CHECK_THAT(ErrorOf(Patched(good, 8, uint32_t{0x10000001})), Catch::Contains("0x10000001"));
  CHECK_THAT(ErrorOf(Patched(good, 184, uint64_t{1})), Catch::Contains("1 bytes follow"));
  CHECK_THAT(ErrorOf(Patched(good, 184, std::numeric_limits<uint64_t>::max())),
             Catch::Contains("18446744073709551615"));
  CHECK_THAT(ErrorOf(Patched(SampleFile(false), 76, std::numeric_limits<uint32_t>::max())),
             Catch::Contains("byte 76"));
  std::string no_end = good;
  no_end.replace(84, 32, std::string(32, 'x'));
  CHECK_THAT(ErrorOf(no_end), Catch::Contains("model's name"));
  no_end = good;
  no_end.replace(160, 20, std::string(20, 'x'));
  CHECK_THAT(ErrorOf(no_end), Catch::Contains("platform version"));
}

// A model count of any size ends with the file's bytes.
TEST_CASE("a huge model count is refused", "[om_file]") {
  CHECK_THAT(ErrorOf(Patched(SampleFile(true), 156, uint32_t{2})), Catch::Contains("model 1"));
  CHECK_THAT(ErrorOf(Patched(SampleFile(true), 156, std::numeric_limits<uint32_t>::max())),
             Catch::Contains("model 1"));
}

// Counts, offsets and sizes of the table are each set to values that do not fit.
TEST_CASE("a wrong partition table is refused", "[om_file]") {
  const bool wide = GENERATE(true, false);
  const std::string good = SampleFile(wide);
  const size_t entry = kHeaderBytes + (wide ? 8 : 4);  // The first one.
  const size_t next = wide ? 24 : 12;
  const auto patch = [&](size_t at, uint64_t value) {
    return wide ? Patched(good, at, value) : Patched(good, at, static_cast<uint32_t>(value));
  };
  const size_t offset = wide ? 8 : 4;
  const size_t size = wide ? 16 : 8;

  CHECK_THAT(ErrorOf(Patched(good, kHeaderBytes, uint32_t{0})), Catch::Contains("0 partitions"));
  CHECK_THAT(ErrorOf(Patched(good, kHeaderBytes, uint32_t{9})), Catch::Contains("9 partitions"));
  CHECK_THAT(ErrorOf(Patched(good, kHeaderBytes, uint32_t{8})), Catch::Contains("8 entries"));
  CHECK_THAT(ErrorOf(Patched(good, kHeaderBytes, std::numeric_limits<uint32_t>::max())),
             Catch::Contains("4294967295"));
  CHECK_THAT(ErrorOf(patch(entry + size, 1000)), Catch::Contains("over the end"));
  CHECK_THAT(ErrorOf(patch(entry + size, std::numeric_limits<uint64_t>::max())),
             Catch::Contains("over the end"));
  CHECK_THAT(ErrorOf(patch(entry + offset, std::numeric_limits<uint64_t>::max())),
             Catch::Contains("over the end"));
  CHECK_THAT(ErrorOf(patch(entry + 2 * next + offset, 3)), Catch::Contains("inside"));
  CHECK_THAT(ErrorOf(patch(entry + 2 * next + size, 2)), Catch::Contains("1 bytes follow"));
}

// Whatever is cut off, the rest is refused with a message.
TEST_CASE("a file cut at any byte is refused", "[om_file]") {
  const bool wide = GENERATE(true, false);
  const std::string good = SampleFile(wide);
  for (size_t length = 0; length < good.size(); ++length) {
    CAPTURE(length);
    const absl::StatusOr<OmFile> parsed = OmFile::Parse(AsBytes(good.substr(0, length)));
    REQUIRE_FALSE(parsed.ok());
    CHECK_FALSE(MessageOf(parsed.status()).empty());
  }
}

// What does not fit the format is refused when it is written, not when it is read.
TEST_CASE("what cannot be written is refused", "[om_file]") {
  const std::vector<Partition> one = {{PartitionType::kModelDef, {}}};
  Header header;
  header.name = std::string(31, 'n');
  CHECK(VALUE(OmFile::Parse(AsBytes(VALUE(WriteOm(header, one))))).header().name == header.name);
  header.name += "n";
  CHECK_THAT(std::string(MessageOf(WriteOm(header, one).status())), Catch::Contains("at most 31"));
  header.name = std::string("a\0b", 3);
  CHECK_FALSE(WriteOm(header, one).ok());
  header = Header();
  header.platform_version = std::string(20, 'v');
  CHECK_FALSE(WriteOm(header, one).ok());
  CHECK_FALSE(WriteOm(Header(), {}).ok());
  CHECK_FALSE(WriteOm(Header(), std::vector<Partition>(9, one.front())).ok());
}

// Numbers of partition types have names, others say that they are unknown.
TEST_CASE("partition types have names", "[om_file]") {
  CHECK(PartitionTypeName(PartitionType::kModelInoutInfo) == "MODEL_INOUT_INFO");
  CHECK(PartitionTypeName(PartitionType::kCustomOps) == "CUSTOM_OPS");
  CHECK(PartitionTypeName(static_cast<PartitionType>(13)) == "UNKNOWN");
}

}  // namespace
}  // namespace omserve::om
