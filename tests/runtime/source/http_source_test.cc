// SPDX-License-Identifier: Apache-2.0
// Sources over HTTP and HTTPS, with nginx at the other end.
#include "runtime/source/http_source.h"

#include <catch2/catch.hpp>
#include <chrono>
#include <functional>
#include <memory>
#include <string>
#include <utility>

#include "runtime/base/clock.h"
#include "runtime/base/errors.h"
#include "runtime/source/mirror.h"
#include "runtime/source/open_source.h"
#include "tests/runtime/source/mirror_rig.h"
#include "tests/runtime/source/nginx.h"
#include "tests/status_test_util.h"

namespace omserve::source {
namespace {

const Files kModels = {{"text/config.yaml", "a: 1\n"},
                       {"text/1/model.om", Bytes("one", 300'000)},
                       {"text/1/a file + % \xC3\xA4.txt", "odd"}};

absl::Status Bring(const SourceSettings& settings, const ScratchFolder& repository,
                   const std::stop_token& stop = {},
                   std::function<void(const FetchProgress&)> progress = nullptr) {
  absl::StatusOr<std::unique_ptr<Source>> source = OpenSource(settings);
  RETURN_IF_ERROR(source.status());
  Mirror mirror(**source, {.folder = repository.path(), .progress = std::move(progress)},
                SteadyClock());
  MirrorReport report;
  return mirror.Run(report, stop);
}

std::string TextOf(const absl::Status& status) { return std::string(MessageOf(status)); }

// Names with bytes that mean something in addresses too; with and without a slash at the end.
TEST_CASE("HTTP source: files come, over HTTP and HTTPS") {
  const Nginx nginx;
  nginx.site().Publish(kModels);
  for (const SourceSettings& settings :
       {SourceSettings{.url = nginx.Http()}, SourceSettings{.url = nginx.Http("/")},
        SourceSettings{.url = nginx.Https(), .ca_file = nginx.ca_file()}}) {
    const ScratchFolder repository;
    REQUIRE_OK(Bring(settings, repository));
    CHECK(repository.Visible() == kModels);
  }
  CHECK_THAT(nginx.AwaitAccessLog("https 200 300000 /text/1/model.om"),
             Catch::Contains("http 200 300000 /text/1/model.om [-] [-]"));
}

// What came before the line was cut is not asked for again: a 206 in nginx's own log.
TEST_CASE("HTTP source: a range is resumed") {
  const Nginx nginx;
  nginx.site().Publish(kModels);
  for (const SourceSettings& settings :
       {SourceSettings{.url = nginx.Http("/slow/")},
        SourceSettings{.url = nginx.Https(), .ca_file = nginx.ca_file()}}) {
    const ScratchFolder repository;
    std::stop_source stop;
    uint64_t done = 0;
    const absl::Status first =
        Bring(settings, repository, stop.get_token(), [&](const FetchProgress& progress) {
          done = progress.done_bytes;
          if (done >= 50'000) {
            stop.request_stop();
          }
        });
    CHECK(absl::IsCancelled(first));
    CHECK(repository.Visible().empty());
    REQUIRE(done < 300'000);
    nginx.ClearAccessLog();
    REQUIRE_OK(Bring(settings, repository));
    CHECK(repository.Visible() == kModels);
    const std::string range = fmt::format("206 {} ", 300'000 - done);
    CHECK_THAT(nginx.AwaitAccessLog(range),
               Catch::Contains(range) && Catch::Contains(fmt::format("[bytes={}-]", done)));
  }
}

// The file is another when the transfer goes on: If-Range brings all of it anew.
TEST_CASE("HTTP source: a file that changed is begun anew") {
  const Nginx nginx;
  nginx.site().Publish(kModels);
  const ScratchFolder repository;
  std::stop_source stop;
  CHECK(absl::IsCancelled(
      Bring({.url = nginx.Http()}, repository, stop.get_token(),
            [&stop](const FetchProgress& /*progress*/) { stop.request_stop(); })));
  // Another file under the digest that is listed; then the list of it.
  nginx.site().Write("text/1/model.om", Bytes("another", 200'000));
  const absl::Status refused = Bring({.url = nginx.Http()}, repository);
  CHECK(absl::IsInvalidArgument(refused));
  CHECK_THAT(TextOf(refused), Catch::Contains("'text/1/model.om': SHA-256 of its 200000 bytes"));
  CHECK(repository.Visible().empty());
  Files changed = kModels;
  changed["text/1/model.om"] = Bytes("another", 200'000);
  nginx.site().Publish(changed);
  REQUIRE_OK(Bring({.url = nginx.Http()}, repository));
  CHECK(repository.Visible() == changed);
}

// All bytes had come when the process ended: 416 with the size that is there.
TEST_CASE("HTTP source: nothing is left to come") {
  const Nginx nginx;
  nginx.site().Publish(kModels);
  const auto source = VALUE(OpenSource({.url = nginx.Http()}));
  const std::vector<SourceFile> files = VALUE(source->List({}));
  class Sink final : public ByteSink {
   public:
    absl::Status Begin(const Beginning& begun) override {
      beginning = begun;
      return absl::OkStatus();
    }
    absl::Status Write(std::span<const std::byte> bytes) override {
      size += bytes.size();
      return absl::OkStatus();
    }
    Beginning beginning;
    size_t size = 0;
  };
  Sink first;
  REQUIRE_OK(source->Read(files[1], {}, first, {}));
  REQUIRE(first.size == 300'000);
  REQUIRE_FALSE(first.beginning.tag.empty());
  Sink rest;
  REQUIRE_OK(source->Read(files[1], {.offset = 300'000, .tag = first.beginning.tag}, rest, {}));
  CHECK(rest.size == 0);
  CHECK(rest.beginning.offset == 300'000);
  Sink beyond;
  REQUIRE_OK(source->Read(files[1], {.offset = 300'001, .tag = first.beginning.tag}, beyond, {}));
  CHECK(beyond.size == 300'000);
  CHECK(beyond.beginning.offset == 0);
}

// The token opens what is private, is read anew each time, is never shown, and stays with the host
// that it is for.
TEST_CASE("HTTP source: tokens") {
  const Nginx nginx;
  nginx.site().Publish(kModels);
  const ScratchFolder own;
  const ScratchFolder repository;
  own.Write("token", "wrong-token\n");
  SourceSettings settings{
      .url = nginx.Https("/private"), .ca_file = nginx.ca_file(), .token_file = own.Path("token")};
  const absl::Status refused = Bring(settings, repository);
  CHECK(refused.code() == absl::StatusCode::kFailedPrecondition);
  CHECK_THAT(TextOf(refused), Catch::Contains("HTTP 401: access is refused; the token of") &&
                                  !Catch::Contains("wrong-token"));
  own.Write("token", std::string(Nginx::kToken) + "\n");
  REQUIRE_OK(Bring(settings, repository));
  CHECK(repository.Visible() == kModels);

  // 127.0.0.1 sends to localhost, the same files on another host.
  nginx.ClearAccessLog();
  settings.url = nginx.Https("/moved");
  const ScratchFolder other;
  REQUIRE_OK(Bring(settings, other));
  const std::string log = nginx.AwaitAccessLog("/text/config.yaml [-] [-]");
  CHECK_THAT(log, Catch::Contains(fmt::format("/moved/SHA256SUMS [-] [Bearer {}]", Nginx::kToken)));
  CHECK_THAT(log, Catch::Contains("200 300000 /text/1/model.om [-] [-]"));

  own.Write("token", "two words\n");
  CHECK_THAT(TextOf(Bring(settings, other)),
             Catch::Contains("expected a token in its first line") && !Catch::Contains("words"));
  settings.token_file = own.Path("nothing");
  CHECK_THAT(TextOf(Bring(settings, other)), Catch::Contains("token_file"));
}

// Whose certificate is not vouched for is not asked for anything; redirects lead neither to plain
// text nor in circles.
TEST_CASE("HTTP source: whom it trusts") {
  const Nginx nginx;
  nginx.site().Publish(kModels);
  const ScratchFolder repository;
  for (const std::string& ca : {nginx.other_ca_file(), std::string()}) {
    const absl::Status status = Bring({.url = nginx.Https(), .ca_file = ca}, repository);
    CHECK(status.code() == absl::StatusCode::kFailedPrecondition);
    CHECK_THAT(TextOf(status), Catch::Contains("certificate is not accepted"));
  }
  const absl::Status plain =
      Bring({.url = nginx.Https("/plain"), .ca_file = nginx.ca_file()}, repository);
  CHECK(plain.code() == absl::StatusCode::kFailedPrecondition);
  CHECK_THAT(TextOf(plain), Catch::Contains("a redirect is not followed"));
  const absl::Status around = Bring({.url = nginx.Http("/around")}, repository);
  CHECK_THAT(TextOf(around), Catch::Contains("a redirect is not followed"));
}

// Each failure of a server says what to do, and no page of it becomes a model.
TEST_CASE("HTTP source: a server that has not got it") {
  Nginx nginx;
  const ScratchFolder repository;
  const absl::Status nothing = Bring({.url = nginx.Http()}, repository);
  CHECK(absl::IsNotFound(nothing));
  CHECK_THAT(TextOf(nothing), Catch::Contains("/SHA256SUMS': HTTP 404: not there"));
  nginx.site().Publish(kModels);
  nginx.site().Remove("text/config.yaml");
  const absl::Status one = Bring({.url = nginx.Http()}, repository);
  CHECK(absl::IsNotFound(one));
  CHECK_THAT(TextOf(one), Catch::Contains("'text/config.yaml': ") && Catch::Contains("HTTP 404"));
  nginx.Stop();
  const absl::Status off = Bring({.url = nginx.Http()}, repository);
  CHECK(absl::IsUnavailable(off));
}

// A file that its server always fails over holds up no other model; a server that is busy may be
// better later, for all that it has.
TEST_CASE("HTTP source: a server that fails over one file") {
  const Nginx nginx;
  Files files = kModels;
  files["broken/1/model.om"] = "one";
  nginx.site().Publish(files);
  const ScratchFolder repository;
  const absl::Status broken = Bring({.url = nginx.Http()}, repository);
  CHECK(broken.code() == absl::StatusCode::kInternal);
  CHECK_THAT(TextOf(broken), Catch::Contains("'broken/1/model.om'") && Catch::Contains("HTTP 500"));
  CHECK(repository.Visible() == kModels);
  files.erase("broken/1/model.om");
  files["busy/1/model.om"] = "one";
  nginx.site().Publish(files);
  const ScratchFolder later;
  CHECK(absl::IsUnavailable(Bring({.url = nginx.Http()}, later)));
  CHECK(later.Visible().empty());
}

// A stop ends a transfer that brings a byte now and then at once, and a wait for the first one.
TEST_CASE("HTTP source: a stop is prompt") {
  const Nginx nginx;
  Files large = kModels;
  large["text/1/model.om"] = Bytes("one", 4'000'000);
  nginx.site().Publish(large);
  const ScratchFolder repository;
  std::stop_source stop;
  Clock::time_point asked;
  const absl::Status status = Bring({.url = nginx.Http("/slow/")}, repository, stop.get_token(),
                                    [&](const FetchProgress& progress) {
                                      if (progress.done_bytes > 70'000 && !stop.stop_requested()) {
                                        asked = SteadyClock().Now();
                                        stop.request_stop();
                                      }
                                    });
  CHECK(absl::IsCancelled(status));
  CHECK(SteadyClock().Now() - asked < std::chrono::seconds(2));
}

// What cannot be meant is refused before anything is asked.
TEST_CASE("Sources: addresses") {
  const auto error = [](const SourceSettings& settings) {
    const absl::Status status = OpenSource(settings).status();
    CHECK(absl::IsInvalidArgument(status));
    return TextOf(status);
  };
  for (const char* url : {"", "models", "ftp://host/models", "s3://bucket", "file://models",
                          "oci:models", "HTTP://host"}) {
    CHECK_THAT(error({.url = url}), Catch::Contains("expected https://HOST/PATH"));
  }
  CHECK_THAT(error({.url = "https://"}), Catch::Contains("expected an address"));
  CHECK_THAT(error({.url = "https://me:secret@host/"}), Catch::Contains("no user or password"));
  CHECK_THAT(error({.url = "https://host/?a=b"}), Catch::Contains("without '?'"));
  CHECK_THAT(error({.url = "https://host/#a"}), Catch::Contains("without '?'"));
  CHECK_THAT(error({.url = "http://host/", .token_file = "/t"}), Catch::Contains("plain text"));
  CHECK_THAT(error({.url = "http://host/", .ca_file = "/c"}), Catch::Contains("ca_file"));
  CHECK_THAT(error({.url = "oci:/layout", .ca_file = "/c"}), Catch::Contains("expected https://"));
  CHECK(absl::IsNotFound(OpenSource({.url = "https://host/", .ca_file = "/none"}).status()));
  CHECK(UrlBelow("https://host/a", "b c/\xC3\xA4+.om") == "https://host/a/b%20c/%C3%A4%2B.om");
}

}  // namespace
}  // namespace omserve::source
