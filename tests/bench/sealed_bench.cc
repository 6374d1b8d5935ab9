// SPDX-License-Identifier: Apache-2.0
// A model file sealed and opened, beside what reading it in plain text takes, with and without a
// digest. The file is in the page cache, so these are the processor's figures: a disk that is
// slower than they are hides them.
#include <fcntl.h>
#include <fmt/format.h>
#include <openssl/evp.h>
#include <unistd.h>

#include <CLI/CLI.hpp>
#include <algorithm>
#include <chrono>
#include <cstdio>
#include <functional>
#include <string>
#include <vector>

#include "runtime/base/descriptor.h"
#include "runtime/base/errors.h"
#include "runtime/sealed/seal_file.h"
#include "runtime/sealed/sealed_file.h"
#include "tests/bench/bench_rows.h"

namespace omserve::bench {
namespace {

using Bytes = std::span<const std::byte>;

constexpr char kPlainFile[] = "sealed_bench.om";
constexpr char kSealedFile[] = "sealed_bench.sealed";
constexpr char kKey[] = "000102030405060708090a0b0c0d0e0f101112131415161718191a1b1c1d1e1f";
constexpr size_t kBlockBytes = size_t{1} << 20U;

class Sha256 final {
 public:
  Sha256() : context_(EVP_MD_CTX_new()) {
    EVP_DigestInit_ex(context_.get(), EVP_sha256(), nullptr);
  }
  void Add(Bytes bytes) { EVP_DigestUpdate(context_.get(), bytes.data(), bytes.size()); }

