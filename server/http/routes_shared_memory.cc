// SPDX-License-Identifier: Apache-2.0
// Memory that clients share with the server.
#include <boost/json.hpp>
#include <string>
#include <utility>

#include "runtime/base/errors.h"
#include "server/core/shared_memory.h"
#include "server/http/json_object.h"
#include "server/http/routes.h"

namespace omserve::server {
namespace {

namespace json = boost::json;

HttpReply Done(const absl::Status& status) { return status.ok() ? HttpReply{} : HttpError(status); }

absl::StatusOr<uint64_t> Number(const json::object& asked, const char* key) {
  const json::value* value = asked.if_contains(key);
  json::error_code error;
  const auto number =
      value != nullptr && value->is_number() ? value->to_number<uint64_t>(error) : 0;
  if (error || (value != nullptr && !value->is_number())) {
    return InvalidArgument("'{}' must be a whole number that is not negative", key);
  }
  return number;
}

absl::StatusOr<SharedMemory::Region> ReadRegion(const HttpRequest& request) {
  ASSIGN_OR_RETURN(const json::object object, ReadJsonObject(request.body(), EmptyBody::kIsWrong));
  const json::value* key = object.if_contains("key");
  if (key == nullptr || !key->is_string()) {
    return InvalidArgument("'key' must be there and a string, the object's name for shm_open");
  }
  if (!object.contains("byte_size")) {
    return InvalidArgument("'byte_size' must be there, the number of bytes to register");
  }
  SharedMemory::Region region{.name = request.parts.region,
                              .key = std::string(std::string_view(key->get_string()))};
  ASSIGN_OR_RETURN(region.offset_bytes, Number(object, "offset"));
  ASSIGN_OR_RETURN(region.size_bytes, Number(object, "byte_size"));
  return region;
}

HttpReply Register(const FrontDoor& door, const HttpRequest& request) {
  const absl::StatusOr<SharedMemory::Region> region = ReadRegion(request);
  return Done(region.ok() ? RegisterShared(door.shared_memory, *region) : region.status());
}

HttpReply Status(const FrontDoor& door, const HttpRequest& request) {
  const absl::StatusOr<std::vector<SharedMemory::Region>> regions =
      ListShared(door.shared_memory, request.parts.region);
  if (!regions.ok()) {
    return HttpError(regions.status());
  }
  json::array rows;
  for (const SharedMemory::Region& region : *regions) {
    rows.push_back(json::object{{"name", region.name},
                                {"key", region.key},
                                {"offset", region.offset_bytes},
                                {"byte_size", region.size_bytes}});
  }
  return HttpJson(200, std::move(rows));
}

HttpReply CudaStatus(const HttpRequest& request) {
  const absl::Status found = FindNoCudaMemory(request.parts.region);
  return found.ok() ? HttpJson(200, json::array()) : HttpError(found);
}

void Add(std::vector<Route>& routes, const char* verb, const char* pattern,
         std::function<HttpReply(const HttpRequest&)> answer) {
  routes.push_back({.verb = verb,
                    .pattern = pattern,
                    .group = MethodGroup::kSharedMemory,
                    .handler = AtOnce(std::move(answer))});
}

}  // namespace

void AddSharedMemoryRoutes(const FrontDoor& door, std::vector<Route>& routes) {
  Add(routes, "GET", "/v2/systemsharedmemory[/region/{region}]/status",
      [&door](const HttpRequest& request) { return Status(door, request); });
  Add(routes, "POST", "/v2/systemsharedmemory/region/{region}/register",
      [&door](const HttpRequest& request) { return Register(door, request); });
  Add(routes, "POST", "/v2/systemsharedmemory[/region/{region}]/unregister",
      [&door](const HttpRequest& request) {
        UnregisterShared(door.shared_memory, request.parts.region);
        return HttpReply{};
      });
  Add(routes, "GET", "/v2/cudasharedmemory[/region/{region}]/status", &CudaStatus);
  Add(routes, "POST", "/v2/cudasharedmemory/region/{region}/register",
      [](const HttpRequest& request) { return HttpError(RefuseCudaMemory(request.parts.region)); });
  Add(routes, "POST", "/v2/cudasharedmemory[/region/{region}]/unregister",
      [](const HttpRequest& /*request*/) { return HttpReply{}; });
}

}  // namespace omserve::server
