// SPDX-License-Identifier: Apache-2.0
#include "server/core/source_fetcher.h"

#include <algorithm>
#include <filesystem>
#include <system_error>
#include <utility>

#include "runtime/base/digest.h"
#include "runtime/base/errors.h"
#include "runtime/base/log.h"
#include "runtime/base/thread.h"
#include "runtime/source/mirror.h"
#include "runtime/source/open_source.h"

namespace omserve::server {
namespace {

constexpr std::chrono::seconds kFirstRetry{1};
constexpr std::chrono::minutes kLongestRetry{5};
constexpr int kDefaultEverySeconds = 60;
// Between two lines of the log about one run.
constexpr std::chrono::seconds kTellEvery{10};

void Add(std::atomic<uint64_t>& value, uint64_t more) {
  value.fetch_add(more, std::memory_order_relaxed);
}

// 1, 2, 4, 8 and so on of the same are told.
bool IsTold(int count) { return (count & (count - 1)) == 0; }

}  // namespace

Clock::duration RetryAfter(int failures, Clock::duration every, double jitter) {
  const Clock::duration most =
      std::max<Clock::duration>(kFirstRetry, std::min<Clock::duration>(every, kLongestRetry));
  Clock::duration wait = kFirstRetry;
  for (int i = 1; i < failures && wait < most; ++i) {
    wait *= 2;
  }
  const double factor = 0.75 + jitter / 2;
  return std::chrono::duration_cast<Clock::duration>(std::min(wait, most) * factor);
}

// Of its thread, once that runs, but for the counters.
struct SourceFetcher::Feed {
  void TellProgress(const source::FetchProgress& progress, Clock::time_point now);
  void TellEnd(const source::MirrorReport& report, const absl::Status& status,
               Clock::time_point now);

