// SPDX-License-Identifier: Apache-2.0
#include "server/http/json_cut.h"

#include <boost/json.hpp>
#include <utility>

#include "runtime/base/errors.h"
#include "server/http/json_scan.h"

namespace omserve::server {
namespace {

namespace json = boost::json;

// Whether a key as it stands, in its quotes, is `name`, which may be written with escapes.
bool IsKey(std::string_view quoted, std::string_view name) {
  if (quoted.find('\\') == std::string_view::npos) {
    return quoted.substr(1, quoted.size() - 2) == name;
  }
  json::error_code error;
  const json::value key = json::parse(json::string_view(quoted.data(), quoted.size()), error);
  return !error && key.is_string() &&
         key.get_string() == json::string_view(name.data(), name.size());
}

// Follows the text as far as it is JSON. What it cannot follow it leaves to the parser of the
// document, which says better what is wrong.
class Cutter final {
 public:
  explicit Cutter(std::string_view text)
      : at_(text.data()), end_(at_ + text.size()), copied_to_(at_) {}

  absl::StatusOr<CutRequest> Cut() {
    ASSIGN_OR_RETURN([[maybe_unused]] const bool followed,
                     FollowMembers("inputs", &Cutter::FollowInputs));
    cut_.document.append(copied_to_, end_);
    return std::move(cut_);
  }

 private:
  // At a value; false when it cannot be followed.
  using Follow = absl::StatusOr<bool> (Cutter::*)();

  bool Take(char wanted) {
    at_ = SkipJsonSpace(at_, end_);
    if (at_ == end_ || *at_ != wanted) {
      return false;
    }
    ++at_;
    at_ = SkipJsonSpace(at_, end_);
    return true;
  }

  bool Skip() {
    const char* const past = SkipJsonValue(at_, end_);
    at_ = past == nullptr ? at_ : past;
    return past != nullptr;
  }

  // The members of the object at hand: the value of `name` goes to `follow`, others are passed.
  absl::StatusOr<bool> FollowMembers(std::string_view name, Follow follow) {
    if (!Take('{')) {
      return false;
    }
    bool met = false;
    do {
      const char* const key = at_;
      if (at_ == end_ || *at_ != '"' || !Skip()) {
        break;  // Or the object is empty.
      }
      const bool is_it = IsKey({key, static_cast<size_t>(at_ - key)}, name);
      if (is_it && std::exchange(met, true)) {
        return InvalidArgument("the request has '{}' twice where it can be there once", name);
      }
      if (!Take(':')) {
        return false;
      }
      ASSIGN_OR_RETURN(const bool followed, is_it ? (this->*follow)() : Skip());
      if (!followed) {
        return false;
      }
    } while (Take(','));
    return Take('}');
  }

  absl::StatusOr<bool> FollowInputs() {
    if (at_ == end_ || *at_ != '[') {
      return Skip();
    }
    Take('[');
    if (Take(']')) {
      return true;
    }
    do {
      const bool is_object = at_ != end_ && *at_ == '{';
      ASSIGN_OR_RETURN(const bool followed,
                       is_object ? FollowMembers("data", &Cutter::CutData) : Skip());
      if (!followed) {
        return false;
      }
    } while (Take(','));
    return Take(']');
  }

  absl::StatusOr<bool> CutData() {
    const char* const begin = at_;
    if (!Skip()) {
      return false;
    }
    cut_.document.append(copied_to_, begin);
    // With a space: digits that wrongly follow the value would make another index of it.
    cut_.document += std::to_string(cut_.data.size()) + ' ';
    cut_.data.emplace_back(begin, static_cast<size_t>(at_ - begin));
    copied_to_ = at_;
    return true;
  }

  const char* at_;
  const char* const end_;
  const char* copied_to_;
  CutRequest cut_;
};

}  // namespace

absl::StatusOr<CutRequest> CutTensorData(std::string_view text) { return Cutter(text).Cut(); }

}  // namespace omserve::server
