// SPDX-License-Identifier: Apache-2.0
#include "tests/runtime/source/nginx.h"

#include <fmt/format.h>
#include <poll.h>
#include <signal.h>
#include <spawn.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#include <array>
#include <catch2/catch.hpp>
#include <cstdlib>
#include <string_view>

#include "runtime/base/descriptor.h"
#include "tests/loopback_address.h"

extern char** environ;  // NOLINT: POSIX has it so.

namespace omserve::source {
namespace {

constexpr int kLooks = 3000;
constexpr int kBetweenLooksMs = 10;

// $ is nginx's; places are in capitals.
constexpr std::string_view kConfiguration = R"(daemon off;
master_process off;
pid OWN/nginx.pid;
error_log OWN/error.log;
events {}
http {
  log_format told '$scheme $status $body_bytes_sent $uri [$http_range] [$http_authorization]';
  access_log OWN/access.log told;
  client_body_temp_path OWN/body;
  proxy_temp_path OWN/proxy;
  fastcgi_temp_path OWN/fastcgi;
  uwsgi_temp_path OWN/uwsgi;
  scgi_temp_path OWN/scgi;
  root SITE;
  server {
    listen 127.0.0.1:HTTPPORT;
    location /around { return 302 /around; }
    location /broken/ { return 500; }
    location /busy/ { return 503; }
    location /slow/ { alias SITE/; limit_rate 64k; }
  }
  server {
    listen 127.0.0.1:HTTPSPORT ssl;
    ssl_certificate OWN/server.pem;
    ssl_certificate_key OWN/server.key;
    location /private/ {
      if ($http_authorization != "Bearer TOKEN") { return 401; }
      alias SITE/;
    }
    if ($request_uri ~ ^/moved/(.*)$) { return 302 https://localhost:HTTPSPORT/$1; }
    if ($request_uri ~ ^/plain/(.*)$) { return 302 http://127.0.0.1:HTTPPORT/$1; }
  }
}
)";

void Replace(std::string& text, std::string_view what, const std::string& by) {
  for (size_t at = text.find(what); at != std::string::npos; at = text.find(what, at + by.size())) {
    text.replace(at, what.size(), by);
  }
}

// Nobody has it at the moment.
int FreePort() {
  const Descriptor fd(socket(AF_INET, SOCK_STREAM, 0));
  sockaddr address = LoopbackAddress(0);
  socklen_t size = sizeof(address);
  REQUIRE(bind(fd.get(), &address, size) == 0);
  REQUIRE(getsockname(fd.get(), &address, &size) == 0);
  sockaddr_in in{};
  std::memcpy(&in, &address, sizeof(in));
  return ntohs(in.sin_port);
}

bool Answers(int port) {
  const Descriptor fd(socket(AF_INET, SOCK_STREAM, 0));
  const sockaddr address = LoopbackAddress(port);
  return connect(fd.get(), &address, sizeof(address)) == 0;
}

void Pause() { poll(nullptr, 0, kBetweenLooksMs); }

void Openssl(const std::string& arguments) {
  const std::string command = "openssl " + arguments + " 2>/dev/null";
  INFO(command);
  REQUIRE(std::system(command.c_str()) == 0);  // NOLINT(*-env33-c, *-mt-unsafe): of a test.
}

void MakeCertificates(const std::string& folder) {
  constexpr std::string_view kNew = "-newkey ec -pkeyopt ec_paramgen_curve:prime256v1 -nodes";
  for (const char* ca : {"ca", "other"}) {
    Openssl(fmt::format("req -x509 {} -keyout {}/{}.key -out {}/{}.pem -days 2 -subj /CN={}", kNew,
                        folder, ca, folder, ca, ca));
  }
  REQUIRE_OK(WriteFileAtomically(folder + "/names", "subjectAltName=DNS:localhost,IP:127.0.0.1\n"));
  Openssl(fmt::format("req {} -keyout {}/server.key -out {}/server.csr -subj /CN=models", kNew,
                      folder, folder));
  Openssl(
      fmt::format("x509 -req -in {0}/server.csr -CA {0}/ca.pem -CAkey {0}/ca.key "
                  "-CAcreateserial -out {0}/server.pem -days 2 -extfile {0}/names",
                  folder));
}

}  // namespace

Nginx::Nginx() {
  MakeCertificates(own_.path());
  // Another program may take a free port first.
  for (int attempt = 0; attempt < 5 && pid_ < 0; ++attempt) {
    Start();
  }
  REQUIRE(pid_ >= 0);
}

void Nginx::Start() {
  http_port_ = FreePort();
  https_port_ = FreePort();
  std::string text(kConfiguration);
  Replace(text, "OWN", own_.path());
  Replace(text, "SITE", site_.path());
  Replace(text, "HTTPPORT", std::to_string(http_port_));
  Replace(text, "HTTPSPORT", std::to_string(https_port_));
  Replace(text, "TOKEN", kToken);
  own_.Write("nginx.conf", text);
  std::string program = "/usr/sbin/nginx";
  std::string configuration = own_.Path("nginx.conf");
  std::string log = own_.Path("error.log");
  std::string prefix = own_.path();
  std::array<std::string, 6> flags = {"-c", configuration, "-p", prefix, "-e", log};
  std::array<char*, 8> arguments = {program.data()};
  for (size_t i = 0; i < flags.size(); ++i) {
    arguments.at(i + 1) = flags.at(i).data();
  }
  REQUIRE(posix_spawn(&pid_, program.c_str(), nullptr, nullptr, arguments.data(), environ) == 0);
  for (int i = 0; i < kLooks && !Answers(https_port_); ++i) {
    if (waitpid(pid_, nullptr, WNOHANG) == pid_) {
      pid_ = -1;
      return;
    }
    Pause();
  }
}

void Nginx::Stop() {
  if (pid_ >= 0) {
    kill(pid_, SIGTERM);
    waitpid(pid_, nullptr, 0);
    pid_ = -1;
  }
}

Nginx::~Nginx() { Stop(); }

std::string Nginx::Http(const std::string& path) const {
  return fmt::format("http://127.0.0.1:{}{}", http_port_, path);
}

std::string Nginx::Https(const std::string& path) const {
  return fmt::format("https://127.0.0.1:{}{}", https_port_, path);
}

std::string Nginx::AccessLog() const { return own_.Read("access.log"); }

void Nginx::ClearAccessLog() const { std::filesystem::resize_file(own_.Path("access.log"), 0); }

std::string Nginx::AwaitAccessLog(const std::string& text) const {
  for (int i = 0; i < kLooks && AccessLog().find(text) == std::string::npos; ++i) {
    Pause();
  }
  return AccessLog();
}

}  // namespace omserve::source
