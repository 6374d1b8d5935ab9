// SPDX-License-Identifier: Apache-2.0
// Bytes as a sealed file: its header, its key section, and what opening it with the vectors' keys
// gives. The MACs stop most mutations, so the bytes are tried once more as what stands behind them:
// with the MACs made right, as who holds the content key could, and as a bare key section.
#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "runtime/base/check.h"
#include "runtime/sealed/file_keys.h"
#include "runtime/sealed/key_section.h"
#include "runtime/sealed/sealed_file.h"
#include "tools/omc/inspect.h"

namespace omserve::sealed {
namespace {

using Bytes = std::span<const std::byte>;

// Buffers are as large as a header says, which a machine need not have.
constexpr uint64_t kMostPlainBytes = uint64_t{16} << 20U;

// Of tests/runtime/sealed/vectors/keys.txt.
constexpr std::string_view kSharedKey =
    "000102030405060708090a0b0c0d0e0f101112131415161718191a1b1c1d1e1f";
constexpr std::string_view kPrivateKey =
    "-----BEGIN PRIVATE KEY-----\n"
    "MIGHAgEAMBMGByqGSM49AgEGCCqGSM49AwEHBG0wawIBAQQgmf2qhu31/tA5v995\n"
    "OhJoFxyZpL/82cOF2KU37lKQDQShRANCAARxKykvNgIzzZQeOn0bGI6qtPusY/RC\n"
    "da02h6K9F6bU6A/kD4uYkHp6NjXph6tOy/nXmTCNQ48xy1d1q2oSxCB+\n"
    "-----END PRIVATE KEY-----\n";

SecretBytes Secret(std::string_view text) {
  return SecretBytes::CopyOf(std::as_bytes(std::span(text))).value();
}

const KeyRing& Ring() {
  static const KeyRing* const ring = [] {
    auto* const made = new KeyRing;  // For good: the fuzzer ends without destructors.
    OMSERVE_CHECK(made->AddPrivateKey(Secret(kPrivateKey), "vectors").ok(), "a key of the vectors");
    for (const char* id : {"", "site-7"}) {
      absl::StatusOr<SymmetricKey> key = SymmetricKey::FromText(Secret(kSharedKey), id, "vectors");
      OMSERVE_CHECK(key.ok() && made->AddSymmetricKey(*std::move(key)).ok(), "a shared key");
    }
    return made;
  }();
  return *ring;
}

absl::Status LookAt(IncomingFile& raw, Bytes file) {
  std::vector<std::byte> seen;
  OMSERVE_CHECK(
      LookThrough(raw, 0, raw.size(), 1000,
                  [&](Bytes piece) { seen.insert(seen.end(), piece.begin(), piece.end()); }),
      "all of it comes");
  OMSERVE_CHECK(std::ranges::equal(seen, file), "what stands there");
  return absl::OkStatus();
}

void TryDecrypt(Bytes file) {
  const absl::StatusOr<SealedFile> sealed = SealedFile::Open(file, Ring());
  if (!sealed.ok()) {
    OMSERVE_CHECK(!sealed.status().message().empty(), "every refusal says why");
    return;
  }
  OMSERVE_CHECK(sealed->header().file_bytes() == file.size(), "a file has the size it says");
  if (sealed->plain_bytes() > kMostPlainBytes) {
    return;
  }
  std::vector<std::byte> plain(sealed->plain_bytes(), std::byte{1});
  const absl::Status status = sealed->Decrypt(plain, {.threads = 0});
  OMSERVE_CHECK(
      status.ok() || std::ranges::all_of(plain, [](std::byte b) { return b == std::byte{}; }),
      "a failure gives nothing out");
  // Who checks the file sees it as it is, and changes nothing.
  std::vector<std::byte> again(sealed->plain_bytes(), std::byte{1});
  const absl::Status checked = sealed->Decrypt(
      again, {.threads = 1, .check = [file](IncomingFile& raw) { return LookAt(raw, file); }});
  OMSERVE_CHECK(checked == status && again == plain, "checked or not, it is the same");
}

void TryMended(Bytes file) {
  absl::StatusOr<Header> header = Header::Parse(file);
  if (!header.ok()) {
    return;
  }
  const absl::StatusOr<SecretBytes> content_key = UnwrapContentKey(header->key_section, Ring());
  if (!content_key.ok()) {
    return;
  }
  const FileKeys keys = FileKeys::Derive(content_key->bytes(), header->file_id).value();
  header->mac = keys.HeaderMac(*header).value();
  header->key_section_mac = keys.KeySectionMac(*header).value();
  std::vector<std::byte> mended = header->Encode();
  OMSERVE_CHECK(mended.size() <= file.size(), "a header is no longer than what it was read from");
  mended.insert(mended.end(), file.begin() + static_cast<std::ptrdiff_t>(mended.size()),
                file.end());
  TryDecrypt(mended);
}

}  // namespace
}  // namespace omserve::sealed

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  const std::span<const std::byte> bytes = std::as_bytes(std::span(data, size));
  omserve::sealed::TryDecrypt(bytes);
  omserve::sealed::TryMended(bytes);
  const auto recipients = omserve::sealed::DescribeKeySection(bytes);
  const auto content_key = omserve::sealed::UnwrapContentKey(bytes, omserve::sealed::Ring());
  OMSERVE_CHECK(recipients.ok() || !content_key.ok(), "what opens can be described");
  if (omserve::sealed::IsSealed(bytes)) {
    const auto text = omserve::omc::Inspect(bytes, omserve::omc::InspectForm::kText);
    const auto json = omserve::omc::Inspect(bytes, omserve::omc::InspectForm::kJson);
    OMSERVE_CHECK(text.ok() == json.ok(), "both forms show the same files");
  }
  return 0;
}
