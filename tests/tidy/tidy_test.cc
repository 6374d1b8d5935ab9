// SPDX-License-Identifier: Apache-2.0
#include <catch2/catch.hpp>
#include <string>

#include "tests/tidy/rules.h"

namespace omserve::tidy {
namespace {

using Catch::Matchers::Contains;

constexpr char kHead[] = "// SPDX-License-Identifier: Apache-2.0\n";

// The findings about one line in an otherwise faultless file, as one text.
std::string Findings(const std::string& path, const std::string& line) {
  std::string text;
  for (const Finding& finding : CheckFile(path, kHead + line + "\n")) {
    text += std::to_string(finding.line) + ": " + finding.message + "\n";
  }
  return text;
}

// Code without fault has no findings.
TEST_CASE("Good code passes") {
  CHECK(Findings("scheduler/core.cc", "#include \"scheduler/core.h\"").empty());
  CHECK(Findings("scheduler/core.cc", "int x = 1;  // Throws nothing, catches nothing.").empty());
  CHECK(Findings("docs/notes.md", std::string(300, 'x')).empty());
}

// Each banned word is found in code, with its replacement.
TEST_CASE("Banned words are found in code") {
  const std::string bad[] = {"throw 1;",
                             "} catch (...) {",
                             "steady_clock::now()",
                             "std::this_thread::sleep_for(x);",
                             "std::getenv(\"X\")",
                             "thread.detach();",
                             "std::mutex mu;",
                             "absl::Mutex mu;",
                             "std::cout << 1;",
                             "std::condition_variable cv;"};
  for (const std::string& line : bad) {
    CAPTURE(line);
    CHECK_THAT(Findings("server/core/core.cc", line), Contains("2: ") && Contains("not used here"));
  }
}

// Longer words, comments and literals are not code that uses the word.
TEST_CASE("Words in comments, literals and other words are no findings") {
  const std::string good[] = {"throws();",
                              "rethrow x;",
                              "// throw",
                              "/* std::mutex */",
                              "f(\"throw std::mutex\");",
                              "g(R\"x(throw)x\");",
                              "'\"'; // throw",
                              "int n = 1'000; // throw",
                              "catcher();",
                              "std::thread::id id;"};
  for (const std::string& line : good) {
    CAPTURE(line);
    CHECK(Findings("server/core/core.cc", line).empty());
  }
}

// After a comment or a literal, code is code again.
TEST_CASE("Code behind comments and literals is checked") {
  const std::string bad[] = {"/* a */ throw 1;", "f(\"\\\"\"); throw 1;",
                             "g(R\"x()\")x\"); throw 1;", "char c = '\"'; throw 1;"};
  for (const std::string& line : bad) {
    CAPTURE(line);
    CHECK_FALSE(Findings("server/core/core.cc", line).empty());
  }
}

// Blanking keeps each line where it was.
TEST_CASE("Blanking keeps lines") {
  CHECK(BlankCommentsAndLiterals("a /* b\nc */ d // e\n\"f\" g") == "a     \n     d     \n\" \" g");
}

// Files on the list may do what they are listed for, and nothing else.
TEST_CASE("Exceptions hold for their file and word") {
  CHECK(Findings("runtime/base/steady_clock.cc", "steady_clock::now()").empty());
  CHECK(Findings("tests/bench/core_bench.cc", "steady_clock::now()").empty());
  CHECK_FALSE(Findings("runtime/base/steady_clock.cc", "std::mutex mu;").empty());
}

// Protocol libraries stay in the folders of their protocols.
TEST_CASE("Third-party headers stay in their folders") {
  const std::string grpc = "#include <grpcpp/grpcpp.h>";
  CHECK(Findings("server/grpc/service.cc", grpc).empty());
  CHECK(Findings("tests/e2e/client.cc", grpc).empty());
  CHECK_THAT(Findings("server/core/core.cc", grpc), Contains("gRPC stays at the edge"));
  CHECK_THAT(Findings("scheduler/core.cc", "#include <boost/beast.hpp>"), Contains("HTTP"));
  CHECK_THAT(Findings("scheduler/core.cc", "#include <spdlog/spdlog.h>"), Contains("log.h"));
}

// Lower folders do not know higher ones, nor neighbours they must not know.
TEST_CASE("Includes go downwards") {
  const auto found = [](const std::string& path, const std::string& header) {
    return !Findings(path, "#include \"" + header + "\"").empty();
  };
  CHECK_FALSE(found("scheduler/core.cc", "runtime/base/tensor.h"));
  CHECK_FALSE(found("runtime/hostacl/stream.cc", "runtime/acl/acl_abi.h"));
  CHECK_FALSE(found("config/load.cc", "proto/omserve/server_config.pb.h"));
  CHECK_FALSE(found("server/grpc/service.cc", "server/core/core.h"));
  CHECK_FALSE(found("runtime/base/errors.cc", "absl/status/status.h"));
  CHECK(found("runtime/base/tensor.cc", "runtime/om/om_file.h"));
  CHECK(found("runtime/hostacl/stream.cc", "runtime/acl/device.h"));
  CHECK(found("runtime/registry/registry.cc", "scheduler/core.h"));
  CHECK(found("scheduler/core.cc", "proto/inference/grpc_service.pb.h"));
  CHECK(found("scheduler/core.cc", "config/options.h"));
  CHECK(found("server/core/core.cc", "server/grpc/service.h"));
  CHECK(found("server/http/service.cc", "server/grpc/service.h"));
  CHECK(found("server/main.cc", "runtime/hostacl/stream.h"));
  CHECK(found("server/core/core.cc", "core.h"));
  CHECK(found("server/core/core.cc", "../core/core.h"));
}

// The licence, the guard and the sizes of a file are checked.
TEST_CASE("The shape of a file is checked") {
  CHECK_THAT(CheckFile("a.cc", "int x;\n").at(0).message, Contains("SPDX"));
  CHECK(CheckFile("dev", "#!/bin/bash\n# SPDX-License-Identifier: Apache-2.0\n").empty());
  CHECK_THAT(CheckFile("a.h", kHead).at(0).message, Contains("#pragma once"));
  CHECK_THAT(Findings("a.cc", "// " + std::string(49, 'x') + " " + std::string(48, 'x')),
             Contains("101 columns"));
  CHECK(Findings("a.cc", "// " + std::string(49, 'x') + " " + std::string(47, 'x')).empty());
  CHECK(Findings("a.cc", "// " + std::string(120, 'x')).empty());
  CHECK_THAT(Findings("a.cc", "x; "), Contains("white space"));
  CHECK_THAT(Findings("a.cc", std::string(800, '\n')), Contains("split it"));
  CHECK_THAT(CheckFile("a.cc", std::string(kHead) + "int x;").at(0).message, Contains("last line"));
}

// Notes to oneself, places on a machine and stray characters are found in any text.
TEST_CASE("Text that should not be kept is found") {
  CHECK_THAT(Findings("a.cc", std::string("// TO") + "DO: later"), Contains("do it now"));
  CHECK_THAT(Findings("a.md", std::string("FIX") + "ME"), Contains("repair it now"));
  CHECK_THAT(Findings("a.md", std::string("see /ho") + "me/me"), Contains("machine's folder"));
  CHECK_THAT(Findings("a.yaml", std::string("url: https://pypi.") + "org/simple"),
             Contains("package host"));
  CHECK_THAT(Findings("a.cc", "// caf\xc3\xa9"), Contains("ASCII"));
  CHECK(Findings("a.md", "caf\xc3\xa9").empty());
  CHECK_THAT(Findings("a.md", "a \xc2\xa0 b"), Contains("invisible"));
  CHECK_THAT(Findings("a.md", "a\r"), Contains("control character"));
}

// Data and what builds made are left alone.
TEST_CASE("Only texts that people write are checked") {
  CHECK(IsChecked("scheduler/core.cc"));
  CHECK(IsChecked("README.md"));
  CHECK(IsChecked("deploy/Dockerfile"));
  CHECK(IsChecked("dev"));
  CHECK_FALSE(IsChecked("build/release/x.cc"));
  CHECK_FALSE(IsChecked("tools/demo/scenes/samples/samples.json"));
  CHECK_FALSE(IsChecked("tests/fuzz/corpus/image/rgb.png"));
  CHECK_FALSE(IsChecked("LICENSE"));
}

}  // namespace
}  // namespace omserve::tidy
