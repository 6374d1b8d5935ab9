// SPDX-License-Identifier: Apache-2.0
// Drives a libFuzzer entry point without libFuzzer: `NAME RUNS CORPUS_FOLDER [SEED]` feeds every
// file of the corpus, then RUNS seeded mutations of them. Prints the seed.
#include <algorithm>
#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <iterator>
#include <random>
#include <string>
#include <vector>

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size);

namespace {

using Bytes = std::vector<uint8_t>;

std::vector<Bytes> ReadCorpus(const std::filesystem::path& folder) {
  std::vector<std::filesystem::path> paths;
  for (const auto& entry : std::filesystem::directory_iterator(folder)) {
    if (entry.is_regular_file()) {
      paths.push_back(entry.path());
    }
  }
  std::sort(paths.begin(), paths.end());
  std::vector<Bytes> corpus;
  for (const auto& path : paths) {
    std::ifstream file(path, std::ios::binary);
    corpus.emplace_back(std::istreambuf_iterator<char>(file), std::istreambuf_iterator<char>());
  }
  return corpus;
}

// One to eight edits: flip a bit, set a byte or a word to an interesting value, cut, repeat.
void Mutate(Bytes& bytes, std::mt19937_64& random) {
  constexpr uint64_t kInteresting[] = {
      0, 1, 0x7f, 0x80, 0xff, 0x7fffffff, 0xffffffff, 0x7fffffffffffffff, 0xffffffffffffffff};
  const uint64_t edits = 1 + random() % 8;
  for (uint64_t i = 0; i < edits && !bytes.empty(); ++i) {
    const size_t at = random() % bytes.size();
    switch (random() % 5) {
      case 0:
        bytes[at] = static_cast<uint8_t>(bytes[at] ^ (1U << (random() % 8)));
        break;
      case 1:
        bytes[at] = static_cast<uint8_t>(random());
        break;
      case 2: {
        const uint64_t value = kInteresting[random() % std::size(kInteresting)];
        const size_t width = size_t{1} << (random() % 4);
        for (size_t k = 0; k < width && at + k < bytes.size(); ++k) {
          bytes[at + k] = static_cast<uint8_t>(value >> (8 * k));
        }
        break;
      }
      case 3:
        bytes.resize(at);
        break;
      default: {
        const size_t length = std::min<size_t>(bytes.size() - at, 1 + random() % 64);
        const Bytes piece(bytes.begin() + static_cast<std::ptrdiff_t>(at),
                          bytes.begin() + static_cast<std::ptrdiff_t>(at + length));
        bytes.insert(bytes.begin() + static_cast<std::ptrdiff_t>(at), piece.begin(), piece.end());
        break;
      }
    }
  }
}

}  // namespace

int main(int argc, char** argv) {
  if (argc < 3) {
    std::fprintf(stderr, "usage: %s RUNS CORPUS_FOLDER [SEED]\n", argv[0]);
    return 2;
  }
  const uint64_t runs = std::strtoull(argv[1], nullptr, 10);
  const std::vector<Bytes> corpus = ReadCorpus(argv[2]);
  const uint64_t seed = argc > 3 ? std::strtoull(argv[3], nullptr, 10) : 20261122;
  std::mt19937_64 random(seed);
  for (const Bytes& bytes : corpus) {
    LLVMFuzzerTestOneInput(bytes.data(), bytes.size());
  }
  for (uint64_t i = 0; i < runs && !corpus.empty(); ++i) {
    Bytes bytes = corpus[random() % corpus.size()];
    Mutate(bytes, random);
    LLVMFuzzerTestOneInput(bytes.data(), bytes.size());
  }
  std::printf("seed %llu: %zu files and %llu mutations\n", static_cast<unsigned long long>(seed),
              corpus.size(), static_cast<unsigned long long>(corpus.empty() ? 0 : runs));
  return corpus.empty() ? 1 : 0;
}
