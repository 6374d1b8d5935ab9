// SPDX-License-Identifier: Apache-2.0
// A daemon that is killed before each step by which an operation changes files: what is found
// after a restart is what was there before the operation or after it, and never less than what was
// confirmed. Prints the table of crash points.
#include <fmt/format.h>

#include <catch2/catch.hpp>
#include <cstdio>
#include <cstdlib>
#include <filesystem>
#include <map>
#include <string>
#include <utility>
#include <vector>

#include "proto/omserve/control.grpc.pb.h"
#include "runtime/base/file.h"
#include "server/core/registry_state.h"
#include "tests/server/protocol/crash_tracer.h"
#include "tests/server/protocol/trust_room.h"
#include "tests/status_test_util.h"

namespace omserve::server {
namespace {

namespace fs = std::filesystem;
using Stub = ::omserve::ModelControl::Stub;
using Labels = std::map<std::string, int64_t>;
using Shares = std::map<std::string, int>;

template <typename Request, typename Response>
bool Ask(TestDaemon& daemon,
         grpc::Status (Stub::*method)(grpc::ClientContext*, const Request&, Response*),
         const Request& request) {
  Stub stub(daemon.client().channel);
  grpc::ClientContext context;
  Client::SetDeadline(context, std::chrono::seconds(30));
  Response response;
  return (stub.*method)(&context, request, &response).ok();
}

bool Label(TestDaemon& daemon, const Labels& labels) {
  SetLabelsRequest request;
  request.set_model_name("text");
  request.mutable_labels()->insert(labels.begin(), labels.end());
  return Ask(daemon, &Stub::SetLabels, request);
}

bool Traffic(TestDaemon& daemon, const Shares& shares) {
  SetTrafficRequest request;
  request.set_model_name("text");
  for (const auto& [label, percent] : shares) {
    TrafficShareConfig* share = request.add_shares();
    share->set_label(label);
    share->set_percent(percent);
  }
  return Ask(daemon, &Stub::SetTraffic, request);
}

bool RollBack(TestDaemon& daemon) {
  RollBackRequest request;
  request.set_model_name("text");
  return Ask(daemon, &Stub::RollBack, request);
}

bool SetEpochFloor(TestDaemon& daemon, uint64_t floor) {
  SetEpochFloorRequest request;
  request.set_model_name("text");
  request.set_floor(floor);
  return Ask(daemon, &Stub::SetEpochFloor, request);
}

bool LoadText(TestDaemon& daemon) {
  const grpc::Status loaded = Load(daemon.client(), "text");
  if (!loaded.ok()) {
    // Of a child, whose parent sees no more than that it failed.
    std::fprintf(stderr, "not loaded: %s\n", loaded.error_message().c_str());  // NOLINT
  }
  return loaded.ok();
}

struct RegistryChange {
  std::string name;
  std::string asks = "off";                   // For signatures.
  std::vector<std::string> load_models = {};  // At the start of the daemon that is killed.
  std::function<void(const TrustRoom&)> prepare = [](const TrustRoom&) {};
  std::function<bool(TestDaemon&)> before = [](TestDaemon&) { return true; };  // Confirmed.
  bool loads_second = false;  // Version 2, which comes in between.
  std::function<bool(TestDaemon&)> run;
  bool changes_state = false;
};

// Another version, not yet in its place.
void Bring(const TrustRoom& room, int version) {
  room.repository.AddModel("text", "text", "", "1,2", version);
}

void TwoVersions(const TrustRoom& room) { Bring(room, 2); }

// Where it is no part of what is signed.
std::string Aside(const TrustRoom& room) { return room.state_file() + ".2"; }

void PutSecondAside(const TrustRoom& room) {
  if (fs::exists(room.folder() + "/2")) {
    fs::rename(room.folder() + "/2", Aside(room));
  }
}

void PutSecondInPlace(const TrustRoom& room) {
  if (fs::exists(Aside(room))) {
    fs::rename(Aside(room), room.folder() + "/2");
  }
}

// Version 1 of epoch 4, and version 2 of epoch 5, which replaces it.
void TwoEpochs(const TrustRoom& room) {
  room.repository.Write("text/config.yaml", "name: text\n");
  Bring(room, 2);
  room.Sign(1, 4);
  room.Sign(2, 5);
  PutSecondAside(room);
}

std::vector<RegistryChange> AllChanges() {
  const auto labelled = [](TestDaemon& daemon) {
    return Label(daemon, {{"stable", 1}, {"canary", 2}}) &&
           Traffic(daemon, {{"stable", 50}, {"canary", 50}});
  };
  const auto moved = [=](TestDaemon& daemon) {
    return labelled(daemon) && Label(daemon, {{"stable", 2}});
  };
  return {
      {.name = "label move",
       .load_models = {"text"},
       .prepare = TwoVersions,
       .before = labelled,
       .run =
           [](TestDaemon& d) {
             return Label(d, {{"stable", 2}, {"canary", 1}});
           },
       .changes_state = true},
      {.name = "traffic change",
       .load_models = {"text"},
       .prepare = TwoVersions,
       .before = labelled,
       .run =
           [](TestDaemon& d) {
             return Traffic(d, {{"stable", 90}, {"canary", 10}});
           },
       .changes_state = true},
      {.name = "rollback",
       .load_models = {"text"},
       .prepare = TwoVersions,
       .before = moved,
       .run = RollBack,
       .changes_state = true},
      {.name = "epoch floor, by hand",
       .load_models = {"text"},
       .before = [](TestDaemon& d) { return SetEpochFloor(d, 3); },
       .run = [](TestDaemon& d) { return SetEpochFloor(d, 7); },
       .changes_state = true},
      {.name = "epoch floor, by a load",
       .asks = "require",
       .prepare = TwoEpochs,
       .before = LoadText,
       .loads_second = true,
       .run = LoadText,
       .changes_state = true},
      {.name = "load of a version",
       .prepare =
           [](const TrustRoom& room) {
             TwoVersions(room);
             PutSecondAside(room);
           },
       .before = LoadText,
       .loads_second = true,
       .run = LoadText},
      {.name = "load with its files",
       .before = LoadText,
       .run =
           [](TestDaemon& d) {
             return Load(d.client(), "text", "{}", {{"1/model.om", VALUE(ReadFile("brought.om"))}})
                 .ok();
           }},
      {.name = "sealed, signed load",
       .asks = "require",
       .prepare =
           [](const TrustRoom& room) {
             room.Seal();
             room.Sign(1, 6);
           },
       .run = LoadText,
       .changes_state = true},
      {.name = "unload",
       .before = LoadText,
       .run = [](TestDaemon& d) { return Unload(d.client(), "text").ok(); }},
  };
}

// A room, and what is done in it again and again.
class Scene final {
 public:
  explicit Scene(const RegistryChange& change) : change_(change) {
    plain_ = VALUE(ReadFile(room_.om()));
    REQUIRE_OK(WriteFileAtomically("brought.om", plain_));
    fs::create_directory(temporary());
    change_.prepare(room_);
    // What was confirmed before: in a child too, since threads are nothing to fork with.
    REQUIRE(RunInChild([this] {
              TestDaemon daemon(room_.repository, Settings(change_.load_models));
              return change_.before(daemon) ? "yes" : "no";
            }) == "yes");
    kept_ = fs::exists(room_.state_file()) ? VALUE(ReadFile(room_.state_file())) : "";
    Between();
  }