  SourceCounters counters;
  Clock::duration every{};
  std::unique_ptr<source::Source> source;
  std::unique_ptr<source::Mirror> mirror;
  Clock::time_point next = Clock::time_point::min();
  int failures = 0;        // One after the other.
  std::string last_error;  // As the log was told.
  Clock::time_point began{};
  std::minstd_rand random;
  Clock::time_point told{};  // When the log was told of progress; min(): not in this run.
};

SourceFetcher::SourceFetcher(Clock& clock, std::function<std::chrono::milliseconds()> wall,
                             int niceness)
    : clock_(clock), wall_(std::move(wall)), niceness_(niceness) {}

SourceFetcher::~SourceFetcher() { Stop(); }

absl::StatusOr<std::unique_ptr<SourceFetcher>> SourceFetcher::Make(
    const ServerConfig& config, Clock& clock, std::function<std::chrono::milliseconds()> wall) {
  const RepositoryConfig& repository = config.repository();
  if (repository.sources().empty()) {
    return std::unique_ptr<SourceFetcher>();
  }
  // The constructor is private, which std::make_unique cannot reach.
  std::unique_ptr<SourceFetcher> fetcher(
      new SourceFetcher(clock, std::move(wall), repository.load_niceness()));
  const std::string seed = std::to_string(clock.Now().time_since_epoch().count());
  for (int i = 0; i < repository.sources_size(); ++i) {
    const SourceConfig& settings = repository.sources(i);
    auto feed = std::make_unique<Feed>();
    absl::StatusOr<std::unique_ptr<source::Source>> opened =
        source::OpenSource({.url = settings.url(),
                            .ca_file = settings.ca_file(),
                            .token_file = settings.token_file()});
    if (!opened.ok()) {
      return WithContext(opened.status(), fmt::format("repository.sources[{}]", i));
    }
    feed->source = *std::move(opened);
    feed->counters.url = settings.url();
    feed->counters.folder =
        settings.folder().empty() ? config.model_repository(0) : settings.folder();
    feed->every = std::chrono::seconds(settings.has_every_seconds() ? settings.every_seconds()
                                                                    : kDefaultEverySeconds);
    feed->mirror = std::make_unique<source::Mirror>(
        *feed->source,
        source::Mirror::Options{
            .folder = feed->counters.folder,
            .max_bytes_per_second = static_cast<uint64_t>(settings.max_bytes_per_second()),
            .progress =
                [&clock, one = feed.get()](const source::FetchProgress& progress) {
                  one->TellProgress(progress, clock.Now());
                }},
        clock);
    const Digest digest = DigestOf(fmt::format("{} {} {}", seed, i, feed->counters.folder));
    feed->random.seed(static_cast<unsigned>(digest[0]) << 8U | digest[1]);
    fetcher->feeds_.push_back(std::move(feed));
  }
  return fetcher;
}

void SourceFetcher::Start() {
  for (const std::unique_ptr<Feed>& feed : feeds_) {
    // So that the repository can be looked at while the source does not answer. What is wrong with
    // it is told by the mirror.
    std::error_code ignored;
    std::filesystem::create_directories(feed->counters.folder, ignored);
    threads_.push_back(StartThread("fetch", [this, one = feed.get()] {
      Yield(niceness_);
      Run(*one);
    }));
  }
}

bool SourceFetcher::AwaitFirst(Clock::time_point deadline) {
  const MutexLock lock(mu_);
  while (asked_once_ < feeds_.size()) {
    if (!clock_.WaitUntil(changed_, mu_, deadline)) {
      return asked_once_ >= feeds_.size();
    }
  }
  return true;
}

void SourceFetcher::Stop() {
  stop_.request_stop();
  {
    const MutexLock lock(mu_);
    changed_.NotifyAll();
  }
  threads_.clear();
}

std::vector<const SourceCounters*> SourceFetcher::counters() const {
  std::vector<const SourceCounters*> all;
  for (const std::unique_ptr<Feed>& feed : feeds_) {
    all.push_back(&feed->counters);
  }
  return all;
}

void SourceFetcher::Run(Feed& feed) {
  while (true) {
    {
      const MutexLock lock(mu_);
      while (!stop_.stop_requested() && clock_.WaitUntil(changed_, mu_, feed.next)) {
      }
      if (stop_.stop_requested()) {
        return;
      }
    }
    const bool is_first = feed.next == Clock::time_point::min();
    Sync(feed);
    if (is_first) {
      const MutexLock lock(mu_);
      ++asked_once_;
      changed_.NotifyAll();
    }
  }
}

void SourceFetcher::Sync(Feed& feed) {
  feed.began = clock_.Now();
  feed.told = Clock::time_point::min();
  source::MirrorReport report;
  const absl::Status status = feed.mirror->Run(report, stop_.get_token());
  Add(feed.counters.files, static_cast<uint64_t>(report.files));
  Add(feed.counters.versions, static_cast<uint64_t>(report.versions));
  Add(feed.counters.removed, report.removed.size());
  const Clock::time_point now = clock_.Now();
  if (status.ok()) {
    feed.counters.last_success_ms.store(wall_().count(), std::memory_order_relaxed);
    feed.failures = 0;
    feed.next = now + feed.every;
  } else if (!stop_.stop_requested()) {
    Add(feed.counters.failures, 1);
    ++feed.failures;
    const double jitter = std::uniform_real_distribution<double>(0, 1)(feed.random);
    feed.next = now + RetryAfter(feed.failures, feed.every, jitter);
  }
  if (!stop_.stop_requested()) {
    feed.TellEnd(report, status, now);
  }
}

void SourceFetcher::Feed::TellProgress(const source::FetchProgress& progress,
                                       Clock::time_point now) {
  Add(counters.bytes, progress.fetched_bytes);
  if (told == Clock::time_point::min()) {
    OMSERVE_LOG(kInfo, "sources", "models are being brought source=\"{}\" folder=\"{}\"",
                counters.url, counters.folder);
  } else if (now - told < kTellEvery) {
    return;
  } else {
    OMSERVE_LOG(kInfo, "sources",
                "models are being brought source=\"{}\" file=\"{}\" bytes={} size_bytes={}",
                counters.url, progress.file.path, progress.done_bytes,
                progress.size_bytes.value_or(0));
  }
  told = now;
}

void SourceFetcher::Feed::TellEnd(const source::MirrorReport& report, const absl::Status& status,
                                  Clock::time_point now) {
  const auto ms = [](Clock::duration time) {
    return std::chrono::duration_cast<std::chrono::milliseconds>(time).count();
  };
  if (report.files > 0 || !report.removed.empty()) {
    OMSERVE_LOG(kInfo, "sources",
                "models brought source=\"{}\" versions={} files={} removed={} bytes={} ms={}",
                counters.url, report.versions, report.files, report.removed.size(),
                report.fetched_bytes, ms(now - began));
  }
  for (const std::string& path : report.removed) {
    OMSERVE_LOG(kInfo, "sources", "removed, as the source has it no more source=\"{}\" path=\"{}\"",
                counters.url, path);
  }
  for (const std::string& path : report.left) {
    OMSERVE_LOG(kWarning, "sources",
                "the source has it no more, but somebody has changed it or put something beside "
                "it: it stays source=\"{}\" path=\"{}\"",
                counters.url, path);
  }
  const std::string error(MessageOf(status));
  if (!status.ok() && (error != last_error || IsTold(failures))) {
    OMSERVE_LOG(kWarning, "sources", "not all was brought failures={} again_in_ms={} error=\"{}\"",
                failures, ms(next - now), error);
  }
  last_error = error;
}

}  // namespace omserve::server
