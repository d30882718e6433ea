// SPDX-License-Identifier: Apache-2.0
#include "worker/peer/download/transfer.h"

#include <curl/curl.h>
#include <sys/socket.h>

#include <algorithm>
#include <array>
#include <utility>

#include "common/value/error.h"

namespace perch::peer {
namespace {

constexpr long kConnectSeconds = 10;
constexpr long kMaxRedirects = 10;
// What sits in the receive buffer of a killed peer is sent again: kept small on purpose.
constexpr int kReceiveBuffer = 128 << 10;
constexpr std::size_t kMaxHeaderBytes = 64U << 10U;  // of all answers on the way, and of trailers

// Trying again does not help where the address, its redirects or its certificate are wrong.
constexpr std::array kLastingProblems{
    CURLE_URL_MALFORMAT,      CURLE_TOO_MANY_REDIRECTS, CURLE_PEER_FAILED_VERIFICATION,
    CURLE_SSL_CACERT_BADFILE, CURLE_SSL_CERTPROBLEM,    CURLE_SSL_ISSUER_ERROR};

int on_socket_made(void* /*ours*/, curl_socket_t socket, curlsocktype /*purpose*/) noexcept {
  ::setsockopt(socket, SOL_SOCKET, SO_RCVBUF, &kReceiveBuffer, sizeof kReceiveBuffer);
  return CURL_SOCKOPT_OK;
}

std::string range_text(ByteRange range) {
  return std::to_string(range.begin) + "-" + std::to_string(range.end - 1);
}

class HeaderList {
 public:
  ~HeaderList() { curl_slist_free_all(list_); }
  void add(const std::string& name, const std::string& value) {
    // "name;" is curl's way to write a field without a value.
    const std::string line = value.empty() ? name + ";" : name + ": " + value;
    list_ = curl_slist_append(list_, line.c_str());
  }
  curl_slist* release() { return std::exchange(list_, nullptr); }

