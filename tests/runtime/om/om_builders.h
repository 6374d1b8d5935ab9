// SPDX-License-Identifier: Apache-2.0
// Builds, byte by byte, the files that WriteOm and WriteHostModel do not write.
#pragma once

#include <zlib.h>

#include <cstdint>
#include <cstring>
#include <string>
#include <vector>

#include "runtime/om/byte_reader.h"
#include "runtime/om/om_file.h"

namespace omserve::om {

template <typename T>
std::string Patched(std::string file, size_t offset, T value) {
  std::memcpy(file.data() + offset, &value, sizeof(T));
  return file;
}

// The models of several wide files as one file: each model's table behind the last one's data.
inline std::string JoinModels(const std::vector<std::string>& files) {
  std::string joined = files.front();
  for (size_t i = 1; i < files.size(); ++i) {
    joined += files[i].substr(kHeaderBytes);
  }
  joined = Patched(joined, 156, static_cast<uint32_t>(files.size()));
  return Patched(joined, 184, uint64_t{joined.size() - kHeaderBytes});
}

// A bundle of `files` whose models share `variable_bytes` of variables.
inline std::string BundleOf(const std::vector<std::string>& files, uint64_t variable_bytes) {
  std::string bundle(kHeaderBytes, '\0');
  bundle = Patched(bundle, 0, kMagic);
  bundle = Patched(bundle, 4, static_cast<uint32_t>(kHeaderBytes));
  bundle = Patched(bundle, 8, kVersion2);
  bundle = Patched(bundle, 82, kBundleModelType);
  bundle.replace(84, 6, "bundle");
  bundle = Patched(bundle, 156, uint32_t{1});
  std::string data;
  const size_t entries = files.size() + 1;
  const uint64_t data_at = 8 + 24 * entries;  // From the end of the header.
  AppendNumber(bundle, static_cast<uint32_t>(entries));
  AppendNumber(bundle, uint32_t{0});
  const auto add = [&](PartitionType type, const std::string& part) {
    AppendNumber(bundle, static_cast<uint32_t>(type));
    AppendNumber(bundle, uint32_t{0});
    AppendNumber(bundle, data_at + data.size());
    AppendNumber(bundle, uint64_t{part.size()});
    data += part;
  };
  std::string variables;
  AppendNumber(variables, variable_bytes);
  add(PartitionType::kBundleModelVarInfo, variables);
  for (const std::string& file : files) {
    add(PartitionType::kBundleModelInfo, file);
  }
  bundle += data;
  return Patched(bundle, 184, uint64_t{bundle.size()});
}

struct ZipPart {
  std::string name;
  std::string contents;
  bool deflated = false;
};

inline std::string Deflated(const std::string& contents) {
  z_stream stream{};
  deflateInit2(&stream, Z_BEST_COMPRESSION, Z_DEFLATED, -MAX_WBITS, 8, Z_DEFAULT_STRATEGY);
  std::string packed(deflateBound(&stream, static_cast<uLong>(contents.size())), '\0');
  std::string input = contents;
  stream.next_in = reinterpret_cast<Bytef*>(input.data());
  stream.avail_in = static_cast<uInt>(input.size());
  stream.next_out = reinterpret_cast<Bytef*>(packed.data());
  stream.avail_out = static_cast<uInt>(packed.size());
  deflate(&stream, Z_FINISH);
  packed.resize(stream.total_out);
  deflateEnd(&stream);
  return packed;
}

enum class ZipForm { k32, k64 };

// An archive of `parts`; with k64 every size and offset stands in the 64-bit extension.
inline std::string ZipOf(const std::vector<ZipPart>& parts, ZipForm form = ZipForm::k32) {
  const bool wide = form == ZipForm::k64;
  constexpr uint32_t kSee64 = 0xFFFFFFFF;
  std::string archive;
  std::string directory;
  for (const ZipPart& part : parts) {
    const auto offset = static_cast<uint32_t>(archive.size());
    const std::string packed = part.deflated ? Deflated(part.contents) : part.contents;
    const auto packed_bytes = static_cast<uint32_t>(packed.size());
    const auto bytes = static_cast<uint32_t>(part.contents.size());
    const auto add_common = [&](std::string& out) {
      AppendNumber(out, uint16_t{20});  // Version to read it.
      AppendNumber(out, uint16_t{0});   // Flags.
      AppendNumber(out, static_cast<uint16_t>(part.deflated ? 8 : 0));
      AppendNumber(out, uint32_t{0});  // Time and date.
      AppendNumber(out, static_cast<uint32_t>(
                            crc32(0, reinterpret_cast<const Bytef*>(part.contents.data()), bytes)));
      AppendNumber(out, wide ? kSee64 : packed_bytes);
      AppendNumber(out, wide ? kSee64 : bytes);
      AppendNumber(out, static_cast<uint16_t>(part.name.size()));
    };
    AppendNumber(archive, uint32_t{0x04034b50});
    add_common(archive);
    AppendNumber(archive, uint16_t{0});  // Extra fields.
    archive += part.name + packed;
    AppendNumber(directory, uint32_t{0x02014b50});
    AppendNumber(directory, uint16_t{20});
    add_common(directory);
    AppendNumber(directory, static_cast<uint16_t>(wide ? 28 : 0));
    directory += std::string(10, '\0');  // Comment, disk, attributes.
    AppendNumber(directory, wide ? kSee64 : offset);
    directory += part.name;
    if (wide) {
      AppendNumber(directory, uint16_t{1});
      AppendNumber(directory, uint16_t{24});
      AppendNumber(directory, uint64_t{bytes});
      AppendNumber(directory, uint64_t{packed_bytes});
      AppendNumber(directory, uint64_t{offset});
    }
  }
  const uint64_t directory_at = archive.size();
  archive += directory;
  if (wide) {
    const uint64_t record_at = archive.size();
    AppendNumber(archive, uint32_t{0x06064b50});
    AppendNumber(archive, uint64_t{44});
    archive += std::string(12, '\0');  // Versions and disks.
    AppendNumber(archive, uint64_t{parts.size()});
    AppendNumber(archive, uint64_t{parts.size()});
    AppendNumber(archive, uint64_t{directory.size()});
    AppendNumber(archive, directory_at);
    AppendNumber(archive, uint32_t{0x07064b50});
    AppendNumber(archive, uint32_t{0});
    AppendNumber(archive, record_at);
    AppendNumber(archive, uint32_t{1});
  }
  AppendNumber(archive, uint32_t{0x06054b50});
  AppendNumber(archive, uint32_t{0});
  AppendNumber(archive, static_cast<uint16_t>(wide ? 0xFFFF : parts.size()));
  AppendNumber(archive, static_cast<uint16_t>(wide ? 0xFFFF : parts.size()));
  AppendNumber(archive, wide ? kSee64 : static_cast<uint32_t>(directory.size()));
  AppendNumber(archive, wide ? kSee64 : static_cast<uint32_t>(directory_at));
  AppendNumber(archive, uint16_t{0});
  return archive;
}

inline constexpr char kManifest[] =
    R"({"atc_command": "atc --model=m.onnx --input_shape=x:-1,3 --dynamic_batch_size=1,4)"
    R"( --soc_version=Ascend910B3", "model_num": 1, "om2_version": "0"})";

