// SPDX-License-Identifier: Apache-2.0
#include "config/server_config.h"

#include <catch2/catch.hpp>
#include <string>

#include "runtime/base/file.h"
#include "tests/config/config_test_util.h"

namespace omserve::config {
namespace {

// The validation of `text`, to which a repository is added.
std::string ServerError(const std::string& text) {
  const LoadedServerConfig loaded =
      VALUE(ParseServerConfig(text + "\nmodel_repository: [/models]\n", "f"));
  return ErrorOf(ValidateServerConfig(loaded.config, loaded.source));
}

// The defaults are those of the .proto file's comments, and lack only a repository.
TEST_CASE("the defaults", "[1.1/port][1.2/ports]") {
  const ServerConfig config = DefaultServerConfig();
  CHECK(config.server_id() == "omserve");
  CHECK(config.grpc().address() == "0.0.0.0");
  CHECK(config.grpc().port() == 8001);
  CHECK(config.grpc().max_receive_message_bytes() == 2147483647);
  CHECK(config.http().port() == 8000);
  CHECK(config.metrics().allow());
  CHECK(config.metrics().port() == 8002);
  CHECK(config.http().max_body_bytes() == 67108864);
  CHECK(config.device().library().empty());
  CHECK(config.device().ids().empty());
  CHECK(config.device().memory_pool_bytes() == 1073741824);
  CHECK(config.device().pinned_pool_bytes() == 268435456);
  CHECK(config.device().health_interval_ms() == 5000);
  CHECK(config.scheduler().max_queue_rows() == 1024);
  CHECK_FALSE(config.scheduler().has_max_queue_bytes());
  CHECK(config.scheduler().max_queue_time_ms() == 30000);
  CHECK(config.scheduler().warm_up_runs() == 3);
  CHECK(config.scheduler().host_workers() == 0);
  CHECK(config.scheduler().in_flight_per_instance() == 2);
  CHECK(config.log().level() == "info");
  CHECK(config.shutdown().drain_timeout_ms() == 30000);
  CHECK(config.shutdown().drain_delay_ms() == 0);
  CHECK(ErrorOf(ValidateServerConfig(config, SourceMap())) ==
        "key 'model_repository': expected at least one folder of models, got none; add one here or "
        "on the command line");
}

// Keys of the file replace defaults one by one, with units, and a 0 is a value.
TEST_CASE("a file over the defaults") {
  const ServerConfig config =
      VALUE(ParseServerConfig("grpc: {port: 0}\ndevice: {memory_pool_bytes: 64MiB, ids: [1, 0]}\n"
                              "shutdown: {drain_timeout_ms: 5s}\n",
                              "f"))
          .config;
  CHECK(config.grpc().port() == 0);
  CHECK(config.grpc().address() == "0.0.0.0");
  CHECK(config.http().port() == 8000);
  CHECK(config.device().memory_pool_bytes() == 67108864);
  CHECK(config.device().ids_size() == 2);
  CHECK(config.shutdown().drain_timeout_ms() == 5000);
}

// The sample that is shipped is right, and says what the defaults are.
TEST_CASE("the sample settings are the defaults") {
  const LoadedServerConfig sample =
      VALUE(LoadServerConfig(OMSERVE_SOURCE_DIR "/config/samples/omserve.yaml"));
  REQUIRE_OK(ValidateServerConfig(sample.config, sample.source));
  ServerConfig expected = DefaultServerConfig();
  expected.add_model_repository("/var/lib/omserve/models");
  expected.mutable_scheduler()->set_max_queue_bytes(int64_t{192} << 20);  // Of 256 MiB.
  expected.mutable_device()->mutable_host()->set_device_count(1);
  expected.mutable_device()->mutable_host()->set_memory_bytes(int64_t{4} << 30);
  expected.mutable_device()->mutable_host()->set_run_mode("host");
  expected.mutable_device()->mutable_host()->set_intra_op_threads(1);
  expected.mutable_rate_limit();
  expected.mutable_cache();
  expected.mutable_shared_memory();
  CHECK(SameMessage(sample.config, expected));
}

// A missing file, and one that is wrong, are refused with their names.
TEST_CASE("an unusable file is refused") {
  CHECK(LoadServerConfig("not-there.yaml").status().code() == absl::StatusCode::kNotFound);
  REQUIRE_OK(WriteFileAtomically("bad.yaml", "grcp: {}\n"));
  CHECK(ErrorOf(LoadServerConfig("bad.yaml"))
            .starts_with("bad.yaml:1:1: key 'grcp': unknown; did you mean 'grpc'? known keys: "));
}

// Each value out of range is refused with its place and its range.
TEST_CASE("values out of range are refused") {
  CHECK(ServerError("grpc: {port: 70000}") ==
        "f:1:14: key 'grpc.port': expected a number from 0 to 65535, got 70000");
  CHECK(ServerError("http:\n  port: 8001") ==
        "f:2:9: key 'http.port': 8001 is grpc.port as well; choose another");
  CHECK(ServerError("grpc: {max_receive_message_bytes: 2GiB}") ==
        "f:1:35: key 'grpc.max_receive_message_bytes': expected a number from 1 to 2147483647, got "
        "2147483648");
  CHECK(ServerError("device: {memory_pool_bytes: 0}") ==
        "f:1:29: key 'device.memory_pool_bytes': expected 1 or more, got 0");
  CHECK(ServerError("device: {pinned_pool_bytes: -1}") ==
        "f:1:29: key 'device.pinned_pool_bytes': expected 1 or more, got -1");
  CHECK(ServerError("device: {health_interval_ms: 1}") ==
        "f:1:30: key 'device.health_interval_ms': expected 0 or a number from 100 to 60000, got 1");
  CHECK(ServerError("device: {health_interval_ms: 0}").empty());
  CHECK(ServerError("device: {ids: [0, -1]}") ==
        "f:1:19: key 'device.ids[1]': expected a number from 0 to 2147483647, got -1");
  CHECK(ServerError("device: {ids: [3, 3]}") ==
        "f:1:19: key 'device.ids[1]': device 3 is listed twice");
  CHECK(ServerError("device: {host: {cores: 0}}") ==
        "f:1:24: key 'device.host.cores': expected a number from 1 to 4096, got 0");
  CHECK(ServerError("device: {host: {run_mode: hots}}") ==
        "f:1:27: key 'device.host.run_mode': expected host or device, got \"hots\"");
  CHECK(ServerError("scheduler: {warm_up_runs: -1}") ==
        "f:1:27: key 'scheduler.warm_up_runs': expected a number from 0 to 1000, got -1");
  CHECK(ServerError("scheduler: {max_queue_rows: 0}") ==
        "f:1:29: key 'scheduler.max_queue_rows': expected a number from 1 to 2147483647, got 0");
  CHECK(ServerError("scheduler: {in_flight_per_instance: 0}") ==
        "f:1:37: key 'scheduler.in_flight_per_instance': expected a number from 1 to 64, got 0");
  CHECK(ServerError("rate_limit: {resources: [{name: r}]}") ==
        "f:1:26: key 'rate_limit.resources[0].count': expected a number from 1 to 2147483647, got "
        "0");
  CHECK(ServerError("rate_limit: {resources: [{count: 1}]}") ==
        "f:1:26: key 'rate_limit.resources[0].name': expected the resource's name, got nothing");
  CHECK(ServerError("rate_limit: {resources: [{name: r, count: 1, device: -1}]}") ==
        "f:1:54: key 'rate_limit.resources[0].device': expected a number from 0 to 2147483647, got "
        "-1");
  CHECK(ServerError("rate_limit: {resources: [{name: r, count: 1}, {name: r, count: 2}]}") ==
        "f:1:47: key 'rate_limit.resources[1]': \"r\" is listed twice");
  CHECK(
      ServerError("rate_limit: {resources: [{name: r, count: 1}, {name: r, count: 2, device: 0}]}")
          .empty());
  CHECK(ServerError("log: {level: loud}") ==
        "f:1:14: key 'log.level': expected debug, info, warning, error or off, got \"loud\"");
  CHECK(ServerError("shutdown: {drain_delay_ms: -5ms}") ==
        "f:1:28: key 'shutdown.drain_delay_ms': expected a number from 0 to 2147483647, got -5");
  CHECK(ServerError("server_id: \"\"") ==
        "f:1:12: key 'server_id': expected text, got nothing; leave the key out for the default");
}

// Repositories are named, each once.
TEST_CASE("repositories that cannot be are refused") {
  const LoadedServerConfig loaded =
      VALUE(ParseServerConfig("model_repository: [/a, \"\", /a]\n", "f"));
  CHECK(ErrorOf(ValidateServerConfig(loaded.config, loaded.source)) ==
        "f:1:24: key 'model_repository[1]': expected a folder of models, got nothing\n"
        "f:1:28: key 'model_repository[2]': \"/a\" is listed twice");
}

// One step more than nice(1) knows.
TEST_CASE("how much loads yield") {
  CHECK(ServerError("repository: {load_niceness: 20}").empty());
  CHECK(ServerError("repository: {load_niceness: 21}")
            .find("'repository.load_niceness': expected a number from 0 to 20, got 21") !=
        std::string::npos);
}

// The two listeners may both take free ports.
TEST_CASE("two free ports do not collide") {
  CHECK(ServerError("grpc: {port: 0}\nhttp: {port: 0}").empty());
}

// A certificate and its key come together, and clients are asked only where the server has one.
TEST_CASE("half of a TLS setting is refused") {
  CHECK(ServerError("grpc: {tls: {certificate_file: a}}")
            .find("key 'grpc.tls.key_file': expected a file: a certificate and its key come "
                  "together") != std::string::npos);
  CHECK(ServerError("grpc: {tls: {key_file: a}}").find("key 'grpc.tls.certificate_file'") !=
        std::string::npos);
  CHECK(ServerError("grpc: {tls: {client_ca_file: a}}").find("key 'grpc.tls.client_ca_file'") !=
        std::string::npos);
  CHECK(ServerError("grpc: {tls: {certificate_file: a, key_file: b, reload_seconds: 0}}")
            .find("'grpc.tls.reload_seconds': expected a number from 1 to 86400, got 0") !=
        std::string::npos);
}

// Sources: what may stand there, and that an address is never shown, which may have a password in
// it.
TEST_CASE("sources of models") {
  const auto errors = [](const std::string& source) {
    return ServerError("repository: {sources: [" + source + "]}");
  };
  CHECK(errors("{url: \"https://a/b\", ca_file: c, token_file: t, max_bytes_per_second: 4096}")
            .empty());
  CHECK(errors("{url: \"http://a\"}, {url: \"file:///a\", folder: /models, every_seconds: 1}, "
               "{url: \"oci:/a\"}")
            .empty());
  CHECK_THAT(
      errors("{url: \"ftp://me:secret@a\"}"),
      Catch::Contains("sources[0].url': expected https://HOST/PATH") && !Catch::Contains("secret"));
  CHECK_THAT(errors("{url: \"file:///a\", folder: /other}"),
             Catch::Contains("sources[0].folder': expected one of model_repository"));
  CHECK_THAT(errors("{url: \"http://a\", token_file: t}"), Catch::Contains("plain text"));
  CHECK_THAT(errors("{url: \"oci:/a\", ca_file: c}"), Catch::Contains("begins with https://"));
  CHECK_THAT(errors("{url: \"oci:/a\", every_seconds: 0}"), Catch::Contains("from 1 to 86400"));
  CHECK_THAT(errors("{url: \"oci:/a\", max_bytes_per_second: 1}"), Catch::Contains("from 4096"));
  CHECK_THAT(errors("{url: \"oci:/a\"}, {url: \"oci:/a\"}"), Catch::Contains("listed twice"));
}

}  // namespace
}  // namespace omserve::config
