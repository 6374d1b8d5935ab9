// SPDX-License-Identifier: Apache-2.0
#include "runtime/source/http_client.h"

#include <curl/curl.h>

#include <array>
#include <string_view>
#include <utility>

#include "runtime/base/check.h"
#include "runtime/base/errors.h"

namespace omserve::source {
namespace {

// curl's own limit on how long it may wait for events; a stop wakes it.
constexpr int kPollMs = 1000;
// One for the site's front door, and a few for who moves it.
constexpr curl_off_t kMostRedirects = 5;
constexpr int kOk = 200;
constexpr int kPartial = 206;

struct FreeEasy {
  void operator()(CURL* easy) const { curl_easy_cleanup(easy); }
};
struct FreeMulti {
  void operator()(CURLM* multi) const { curl_multi_cleanup(multi); }
};
struct FreeList {
  void operator()(curl_slist* list) const { curl_slist_free_all(list); }
};
struct FreeUrl {
  void operator()(CURLU* url) const { curl_url_cleanup(url); }
};

std::string HeaderOf(CURL* easy, const char* name) {
  curl_header* header = nullptr;
  // -1: of the last answer, behind all redirects.
  return curl_easy_header(easy, name, 0, CURLH_HEADER, -1, &header) == CURLHE_OK ? header->value
                                                                                 : "";
}

bool IsAboutTrust(CURLcode code) {
  return code == CURLE_PEER_FAILED_VERIFICATION || code == CURLE_SSL_CACERT_BADFILE ||
         code == CURLE_SSL_ISSUER_ERROR;
}

}  // namespace

struct HttpClient::Handles {
  std::unique_ptr<CURLM, FreeMulti> multi;  // Holds the connections.
  std::unique_ptr<CURL, FreeEasy> easy;
};

// One GET. Lives on the stack of Get.
class HttpClient::Transfer final {
 public:
  Transfer(CURL* easy, const std::function<absl::Status(const HttpAnswer&)>& on_answer,
           const std::function<absl::Status(std::span<const std::byte>)>& on_body)
      : easy_(easy), on_answer_(on_answer), on_body_(on_body) {}

  static size_t Write(char* bytes, size_t /*one*/, size_t size, void* self) noexcept {
    auto* const transfer = static_cast<Transfer*>(self);
    return transfer->Take(std::as_bytes(std::span(bytes, size))) ? size : CURL_WRITEFUNC_ERROR;
  }

  // At the end too, as a body may be empty.
  absl::Status Answer() {
    if (!answered_) {
      answered_ = true;
      answer_ = Read();
      if (HasBody()) {
        status_ = on_answer_(answer_);
      }
    }
    return status_;
  }

  const absl::Status& status() const { return status_; }
  const HttpAnswer& answer() const { return answer_; }
  // There is an answer, and it is of no file: its body is not read to the end.
  bool is_refusal() const { return answered_ && !HasBody(); }

 private:
  bool HasBody() const { return answer_.status == kOk || answer_.status == kPartial; }

  bool Take(std::span<const std::byte> bytes) {
    if (!Answer().ok()) {
      return false;
    }
    if (!HasBody()) {
      return false;  // A page for a person, of any length.
    }
    status_ = on_body_(bytes);
    return status_.ok();
  }

  HttpAnswer Read() const {
    HttpAnswer answer;
    long status = 0;  // NOLINT(google-runtime-int): curl's type.
    curl_easy_getinfo(easy_, CURLINFO_RESPONSE_CODE, &status);
    answer.status = static_cast<int>(status);
    curl_off_t length = -1;
    curl_easy_getinfo(easy_, CURLINFO_CONTENT_LENGTH_DOWNLOAD_T, &length);
    if (length >= 0) {
      answer.length = static_cast<uint64_t>(length);
    }
    answer.tag = HeaderOf(easy_, "ETag");
    if (!answer.tag.starts_with('"')) {
      answer.tag.clear();  // A weak one stays when bytes change.
    }
    answer.content_range = HeaderOf(easy_, "Content-Range");
    return answer;
  }

