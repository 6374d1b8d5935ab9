// SPDX-License-Identifier: Apache-2.0
#include "runtime/registry/folder_watch.h"

#include <poll.h>

#include <atomic>
#include <catch2/catch.hpp>
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
    poll(nullptr, 0, 5);
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
  fs::rename(w.root + "/m/1", w.root + "/m/2");  // The writer goes on.
  CHECK(Becomes([&] { return being_written() == w.root + "/m/2/model.om"; }));
  out.close();
  CHECK(Becomes([&] { return being_written().empty(); }));
}

// A file that is renamed over one that is being written, and one that is cut by its name, have no
// close that is told.
TEST_CASE("a file that is replaced is not being written") {
  Watched w("watch_replaced");
  const std::string file = w.root + "/m/1/model.om";
  std::ofstream out(file);
  out << "half" << std::flush;
  CHECK(Becomes([&] { return w.watch->BeingWritten(w.root + "/m") == file; }));
  REQUIRE_OK(WriteFileAtomically(file, "whole"));
  CHECK(Becomes([&] { return w.watch->BeingWritten(w.root + "/m").empty(); }));
  CHECK(w.Sees([&] { fs::resize_file(file, 2); }));
  CHECK(Becomes([&] { return w.watch->BeingWritten(w.root + "/m").empty(); }));
}

// Looking who writes takes a lease for an instant, which a writer that comes then breaks.
TEST_CASE("a writer that comes while it is looked for ends nobody") {
  Watched w("watch_lease");
  const std::string file = w.root + "/m/1/model.om";
  std::atomic<bool> ends{false};
  std::jthread writer([&] {
    while (!ends) {
      std::ofstream(file, std::ios::app) << "x";
    }
  });
  for (int i = 0; i < 20'000; ++i) {
    w.watch->BeingWritten(w.root);
  }
  ends = true;
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
