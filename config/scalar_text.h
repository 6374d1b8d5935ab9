// SPDX-License-Identifier: Apache-2.0
// Numbers as people write them in a settings file, and what text may stand there at all.
#pragma once

#include <cstddef>
#include <optional>
#include <string_view>

namespace omserve::config {

// What the number of a field counts, told by the end of its name.
enum class Unit { kNone, kBytes, kMilliseconds, kMicroseconds };
// "_bytes"; "_ms"; "_us" and "_microseconds".
Unit UnitOfField(std::string_view field_name);
// " (or with a unit, such as 64MiB)" and the like, for error texts; "" for kNone.
std::string_view UnitHint(Unit unit);

// A decimal whole number without leading zeros. With a unit also "64MiB", "1GB", "5ms", "2s",
// turned into the field's unit; nullopt when that is not a whole number of it, when `text` is no
// number, and when it does not fit T. T: int32_t, int64_t, uint32_t, uint64_t.
template <typename T>
std::optional<T> ParseWhole(std::string_view text, Unit unit);

// A finite decimal number.
std::optional<double> ParseReal(std::string_view text);

// Well-formed UTF-8 without surrogates. `bad_at` (may be null) is the first byte that is not.
bool IsUtf8(std::string_view text, size_t* bad_at);

// A text that is safe as a message's string: UTF-8, no NUL (a file name would end there).
bool IsCleanString(std::string_view text);

}  // namespace omserve::config
