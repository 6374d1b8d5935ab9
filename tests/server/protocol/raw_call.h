// SPDX-License-Identifier: Apache-2.0
// One gRPC call whose frames are written by hand: HTTP/2 as far as a call needs it.
//
// Source: RFC 9113 and RFC 7541; gRPC over HTTP/2.
#pragma once

#include <catch2/catch.hpp>
#include <cstddef>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "tests/server/protocol/peer.h"

namespace omserve::server {

// What is sent stands still where the test stops sending; what comes is read in Receive alone.
class RawCall final {
 public:
  explicit RawCall(int port) : peer_(port) {}

  // `timeout` as gRPC has it, such as "60m" for 60 ms; empty: none.
  void Begin(const std::string& method, const std::string& timeout = "") {
    std::vector<std::pair<std::string, std::string>> fields = {
        {":method", "POST"},
        {":scheme", "http"},
        {":path", "/inference.GRPCInferenceService/" + method},
        {":authority", "h"},
        {"te", "trailers"},
        {"content-type", "application/grpc"}};
    if (!timeout.empty()) {
      fields.emplace_back("grpc-timeout", timeout);
    }
    std::string header;
    for (const auto& [name, value] : fields) {
      header += '\0';  // A literal that is not indexed, with a new name.
      header += static_cast<char>(name.size());
      header += name;
      header += static_cast<char>(value.size());
      header += value;
    }
    REQUIRE(peer_.Send("PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n" + Frame(kSettings, 0, 0, "") +
                       Frame(kHeaders, kEndHeaders, 1, header)));
  }
  // The message as it travels, of which any part may be a frame.
  static std::string Framed(const std::string& message) {
    return '\0' + Number(message.size(), 4) + message;  // Not compressed.
  }
  void SendData(const std::string& bytes, bool is_last) {
    REQUIRE(peer_.Send(Frame(kData, is_last ? kEndStream : 0, 1, bytes)));
  }
  void SendMessage(const std::string& message) { SendData(Framed(message), /*is_last=*/true); }
  // The client wants no answer any longer.
  void Cancel() { REQUIRE(peer_.Send(Frame(kReset, 0, 1, Number(kCancelled, 4)))); }
  // Returns when the daemon has read all that was sent so far.
  void AwaitRead() {
    const std::string token = "8 bytes.";
    REQUIRE(peer_.Send(Frame(kPing, 0, 0, token)));
    for (std::optional<Read> read = Next(); read.has_value(); read = Next()) {
      if (read->type == kPing && (read->flags & kAck) != 0 && read->payload == token) {
        return;
      }
    }
    FAIL("the connection ended");
  }

  struct Came {
    std::string kinds;  // Of the frames, each by a letter: GOAWAY, DATA, HEADERS, RST_STREAM.
    std::string data;
    int status = -1;   // grpc-status; -1: none came.
    size_t reset = 0;  // Of RST_STREAM: its code; 0: none came.
  };
  // Until the connection or the call ended.
  Came Receive() {
    Came came;
    for (std::optional<Read> read = Next(); read.has_value(); read = Next()) {
      if (read->type == kGoAway) {
        came.kinds += 'G';
      } else if (read->type == kData) {
        came.kinds += 'D';
        came.data += read->payload;
      } else if (read->type == kReset) {
        came.kinds += 'R';
        came.reset = Value(read->payload);
        break;
      } else if (read->type == kHeaders) {
        came.kinds += 'H';
        if ((read->flags & kEndStream) != 0) {
          came.status = StatusOf(read->payload);
          break;
        }
      } else if ((read->type == kSettings || read->type == kPing) && (read->flags & kAck) == 0) {
        peer_.Send(Frame(read->type, kAck, 0, read->type == kPing ? read->payload : ""));
      }
    }
    return came;
  }
  void ResetAtEnd() const { peer_.ResetAtEnd(); }
  FarEnd far_end() const { return peer_.far_end(); }

  static constexpr size_t kCancelled = 8;  // Of RST_STREAM.

 private:
  struct Read {
    unsigned char type;
    unsigned char flags;
    std::string payload;
  };
  static constexpr unsigned char kData = 0;
  static constexpr unsigned char kHeaders = 1;
  static constexpr unsigned char kReset = 3;
  static constexpr unsigned char kSettings = 4;
  static constexpr unsigned char kPing = 6;
  static constexpr unsigned char kGoAway = 7;
  static constexpr unsigned char kAck = 1;
  static constexpr unsigned char kEndStream = 1;
  static constexpr unsigned char kEndHeaders = 4;

  static std::string Number(size_t value, int bytes) {
    std::string text;
    for (int i = bytes - 1; i >= 0; --i) {
      text += static_cast<char>((value >> (8 * i)) & 255U);
    }
    return text;
  }
  static size_t Value(const std::string& bytes) {
    size_t value = 0;
    for (const char byte : bytes) {
      value = value * 256 + static_cast<unsigned char>(byte);
    }
    return value;
  }
  static std::string Frame(unsigned char type, unsigned char flags, size_t stream,
                           const std::string& payload) {
    return Number(payload.size(), 3) + static_cast<char>(type) + static_cast<char>(flags) +
           Number(stream, 4) + payload;
  }
  // gRPC writes it as a literal: its name, how long the number is, the number.
  static int StatusOf(const std::string& trailers) {
    const std::string name = "grpc-status";
    const size_t at = trailers.find(name);
    if (at == std::string::npos) {
      return -1;
    }
    const auto size = static_cast<size_t>(trailers.at(at + name.size()));
    return std::stoi(trailers.substr(at + name.size() + 1, size));
  }

  std::optional<Read> Next() {
    const std::optional<std::string> head = Take(9);
    if (!head.has_value()) {
      return std::nullopt;
    }
    std::optional<std::string> payload = Take(Value(head->substr(0, 3)));
    if (!payload.has_value()) {
      return std::nullopt;
    }
    return Read{.type = static_cast<unsigned char>((*head)[3]),
                .flags = static_cast<unsigned char>((*head)[4]),
                .payload = *std::move(payload)};
  }
  std::optional<std::string> Take(size_t size) {
    while (came_.size() < size) {
      const std::string more = peer_.ReceiveSome();
      if (more.empty()) {
        return std::nullopt;
      }
      came_ += more;
    }
    std::string taken = came_.substr(0, size);
    came_.erase(0, size);
    return taken;
  }

  const Peer peer_;
  std::string came_;
};

}  // namespace omserve::server
