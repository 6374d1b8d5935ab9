// SPDX-License-Identifier: Apache-2.0
#include "runtime/sealed/secret_bytes.h"

#include <fmt/format.h>
#include <sys/resource.h>

#include <algorithm>
#include <catch2/catch.hpp>
#include <cstring>
#include <fstream>
#include <string>
#include <utility>
#include <vector>

#include "tests/status_test_util.h"

namespace {

struct Wiped {
  const void* at;
  size_t size_bytes;
  bool operator==(const Wiped&) const = default;
};
std::vector<Wiped>& AllWiped() {
  static std::vector<Wiped> wiped;
  return wiped;
}

}  // namespace

// In OpenSSL's place, which this program links dynamically.
extern "C" void OPENSSL_cleanse(void* bytes, size_t size_bytes) {  // NOLINT(*-identifier-naming)
  std::memset(bytes, 0, size_bytes);
  AllWiped().push_back({.at = bytes, .size_bytes = size_bytes});
}

namespace omserve::sealed {
namespace {

bool WasWiped(const void* at, size_t size_bytes) {
  return std::ranges::find(AllWiped(), Wiped{.at = at, .size_bytes = size_bytes}) !=
         AllWiped().end();
}

std::span<const std::byte> Bytes(std::string_view text) { return std::as_bytes(std::span(text)); }

// The line of a mapping's flags in smaps, for the mapping that begins at `at`.
std::string FlagsOf(const void* at) {
  std::ifstream maps("/proc/self/smaps");
  const std::string begin = fmt::format("{:x}-", reinterpret_cast<uintptr_t>(at));
  bool is_in = false;
  for (std::string line; std::getline(maps, line);) {
    is_in = is_in || line.starts_with(begin);
    if (is_in && line.starts_with("VmFlags:")) {
      return line;
    }
  }
  return "";
}

// All bytes are wiped before the memory is given back.
TEST_CASE("A secret is wiped when it ends", "[secret_bytes]") {
  const void* at = nullptr;
  {
    const SecretBytes secret = VALUE(SecretBytes::CopyOf(Bytes("hush")));
    at = secret.bytes().data();
    CHECK(secret.text() == "hush");
    CHECK_FALSE(WasWiped(at, 4));
  }
  CHECK(WasWiped(at, 4));
}

// Moving moves the pages: there is no second copy, and what was there before is wiped.
TEST_CASE("A secret that moves is wiped once, where it ends", "[secret_bytes]") {
  SecretBytes first = VALUE(SecretBytes::CopyOf(Bytes("one")));
  SecretBytes second = VALUE(SecretBytes::CopyOf(Bytes("another")));
  const void* const at_first = first.bytes().data();
  const void* const at_second = second.bytes().data();
  AllWiped().clear();
  second = std::move(first);
  CHECK(WasWiped(at_second, 7));
  CHECK_FALSE(WasWiped(at_first, 3));
  CHECK(second.bytes().data() == at_first);
  CHECK(first.empty());  // NOLINT(bugprone-use-after-move): that is the promise.
}

// What is cut off is wiped at once.
TEST_CASE("A secret that becomes shorter forgets the rest", "[secret_bytes]") {
  SecretBytes secret = VALUE(SecretBytes::CopyOf(Bytes("secret")));
  secret.Shrink(2);
  CHECK(secret.text() == "se");
  CHECK(WasWiped(secret.bytes().data() + 2, 4));
  secret.Wipe();
  CHECK(secret.text() == std::string(2, '\0'));
}

// The kernel knows the pages as locked and as not to be dumped.
TEST_CASE("A secret's pages are neither swapped nor dumped", "[secret_bytes]") {
  const SecretBytes secret = VALUE(SecretBytes::CopyOf(Bytes("x")));
  const std::string flags = FlagsOf(secret.bytes().data());
  CAPTURE(flags, secret.note());
  CHECK(flags.find(" dd") != std::string::npos);
  CHECK(secret.locked() == (flags.find(" lo") != std::string::npos));
}

// Without the right to lock, a secret is there all the same, and says what is not as it should be.
TEST_CASE("A secret that cannot be locked says so", "[secret_bytes]") {
  rlimit before{};
  getrlimit(RLIMIT_MEMLOCK, &before);
  const rlimit none{.rlim_cur = 0, .rlim_max = before.rlim_max};
  setrlimit(RLIMIT_MEMLOCK, &none);
  const absl::StatusOr<SecretBytes> secret = SecretBytes::Allocate(10);
  setrlimit(RLIMIT_MEMLOCK, &before);
  REQUIRE_OK(secret.status());
  CHECK(secret->size_bytes() == 10);
  if (!secret->locked()) {  // Who may do everything may lock everything.
    CHECK_THAT(secret->note(), Catch::Contains("RLIMIT_MEMLOCK is 0 bytes"));
  }
}

// No bytes are no memory; more than there can be is refused.
TEST_CASE("Secrets of odd sizes", "[secret_bytes]") {
  CHECK(VALUE(SecretBytes::Allocate(0)).empty());
  CHECK(SecretBytes::Allocate(SIZE_MAX).status().code() == absl::StatusCode::kResourceExhausted);
  CHECK(SecretBytes::Allocate(size_t{1} << 60).status().code() ==
        absl::StatusCode::kResourceExhausted);
}

}  // namespace
}  // namespace omserve::sealed
