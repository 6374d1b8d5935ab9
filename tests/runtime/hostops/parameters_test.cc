// SPDX-License-Identifier: Apache-2.0
#include "runtime/hostops/parameters.h"

#include <array>
#include <catch2/catch.hpp>
#include <filesystem>

#include "runtime/base/file.h"
#include "tests/runtime/hostops/host_op_test_util.h"

namespace omserve::hostops {
namespace {

using Catch::Matchers::Contains;

constexpr std::array<std::string_view, 2> kKnown = {"value", "file"};

// A configuration with one parameter, alive as long as its reader.
struct Reader {
  explicit Reader(ParameterMap parameters, std::string folder = "model")
      : config{"test_op", std::move(parameters), std::move(folder)} {}
  Parameters Get() const { return VALUE(Parameters::Make(config, kKnown)); }

  HostOpConfig config;
};

template <typename Read>
std::string ReadError(const std::string& value, Read read) {
  const Reader reader(ParameterMap{{"value", value}});
  return ErrorOf(read(reader.Get()).status());
}

// A slip is answered with the nearest name, a far-off name with the list alone.
TEST_CASE("Unknown parameters are refused") {
  const auto error = [](const std::string& name) {
    const HostOpConfig config{"test_op", {{name, "1"}}, "model"};
    return ErrorOf(Parameters::Make(config, kKnown).status());
  };
  CHECK_THAT(error("vlaue"),
             Contains("host op 'test_op': unknown parameter 'vlaue', did you mean 'value'? Known "
                      "are value, file"));
  CHECK_THAT(error("elephant"), Contains("'elephant'; known are value, file"));
  CHECK_THAT(error(std::string(1 << 20, 'v')), Contains("known are value, file"));
}

// Distance counts letters inserted, dropped, replaced and swapped.
TEST_CASE("The nearest name is found") {
  const std::array<std::string_view, 3> names = {"width", "height", "mean"};
  CHECK(NearestName("widht", names) == "width");
  CHECK(NearestName("heigth", names) == "height");
  CHECK(NearestName("means", names) == "mean");
  CHECK(NearestName("lables", std::array<std::string_view, 2>{"label", "labels"}) == "labels");
  CHECK(NearestName("std", names).empty());
  CHECK(NearestName("width", {}).empty());
}

// Whole numbers are read to the last character and within their bounds.
TEST_CASE("Integers are read exactly") {
  const Reader reader(ParameterMap{{"value", "-12"}});
  CHECK(VALUE(reader.Get().Integer("value", -12, 5)) == -12);
  CHECK(VALUE(reader.Get().Integer("file", 1, 5, 3)) == 3);
  for (const char* wrong :
       {"", "x", "1x", "1.0", " 1", "+1", "0x1", "6", "-13", "99999999999999999999"}) {
    CAPTURE(wrong);
    CHECK_THAT(ReadError(wrong, [](const Parameters& p) { return p.Integer("value", -12, 5); }),
               Contains("'value' is '" + std::string(wrong) + "'") && Contains("from -12 to 5"));
  }
}

// One number stands for all; otherwise there are exactly as many as asked for.
TEST_CASE("Lists of numbers are read exactly") {
  const auto read = [](const std::string& value) {
    const Reader reader(ParameterMap{{"value", value}});
    return VALUE(reader.Get().Numbers("value", 3, 9));
  };
  CHECK(read("0.5") == std::vector<double>(3, 0.5));
  CHECK(read("1, -2e1 ,0.25") == std::vector<double>{1, -20, 0.25});
  CHECK(VALUE(Reader(ParameterMap{}).Get().Numbers("value", 2, 9)) == std::vector<double>{9, 9});
  for (const char* wrong : {"", ",", "1,", "1,2", "1,2,3,4", "1;2;3", "inf", "1,nan,3", "1e999"}) {
    CAPTURE(wrong);
    CHECK_THAT(ReadError(wrong, [](const Parameters& p) { return p.Numbers("value", 3, 9); }),
               Contains("1 or 3 numbers"));
  }
}

// Words, flags and choices take what they say and their defaults.
TEST_CASE("Words, flags and choices are read exactly") {
  const std::array<std::string_view, 2> choices = {"fast", "exact"};
  const Reader absent(ParameterMap{});
  CHECK(VALUE(absent.Get().Word("value", "name")) == "name");
  CHECK(VALUE(absent.Get().Flag("value", true)));
  CHECK(VALUE(absent.Get().Choice("value", choices)) == "fast");
  const Reader exact(ParameterMap{{"value", "exact"}});
  CHECK(VALUE(exact.Get().Choice("value", choices)) == "exact");
  CHECK_FALSE(VALUE(Reader(ParameterMap{{"value", "false"}}).Get().Flag("value", true)));
  CHECK_THAT(ReadError("", [](const Parameters& p) { return p.Word("value", "x"); }),
             Contains("not empty"));
  CHECK_THAT(ReadError("True", [](const Parameters& p) { return p.Flag("value", true); }),
             Contains("expected true or false"));
  CHECK_THAT(ReadError("slow", [&](const Parameters& p) { return p.Choice("value", choices); }),
             Contains("expected one of fast, exact"));
}

// The folder of a model with a file, a folder in it, and links inside and out of it.
void MakeModelFolder() {
  std::filesystem::remove_all("model");
  std::filesystem::remove_all("model-other");
  std::filesystem::create_directories("model/inner");
  std::filesystem::create_directories("model-other");
  REQUIRE_OK(WriteFileAtomically("model/words.json", "[]"));
  REQUIRE_OK(WriteFileAtomically("model-other/secret.json", "[]"));
  std::filesystem::create_symlink("../words.json", "model/inner/link.json");
  std::filesystem::create_symlink("../model-other/secret.json", "model/leak.json");
  std::filesystem::create_directory_symlink("../model-other", "model/leaks");
  std::filesystem::create_symlink("round.json", "model/round.json");
}

absl::StatusOr<std::string> FileOf(const std::string& name, const std::string& folder = "model") {
  const Reader reader(ParameterMap{{"file", name}}, folder);
  return reader.Get().File("file");
}

// Files of the folder are found, through links that stay inside too, and when the folder itself is
// reached by a link, as in a mounted configuration.
TEST_CASE("Files inside the model's folder are found") {
  MakeModelFolder();
  const std::string expected = std::filesystem::canonical("model/words.json").string();
  CHECK(VALUE(FileOf("words.json")) == expected);
  CHECK(VALUE(FileOf("./words.json")) == expected);
  CHECK(VALUE(FileOf("inner/link.json")) == expected);
  std::filesystem::remove("model-link");
  std::filesystem::create_directory_symlink("model", "model-link");
  CHECK(VALUE(FileOf("words.json", "model-link/")) == expected);
}

// No name leads out of the folder: not an absolute one, not by "..", and not by a link.
TEST_CASE("Files outside the model's folder are refused") {
  MakeModelFolder();
  const std::string absolute = std::filesystem::absolute("model/words.json").string();
  for (const std::string& name :
       {absolute, std::string("../model-other/secret.json"), std::string("inner/../words.json"),
        std::string(".."), std::string(), std::string("words.json\0x", 12)}) {
    CAPTURE(name);
    CHECK_THAT(ErrorOf(FileOf(name).status()), Contains("parameter 'file' is"));
  }
  CHECK_THAT(ErrorOf(FileOf("leak.json").status()), Contains("symbolic link leads out"));
  CHECK_THAT(ErrorOf(FileOf("leaks/secret.json").status()), Contains("symbolic link leads out"));
  CHECK_THAT(ErrorOf(FileOf("round.json").status()), Contains("can be reached"));
  CHECK_THAT(ErrorOf(FileOf(".").status()), Contains("parameter 'file' is '.'"));
  CHECK_FALSE(FileOf("words.json", "").ok());
}

// Missing files and folders are not found, and both are named.
TEST_CASE("Missing files are not found") {
  MakeModelFolder();
  const absl::Status file = FileOf("none.json").status();
  CHECK(file.code() == absl::StatusCode::kNotFound);
  CHECK_THAT(std::string(MessageOf(file)), Contains("'none.json'") && Contains("'model'"));
  const absl::Status folder = FileOf("words.json", "no-model").status();
  CHECK(folder.code() == absl::StatusCode::kNotFound);
  CHECK_THAT(std::string(MessageOf(folder)), Contains("'no-model'"));
}

}  // namespace
}  // namespace omserve::hostops