 private:
  std::unique_ptr<EVP_MD_CTX, sealed::FreeWith<&EVP_MD_CTX_free>> context_;
};

absl::StatusOr<sealed::SymmetricKey> Key() {
  ASSIGN_OR_RETURN(const sealed::SecretBytes text,
                   sealed::SecretBytes::CopyOf(std::as_bytes(std::span(kKey).first(64))));
  return sealed::SymmetricKey::FromText(text, "", "bench");
}

absl::Status Seal() {
  sealed::Recipients recipients;
  ASSIGN_OR_RETURN(sealed::SymmetricKey key, Key());
  RETURN_IF_ERROR(recipients.AddSymmetricKey(std::move(key)));
  return sealed::SealFile({.from = kPlainFile, .to = kSealedFile}, recipients).status();
}

absl::Status ReadPlain(size_t size_bytes, bool has_digest) {
  ASSIGN_OR_RETURN(sealed::SecretBytes to, sealed::SecretBytes::Allocate(size_bytes));
  const Descriptor fd(open(kPlainFile, O_RDONLY | O_CLOEXEC));
  Sha256 digest;
  for (size_t done = 0; done < size_bytes; done += kBlockBytes) {
    const auto block = to.bytes().subspan(done, std::min(kBlockBytes, size_bytes - done));
    if (read(fd.get(), block.data(), block.size()) != static_cast<ssize_t>(block.size())) {
      return Internal("{}: a short read", kPlainFile);
    }
    if (has_digest) {
      digest.Add(block);
    }
  }
  return absl::OkStatus();
}

absl::Status Open(unsigned threads, bool has_digest) {
  sealed::KeyRing ring;
  ASSIGN_OR_RETURN(sealed::SymmetricKey key, Key());
  RETURN_IF_ERROR(ring.AddSymmetricKey(std::move(key)));
  const Descriptor fd(open(kSealedFile, O_RDONLY | O_CLOEXEC));
  ASSIGN_OR_RETURN(const auto file, sealed::SealedFile::Open(fd.get(), ring));
  ASSIGN_OR_RETURN(sealed::SecretBytes to, sealed::SecretBytes::Allocate(file.plain_bytes()));
  Sha256 digest;
  sealed::DecryptOptions options{.threads = threads};
  if (has_digest) {
    options.check = [&digest](IncomingFile& raw) {
      LookThrough(raw, 0, raw.size(), kBlockBytes, [&](Bytes piece) { digest.Add(piece); });
      return absl::OkStatus();
    };
  }
  return file.Decrypt(to.bytes(), options);
}

struct Body {
  std::string name;
  std::string plain_name;  // Whose time is the plain file's for the same work; empty: none.
  std::function<absl::Status()> run;
  std::vector<double> seconds;
};

// In turns, so that what else the machine does meets all of them alike.
absl::Status Measure(std::vector<Body>& bodies, int rounds) {
  for (int round = 0; round < rounds; ++round) {
    for (Body& body : bodies) {
      const auto begin = std::chrono::steady_clock::now();
      RETURN_IF_ERROR(body.run());
      const std::chrono::duration<double> taken = std::chrono::steady_clock::now() - begin;
      body.seconds.push_back(taken.count());
    }
  }
  return absl::OkStatus();
}

Row RowOf(const Body& body, const std::vector<Body>& all, size_t size_bytes) {
  const double median = Median(body.seconds);
  Row row{.name = body.name,
          .figures = {{"ms", median * 1e3},
                      {"mb_per_s", static_cast<double>(size_bytes) / 1e6 / median}}};
  for (const Body& plain : all) {
    if (plain.name == body.plain_name) {
      row.figures.emplace_back("time_ratio", median / Median(plain.seconds));
    }
  }
  return row;
}

absl::Status WritePlain(size_t size_bytes) {
  const Descriptor fd(open(kPlainFile, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0644));
  std::vector<std::byte> block(kBlockBytes, std::byte{0x5a});
  for (size_t done = 0; done < size_bytes; done += kBlockBytes) {
    const size_t size = std::min(kBlockBytes, size_bytes - done);
    if (write(fd.get(), block.data(), size) != static_cast<ssize_t>(size)) {
      return Internal("{}: cannot be written", kPlainFile);
    }
  }
  return absl::OkStatus();
}

absl::StatusOr<std::vector<Row>> RunAll(size_t size_bytes, int rounds) {
  RETURN_IF_ERROR(WritePlain(size_bytes));
  std::vector<Body> bodies = {
      {.name = "seal", .run = [] { return Seal(); }},
      {.name = "read", .run = [=] { return ReadPlain(size_bytes, false); }},
      {.name = "read_sha256", .run = [=] { return ReadPlain(size_bytes, true); }}};
  for (const unsigned threads : {0U, 1U, 2U}) {
    bodies.push_back({.name = fmt::format("open/{}", threads), .plain_name = "read", .run = [=] {
                        return Open(threads, false);
                      }});
    bodies.push_back({.name = fmt::format("open_sha256/{}", threads),
                      .plain_name = "read_sha256",
                      .run = [=] { return Open(threads, true); }});
  }
  RETURN_IF_ERROR(Measure(bodies, rounds));
  std::vector<Row> rows;
  rows.reserve(bodies.size());
  for (const Body& body : bodies) {
    rows.push_back(RowOf(body, bodies, size_bytes));
  }
  std::remove(kPlainFile);
  std::remove(kSealedFile);
  return rows;
}

int Main(int argc, char** argv) {
  CLI::App app{"Sealed files, beside plain ones; open/N has N threads beside the one that reads."};
  size_t size_mib = 256;
  int rounds = 7;
  std::string format;
  app.add_option("--mib", size_mib, "Size of the file.");
  app.add_option("--rounds", rounds, "Times each is measured; the median counts.");
  app.add_option("--benchmark_format", format, "Taken as it comes: the output is always JSON.");
  CLI11_PARSE(app, argc, argv);
  const absl::StatusOr<std::vector<Row>> rows = RunAll(size_mib << 20U, rounds);
  if (!rows.ok()) {
    fmt::print(stderr, "sealed_bench: {}\n", MessageOf(rows.status()));
    return 1;
  }
  fmt::print("{}\n",
             ToJson(*rows, fmt::format("{} rounds of {} MiB in the page cache", rounds, size_mib)));
  return 0;
}

}  // namespace
}  // namespace omserve::bench

int main(int argc, char** argv) { return omserve::bench::Main(argc, argv); }