  CURL* const easy_;
  const std::function<absl::Status(const HttpAnswer&)>& on_answer_;
  const std::function<absl::Status(std::span<const std::byte>)>& on_body_;
  bool answered_ = false;
  HttpAnswer answer_;
  absl::Status status_;
};

absl::StatusOr<std::unique_ptr<HttpClient>> HttpClient::Make(const Options& options) {
  // Counted by libcurl, and thread-safe in it; never undone, as others may use it.
  if (curl_global_init(CURL_GLOBAL_DEFAULT) != CURLE_OK) {
    return Internal("libcurl cannot be set up");
  }
  auto handles = std::make_unique<Handles>();
  handles->multi.reset(curl_multi_init());
  handles->easy.reset(curl_easy_init());
  if (handles->multi == nullptr || handles->easy == nullptr) {
    return Internal("libcurl cannot be set up");
  }
  // The constructor is private, which std::make_unique cannot reach.
  return std::unique_ptr<HttpClient>(new HttpClient(options, std::move(handles)));
}

HttpClient::HttpClient(Options options, std::unique_ptr<Handles> handles)
    : options_(std::move(options)), handles_(std::move(handles)) {}

HttpClient::~HttpClient() = default;

absl::StatusOr<HttpAnswer> HttpClient::Get(
    const HttpRequest& request, const std::function<absl::Status(const HttpAnswer&)>& on_answer,
    const std::function<absl::Status(std::span<const std::byte>)>& on_body,
    const std::stop_token& stop) {
  CURL* const easy = handles_->easy.get();
  CURLM* const multi = handles_->multi.get();
  curl_easy_reset(easy);  // Connections are kept.
  Transfer transfer(easy, on_answer, on_body);
  const auto set = [easy](CURLoption option, auto value) {
    const CURLcode code = curl_easy_setopt(easy, option, value);
    OMSERVE_CHECK(code == CURLE_OK, "libcurl 7.88 has these settings");
  };
  const char* const protocols = options_.allow_http ? "http,https" : "https";
  set(CURLOPT_URL, request.url.c_str());
  set(CURLOPT_PROTOCOLS_STR, protocols);
  set(CURLOPT_REDIR_PROTOCOLS_STR, protocols);
  set(CURLOPT_FOLLOWLOCATION, 1L);
  set(CURLOPT_MAXREDIRS, static_cast<long>(kMostRedirects));  // NOLINT(google-runtime-int)
  set(CURLOPT_NOSIGNAL, 1L);
  set(CURLOPT_QUICK_EXIT, 1L);  // A name that is being looked up is not waited for.
  set(CURLOPT_PROXY, "");       // Else the environment would say where bytes come from.
  set(CURLOPT_SSL_VERIFYPEER, 1L);
  set(CURLOPT_SSL_VERIFYHOST, 2L);
  set(CURLOPT_SSLVERSION, static_cast<long>(CURL_SSLVERSION_TLSv1_2));  // NOLINT
  if (!options_.ca_file.empty()) {
    set(CURLOPT_CAINFO, options_.ca_file.c_str());
    set(CURLOPT_CAPATH, static_cast<const char*>(nullptr));  // These alone, not the system's too.
  }
  set(CURLOPT_CONNECTTIMEOUT_MS,
      static_cast<long>(options_.connect_timeout.count()));  // NOLINT(google-runtime-int)
  set(CURLOPT_LOW_SPEED_LIMIT, 1L);
  set(CURLOPT_LOW_SPEED_TIME,
      static_cast<long>(options_.stall_timeout.count()));  // NOLINT(google-runtime-int)
  set(CURLOPT_USERAGENT, "omserve");
  if (!request.bearer.empty()) {
    // Of these two curl knows that they are for the first host alone.
    set(CURLOPT_HTTPAUTH, CURLAUTH_BEARER);
    set(CURLOPT_XOAUTH2_BEARER, request.bearer.c_str());
  }
  std::unique_ptr<curl_slist, FreeList> headers;
  const std::string range = fmt::format("{}-", request.offset);
  if (request.offset > 0) {
    set(CURLOPT_RANGE, range.c_str());
    headers.reset(curl_slist_append(nullptr, fmt::format("If-Range: {}", request.if_tag).c_str()));
    set(CURLOPT_HTTPHEADER, headers.get());
  }
  set(CURLOPT_WRITEFUNCTION, &Transfer::Write);
  set(CURLOPT_WRITEDATA, static_cast<void*>(&transfer));
  std::array<char, CURL_ERROR_SIZE> details{};
  set(CURLOPT_ERRORBUFFER, details.data());

  OMSERVE_CHECK(curl_multi_add_handle(multi, easy) == CURLM_OK, "the handle is in no other use");
  CURLcode code = CURLE_OK;
  bool is_over = false;
  {
    const std::stop_callback wake(stop, [multi] { curl_multi_wakeup(multi); });
    while (!is_over && !stop.stop_requested()) {
      int running = 0;
      CURLMcode step = curl_multi_perform(multi, &running);
      int left = 0;
      while (const CURLMsg* const message = curl_multi_info_read(multi, &left)) {
        if (message->msg == CURLMSG_DONE) {
          code = message->data.result;
          is_over = true;
        }
      }
      if (step == CURLM_OK && !is_over) {
        step = curl_multi_poll(multi, nullptr, 0, kPollMs, nullptr);
      }
      if (step != CURLM_OK) {
        code = CURLE_FAILED_INIT;
        break;
      }
    }
  }
  if (code == CURLE_OK && is_over) {
    transfer.Answer().IgnoreError();  // It is in status().
  }
  curl_multi_remove_handle(multi, easy);
  RETURN_IF_ERROR(transfer.status());
  if (!is_over && code == CURLE_OK) {
    return Cancelled("'{}': stopped", request.url);
  }
  if (code == CURLE_OK || transfer.is_refusal()) {
    return transfer.answer();
  }
  const std::string why = details[0] != '\0' ? details.data() : curl_easy_strerror(code);
  if (IsAboutTrust(code)) {
    return FailedPrecondition("'{}': the server's certificate is not accepted ({}); see ca_file",
                              request.url, why);
  }
  if (code == CURLE_TOO_MANY_REDIRECTS || code == CURLE_UNSUPPORTED_PROTOCOL) {
    return FailedPrecondition("'{}': a redirect is not followed ({}); expected at most {}, to {}",
                              request.url, why, kMostRedirects, protocols);
  }
  return Unavailable("'{}': {}", request.url, why);
}

std::string UrlBelow(const std::string& base, const std::string& path) {
  constexpr std::string_view kPlain =
      "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-._~/";
  std::string url = base;
  if (!url.ends_with('/')) {
    url += '/';
  }
  for (const char c : path) {
    if (kPlain.find(c) != std::string_view::npos) {
      url += c;
    } else {
      url += fmt::format("%{:02X}", static_cast<unsigned char>(c));
    }
  }
  return url;
}

absl::Status CheckHttpUrl(const std::string& url) {
  const std::unique_ptr<CURLU, FreeUrl> parsed(curl_url());
  const auto part = [&parsed](CURLUPart which) {
    char* text = nullptr;
    std::string read;
    if (curl_url_get(parsed.get(), which, &text, 0) == CURLUE_OK) {
      read = text;
    }
    curl_free(text);
    return read;
  };
  if (curl_url_set(parsed.get(), CURLUPART_URL, url.c_str(), 0) != CURLUE_OK ||
      (part(CURLUPART_SCHEME) != "http" && part(CURLUPART_SCHEME) != "https")) {
    return InvalidArgument("expected an address such as https://models.example/repository");
  }
  // It is shown in logs and metrics.
  if (!part(CURLUPART_USER).empty() || !part(CURLUPART_PASSWORD).empty()) {
    return InvalidArgument("expected no user or password in the address; use token_file");
  }
  if (!part(CURLUPART_QUERY).empty() || !part(CURLUPART_FRAGMENT).empty()) {
    return InvalidArgument(
        "expected an address without '?' and '#': paths of files are put behind "
        "it");
  }
  return absl::OkStatus();
}

}  // namespace omserve::source
