// SPDX-License-Identifier: Apache-2.0
#include "common/http/http_message.h"

#include <boost/beast/core/buffers_range.hpp>
#include <boost/beast/http/parser.hpp>
#include <boost/beast/http/serializer.hpp>
#include <boost/beast/http/string_body.hpp>
#include <nlohmann/json.hpp>

#include <algorithm>

namespace perch {
namespace {

namespace asio = boost::asio;
namespace http = boost::beast::http;
using BeastError = boost::beast::error_code;

constexpr std::size_t kMaxReply = 16U << 20U;

std::string_view view(boost::beast::string_view text) { return {text.data(), text.size()}; }
boost::beast::string_view beast_view(std::string_view text) { return {text.data(), text.size()}; }

HttpReply refusal_for(const BeastError& error) {
  if (error == http::error::header_limit) return refusal(431, "the request's header is too large");
  if (error == http::error::body_limit) return refusal(413, "the request's body is too large");
  return refusal(400, "not a request of HTTP/1.1: " + error.message());
}

http::response<http::string_body> to_message(const HttpReply& reply, const HttpRequest& request) {
  http::response<http::string_body> message(http::int_to_status(reply.status), 11, reply.body);
  message.set(http::field::content_type, beast_view(reply.content_type));
  message.set(http::field::cache_control, "no-store");
  if (!reply.allow.empty()) message.set(http::field::allow, beast_view(reply.allow));
  message.keep_alive(keeps_alive(reply, request));
  if (!reply.stream) message.content_length(reply.body.size());
  return message;
}

}  // namespace

HttpReply refusal(unsigned status, std::string_view why) {
  using nlohmann::json;
  const json body{{"error", why}};
  return {.status = status,
          .body = body.dump(-1, ' ', false, json::error_handler_t::replace) + "\n"};
}

bool keeps_alive(const HttpReply& reply, const HttpRequest& request) {
  return request.keep_alive && !reply.stream && reply.status != 403;
}

std::string to_bytes(const HttpReply& reply, const HttpRequest& request) {
  const auto message = to_message(reply, request);
  http::serializer<false, http::string_body> serializer(message);
  std::string bytes;
  BeastError error;
  while (!error && !serializer.is_done()) {
    serializer.next(error, [&](BeastError&, const auto& buffers) {
      for (const auto buffer : boost::beast::buffers_range_ref(buffers)) {
        bytes.append(static_cast<const char*>(buffer.data()), buffer.size());
      }
      serializer.consume(boost::beast::buffer_bytes(buffers));
    });
  }
  if (request.method == "HEAD") bytes.resize(bytes.size() - reply.body.size());
  return bytes;
}

struct RequestReader::Parser {
  http::request_parser<http::string_body> beast;
};

RequestReader::RequestReader() : parser_(std::make_unique<Parser>()) {
  parser_->beast.eager(true);
  parser_->beast.header_limit(kMaxRequestHeader);
  parser_->beast.body_limit(kMaxRequestBody);
}

RequestReader::~RequestReader() = default;
RequestReader::RequestReader(RequestReader&&) noexcept = default;
RequestReader& RequestReader::operator=(RequestReader&&) noexcept = default;

bool RequestReader::started() const { return parser_->beast.got_some(); }

std::expected<std::optional<HttpRequest>, HttpReply> RequestReader::feed(std::string& bytes) {
  auto& parser = parser_->beast;
  if (bytes.empty()) return std::nullopt;
  BeastError error;
  bytes.erase(0, parser.put(asio::buffer(bytes), error));
  if (error && error != http::error::need_more) return std::unexpected(refusal_for(error));
  if (!parser.is_done()) return std::nullopt;
  const auto& message = parser.get();
  const auto target = view(message.target());
  const auto path = target.substr(0, target.find('?'));
  const auto query = target.substr(std::min(path.size() + 1, target.size()));
  return HttpRequest{.method = std::string(view(message.method_string())),
                     .target = std::string(path),
                     .query = std::string(query),
                     .keep_alive = message.keep_alive()};
}

Result<HttpReply> parse_reply(std::string_view bytes) {
  http::response_parser<http::string_body> parser;
  parser.eager(true);
  parser.body_limit(kMaxReply);
  if (bytes.empty()) return refuse("the connection was closed without an answer");
  BeastError error;
  parser.put(asio::buffer(bytes.data(), bytes.size()), error);
  if ((!error || error == http::error::need_more) && !parser.is_done()) parser.put_eof(error);
  if (error) return refuse("not an answer of HTTP/1.1: " + error.message());
  auto message = parser.release();
  return HttpReply{.status = message.result_int(),
                   .content_type = std::string(view(message[http::field::content_type])),
                   .body = std::move(message.body()),
                   .allow = std::string(view(message[http::field::allow]))};
}

Result<unsigned> parse_status(std::string_view header) {
  http::response_parser<http::string_body> parser;
  if (header.empty()) return refuse("the connection was closed without an answer");
  BeastError error;
  parser.put(asio::buffer(header.data(), header.size()), error);
  if (error || !parser.is_header_done()) return refuse("not an answer of HTTP/1.1");
  return parser.get().result_int();
}

}  // namespace perch
