// SPDX-License-Identifier: Apache-2.0
#include "runtime/sealed/key_source.h"

#include <unistd.h>

#include <array>
#include <catch2/catch.hpp>
#include <string>

#include "tests/runtime/sealed/sealed_samples.h"

namespace omserve::sealed {
namespace {

using Catch::Matchers::Contains;
using std::chrono::milliseconds;

std::string ReadText(const SecretSource& source) {
  const absl::StatusOr<SecretBytes> secret = ReadSecret(source);
  return secret.ok() ? std::string(secret->text())
                     : "error: " + std::string(MessageOf(secret.status()));
}

HelperCommand Shell(const std::string& script, milliseconds timeout = milliseconds(30'000)) {
  return {.arguments = {"sh", "-c", script}, .timeout = timeout};
}

std::string KeyError(std::string_view text, const std::string& id = "") {
  const absl::StatusOr<SymmetricKey> key = SymmetricKey::FromText(Secret(text), id, "here");
  return key.ok() ? "OK" : std::string(MessageOf(key.status()));
}

// The same key from everywhere it can be.
TEST_CASE("Secrets come from files, descriptors, variables and commands", "[key_source]") {
  const std::string text = std::string(kHexKey) + "\n";
  REQUIRE_OK(WriteFileAtomically("a.key", text));
  CHECK(ReadText(SecretFile{"a.key"}) == text);
  const Descriptor fd(open("a.key", O_RDONLY | O_CLOEXEC));
  CHECK(ReadText(SecretDescriptor{fd.get()}) == text);
  CHECK(ReadText(SecretVariable{.name = "KEY", .value = kHexKey}) == kHexKey);
  CHECK(ReadText(HelperCommand{.arguments = {"cat", "a.key"}}) == text);
}

// A pipe is read to its end.
TEST_CASE("A secret comes through a pipe", "[key_source]") {
  std::array<int, 2> ends{};
  REQUIRE(pipe(ends.data()) == 0);
  const Descriptor from(ends[0]);
  Descriptor to(ends[1]);
  REQUIRE(write(to.get(), "secret", 6) == 6);
  to.Close();
  CHECK(ReadText(SecretDescriptor{from.get()}) == "secret");
}

// What cannot be read names its place.
TEST_CASE("Missing secrets say where they were looked for", "[key_source]") {
  CHECK(ReadText(SecretFile{"no.key"}) == "error: key file 'no.key': no such file");
  CHECK_THAT(ReadText(SecretFile{"."}), Contains("key file '.': cannot be read"));
  CHECK_THAT(ReadText(SecretDescriptor{999}), Contains("key descriptor 999: cannot be read"));
  CHECK(ReadText(SecretVariable{.name = "KEY", .value = nullptr}) ==
        "error: key variable 'KEY': the variable is not set");
  CHECK(ReadText(SecretVariable{.name = "KEY", .value = ""}) ==
        "error: key variable 'KEY': empty, expected a key");
  REQUIRE_OK(WriteFileAtomically("long.key", std::string(70'000, 'x')));
  CHECK_THAT(ReadText(SecretFile{"long.key"}), Contains("more than 65536 bytes"));
}

// A helper that fails is quoted, and nothing of what it printed is taken for a key.
TEST_CASE("A helper command that fails", "[key_source]") {
  CHECK_THAT(ReadText(HelperCommand{.arguments = {"/no/such/program"}}),
             Contains("key command '/no/such/program': cannot be started: No such file"));
  CHECK_THAT(ReadText(Shell("echo half a key; echo 'vault is sealed' >&2; exit 3")),
             Contains("exit code 3: vault is sealed"));
  CHECK_THAT(ReadText(Shell("exit 1")), Contains("exit code 1: it gave no reason"));
  CHECK_THAT(ReadText(Shell("kill -9 $$")), Contains("ended by signal 9"));
  CHECK_THAT(ReadText(Shell("true")), Contains("empty, expected a key"));
  CHECK_THAT(ReadText(Shell("head -c 100000 /dev/zero")), Contains("more than 65536 bytes"));
  CHECK_THAT(ReadText(HelperCommand{}), Contains("expected a program"));
}

// A helper that hangs is ended with all that it started.
TEST_CASE("A helper command that hangs", "[key_source]") {
  CHECK_THAT(ReadText(Shell("echo waiting for a token >&2; sleep 1000", milliseconds(100))),
             Contains("no key after 100 ms, so it was ended: waiting for a token"));
}

// A helper that leaves a process behind, which holds its output open, is over when it ends itself.
TEST_CASE("A helper command that leaves something behind", "[key_source]") {
  CHECK(ReadText(Shell("sleep 5 & echo key")) == "key\n");
}

// Sockets and files of a daemon are not its helper's.
TEST_CASE("A helper command has no descriptor of ours", "[key_source]") {
  const Descriptor ours(fcntl(STDIN_FILENO, F_DUPFD, 50));  // Not closed on exec.
  REQUIRE(ours.get() >= 50);
  CHECK(ReadText(Shell(fmt::format("test -e /dev/fd/{} || echo closed", ours.get()))) ==
        "closed\n");
}

// No shell reads the arguments, and nobody answers a question on standard input.
TEST_CASE("A helper command has its arguments as they are, and no input", "[key_source]") {
  CHECK(ReadText(HelperCommand{.arguments = {"echo", "$HOME;", "a  b"}}) == "$HOME; a  b\n");
  CHECK(ReadText(Shell("cat; echo end")) == "end\n");
}

// 32 bytes in any of three spellings are the same key, with the same name.
TEST_CASE("A key is read from bytes, digits and base64", "[key_source]") {
  std::string bytes;
  for (char c = 0; c < 32; ++c) {
    bytes += c;
  }
  constexpr char kBase64[] = "AAECAwQFBgcICQoLDA0ODxAREhMUFRYXGBkaGxwdHh8=";
  for (const std::string& text :
       {bytes, std::string(kHexKey), std::string(kHexKey) + "\n", std::string(kHexKey) + "\r\n",
        std::string(kBase64), std::string(kBase64) + "\n"}) {
    const SymmetricKey key = VALUE(SymmetricKey::FromText(Secret(text), "", "here"));
    CHECK(std::ranges::equal(key.bytes(), BytesOf(bytes)));
    CHECK(key.id() == "cf103069112ba561");
  }
  CHECK(VALUE(SymmetricKey::FromText(Secret(kHexKey), "site-7", "here")).id() == "site-7");
}

// What is no key is refused by its length, and never shown.
TEST_CASE("What is no key is refused", "[key_source]") {
  CHECK_THAT(KeyError("password"), Contains("here: 8 bytes that are no key, expected 32 bytes") &&
                                       Contains("openssl rand -hex 32") && !Contains("password"));
  std::string hex = kHexKey;
  hex[7] = 'g';
  CHECK_THAT(KeyError(hex), Contains("64 bytes that are no key"));
  CHECK_THAT(KeyError(std::string(44, '=')), Contains("44 bytes that are no key"));
  CHECK_THAT(KeyError(std::string(44, 'A')), Contains("44 bytes that are no key"));
  CHECK_THAT(KeyError(kHexKey, "a b"), Contains("key id 'a b', expected 1 to 64 letters"));
  CHECK_THAT(KeyError(kHexKey, std::string(65, 'a')), Contains("expected 1 to 64 letters"));
}

}  // namespace
}  // namespace omserve::sealed
