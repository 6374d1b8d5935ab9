// SPDX-License-Identifier: Apache-2.0
// The walk of a ModelInferRequest against the generated parser: on any bytes, in any slices, both
// accept or both refuse, and find the same.
//
// The first byte says how to cut and what the rest is: even, a message as it is; odd, choices by
// which a message is written that is nearly or wholly valid, with all that the wire format allows:
// long varints, fields apart, packed or not, groups, limits that do not fit.
#include <google/protobuf/stubs/logging.h>

#include <cstddef>
#include <cstdint>
#include <random>
#include <span>
#include <string>
#include <string_view>

#include "runtime/base/check.h"
#include "tests/server/grpc/same_request.h"

namespace omserve::server {
namespace {

using inference::ModelInferRequest;

// The fuzzer's bytes as a series of choices; 0 when they are used up.
class Choices final {
 public:
  explicit Choices(std::span<const uint8_t> bytes) : bytes_(bytes) {}
  uint32_t Next(uint32_t below) {
    if (bytes_.empty()) {
      return 0;
    }
    const uint8_t byte = bytes_.front();
    bytes_ = bytes_.subspan(1);
    return byte % below;
  }
  bool Rarely() { return Next(40) == 39; }
  bool empty() const { return bytes_.empty(); }

 private:
  std::span<const uint8_t> bytes_;
};

enum class Kind { kRequest, kInput, kOutput, kEntry, kParameter, kContents, kUnknown };

class MessageWriter final {
 public:
  explicit MessageWriter(Choices& choices) : choices_(choices) {}

  std::string Write(Kind kind, int depth) {
    std::string out;
    const uint32_t fields = choices_.Next(kind == Kind::kRequest ? 12 : 6);
    for (uint32_t i = 0; i < fields && !choices_.empty(); ++i) {
      AddField(kind, depth, &out);
    }
    return out;
  }

 private:
  // With up to `spare` bytes more than it needs.
  void AddVarint(uint64_t value, uint32_t spare, std::string* out) {
    uint32_t extra = choices_.Rarely() ? choices_.Next(spare + 1) : 0;
    while (value >= 0x80 || extra > 0) {
      extra -= value < 0x80 ? 1 : 0;
      out->push_back(static_cast<char>(value | 0x80));
      value >>= 7;
    }
    out->push_back(static_cast<char>(value));
  }
  void AddTag(uint32_t field, uint32_t type, std::string* out) {
    AddVarint(uint64_t{field} << 3 | type, 5, out);
  }
  void AddLengthAnd(const std::string& bytes, std::string* out) {
    uint64_t length = bytes.size();
    if (choices_.Rarely()) {
      length += choices_.Next(5);
      length -= std::min<uint64_t>(length, choices_.Next(5));
    }
    AddVarint(length, 5, out);
    *out += bytes;
  }
  std::string Text() {
    static constexpr std::string_view kTexts[] = {"",
                                                  "x",
                                                  "priority",
                                                  "FP32",
                                                  "INT8",
                                                  "BYTES",
                                                  "sequence_id",
                                                  "timeout",
                                                  "\xff",
                                                  "\xc3\xa9",
                                                  "\xc0\x80",
                                                  "\xed\xa0\x80",
                                                  "a much longer text than that"};
    return std::string(kTexts[choices_.Next(std::size(kTexts))]);
  }
  uint64_t Number() {
    static constexpr uint64_t kNumbers[] = {0,   1,          127,        128,        255,
                                            300, 0x7fffffff, 0xffffffff, 1ULL << 63, ~uint64_t{0}};
    return kNumbers[choices_.Next(std::size(kNumbers))];
  }
  // An element of a number field of this wire type.
  void AddNumber(uint32_t type, std::string* out) {
    if (type == 0) {
      AddVarint(Number(), 10, out);
      return;
    }
    for (int i = 0; i < (type == 1 ? 8 : 4); ++i) {
      out->push_back(static_cast<char>(choices_.Next(256)));
    }
  }
  void AddNumbers(uint32_t field, uint32_t type, std::string* out) {
    if (choices_.Next(2) == 0) {
      AddTag(field, type, out);
      AddNumber(type, out);
      return;
    }
    std::string packed;
    for (uint32_t i = choices_.Next(5); i > 0; --i) {
      AddNumber(type, &packed);
    }
    AddTag(field, 2, out);
    AddLengthAnd(packed, out);
  }
  void AddMessage(uint32_t field, Kind kind, int depth, std::string* out) {
    const std::string message = Write(kind, depth + 1);
    AddTag(field, 2, out);
    AddLengthAnd(message, out);
  }
  void AddText(uint32_t field, std::string* out) {
    AddTag(field, 2, out);
    AddLengthAnd(Text(), out);
  }
  // A field of any number and type, known or not.
  void AddAny(int depth, std::string* out) {
    const uint32_t field = choices_.Next(12);
    const uint32_t type = choices_.Next(6);
    AddTag(field, type, out);
    switch (type) {
      case 2:
        AddLengthAnd(Text(), out);
        return;
      case 3: {
        // Deep nests are cheap to say: a group in a group in a group.
        const uint32_t nest = choices_.Rarely() ? 90 + choices_.Next(20) : 0;
        for (uint32_t i = 0; i < nest; ++i) {
          AddTag(field, 3, out);
        }
        if (depth < 8) {
          *out += Write(Kind::kUnknown, depth + 1);
        }
        for (uint32_t i = 0; i < nest; ++i) {
          AddTag(field, 4, out);
        }
        AddTag(choices_.Rarely() ? field + 1 : field, 4, out);
        return;
      }
      case 4:
        return;
      default:
        AddNumber(type, out);
    }
  }

