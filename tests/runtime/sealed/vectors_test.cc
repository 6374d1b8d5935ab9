// SPDX-License-Identifier: Apache-2.0
// Files that were sealed once and stand in vectors/ as they are: the format does not change
// unnoticed.
#include <catch2/catch.hpp>
#include <map>
#include <sstream>
#include <string>

#include "tests/runtime/sealed/oracle.h"
#include "tests/runtime/sealed/sealed_samples.h"

namespace omserve::sealed {
namespace {

std::string ReadVector(const std::string& name) {
  return VALUE(ReadFile(std::string(OMSERVE_SOURCE_DIR "/tests/runtime/sealed/vectors/") + name));
}

std::string FromHex(std::string_view hex) {
  std::string bytes;
  for (size_t i = 0; i + 1 < hex.size(); i += 2) {
    bytes += static_cast<char>(std::stoi(std::string(hex.substr(i, 2)), nullptr, 16));
  }
  return bytes;
}

// A name on each line, and its value in hexadecimal on the indented ones below.
std::map<std::string, std::string> Fields(const std::string& text) {
  std::map<std::string, std::string> fields;
  std::istringstream lines(text);
  std::string name;
  for (std::string line; std::getline(lines, line);) {
    if (line.starts_with("  ")) {
      fields[name] += FromHex(line.substr(2));
    } else if (!line.starts_with("#")) {
      name = line;
      fields[name] = "";
    }
  }
  return fields;
}

// The private key and the shared key of keys.txt.
KeyRing VectorRing(const std::string& shared_key_id) {
  KeyRing ring;
  REQUIRE_OK(ring.AddPrivateKey(Secret(ReadVector("keys.txt")), "vectors"));
  REQUIRE_OK(ring.AddSymmetricKey(SampleKey(shared_key_id)));
  return ring;
}

// Every vector opens with each of its keys, here and by the document.
TEST_CASE("Vectors of the format open", "[vectors]") {
  for (const char* name : {"empty.txt", "two_chunks.txt", "two_recipients.txt"}) {
    CAPTURE(name);
    const std::map<std::string, std::string> vector = Fields(ReadVector(name));
    const std::string& file = vector.at("file");
    const std::string& content_key = vector.at("content_key");
    CHECK(VALUE(OpenMemory(file, VectorRing(""))) == vector.at("plain"));
    CHECK(oracle::FileKeys(file, content_key) ==
          vector.at("chunk_key") + vector.at("header_mac_key") + vector.at("key_section_mac_key"));
    CHECK(oracle::Decrypt(file, content_key) == vector.at("plain"));
  }
  const std::map<std::string, std::string> two = Fields(ReadVector("two_recipients.txt"));
  CHECK(VALUE(OpenMemory(two.at("file"), VectorRing("site-7"))) == "model");
}

}  // namespace
}  // namespace omserve::sealed