  std::vector<std::string> folders() const {
    return {fs::path(room_.state_file()).parent_path().string(), room_.repository.path()};
  }

  // The whole, up to the operation and through it.
  CrashWork Work() const {
    return [this](const Begin& begin) {
      if (change_.loads_second) {  // By the operation, not by what goes before it.
        PutSecondAside(room_);
      }
      TestDaemon daemon(room_.repository, Settings(change_.load_models));
      if (change_.load_models.empty() && !change_.before(daemon)) {
        return false;
      }
      Between();
      begin();
      return change_.run(daemon);
    };
  }

  // Everything as it was before the change.
  void Restore() const {
    if (kept_.empty()) {
      fs::remove(room_.state_file());
    } else {
      REQUIRE_OK(WriteFileAtomically(room_.state_file(), kept_));
    }
    fs::remove_all(temporary());
    fs::create_directory(temporary());
    Between();
  }

  // What a restart finds: what is kept, and what then serves. The restart may write the state.
  std::string Found() const {
    const std::string kept = FormatRecords(VALUE(RegistryState::Open(room_.state_file()))->All());
    return kept + RunInChild([this] {
             TestDaemon daemon(room_.repository, Settings({"text"}));
             std::string served;
             for (const auto& [key, line] : Index(daemon.client())) {
               served += key + " " + line + "\n";
             }
             inference::ModelInferRequest request = TextRequest("text", 1);
             inference::ModelInferResponse response;
             const grpc::Status answered = daemon.client().Infer(request, &response);
             return served + (answered.ok() ? "answers" : answered.error_message());
           });
  }

  // Every line of the audit log is whole.
  void CheckAudit() const {
    if (fs::exists(room_.audit_file())) {
      const std::string text = VALUE(ReadFile(room_.audit_file()));
      CHECK((text.empty() || text.back() == '\n'));
    }
  }

  // Files with a part of the model as it is when nobody has sealed it.
  std::vector<std::string> PlainFiles() const {
    const std::string part = plain_.substr(plain_.size() / 2, 64);
    std::vector<std::string> found;
    for (const std::string& folder : folders()) {
      for (const auto& entry : fs::recursive_directory_iterator(folder)) {
        if (entry.is_regular_file() &&
            VALUE(ReadFile(entry.path().string())).find(part) != std::string::npos) {
          found.push_back(entry.path().string());
        }
      }
    }
    return found;
  }

