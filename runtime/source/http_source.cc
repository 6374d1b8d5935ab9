// SPDX-License-Identifier: Apache-2.0
#include "runtime/source/http_source.h"

#include <algorithm>
#include <charconv>
#include <optional>
#include <string_view>
#include <utility>

#include "runtime/base/errors.h"
#include "runtime/base/file.h"
#include "runtime/source/sums_file.h"

namespace omserve::source {
namespace {

constexpr size_t kMostTokenBytes = 65'536;

// "bytes 100-199/200" and "bytes */200".
struct ContentRange {
  std::optional<uint64_t> begin;  // nullopt: of none that can be had.
  std::optional<uint64_t> size;   // Of the whole file; nullopt: not known.
};

std::optional<uint64_t> NumberIn(std::string_view text) {
  uint64_t number = 0;
  const std::from_chars_result result =
      std::from_chars(text.data(), text.data() + text.size(), number);
  return result.ec == std::errc() && result.ptr == text.data() + text.size() ? std::optional(number)
                                                                             : std::nullopt;
}

ContentRange ParseContentRange(std::string_view text) {
  constexpr std::string_view kUnit = "bytes ";
  const size_t slash = text.rfind('/');
  if (!text.starts_with(kUnit) || slash == std::string_view::npos) {
    return {};
  }
  const std::string_view range = text.substr(kUnit.size(), slash - kUnit.size());
  return {.begin = NumberIn(range.substr(0, range.find('-'))),
          .size = NumberIn(text.substr(slash + 1))};
}

// Bytes in memory, up to a limit.
class TextSink final : public ByteSink {
 public:
  explicit TextSink(size_t limit) : limit_(limit) {}
  absl::Status Begin(const Beginning& /*beginning*/) override {
    text_.clear();
    return absl::OkStatus();
  }
  absl::Status Write(std::span<const std::byte> bytes) override {
    if (bytes.size() > limit_ - text_.size()) {
      return InvalidArgument("more than {} bytes", limit_);
    }
    for (const std::byte byte : bytes) {
      text_ += static_cast<char>(byte);
    }
    return absl::OkStatus();
  }
  const std::string& text() const { return text_; }

