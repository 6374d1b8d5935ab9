// SPDX-License-Identifier: Apache-2.0
#include "runtime/registry/folder_watch.h"

#include <atomic>
#include <catch2/catch.hpp>
#include <chrono>
#include <filesystem>
#include <fstream>
#include <memory>
#include <string>
#include <thread>

#include "runtime/base/file.h"
#include "tests/status_test_util.h"

namespace omserve::registry {
namespace {

namespace fs = std::filesystem;

template <typename Condition>
bool Becomes(const Condition& condition) {
  for (int i = 0; i < 2000; ++i) {
    if (condition()) {
      return true;
    }
    std::this_thread::sleep_for(std::chrono::milliseconds(5));
  }
  return false;
}

struct Watched {
  explicit Watched(const std::string& folder) : root(folder) {
    fs::remove_all(root);
    fs::create_directories(root + "/m/1");
    watch = VALUE(FolderWatch::Start({root}, [this] { ++changes; }));
  }
  // Whether what is done is told of.
  template <typename Action>
  bool Sees(const Action& action) {
    const int before = changes;
    action();
    return Becomes([&] { return changes > before; });
  }

  std::string root;
  std::atomic<int> changes{0};
  std::unique_ptr<FolderWatch> watch;
};

TEST_CASE("a folder's changes are seen, and those of new folders below") {
  Watched w("watch_all");
  CHECK(w.Sees([&] { REQUIRE_OK(WriteFileAtomically(w.root + "/m/1/model.om", "1")); }));
  CHECK(w.Sees([&] { fs::create_directories(w.root + "/m/2/deep"); }));
  CHECK(w.Sees([&] { REQUIRE_OK(WriteFileAtomically(w.root + "/m/2/deep/file", "2")); }));
  CHECK(w.Sees([&] { fs::rename(w.root + "/m/2", w.root + "/m/3"); }));
  CHECK(w.Sees([&] { REQUIRE_OK(WriteFileAtomically(w.root + "/m/3/deep/file", "3")); }));
  CHECK(w.Sees([&] { fs::remove_all(w.root + "/m/3"); }));
  fs::remove_all(w.root + "_elsewhere");
  fs::create_directories(w.root + "_elsewhere/1");
  CHECK(w.Sees([&] { fs::create_directory_symlink("../watch_all_elsewhere", w.root + "/link"); }));
  CHECK(w.Sees([&] { REQUIRE_OK(WriteFileAtomically(w.root + "_elsewhere/1/model.om", "4")); }));
}

// A file counts as being written from the first byte until it is closed, moved or removed.
TEST_CASE("a file that is being written is known") {
  Watched w("watch_written");
  const std::string file = w.root + "/m/1/model.om";
  const auto being_written = [&] { return w.watch->BeingWritten(w.root + "/m"); };
  CHECK(being_written().empty());
  {
    std::ofstream out(file);
    out << "half" << std::flush;
    CHECK(Becomes([&] { return being_written() == file; }));
    CHECK(w.watch->BeingWritten(w.root + "/m/1") == file);
    CHECK(w.watch->BeingWritten(w.root + "/m2").empty());
    CHECK(w.watch->BeingWritten(w.root + "/m/").empty());
  }
  CHECK(Becomes([&] { return being_written().empty(); }));
  std::ofstream out(file);
  out << "half" << std::flush;
  CHECK(Becomes([&] { return being_written() == file; }));
  fs::rename(w.root + "/m/1", w.root + "/m/2");
  CHECK(Becomes([&] { return being_written().empty(); }));
}

// What was begun before anybody watched is known too.
TEST_CASE("a file that was being written before is known") {
  fs::create_directories("watch_before/m/1");
  std::ofstream out("watch_before/m/1/model.om");
  out << "half" << std::flush;
  const auto watch = VALUE(FolderWatch::Start({"watch_before"}, [] {}));
  CHECK(watch->BeingWritten("watch_before/m") == "watch_before/m/1/model.om");
  out.close();
  CHECK(Becomes([&] { return watch->BeingWritten("watch_before/m").empty(); }));
}

TEST_CASE("a folder that is not there is not watched") {
  // It may come: that is seen by looking.
  CHECK(VALUE(FolderWatch::Start({"no such folder"}, [] {})) != nullptr);
}

}  // namespace
}  // namespace omserve::registry
