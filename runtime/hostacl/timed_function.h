// SPDX-License-Identifier: Apache-2.0
// What a model answers on the timed engine: a function of the input bytes of one row, so that
// whoever sent a row can compute its answer, however a server batched, padded or split it.
//
// All arithmetic is on uint64, modulo 2^64.
//   mix(x)       x ^= x >> 32; x *= kMultiplier; x ^= x >> 29; x *= kMultiplier; x ^= x >> 32
//   digest(b)    mix(length of b in bytes) + the sum over k of mix(word k + (k + 1) * kStep), where
//                the words are b's bytes in little-endian groups of 8, the last filled with zeros
//   seed         s = digest(model's name); for every input i in order: s = mix(s + (i + 1) * kStep)
//                ^ digest(the row's bytes in input i)
//   element e of output o
//                r = mix(mix(seed + (o + 1) * kStep) + (e + 1) * kStep), and of r
//                floating point: as many leading bits as the type holds exactly, as a fraction:
//                  FP64 53, FP32 24, FP16 11, BF16 8 bits; 0 <= value < 1
//                integers: the leading 7 bits; 0..127
//                BOOL: the leading bit
//                other types: zero bytes
#pragma once

#include <cstddef>
#include <cstdint>
#include <span>
#include <string_view>

#include "runtime/base/clock.h"

namespace omserve::hostacl {

inline constexpr uint64_t kTimedMultiplier = 0xBB67AE8584CAA73B;  // The fraction of sqrt(3).
inline constexpr uint64_t kTimedStep = 0x9E3779B97F4A7C15;        // That of the golden ratio.

// `inputs` holds the row's bytes in every input of the model, in the model's order.
uint64_t TimedSeed(std::string_view model_name, std::span<const std::span<const std::byte>> inputs);

// Fills one row of output `output` of the aclDataType. Requires whole elements.
void FillTimedRow(uint64_t seed, size_t output, int32_t acl_data_type, std::span<std::byte> row);

// What call number `call` takes: `cost` times a number from 1 - jitter to 1 + jitter that follows
// from seed and number. Requires 0 <= jitter <= 1.
Clock::duration JitteredCost(Clock::duration cost, double jitter, uint64_t seed, uint64_t call);

}  // namespace omserve::hostacl
