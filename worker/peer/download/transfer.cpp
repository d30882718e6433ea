// SPDX-License-Identifier: Apache-2.0
#include "worker/peer/download/transfer.h"

#include <curl/curl.h>
#include <sys/socket.h>

#include <utility>

#include "common/value/error.h"

namespace perch::peer {
namespace {

constexpr long kConnectSeconds = 10;
constexpr long kSilentSeconds = 30;
constexpr long kMaxRedirects = 10;
// What sits in the receive buffer of a killed peer is sent again: kept small on purpose.
constexpr int kReceiveBuffer = 128 << 10;

int on_socket_made(void* /*ours*/, curl_socket_t socket, curlsocktype /*purpose*/) noexcept {
  ::setsockopt(socket, SOL_SOCKET, SO_RCVBUF, &kReceiveBuffer, sizeof kReceiveBuffer);
  return CURL_SOCKOPT_OK;
}

std::string range_text(ByteRange range) {
  return std::to_string(range.begin) + "-" + std::to_string(range.end - 1);
}

curl_slist* header_list(const std::map<std::string, std::string>& headers) {
  curl_slist* list = nullptr;
  for (const auto& [name, value] : headers) {
    // "name;" is curl's way to write a field without a value.
    const std::string line = value.empty() ? name + ";" : name + ": " + value;
    list = curl_slist_append(list, line.c_str());
  }
  return list;
}

}  // namespace

struct Transfer::Callbacks {
  static std::size_t on_header(char* data, std::size_t size, std::size_t count,
                               void* self) noexcept {
    static_cast<Transfer*>(self)->answer_.take_line({data, size * count});
    return size * count;
  }
  static std::size_t on_body(char* data, std::size_t size, std::size_t count, void* self) noexcept {
    auto* transfer = static_cast<Transfer*>(self);
    const auto bytes = std::as_bytes(std::span(data, size * count));
    const bool go = transfer->handlers_.on_data(transfer->answer_, bytes) == Next::Go;
    return go ? bytes.size() : 0;
  }
};

void Transfer::Free::operator()(void* easy) const noexcept { curl_easy_cleanup(easy); }
void Transfer::Free::operator()(curl_slist* list) const noexcept { curl_slist_free_all(list); }

Transfer::Transfer(CurlLoop& curl, const OriginRequest& request, std::optional<ByteRange> range,
                   Handlers handlers)
    : curl_(curl),
      handlers_(std::move(handlers)),
      error_(CURL_ERROR_SIZE, '\0'),
      headers_(header_list(request.headers)),
      easy_(curl_easy_init()) {
  PERCH_CHECK(easy_ != nullptr);
  configure(request, range);
  running_ = true;
  curl_.add(easy_.get(), [this](int code) { end(code); });
}

Transfer::~Transfer() {
  if (running_) curl_.remove(easy_.get());
}

void Transfer::configure(const OriginRequest& request, std::optional<ByteRange> range) {
  CURL* easy = easy_.get();
  curl_easy_setopt(easy, CURLOPT_URL, request.url.c_str());
  curl_easy_setopt(easy, CURLOPT_PROTOCOLS_STR, "http,https");
  curl_easy_setopt(easy, CURLOPT_REDIR_PROTOCOLS_STR, "http,https");
  curl_easy_setopt(easy, CURLOPT_FOLLOWLOCATION, 1L);
  curl_easy_setopt(easy, CURLOPT_MAXREDIRS, kMaxRedirects);
  curl_easy_setopt(easy, CURLOPT_NOSIGNAL, 1L);
  curl_easy_setopt(easy, CURLOPT_CONNECTTIMEOUT, kConnectSeconds);
  curl_easy_setopt(easy, CURLOPT_LOW_SPEED_LIMIT, 1L);
  curl_easy_setopt(easy, CURLOPT_LOW_SPEED_TIME, kSilentSeconds);
  curl_easy_setopt(easy, CURLOPT_HTTPHEADER, headers_.get());
  curl_easy_setopt(easy, CURLOPT_ERRORBUFFER, error_.data());
  curl_easy_setopt(easy, CURLOPT_SOCKOPTFUNCTION, &on_socket_made);
  curl_easy_setopt(easy, CURLOPT_HEADERFUNCTION, &Callbacks::on_header);
  curl_easy_setopt(easy, CURLOPT_HEADERDATA, this);
  curl_easy_setopt(easy, CURLOPT_WRITEFUNCTION, &Callbacks::on_body);
  curl_easy_setopt(easy, CURLOPT_WRITEDATA, this);
  if (range) curl_easy_setopt(easy, CURLOPT_RANGE, range_text(*range).c_str());
}

void Transfer::end(int code) {
  running_ = false;
  std::string problem;
  if (code != CURLE_OK) {
    // NOLINTNEXTLINE(readability-redundant-string-cstr): up to the terminator that curl wrote
    problem = error_.c_str();
    if (problem.empty()) problem = curl_easy_strerror(static_cast<CURLcode>(code));
  }
  // The handler may destroy this object, and with it the function that runs.
  const auto on_end = std::move(handlers_.on_end);
  const OriginAnswer answer = std::move(answer_);
  on_end(answer, problem);
}

}  // namespace perch::peer