 private:
  const size_t limit_;
  std::string text_;
};

}  // namespace

absl::StatusOr<std::unique_ptr<HttpSource>> HttpSource::Make(const Options& options) {
  RETURN_IF_ERROR(CheckHttpUrl(options.url));  // Not shown: it may have a password in it.
  const bool is_plain = options.url.starts_with("http:");
  if (is_plain && !options.token_file.empty()) {
    return InvalidArgument("'{}': token_file: expected https://, a token is not sent in plain text",
                           options.url);
  }
  if (is_plain && !options.ca_file.empty()) {
    return InvalidArgument("'{}': ca_file: expected https://", options.url);
  }
  if (!options.ca_file.empty()) {
    RETURN_IF_ERROR(
        WithContext(ReadFile(options.ca_file).status(), fmt::format("'{}': ca_file", options.url)));
  }
  ASSIGN_OR_RETURN(std::unique_ptr<HttpClient> client,
                   HttpClient::Make({.ca_file = options.ca_file,
                                     .connect_timeout = options.connect_timeout,
                                     .stall_timeout = options.stall_timeout,
                                     .allow_http = is_plain}));
  // The constructor is private, which std::make_unique cannot reach.
  return std::unique_ptr<HttpSource>(new HttpSource(options, std::move(client)));
}

HttpSource::HttpSource(Options options, std::unique_ptr<HttpClient> client)
    : options_(std::move(options)), client_(std::move(client)) {}

absl::StatusOr<std::string> HttpSource::Token() const {
  if (options_.token_file.empty()) {
    return std::string();
  }
  absl::StatusOr<std::string> text = ReadFile(options_.token_file, kMostTokenBytes);
  RETURN_IF_ERROR(WithContext(text.status(), "token_file"));
  std::string token = text->substr(0, text->find_first_of("\r\n"));
  // Never shown, also where it is wrong.
  const bool is_plain =
      std::all_of(token.begin(), token.end(), [](char c) { return c > ' ' && c < 0x7f; });
  if (token.empty() || !is_plain) {
    return FailedPrecondition(
        "token_file '{}': expected a token in its first line, of printable ASCII without spaces",
        options_.token_file);
  }
  return token;
}

absl::Status HttpSource::StatusOf(const std::string& url, int status) const {
  constexpr int kUnauthorized = 401;
  constexpr int kForbidden = 403;
  constexpr int kNotThere = 404;
  constexpr int kGone = 410;
  constexpr int kRequestTimeout = 408;
  constexpr int kTooManyRequests = 429;
  constexpr int kBadGateway = 502;
  constexpr int kServiceUnavailable = 503;
  constexpr int kGatewayTimeout = 504;
  switch (status) {
    case kUnauthorized:
    case kForbidden:
      return FailedPrecondition("'{}': HTTP {}: access is refused; {}", url, status,
                                options_.token_file.empty()
                                    ? "set token_file, or let everybody read it"
                                    : "the token of token_file does not do");
    case kNotThere:
    case kGone:
      return NotFound("'{}': HTTP {}: not there; bring it there, or take it out of {}", url, status,
                      kSumsName);
    case kRequestTimeout:
    case kTooManyRequests:
    case kBadGateway:
    case kServiceUnavailable:
    case kGatewayTimeout:
      return Unavailable("'{}': HTTP {}, expected 200 or 206", url, status);
    default:
      // Of this file alone, as far as anybody knows: others are asked for.
      return Internal("'{}': HTTP {}, expected 200 or 206", url, status);
  }
}

absl::StatusOr<bool> HttpSource::TryRead(const std::string& url, const Resume& resume,
                                         ByteSink& sink, const std::stop_token& stop) {
  constexpr int kOk = 200;
  constexpr int kPartial = 206;
  constexpr int kNotSatisfiable = 416;
  ASSIGN_OR_RETURN(std::string token, Token());
  bool is_other = false;
  const auto on_answer = [&](const HttpAnswer& answer) -> absl::Status {
    if (answer.status == kOk) {
      return sink.Begin({.offset = 0, .tag = answer.tag, .size_bytes = answer.length});
    }
    const ContentRange range = ParseContentRange(answer.content_range);
    if (resume.offset == 0 || range.begin != resume.offset || answer.tag != resume.tag) {
      is_other = true;
      return Unavailable("'{}': other bytes than were asked for: '{}'", url, answer.content_range);
    }
    return sink.Begin({.offset = resume.offset, .tag = resume.tag, .size_bytes = range.size});
  };
  const auto on_body = [&sink](std::span<const std::byte> bytes) { return sink.Write(bytes); };
  const absl::StatusOr<HttpAnswer> answer = client_->Get(
      {.url = url, .offset = resume.offset, .if_tag = resume.tag, .bearer = std::move(token)},
      on_answer, on_body, stop);
  if (is_other && resume.offset > 0) {
    return false;
  }
  RETURN_IF_ERROR(answer.status());
  if (answer->status == kOk || answer->status == kPartial) {
    return true;
  }
  if (answer->status == kNotSatisfiable && resume.offset > 0) {
    if (ParseContentRange(answer->content_range).size != resume.offset) {
      return false;  // The file is shorter now.
    }
    // All of it had come, and nobody had looked at it yet.
    RETURN_IF_ERROR(
        sink.Begin({.offset = resume.offset, .tag = resume.tag, .size_bytes = resume.offset}));
    return true;
  }
  return StatusOf(url, answer->status);
}

absl::Status HttpSource::Read(const SourceFile& file, const Resume& resume, ByteSink& sink,
                              const std::stop_token& stop) {
  const std::string url = UrlBelow(options_.url, file.place);
  // Without a tag nobody could say whether what comes fits to what is there.
  const bool resumes = resume.offset > 0 && !resume.tag.empty();
  if (resumes) {
    ASSIGN_OR_RETURN(const bool is_read, TryRead(url, resume, sink, stop));
    if (is_read) {
      return absl::OkStatus();
    }
  }
  return TryRead(url, {}, sink, stop).status();
}

absl::StatusOr<std::vector<SourceFile>> HttpSource::List(const std::stop_token& stop) {
  TextSink sink(kMostSumsBytes);
  const std::string where = fmt::format("source '{}'", options_.url);
  const SourceFile sums{.path = std::string(kSumsName), .place = std::string(kSumsName)};
  RETURN_IF_ERROR(WithContext(Read(sums, {}, sink, stop), where));
  return FilesOfSums(sink.text(), fmt::format("{}: {}", where, kSumsName));
}

}  // namespace omserve::source
