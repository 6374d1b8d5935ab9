// SPDX-License-Identifier: Apache-2.0
#include "runtime/hostacl/timed_function.h"

#include <algorithm>
#include <bit>
#include <cmath>
#include <cstring>

#include "runtime/acl/acl_abi.h"

namespace omserve::hostacl {
namespace {

static_assert(std::endian::native == std::endian::little, "words are read as they stand");

constexpr uint64_t Mix(uint64_t x) {
  x ^= x >> 32;
  x *= kTimedMultiplier;
  x ^= x >> 29;
  x *= kTimedMultiplier;
  return x ^ x >> 32;
}

// A sum, so that the words depend on nothing but their place and several are mixed at once.
uint64_t Digest(std::span<const std::byte> bytes) {
  uint64_t digest = Mix(bytes.size());
  uint64_t place = 0;
  for (; bytes.size() >= sizeof(uint64_t); bytes = bytes.subspan(sizeof(uint64_t))) {
    uint64_t word = 0;
    std::memcpy(&word, bytes.data(), sizeof(word));
    digest += Mix(word + (place += kTimedStep));
  }
  if (!bytes.empty()) {
    uint64_t word = 0;
    std::memcpy(&word, bytes.data(), bytes.size());
    digest += Mix(word + (place + kTimedStep));
  }
  return digest;
}

// The leading `bits` of `random`, as an integer.
constexpr uint64_t Leading(uint64_t random, int bits) { return random >> (64 - bits); }

double Fraction53(uint64_t random) { return static_cast<double>(Leading(random, 53)) * 0x1p-53; }
float Fraction24(uint64_t random) { return static_cast<float>(Leading(random, 24)) * 0x1p-24F; }

// A fraction of 11 bits as IEEE binary16, which holds it exactly.
uint16_t Half(uint64_t random) {
  const auto fraction = static_cast<uint32_t>(Leading(random, 11));
  if (fraction == 0) {
    return 0;
  }
  // The leading one stands at bit `top`: the value is 2^(top - 11) and what follows.
  const int top = static_cast<int>(std::bit_width(fraction)) - 1;
  constexpr int kMantissaBits = 10;
  constexpr int kBias = 15;
  const uint32_t mantissa = fraction << (kMantissaBits - top) & ((1U << kMantissaBits) - 1);
  return static_cast<uint16_t>(static_cast<uint32_t>(top - 11 + kBias) << kMantissaBits | mantissa);
}

// A fraction of 8 bits as bfloat16: the upper half of a float.
uint16_t Brain(uint64_t random) {
  return static_cast<uint16_t>(
      std::bit_cast<uint32_t>(static_cast<float>(Leading(random, 8)) * 0x1p-8F) >> 16);
}

template <typename T, typename Element>
void FillWith(uint64_t seed, std::span<std::byte> row, Element element) {
  for (; row.size() >= sizeof(T); row = row.subspan(sizeof(T))) {
    const T value = static_cast<T>(element(Mix(seed += kTimedStep)));
    std::memcpy(row.data(), &value, sizeof(T));
  }
}

template <typename T>
void FillIntegers(uint64_t seed, std::span<std::byte> row) {
  FillWith<T>(seed, row, [](uint64_t random) { return Leading(random, 7); });
}

}  // namespace

uint64_t TimedSeed(std::string_view model_name,
                   std::span<const std::span<const std::byte>> inputs) {
  uint64_t seed = Digest(std::as_bytes(std::span(model_name)));
  for (size_t i = 0; i < inputs.size(); ++i) {
    seed = Mix(seed + (i + 1) * kTimedStep) ^ Digest(inputs[i]);
  }
  return seed;
}

void FillTimedRow(uint64_t seed, size_t output, int32_t acl_data_type, std::span<std::byte> row) {
  const uint64_t own = Mix(seed + (output + 1) * kTimedStep);
  switch (acl_data_type) {
    case ACL_FLOAT:
      return FillWith<float>(own, row, Fraction24);
    case ACL_DOUBLE:
      return FillWith<double>(own, row, Fraction53);
    case ACL_FLOAT16:
      return FillWith<uint16_t>(own, row, Half);
    case ACL_BF16:
      return FillWith<uint16_t>(own, row, Brain);
    case ACL_BOOL:
      return FillWith<uint8_t>(own, row, [](uint64_t random) { return Leading(random, 1); });
    case ACL_INT8:
    case ACL_UINT8:
      return FillIntegers<uint8_t>(own, row);
    case ACL_INT16:
    case ACL_UINT16:
      return FillIntegers<uint16_t>(own, row);
    case ACL_INT32:
    case ACL_UINT32:
      return FillIntegers<uint32_t>(own, row);
    case ACL_INT64:
    case ACL_UINT64:
      return FillIntegers<uint64_t>(own, row);
    default:
      std::fill(row.begin(), row.end(), std::byte{0});
  }
}

Clock::duration JitteredCost(Clock::duration cost, double jitter, uint64_t seed, uint64_t call) {
  const double random = Fraction53(Mix(seed + (call + 1) * kTimedStep));
  const double factor = 1 + jitter * (2 * random - 1);
  return Clock::duration(std::llround(static_cast<double>(cost.count()) * factor));
}

}  // namespace omserve::hostacl