  // Drafts that nobody will put in place any more.
  size_t Drafts() const {
    size_t count = 0;
    for (const auto& entry : fs::directory_iterator(folders().front())) {
      count += entry.path().extension() == ".tmp" ? 1 : 0;
    }
    return count;
  }

 private:
  // What an operator does before the operation.
  void Between() const {
    if (change_.loads_second) {
      PutSecondInPlace(room_);
    }
  }

  std::string temporary() const { return folders().front() + "/tmp"; }

  std::function<void(ServerConfig&)> Settings(const std::vector<std::string>& load_models) const {
    return [this, load_models](ServerConfig& config) {
      setenv("TMPDIR", temporary().c_str(), 1);  // NOLINT: of a child before its threads.
      room_.Asking(change_.asks)(config);
      config.mutable_repository()->mutable_load_models()->Assign(load_models.begin(),
                                                                 load_models.end());
    };
  }

  const RegistryChange change_;
  const TrustRoom room_;
  std::string plain_;
  std::string kept_;  // The state file's text; empty: there is none.
};

struct Tally {
  size_t points = 0;
  size_t old = 0;
  size_t fresh = 0;  // After the change.
  std::vector<std::string> steps;
};

// One kill, and what is found then.
void Judge(const Scene& scene, const KilledRun& run, const std::string& before,
           const std::string& after, Tally& tally) {
  REQUIRE(run.failure.empty());
  const std::string found = scene.Found();
  INFO("found " << found << "\nbefore " << before << "\nafter " << after);
  CHECK((found == before || found == after));
  if (run.confirmed) {
    CHECK(found == after);
  }
  CHECK((!run.done || run.confirmed));
  scene.CheckAudit();
  ++tally.points;
  ++(found == after ? tally.fresh : tally.old);
}

void Print(const RegistryChange& change, const Tally& tally, size_t drafts) {
  fmt::print("{:<24} {:>3} points: {} as before, {} as after{}; {} drafts left\n", change.name,
             tally.points, tally.old, tally.fresh,
             change.changes_state ? "" : " (which are the same)", drafts);
  for (size_t i = 0; i < tally.steps.size(); ++i) {
    fmt::print("  {:>2} {}\n", i + 1, tally.steps[i]);
  }
  std::fflush(stdout);
}

void CheckEveryStep(const RegistryChange& change) {
  const Scene scene(change);
  const std::string before = scene.Found();
  scene.Restore();
  constexpr size_t kNever = 1000;
  const KilledRun whole = KillAtStep(scene.folders(), kNever, scene.Work());
  REQUIRE(whole.failure.empty());
  REQUIRE(whole.confirmed);
  const std::string after = scene.Found();
  CHECK((before != after) == change.changes_state);
  Tally tally{.steps = whole.steps};
  const bool is_sealed = scene.PlainFiles().empty();
  for (size_t at = 1;; ++at) {
    scene.Restore();
    const KilledRun run = KillAtStep(scene.folders(), at, scene.Work());
    INFO(change.name << ", killed before "
                     << (run.done || run.steps.empty() ? "nothing" : run.steps.back()));
    CHECK((!is_sealed || scene.PlainFiles().empty()));
    Judge(scene, run, before, after, tally);
    if (run.done) {
      break;
    }
  }
  CHECK(tally.points == whole.steps.size() + 1);
  CHECK(is_sealed == (change.name == "sealed, signed load"));
  Print(change, tally, scene.Drafts());
}

// Where nobody may trace: at times that are spread over what the operation takes.
void CheckSomeTimes(const RegistryChange& change) {
  const Scene scene(change);
  const std::string before = scene.Found();
  scene.Restore();
  constexpr int kLong = 20'000'000;
  REQUIRE(KillAfter(kLong, scene.Work()).confirmed);
  const std::string after = scene.Found();
  Tally tally;
  for (const int microseconds : {0, 200, 500, 1000, 2000, 5000, 20'000, kLong}) {
    scene.Restore();
    Judge(scene, KillAfter(microseconds, scene.Work()), before, after, tally);
  }
  Print(change, tally, scene.Drafts());
}

}  // namespace

TEST_CASE("Crashes: before every step of what changes a registry") {
  const bool traces = MayTrace();
  if (!traces) {
    WARN(
        "this machine lets no process trace its children (ptrace, seccomp): killed at times, not "
        "at steps");
  }
  for (const RegistryChange& change : AllChanges()) {
    DYNAMIC_SECTION(change.name) { traces ? CheckEveryStep(change) : CheckSomeTimes(change); }
  }
}

}  // namespace omserve::server
