// SPDX-License-Identifier: Apache-2.0
#include "runtime/hostops/host_op.h"

#include <atomic>
#include <catch2/catch.hpp>
#include <thread>

#include "runtime/base/thread.h"
#include "tests/runtime/hostops/host_op_test_util.h"

namespace omserve::hostops {
namespace {

using Catch::Matchers::Contains;

// The names are sorted, and each is known to the factory: it complains of parameters, not of the
// name.
TEST_CASE("Every named host op exists") {
  const std::vector<std::string> names = HostOpNames();
  CHECK(names == std::vector<std::string>{"argmax_label", "at_least", "image_decode", "tokenize"});
  for (const std::string& name : names) {
    CHECK_THAT(MakeError(name, {}), Contains("host op '" + name + "': parameter"));
  }
}

// A name with a slip is answered with the nearest one, and any wrong one with all of them.
TEST_CASE("An unknown host op is refused") {
  CHECK_THAT(
      MakeError("tokenise", {}),
      Contains("unknown host op 'tokenise', did you mean 'tokenize'? Known are argmax_label, "
               "at_least, image_decode, tokenize"));
  CHECK_THAT(MakeError("", {}), Contains("unknown host op ''; known are"));
}

// Many threads run one op at once and all get the same answer.
TEST_CASE("A host op is run by many threads at once") {
  const auto op = VALUE(TryMake("tokenize", {{"vocab", "models/vocab.json"}, {"length", "8"}}));
  std::string text;
  REQUIRE_OK(AppendBytesElement("is the star red", &text));
  const std::vector<int64_t> expected = {1, 50, 62, 16, 5, 2, 0, 0};
  std::atomic<int> right{0};  // Counted by all threads, read after they are joined.
  {
    std::vector<std::jthread> threads;
    for (int t = 0; t < 4; ++t) {
      threads.push_back(StartThread("runner", [&] {
        for (int i = 0; i < 50; ++i) {
          std::vector<int64_t> ids(8);
          std::vector<int64_t> mask(8);
          const std::vector<HostInput> inputs = {{{1, 1}, std::as_bytes(std::span(text))}};
          std::vector<HostOutput> outputs = {{{1, 8}, std::as_writable_bytes(std::span(ids))},
                                             {{1, 8}, std::as_writable_bytes(std::span(mask))}};
          if (op->Run(1, inputs, outputs).ok() && ids == expected) {
            right.fetch_add(1);
          }
        }
      }));
    }
  }
  CHECK(right.load() == 200);
}

}  // namespace
}  // namespace omserve::hostops
