// SPDX-License-Identifier: Apache-2.0
#include "worker/peer/metrics/metrics_page.h"

#include <utility>

#include "common/http/exposition.h"

namespace perch::peer {

Result<void> MetricsPage::listen_on(UniqueFd listener) {
  close();
  auto server = HttpServer::create(loop_, listener.get(), {}, [this](int) {
    return [this](const HttpRequest& request) { return answer(request); };
  });
  if (!server) return std::unexpected(std::move(server.error()));
  listener_ = std::move(listener);
  server_ = std::move(*server);
  return {};
}

void MetricsPage::close() {
  server_.reset();
  listener_.reset();
}

HttpReply MetricsPage::answer(const HttpRequest& request) const {
  if (request.target != "/metrics") return refusal(404, "there is GET /metrics, and nothing else");
  if (request.method != "GET" && request.method != "HEAD") {
    HttpReply reply = refusal(405, "only GET and HEAD");
    reply.allow = "GET, HEAD";
    return reply;
  }
  HttpReply reply;
  reply.content_type = Exposition::kContentType;
  reply.body = text_();
  return reply;
}

}  // namespace perch::peer
