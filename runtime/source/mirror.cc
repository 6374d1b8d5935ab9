// SPDX-License-Identifier: Apache-2.0
#include "runtime/source/mirror.h"

#include <fcntl.h>
#include <sys/file.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <map>

#include "runtime/base/errno_text.h"
#include "runtime/base/errors.h"
#include "runtime/base/file.h"
#include "runtime/base/path_below.h"
#include "runtime/source/file_tree.h"

namespace omserve::source {
namespace {

constexpr size_t kNameDigits = 16;
constexpr mode_t kMode = 0644;
constexpr size_t kMostNoteBytes = size_t{64} << 10;

constexpr char kStaged[] = "/staged";
constexpr char kAside[] = "/aside";
constexpr char kAsidePath[] = "/aside.path";
constexpr char kBrought[] = "/brought";

// One for each source, so that two bring into one repository and know their own.
std::string StateFolder(const std::string& repository, const std::string& source) {
  return fmt::format("{}/.omserve-fetch/{}", repository,
                     HexOf(DigestOf(source)).substr(0, kNameDigits));
}

// The rest of the run would go the same way.
bool EndsRun(const absl::Status& status) {
  return status.code() == absl::StatusCode::kUnavailable ||
         status.code() == absl::StatusCode::kCancelled ||
         status.code() == absl::StatusCode::kResourceExhausted;
}

}  // namespace

Mirror::Mirror(Source& source, Options options, Clock& clock)
    : source_(source),
      options_(std::move(options)),
      state_folder_(StateFolder(options_.folder, source.name())),
      pace_(options_.max_bytes_per_second, clock),
      parts_({.folder = state_folder_ + "/parts",
              .max_file_bytes = options_.max_file_bytes,
              .progress = [this](const FetchProgress& progress) { Note(progress); }},
             pace_) {}

void Mirror::Note(const FetchProgress& progress) {
  fetched_bytes_ += progress.fetched_bytes;
  if (options_.progress) {
    options_.progress(progress);
  }
}

std::string Mirror::InRepository(const std::string& path) const {
  return fmt::format("{}/{}", options_.folder, path);
}

absl::Status Mirror::Before(std::string_view change) const {
  return options_.before_change ? options_.before_change(change) : absl::OkStatus();
}

absl::Status Mirror::Open() {
  RETURN_IF_ERROR(MakeFolder(state_folder_ + "/parts"));
  const std::string path = state_folder_ + "/lock";
  lock_ = Descriptor(open(path.c_str(), O_RDWR | O_CREAT | O_CLOEXEC, kMode));
  if (lock_.get() < 0) {
    return Internal("'{}': cannot be opened: {}", path, ErrnoText());
  }
  if (flock(lock_.get(), LOCK_EX | LOCK_NB) != 0) {
    return FailedPrecondition(
        "'{}' is locked: another process brings from the same source into the same folder; give "
        "each a folder of its own",
        path);
  }
  ASSIGN_OR_RETURN(Brought brought, Brought::Load(state_folder_ + kBrought));
  brought_ = std::make_unique<Brought>(std::move(brought));
  return absl::OkStatus();
}

absl::StatusOr<Descriptor> Mirror::TakeTurn() const {
  const std::string path = options_.folder + "/.omserve-fetch/lock";
  Descriptor turn(open(path.c_str(), O_RDWR | O_CREAT | O_CLOEXEC, kMode));
  if (turn.get() < 0) {
    return Internal("'{}': cannot be opened: {}", path, ErrnoText());
  }
  while (flock(turn.get(), LOCK_EX) != 0) {
    if (errno != EINTR) {
      return Internal("'{}': cannot be locked: {}", path, ErrnoText());
    }
  }
  return turn;
}

absl::Status Mirror::PutBackAside() {
  const std::string note = state_folder_ + kAsidePath;
  const absl::StatusOr<std::string> path = ReadFile(note, kMostNoteBytes);
  if (absl::IsNotFound(path.status())) {
    return absl::OkStatus();
  }
  RETURN_IF_ERROR(path.status());
  const std::string aside = state_folder_ + kAside;
  const std::string place = InRepository(*path);
  ASSIGN_OR_RETURN(const Descriptor turn, TakeTurn());
  ASSIGN_OR_RETURN(const PathState from, StateOf(aside));
  ASSIGN_OR_RETURN(const PathState to, StateOf(place));
  if (from.kind == PathKind::kFolder && to.kind == PathKind::kAbsent) {
    RETURN_IF_ERROR(MakeFolder(place.substr(0, place.rfind('/'))));
    RETURN_IF_ERROR(MoveTo(aside, place));
  }
  return RemoveAll(note);
}

absl::Status Mirror::TakeBackStaged(const std::stop_token& stop) {
  RETURN_IF_ERROR(PutBackAside());
  // Only what was checked was staged. Its digest is computed anew all the same.
  const std::string staged = state_folder_ + kStaged;
  ASSIGN_OR_RETURN(const PathState state, StateOf(staged));
  if (state.kind != PathKind::kAbsent) {
    ASSIGN_OR_RETURN(const std::vector<std::string> files, FilesBelow(staged));
    for (const std::string& file : files) {
      RETURN_IF_ERROR(
          parts_.Adopt(file.empty() ? staged : fmt::format("{}/{}", staged, file), stop));
    }
  }
  RETURN_IF_ERROR(RemoveAll(staged));
  return RemoveAll(state_folder_ + kAside);
}

absl::StatusOr<bool> Mirror::IsThere(const Unit& unit, const std::stop_token& stop) {
  for (const SourceFile& file : unit.files) {
    const std::string path = InRepository(file.path);
    ASSIGN_OR_RETURN(const PathState state, StateOf(path));
    if (state.kind != PathKind::kFile) {
      return false;
    }
    const std::vector<BroughtFile>& brought = brought_->Of(file.path);
    const bool is_known = std::any_of(brought.begin(), brought.end(), [&](const BroughtFile& one) {
      return one.identity == state.identity && one.digest == file.digest;
    });
    if (is_known) {
      continue;
    }
    ASSIGN_OR_RETURN(const Digest digest, digests_.Of(path, stop));
    if (digest != file.digest) {
      return false;
    }
  }
  return true;
}

absl::StatusOr<bool> Mirror::IsOurs(const std::string& path, const std::stop_token& stop) {
  ASSIGN_OR_RETURN(const PathState state, StateOf(InRepository(path)));
  const std::vector<BroughtFile>& brought = brought_->Of(path);
  if (state.kind != PathKind::kFile || brought.empty()) {
    return false;
  }
  if (std::any_of(brought.begin(), brought.end(),
                  [&state](const BroughtFile& one) { return one.identity == state.identity; })) {
    return true;
  }
  // Inodes and times are others after a backup was played back.
  ASSIGN_OR_RETURN(const Digest digest, digests_.Of(InRepository(path), stop));
  return std::any_of(brought.begin(), brought.end(),
                     [&digest](const BroughtFile& one) { return one.digest == digest; });
}

absl::StatusOr<std::string> Mirror::FindForeign(const std::string& path,
                                                const std::stop_token& stop) {
  ASSIGN_OR_RETURN(const std::vector<std::string> files, FilesBelow(InRepository(path)));
  for (const std::string& below : files) {
    const std::string file = below.empty() ? path : fmt::format("{}/{}", path, below);
    ASSIGN_OR_RETURN(const bool is_ours, IsOurs(file, stop));
    if (!is_ours) {
      return file;
    }
  }
  return std::string();
}

absl::Status Mirror::Stage(const Unit& unit, MirrorReport& report, const std::stop_token& stop) {
  const std::string staged = state_folder_ + kStaged;
  for (const SourceFile& file : unit.files) {
    absl::StatusOr<std::string> whole = parts_.Fetch(source_, file, stop);
    if (!whole.ok()) {
      return WithContext(whole.status(), fmt::format("'{}'", file.path));
    }
    const std::string place =
        file.path == unit.path ? staged : staged + file.path.substr(unit.path.size());
    RETURN_IF_ERROR(MakeFolder(place.substr(0, place.rfind('/'))));
    RETURN_IF_ERROR(Before("stage"));
    RETURN_IF_ERROR(MoveTo(*whole, place));
    ASSIGN_OR_RETURN(const PathState state, StateOf(place));
    brought_->Add(file.path, {.digest = file.digest, .identity = state.identity});
    ++report.files;
  }
  return SyncFolders(staged);
}

absl::Status Mirror::CheckOurs(const Unit& unit, const std::stop_token& stop) {
  ASSIGN_OR_RETURN(const PathState state, StateOf(InRepository(unit.path)));
  if (state.kind == PathKind::kAbsent) {
    return absl::OkStatus();
  }
  ASSIGN_OR_RETURN(const std::string foreign, FindForeign(unit.path, stop));
  if (foreign.empty()) {
    return absl::OkStatus();
  }
  return FailedPrecondition(
      "'{}' stands in the way: it was not brought from there, or was changed since; move it away, "
      "and what the source has takes its place",
      InRepository(foreign));
}

absl::Status Mirror::Place(const Unit& unit) {
  const std::string staged = state_folder_ + kStaged;
  const std::string place = InRepository(unit.path);
  ASSIGN_OR_RETURN(const PathState from, StateOf(staged));
  ASSIGN_OR_RETURN(const PathState to, StateOf(place));
  RETURN_IF_ERROR(Before("place"));
  if (from.kind == PathKind::kFolder && to.kind == PathKind::kFolder) {
    if (options_.exchanges_folders) {
      ASSIGN_OR_RETURN(const bool is_exchanged, Exchange(staged, place));
      if (is_exchanged) {
        return absl::OkStatus();
      }
    }
    return PlaceInTurn(unit);
  }
  RETURN_IF_ERROR(MakeFolder(place.substr(0, place.rfind('/'))));
  return MoveTo(staged, place);
}

// What was there is put aside, with a note of its place for as long as nothing stands there.
absl::Status Mirror::PlaceInTurn(const Unit& unit) {
  const std::string place = InRepository(unit.path);
  const std::string note = state_folder_ + kAsidePath;
  RETURN_IF_ERROR(Before("note the place"));
  RETURN_IF_ERROR(WriteFileAtomically(note, unit.path));
  RETURN_IF_ERROR(Before("put aside"));
  RETURN_IF_ERROR(MoveTo(place, state_folder_ + kAside));
  RETURN_IF_ERROR(Before("take the place"));
  RETURN_IF_ERROR(MoveTo(state_folder_ + kStaged, place));
  RETURN_IF_ERROR(Before("forget the place"));
  return RemoveAll(note);
}

absl::Status Mirror::BringUnit(const Unit& unit, MirrorReport& report,
                               const std::stop_token& stop) {
  ASSIGN_OR_RETURN(const bool is_there, IsThere(unit, stop));
  if (is_there) {
    return absl::OkStatus();
  }
  RETURN_IF_ERROR(CheckOurs(unit, stop));  // Before anything is asked for in vain.
  std::vector<std::string> replaced;       // Files that are no longer of it.
  for (const auto& [path, files] : brought_->all()) {
    if (path == unit.path || IsBelow(path, unit.path)) {
      replaced.push_back(path);
    }
  }
  MirrorReport staged;
  RETURN_IF_ERROR(Stage(unit, staged, stop));
  RETURN_IF_ERROR(Before("note"));
  {
    // Something may have come there while this was on its way.
    ASSIGN_OR_RETURN(const Descriptor turn, TakeTurn());
    RETURN_IF_ERROR(CheckOurs(unit, stop));
    // Before it is there: else nobody would know whose it is after a crash in between.
    RETURN_IF_ERROR(brought_->Save());
    RETURN_IF_ERROR(Place(unit));
  }
  report.files += staged.files;
  for (const std::string& path : replaced) {
    const std::vector<BroughtFile> all = brought_->Of(path);
    if (std::none_of(unit.files.begin(), unit.files.end(),
                     [&path = path](const SourceFile& file) { return file.path == path; })) {
      brought_->Drop(path);
    } else {
      brought_->Set(path, all.back());
    }
  }
  RETURN_IF_ERROR(Before("forget"));
  RETURN_IF_ERROR(brought_->Save());
  RETURN_IF_ERROR(RemoveAll(state_folder_ + kStaged));
  return RemoveAll(state_folder_ + kAside);
}

absl::Status Mirror::BringModel(const ModelUnits& model, MirrorReport& report,
                                const std::stop_token& stop) {
  const auto versions = static_cast<int>(std::count_if(
      model.units.begin(), model.units.end(), [](const Unit& unit) { return unit.is_version; }));
  ASSIGN_OR_RETURN(const PathState state, StateOf(InRepository(model.model)));
  if (state.kind == PathKind::kAbsent) {
    // All of it at once: its versions without their configuration would be another model.
    Unit whole{.path = model.model};
    for (const Unit& unit : model.units) {
      whole.files.insert(whole.files.end(), unit.files.begin(), unit.files.end());
    }
    RETURN_IF_ERROR(BringUnit(whole, report, stop));
    report.versions += versions;
    return absl::OkStatus();
  }
  for (const Unit& unit : model.units) {
    const int before = report.files;
    RETURN_IF_ERROR(BringUnit(unit, report, stop));
    report.versions += unit.is_version && report.files > before ? 1 : 0;
  }
  return absl::OkStatus();
}

absl::Status Mirror::RemovePath(const std::string& path, MirrorReport& report,
                                const std::stop_token& stop) {
  ASSIGN_OR_RETURN(const PathState state, StateOf(InRepository(path)));
  bool is_removed = false;
  if (state.kind != PathKind::kAbsent) {
    const std::string aside = state_folder_ + kAside;
    RETURN_IF_ERROR(Before("remove"));
    {
      ASSIGN_OR_RETURN(const Descriptor turn, TakeTurn());
      ASSIGN_OR_RETURN(const std::string foreign, FindForeign(path, stop));
      if (foreign.empty()) {
        // Away at once, by a rename, and then in peace.
        RETURN_IF_ERROR(MoveTo(InRepository(path), aside));
        is_removed = true;
      }
    }
    RETURN_IF_ERROR(RemoveAll(aside));
    (is_removed ? report.removed : report.left).push_back(path);
  }
  std::vector<std::string> gone;
  for (const auto& [file, brought] : brought_->all()) {
    if (file == path || IsBelow(file, path)) {
      gone.push_back(file);
    }
  }
  for (const std::string& file : gone) {
    brought_->Drop(file);
  }
  RETURN_IF_ERROR(Before("forget removed"));
  RETURN_IF_ERROR(brought_->Save());
  // A model's folder that is empty now; one that is not stays.
  rmdir(InRepository(ModelOfPath(path)).c_str());
  return absl::OkStatus();
}

absl::StatusOr<std::set<std::string>> Mirror::FindGone(const std::vector<ModelUnits>& models,
                                                       const std::set<std::string>& failed,
                                                       const std::stop_token& stop) {
  std::map<std::string, std::set<std::string>> here;  // Units by model.
  for (const ModelUnits& model : models) {
    for (const Unit& unit : model.units) {
      here[model.model].insert(unit.path);
    }
  }
  std::map<std::string, bool> all_ours;  // Of models that are gone: nothing else is in them.
  std::set<std::string> gone;
  for (const auto& [path, files] : brought_->all()) {
    const std::string model = ModelOfPath(path);
    if (const auto units = here.find(model); units != here.end()) {
      if (!failed.contains(model) && !units->second.contains(UnitPathOf(path))) {
        gone.insert(UnitPathOf(path));
      }
      continue;
    }
    if (!all_ours.contains(model)) {
      ASSIGN_OR_RETURN(const std::string foreign, FindForeign(model, stop));
      all_ours[model] = foreign.empty();
    }
    gone.insert(all_ours[model] ? model : UnitPathOf(path));
  }
  return gone;
}

absl::Status Mirror::DoRun(MirrorReport& report, const std::stop_token& stop) {
  RETURN_IF_ERROR(Open());
  RETURN_IF_ERROR(TakeBackStaged(stop));
  absl::StatusOr<std::vector<SourceFile>> files = source_.List(stop);
  RETURN_IF_ERROR(files.status());
  ASSIGN_OR_RETURN(const std::vector<ModelUnits> models, UnitsOf(*files));
  absl::Status first;
  std::set<std::string> failed;
  for (const ModelUnits& model : models) {
    const absl::Status brought = BringModel(model, report, stop);
    first.Update(brought);
    if (EndsRun(brought)) {
      return first;
    }
    if (!brought.ok()) {
      failed.insert(model.model);
      RETURN_IF_ERROR(TakeBackStaged(stop));
      // What was only about to come was not brought.
      ASSIGN_OR_RETURN(*brought_, Brought::Load(state_folder_ + kBrought));
    }
  }
  const absl::StatusOr<std::set<std::string>> gone = FindGone(models, failed, stop);
  first.Update(gone.status());
  for (const std::string& path : gone.ok() ? *gone : std::set<std::string>()) {
    first.Update(RemovePath(path, report, stop));
  }
  std::set<Digest> wanted;
  for (const SourceFile& file : *files) {
    wanted.insert(file.digest);
  }
  first.Update(parts_.KeepOnly(wanted));
  return first;
}

absl::Status Mirror::Run(MirrorReport& report, const std::stop_token& stop) {
  fetched_bytes_ = 0;
  const absl::Status status = DoRun(report, stop);
  report.fetched_bytes += fetched_bytes_;
  lock_.Close();
  const std::string where = fmt::format("source '{}'", source_.name());
  return MessageOf(status).starts_with(where) ? status : WithContext(status, where);
}

}  // namespace omserve::source
