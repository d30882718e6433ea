// SPDX-License-Identifier: Apache-2.0
#include "worker/peer/download/curl_loop.h"

#include <curl/curl.h>

#include <chrono>
#include <utility>

#include "common/value/error.h"

namespace perch::peer {

struct CurlLoop::Callbacks {
  static int on_socket(CURL* easy, curl_socket_t socket, int what, void* self,
                       void* /*ours*/) noexcept {
    static_cast<CurlLoop*>(self)->watch(easy, socket, what);
    return 0;
  }
  static int on_timer(CURLM* /*multi*/, long milliseconds, void* self) noexcept {
    Timer& timer = static_cast<CurlLoop*>(self)->timer_;
    if (milliseconds < 0) {
      timer.disarm();
    } else {
      timer.arm(std::chrono::milliseconds(milliseconds));
    }
    return 0;
  }
};

void CurlLoop::Cleanup::operator()(void* multi) const noexcept { curl_multi_cleanup(multi); }

CurlLoop::CurlLoop(Loop& loop, std::size_t connections)
    : loop_(loop),
      timer_(loop, [this](auto) { act(CURL_SOCKET_TIMEOUT, 0); }),
      multi_(curl_multi_init()) {
  PERCH_CHECK(multi_ != nullptr);
  CURLM* multi = multi_.get();
  curl_multi_setopt(multi, CURLMOPT_SOCKETFUNCTION, &Callbacks::on_socket);
  curl_multi_setopt(multi, CURLMOPT_SOCKETDATA, this);
  curl_multi_setopt(multi, CURLMOPT_TIMERFUNCTION, &Callbacks::on_timer);
  curl_multi_setopt(multi, CURLMOPT_TIMERDATA, this);
  curl_multi_setopt(multi, CURLMOPT_MAX_TOTAL_CONNECTIONS, static_cast<long>(connections));
}

CurlLoop::~CurlLoop() = default;

void CurlLoop::add(void* easy, std::function<void(int code)> on_end) {
  running_.emplace(easy, std::move(on_end));
  PERCH_CHECK(curl_multi_add_handle(multi_.get(), easy) == CURLM_OK);
}

void CurlLoop::remove(void* easy) {
  running_.erase(easy);
  std::erase(unwatched_, easy);
  PERCH_CHECK(curl_multi_remove_handle(multi_.get(), easy) == CURLM_OK);
}

void CurlLoop::watch(void* easy, int socket, int what) {
  if (what == CURL_POLL_REMOVE) {
    watchers_.erase(socket);
    return;
  }
  auto watcher = watchers_.find(socket);
  if (watcher == watchers_.end()) {
    auto made = FdWatcher::create(loop_, socket, [this, socket](Readiness ready) {
      const unsigned events = (ready.readable ? unsigned{CURL_CSELECT_IN} : 0U) |
                              (ready.writable ? unsigned{CURL_CSELECT_OUT} : 0U) |
                              (ready.failed ? unsigned{CURL_CSELECT_ERR} : 0U);
      act(socket, static_cast<int>(events));
    });
    // No memory, or all of the user's watches taken: this transfer fails, and no other.
    if (!made) return unwatched_.push_back(easy);
    watcher = watchers_.emplace(socket, std::move(*made)).first;
  }
  watcher->second.watch({.readable = what != CURL_POLL_OUT, .writable = what != CURL_POLL_IN});
}

void CurlLoop::act(int socket, int events) {
  int still_running = 0;
  curl_multi_socket_action(multi_.get(), socket, events, &still_running);
  collect();
}

void CurlLoop::collect() {
  int left = 0;
  while (const CURLMsg* message = curl_multi_info_read(multi_.get(), &left)) {
    if (message->msg != CURLMSG_DONE) continue;
    end(message->easy_handle, message->data.result);
  }
  while (!unwatched_.empty()) {
    void* easy = unwatched_.back();
    unwatched_.pop_back();
    end(easy, CURLE_OUT_OF_MEMORY);
  }
}

void CurlLoop::end(void* easy, int code) {
  const auto ended = running_.extract(easy);
  if (ended.empty()) return;
  curl_multi_remove_handle(multi_.get(), easy);
  ended.mapped()(code);
}

}  // namespace perch::peer