 private:
  curl_slist* list_ = nullptr;
};

curl_slist* header_list(const DownloadOptions& options, const OriginRequest& request,
                        const std::optional<Part>& part) {
  HeaderList list;
  for (const auto& [name, value] : request.headers) list.add(name, value);
  list.add("Accept-Encoding", "identity");
  if (part && !part->version.empty()) list.add("If-Range", part->version);
  // Else a Dragonfly peer passes on what none of its own rules is about.
  if (!options.upstream_proxy.empty()) list.add("X-Dragonfly-Use-P2P", "true");
  return list.release();
}

}  // namespace

struct Transfer::Callbacks {
  static std::size_t on_header(char* data, std::size_t size, std::size_t count,
                               void* self) noexcept {
    return static_cast<Transfer*>(self)->take_header({data, size * count}) ? size * count : 0;
  }
  static std::size_t on_body(char* data, std::size_t size, std::size_t count, void* self) noexcept {
    auto* transfer = static_cast<Transfer*>(self);
    const auto bytes = std::as_bytes(std::span(data, size * count));
    transfer->in_body_ = true;
    switch (transfer->handlers_.on_data(transfer->answer_, bytes)) {
      case Next::Go:
        return bytes.size();
      case Next::Wait:
        return CURL_WRITEFUNC_PAUSE;
      case Next::Abort:
        return 0;
    }
    std::unreachable();
  }
};

void Transfer::Free::operator()(void* easy) const noexcept { curl_easy_cleanup(easy); }
void Transfer::Free::operator()(curl_slist* list) const noexcept { curl_slist_free_all(list); }

Transfer::Transfer(CurlLoop& curl, const DownloadOptions& options, const OriginRequest& request,
                   const std::optional<Part>& part, Handlers handlers)
    : curl_(curl),
      handlers_(std::move(handlers)),
      error_(CURL_ERROR_SIZE, '\0'),
      headers_(header_list(options, request, part)),
      easy_(curl_easy_init()) {
  PERCH_CHECK(easy_ != nullptr);
  set_request(request, part);
  set_way(options);
  set_callbacks();
  running_ = true;
  curl_.add(easy_.get(), [this](int code) { end(code); });
}

Transfer::~Transfer() {
  if (running_) curl_.remove(easy_.get());
}

void Transfer::resume() {
  const CURLcode code = curl_easy_pause(easy_.get(), CURLPAUSE_CONT);
  if (code == CURLE_OK) return;
  // on_data did not want what curl had kept for it; then curl does not end by itself.
  curl_.remove(easy_.get());
  end(code);
}

void Transfer::set_request(const OriginRequest& request, const std::optional<Part>& part) {
  CURL* easy = easy_.get();
  curl_easy_setopt(easy, CURLOPT_URL, request.url.c_str());
  curl_easy_setopt(easy, CURLOPT_HTTPHEADER, headers_.get());
  curl_easy_setopt(easy, CURLOPT_PROTOCOLS_STR, "http,https");
  curl_easy_setopt(easy, CURLOPT_REDIR_PROTOCOLS_STR, "http,https");
  curl_easy_setopt(easy, CURLOPT_FOLLOWLOCATION, 1L);
  curl_easy_setopt(easy, CURLOPT_MAXREDIRS, kMaxRedirects);
  if (part) curl_easy_setopt(easy, CURLOPT_RANGE, range_text(part->range).c_str());
}

void Transfer::set_way(const DownloadOptions& options) {
  CURL* easy = easy_.get();
  // Each transfer has a connection of its own, with that connection's small receive buffer.
  curl_easy_setopt(easy, CURLOPT_HTTP_VERSION, long{CURL_HTTP_VERSION_1_1});
  curl_easy_setopt(easy, CURLOPT_NOSIGNAL, 1L);
  // Else giving up a transfer that still looks up its host waits for the resolver's thread.
  curl_easy_setopt(easy, CURLOPT_QUICK_EXIT, 1L);
  curl_easy_setopt(easy, CURLOPT_CONNECTTIMEOUT, kConnectSeconds);
  // An origin that drips would keep its connections from others. What our own rates leave to one
  // does not count: curl begins anew when a transfer that waited goes on.
  curl_easy_setopt(easy, CURLOPT_LOW_SPEED_LIMIT, static_cast<long>(options.slow_rate));
  curl_easy_setopt(easy, CURLOPT_LOW_SPEED_TIME, options.slow_time.count());
  if (!options.ca_file.empty()) {
    curl_easy_setopt(easy, CURLOPT_CAINFO, options.ca_file.c_str());
    curl_easy_setopt(easy, CURLOPT_PROXY_CAINFO, options.ca_file.c_str());
  }
  if (!options.upstream_proxy.empty()) {
    curl_easy_setopt(easy, CURLOPT_PROXY, options.upstream_proxy.c_str());
    curl_easy_setopt(easy, CURLOPT_NOPROXY, "");  // for no host, whatever the environment says
  }
}

void Transfer::set_callbacks() {
  CURL* easy = easy_.get();
  curl_easy_setopt(easy, CURLOPT_ERRORBUFFER, error_.data());
  curl_easy_setopt(easy, CURLOPT_SOCKOPTFUNCTION, &on_socket_made);
  curl_easy_setopt(easy, CURLOPT_SUPPRESS_CONNECT_HEADERS, 1L);
  curl_easy_setopt(easy, CURLOPT_HEADERFUNCTION, &Callbacks::on_header);
  curl_easy_setopt(easy, CURLOPT_HEADERDATA, this);
  curl_easy_setopt(easy, CURLOPT_WRITEFUNCTION, &Callbacks::on_body);
  curl_easy_setopt(easy, CURLOPT_WRITEDATA, this);
}

bool Transfer::take_header(std::string_view line) {
  header_bytes_ += line.size();
  if (header_bytes_ > kMaxHeaderBytes) return false;
  // Trailers of a chunked body come this way too; the file was described before it.
  if (!in_body_) answer_.take_line(line);
  return true;
}

void Transfer::end(int code) {
  running_ = false;
  curl_off_t retry_after = 0;
  curl_easy_getinfo(easy_.get(), CURLINFO_RETRY_AFTER, &retry_after);
  answer_.retry_after = std::chrono::seconds(std::clamp<curl_off_t>(retry_after, 0, 1 << 30));
  const auto problem = code == CURLE_OK ? std::nullopt : std::optional(problem_of(code));
  // The handler may destroy this object, and with it the function that runs.
  const auto on_end = std::move(handlers_.on_end);
  const OriginAnswer answer = std::move(answer_);
  on_end(answer, problem);
}

Failure Transfer::problem_of(int code) const {
  if (header_bytes_ > kMaxHeaderBytes) {
    return {Failure::Kind::Unsupported, "the origin sends more than 64 KiB of header fields"};
  }
  // NOLINTNEXTLINE(readability-redundant-string-cstr): up to the terminator that curl wrote
  std::string text = error_.c_str();
  if (text.empty()) text = curl_easy_strerror(static_cast<CURLcode>(code));
  // An answer that is not HTTP has the same code as a redirect to another scheme.
  const bool astray = code == CURLE_UNSUPPORTED_PROTOCOL && answer_.status / 100 == 3;
  const bool lasting =
      astray || std::ranges::find(kLastingProblems, code) != kLastingProblems.end();
  return {lasting ? Failure::Kind::Unsupported : Failure::Kind::Unavailable, std::move(text)};
}

}  // namespace perch::peer
