// SPDX-License-Identifier: Apache-2.0
// Beast's parser, made to put the pieces of a chunked body into a RequestBody.
#pragma once

#include <boost/asio/buffer.hpp>
#include <boost/beast/http/error.hpp>
#include <boost/beast/http/message.hpp>
#include <boost/beast/http/parser.hpp>
#include <boost/optional/optional.hpp>
#include <cstddef>
#include <cstdint>
#include <string_view>

#include "server/http/request_body.h"

namespace omserve::server {

// A Body, as Beast calls what it reads one with.
struct BodyTarget {
  struct value_type {
    RequestBody* body = nullptr;  // Set before the first piece.
    RequestBody::Problem problem = RequestBody::Problem::kNone;
  };

  class reader {
   public:
    template <bool kIsRequest, typename Fields>
    reader(boost::beast::http::header<kIsRequest, Fields>& /*header*/, value_type& value)
        : value_(value) {}

    void init(const boost::optional<uint64_t>& /*length*/, boost::beast::error_code& error) {
      error = {};
    }
    template <typename Buffers>
    size_t put(const Buffers& buffers, boost::beast::error_code& error) {
      error = {};
      size_t taken = 0;
      for (auto it = boost::asio::buffer_sequence_begin(buffers);
           it != boost::asio::buffer_sequence_end(buffers); ++it) {
        const boost::asio::const_buffer piece = *it;
        value_.problem = value_.body->Put({static_cast<const char*>(piece.data()), piece.size()});
        if (value_.problem != RequestBody::Problem::kNone) {
          error = boost::beast::http::error::body_limit;  // `problem` says which.
          return taken;
        }
        taken += piece.size();
      }
      return taken;
    }
    void finish(boost::beast::error_code& error) { error = {}; }

   private:
    value_type& value_;
  };
};

using RequestParser = boost::beast::http::request_parser<BodyTarget>;

}  // namespace omserve::server
