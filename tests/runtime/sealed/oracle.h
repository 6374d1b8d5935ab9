// SPDX-License-Identifier: Apache-2.0
// A second reader of sealed files, written from docs/sealed-format.md and nothing of ours.
#pragma once

#include <openssl/evp.h>
#include <openssl/hmac.h>
#include <openssl/kdf.h>

#include <algorithm>
#include <array>
#include <catch2/catch.hpp>
#include <cstdint>
#include <string>

namespace omserve::sealed::oracle {

inline const unsigned char* Raw(const std::string& text) {
  return reinterpret_cast<const unsigned char*>(text.data());
}
inline unsigned char* Raw(std::string& text) {
  return reinterpret_cast<unsigned char*>(text.data());
}

inline uint64_t Number(const std::string& file, size_t at, size_t size) {
  uint64_t number = 0;
  for (size_t i = 0; i < size; ++i) {
    number = number << 8U | static_cast<unsigned char>(file[at + i]);
  }
  return number;
}

inline std::string KeySection(const std::string& file) {
  return file.substr(100, Number(file, 96, 4));
}

// HKDF-SHA256 by its definition: 96 bytes are three rounds.
inline std::string FileKeys(const std::string& file, const std::string& content_key) {
  const auto hmac = [](const std::string& key, const std::string& text) {
    std::string mac(32, '\0');
    REQUIRE(HMAC(EVP_sha256(), key.data(), static_cast<int>(key.size()), Raw(text), text.size(),
                 Raw(mac), nullptr) != nullptr);
    return mac;
  };
  const std::string extracted = hmac(file.substr(32, 32), content_key);
  std::string keys;
  std::string round;
  for (char i = 1; i <= 3; ++i) {
    round += "omserve sealed 1";
    round += i;
    round = hmac(extracted, round);
    keys += round;
  }
  return keys;
}

inline std::string Mac(const std::string& key, const std::string& text) {
  std::string mac(32, '\0');
  HMAC(EVP_sha256(), key.data(), static_cast<int>(key.size()), Raw(text), text.size(), Raw(mac),
       nullptr);
  return mac;
}

// The plain text; fails the test where a MAC or a tag does not fit.
inline std::string Decrypt(const std::string& file, const std::string& content_key) {
  const std::string keys = FileKeys(file, content_key);
  const std::string header = file.substr(0, 64);
  const size_t section = Number(file, 96, 4);
  CHECK(file.substr(64, 32) == Mac(keys.substr(32, 32), header));
  CHECK(file.substr(100 + section, 32) == Mac(keys.substr(64, 32), file.substr(96, 4 + section)));
  const uint64_t chunk_bytes = Number(file, 16, 4);
  const uint64_t plain_bytes = Number(file, 24, 8);
  std::string plain;
  size_t at = 100 + section + 32;
  for (uint32_t chunk = 0; at < file.size(); ++chunk) {
    const size_t size = std::min<uint64_t>(chunk_bytes, plain_bytes - plain.size());
    std::string text(size, '\0');
    std::string tag = file.substr(at + size, 16);
    std::string nonce = file.substr(32, 7);
    for (unsigned shift = 32; shift > 0;) {
      shift -= 8;
      nonce += static_cast<char>(chunk >> shift);
    }
    nonce += static_cast<char>(plain.size() + size == plain_bytes ? 1 : 0);
    EVP_CIPHER_CTX* const context = EVP_CIPHER_CTX_new();
    int done = 0;
    EVP_DecryptInit_ex(context, EVP_aes_256_gcm(), nullptr, Raw(keys), Raw(nonce));
    EVP_DecryptUpdate(context, nullptr, &done, Raw(header), 64);
    EVP_DecryptUpdate(context, Raw(text), &done, Raw(file) + at, static_cast<int>(size));
    EVP_CIPHER_CTX_ctrl(context, EVP_CTRL_AEAD_SET_TAG, 16, tag.data());
    std::array<unsigned char, 16> rest{};
    CHECK(EVP_DecryptFinal_ex(context, rest.data(), &done) == 1);
    EVP_CIPHER_CTX_free(context);
    plain += text;
    at += size + 16;
  }
  CHECK(plain.size() == plain_bytes);
  return plain;
}

// `file` with another key section, whose MAC is made with the content key.
inline std::string WithKeySection(const std::string& file, const std::string& section,
                                  const std::string& content_key) {
  std::string counted;
  for (unsigned shift = 32; shift > 0;) {
    shift -= 8;
    counted += static_cast<char>(section.size() >> shift);
  }
  counted += section;
  return file.substr(0, 96) + counted + Mac(FileKeys(file, content_key).substr(64, 32), counted) +
         file.substr(100 + Number(file, 96, 4) + 32);
}

}  // namespace omserve::sealed::oracle