// What SmallBatchModel of om_samples.h is in om2 version "0": the shapes are the largest gear's.
inline constexpr char kFlatMeta[] = R"({
  "name": "small", "work_size": 1000, "dynamic_type": 1,
  "dynamic_batch_info": [[1], [4]], "user_designate_shape_order": ["x"],
  "dynamic_output_shape": ["0,0,1,2", "1,0,4,2"],
  "inputs": [
    {"index": 2, "name": "ascend_mbatch_shape_data", "data_type": "DT_INT32", "format": "ND",
     "shape": [1], "shape_v2": [1], "shape_range": [], "size": 4},
    {"index": 1, "name": "ids", "data_type": "DT_INT64", "format": "ND",
     "shape": [4], "shape_v2": [4], "shape_range": [], "size": 32},
    {"index": 0, "name": "x", "data_type": "DT_FLOAT", "format": "ND",
     "shape": [4, 3], "shape_v2": [4, 3], "shape_range": [], "size": 48}],
  "outputs": [{"index": 0, "name": "node:0:y", "data_type": "DT_FLOAT", "format": "ND",
               "shape": [4, 2], "shape_range": [], "size": 32}]})";

// The same as later versions have it: open dims are -1, and the gears stand together.
inline constexpr char kNestedMeta[] = R"({
  "name": "small", "work_size": 1000,
  "dynamic_dims": {"dynamic_type": 1, "user_designate_shape_order": ["x"],
                   "gears": [{"inputs": [1], "outputs": [[1, 2]]},
                             {"inputs": [4], "outputs": [[4, 2]]}]},
  "inputs": [{"index": 0, "name": "x", "data_type": "DT_FLOAT", "format": "ND", "shape": [-1, 3]},
             {"index": 1, "name": "ids", "data_type": "DT_INT64", "format": "ND", "shape": [4]}],
  "outputs": [{"index": 0, "name": "node:0:y", "data_type": "DT_FLOAT", "format": "ND",
               "shape": [4, 2]}]})";

inline std::string Om2Of(const std::string& manifest, const std::string& meta) {
  return ZipOf({{"manifest.json", manifest, false},
                {"data/model_0/model_meta.json", meta, true},
                {"data/constants/constant_0", std::string(64, 'w'), false}});
}

}  // namespace omserve::om
