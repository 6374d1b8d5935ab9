// SPDX-License-Identifier: Apache-2.0
#include "server/core/source_fetcher.h"

#include <catch2/catch.hpp>
#include <chrono>
#include <string>

#include "tests/runtime/source/scratch_folder.h"
#include "tests/status_test_util.h"

namespace omserve::server {
namespace {

using std::chrono::milliseconds;
using std::chrono::seconds;

// Twice as long each time, up to the period or five minutes, and spread by a quarter.
TEST_CASE("Source fetcher: when it asks again") {
  const auto retry = [](int failures, Clock::duration every, double jitter) {
    return std::chrono::duration_cast<milliseconds>(RetryAfter(failures, every, jitter));
  };
  CHECK(retry(1, seconds(60), 0.5) == seconds(1));
  CHECK(retry(2, seconds(60), 0.5) == seconds(2));
  CHECK(retry(6, seconds(60), 0.5) == seconds(32));
  CHECK(retry(7, seconds(60), 0.5) == seconds(60));
  CHECK(retry(1'000'000'000, seconds(86'400), 0.5) == seconds(300));
  CHECK(retry(5, seconds(1), 0.5) == seconds(1));
  CHECK(retry(3, seconds(60), 0) == seconds(3));
  CHECK(retry(3, seconds(60), 1) == seconds(5));
}

// Two sources into two folders; the counters say what came, and a stop may come at any time.
TEST_CASE("Source fetcher: it brings and counts") {
  const source::ScratchFolder site;
  const source::ScratchFolder models;
  const source::Files files = {{"text/1/model.om", "one"}, {"text/config.yaml", ""}};
  site.Publish(files);
  ServerConfig config;
  config.add_model_repository(models.Path("a"));
  config.add_model_repository(models.Path("b"));
  for (const std::string& url : {"file://" + site.path(), "file:///nowhere" + site.path()}) {
    SourceConfig& source = *config.mutable_repository()->add_sources();
    source.set_url(url);
    source.set_folder(config.model_repository(config.repository().sources_size() - 1));
  }
  const auto fetcher =
      VALUE(SourceFetcher::Make(config, SteadyClock(), [] { return milliseconds(1234); }));
  REQUIRE(fetcher != nullptr);
  CHECK_FALSE(fetcher->AwaitFirst(SteadyClock().Now()));
  fetcher->Start();
  REQUIRE(fetcher->AwaitFirst(SteadyClock().Now() + seconds(60)));
  fetcher->Stop();
  fetcher->Stop();
  const auto counters = fetcher->counters();
  REQUIRE(counters.size() == 2);
  CHECK(counters[0]->bytes == 3);
  CHECK(counters[0]->files == 2);
  CHECK(counters[0]->versions == 1);
  CHECK(counters[0]->failures == 0);
  CHECK(counters[0]->last_success_ms == 1234);
  CHECK(counters[1]->failures >= 1);
  CHECK(counters[1]->last_success_ms == 0);
  CHECK(models.Read("a/text/1/model.om") == "one");
}

// One that brings 4 KiB a second does not hold up another, and its transfer is cut by the stop.
TEST_CASE("Source fetcher: a slow source beside another") {
  const source::ScratchFolder slow_site;
  const source::ScratchFolder site;
  const source::ScratchFolder models;
  slow_site.Publish({{"slow/1/model.om", std::string(size_t{4} << 20, 's')}});
  site.Publish({{"text/1/model.om", "one"}});
  ServerConfig config;
  config.add_model_repository(models.path());
  for (const source::ScratchFolder* one : {&slow_site, &site}) {
    SourceConfig& source = *config.mutable_repository()->add_sources();
    source.set_url("file://" + one->path());
    source.set_max_bytes_per_second(4096);
  }
  const auto fetcher =
      VALUE(SourceFetcher::Make(config, SteadyClock(), [] { return milliseconds(1); }));
  fetcher->Start();
  const SourceCounters& quick = *fetcher->counters()[1];
  for (int i = 0; i < 600 && quick.versions == 0; ++i) {
    CHECK_FALSE(fetcher->AwaitFirst(SteadyClock().Now() + milliseconds(100)));
  }
  CHECK(models.Read("text/1/model.om") == "one");
  fetcher->Stop();
  CHECK(fetcher->counters()[0]->versions == 0);
}

TEST_CASE("Source fetcher: none") {
  CHECK(VALUE(SourceFetcher::Make({}, SteadyClock(), nullptr)) == nullptr);
}

}  // namespace
}  // namespace omserve::server