  void AddField(Kind kind, int depth, std::string* out) {
    if (choices_.Rarely() || kind == Kind::kUnknown) {
      AddAny(depth, out);
      return;
    }
    const uint32_t choice = choices_.Next(8);
    switch (kind) {
      case Kind::kRequest: {
        static constexpr Kind kKinds[] = {Kind::kEntry, Kind::kInput, Kind::kOutput};
        const uint32_t field = choice % 7 + 1;
        return field <= 3 || field == 7 ? AddText(field, out)
                                        : AddMessage(field, kKinds[field - 4], depth, out);
      }
      case Kind::kInput:
        return choice < 3    ? AddText(choice % 2 + 1, out)
               : choice < 5  ? AddNumbers(3, 0, out)
               : choice == 5 ? AddMessage(4, Kind::kEntry, depth, out)
                             : AddMessage(5, Kind::kContents, depth, out);
      case Kind::kOutput:
        return choice < 4 ? AddText(1, out) : AddMessage(2, Kind::kEntry, depth, out);
      case Kind::kEntry:
        return choice < 4 ? AddText(1, out) : AddMessage(2, Kind::kParameter, depth, out);
      case Kind::kParameter:
        if (choice == 3) {
          return AddText(3, out);
        }
        AddTag(choice % 5 + 1, choice == 4 ? 1 : 0, out);
        return AddNumber(choice == 4 ? 1 : 0, out);
      case Kind::kContents:
        return choice == 7 ? AddText(8, out)
                           : AddNumbers(choice + 1,
                                        choice == 5   ? 5
                                        : choice == 6 ? 1
                                                      : 0,
                                        out);
      case Kind::kUnknown:
        return;
    }
  }

  Choices& choices_;
};

// What comes after the walk must cope with all that it accepts.
void Prepare(WireInferRequest& walked) {
  const absl::StatusOr<InferCall> call =
      PrepareCall(walked, std::make_shared<const Model>(Model{.name = "m"}));
  if (!call.ok()) {
    OMSERVE_CHECK(!call.status().message().empty(), "every refusal says why");
    return;
  }
  for (const InferInput& input : call->inputs) {
    if (input.encode) {
      std::string encoded(input.size_bytes(), '\0');
      input.encode(input, std::as_writable_bytes(std::span(encoded.data(), encoded.size())))
          .IgnoreError();
    }
  }
}

bool HasTooMany(const ModelInferRequest& message) {
  constexpr auto kMost = static_cast<int>(kMostTensors);
  return message.inputs_size() > kMost || message.outputs_size() > kMost ||
         message.raw_input_contents_size() > kMost;
}

void Try(const std::string& bytes, uint8_t cut) {
  std::mt19937 random(cut);
  const size_t most = cut < 32 ? 1 + cut : cut < 64 ? 4096 : 1 + (random() % 64);
  const grpc::ByteBuffer buffer =
      InSlices(bytes, [&] { return cut < 32 ? most : 1 + random() % most; });
  absl::StatusOr<WireInferRequest> walked = ParseInferRequest(buffer);
  ModelInferRequest expected;
  const bool accepted = expected.ParseFromString(bytes);
  if (accepted && HasTooMany(expected)) {
    OMSERVE_CHECK(!walked.ok(), "too many tensors are refused");
    return;
  }
  OMSERVE_CHECK(walked.ok() == accepted, "both parsers accept the same messages");
  if (!walked.ok()) {
    OMSERVE_CHECK(walked.status().code() == absl::StatusCode::kInvalidArgument,
                  "a damaged message is the client's fault");
    return;
  }
  const std::string difference = Difference(*walked, expected);
  if (!difference.empty()) {
    fputs(difference.c_str(), stderr);
  }
  OMSERVE_CHECK(difference.empty(), "both parsers find the same");
  Prepare(*walked);
}

}  // namespace
}  // namespace omserve::server

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  static const google::protobuf::LogSilencer quiet;  // Protobuf prints what it refuses.
  if (size == 0) {
    return 0;
  }
  const std::span<const uint8_t> rest(data + 1, size - 1);
  std::string bytes(rest.begin(), rest.end());
  if (data[0] % 2 == 1) {
    omserve::server::Choices choices(rest);
    bytes = omserve::server::MessageWriter(choices).Write(omserve::server::Kind::kRequest, 0);
  }
  omserve::server::Try(bytes, data[0] / 2);
  return 0;
}
