// SPDX-License-Identifier: Apache-2.0
#include "server/core/places.h"

#include <catch2/catch.hpp>

#include "runtime/base/errors.h"

namespace omserve::server {
namespace {

TEST_CASE("Places: paths are told as they are within their folder") {
  const std::vector<std::string> places = {"/srv/models", "/srv/more"};
  const absl::Status told = WithoutPlaces(
      NotFound("'/srv/models/text/1/model.om': as '/srv/more/text' and '/srv/models' say"), places);
  CHECK(MessageOf(told) == "'text/1/model.om': as 'text' and '' say");
  CHECK(absl::IsNotFound(told));
  CHECK(WithoutPlaces(absl::OkStatus(), places).ok());
}

}  // namespace
}  // namespace omserve::server
