// SPDX-License-Identifier: Apache-2.0
#include "supervisor/keeper/protocol.h"

#include "common/posix/notify_message.h"

namespace perch::keeper {
namespace {

using What = Request::What;

bool is_key(std::string_view text) { return !text.empty() && text.size() <= kMaxKey; }

std::optional<Request> parse_keep(const NotifyMessage& message, std::string_view key,
                                  std::size_t descriptors) {
  const auto facts = message.get("FACTS").value_or("");
  const bool fits = facts.size() <= kMaxFacts && descriptors > 0 && descriptors <= kMaxFdsOfOne;
  if (!is_key(key) || !fits) return std::nullopt;
  return Request{What::Keep, std::string(key), std::string(facts)};
}

}  // namespace

std::optional<Request> parse_request(std::string_view datagram, std::size_t descriptors) {
  if (datagram.size() > kMaxMessage) return std::nullopt;
  const NotifyMessage message = NotifyMessage::parse(datagram);
  if (const auto key = message.get("KEEP")) return parse_keep(message, *key, descriptors);
  if (message.says("HELLO", "1") && descriptors == 1) return Request{What::Hello};
  if (descriptors != 0) return std::nullopt;
  if (message.says("BYE", "1")) return Request{What::Bye};
  if (const auto after = message.get("FETCH"); after && after->size() <= kMaxKey) {
    return Request{What::Fetch, std::string(*after)};
  }
  if (const auto key = message.get("DROP"); key && is_key(*key)) {
    return Request{What::Drop, std::string(*key)};
  }
  return std::nullopt;
}

std::string hello() { return NotifyMessage{{"HELLO", "1"}}.text(); }
std::string bye() { return NotifyMessage{{"BYE", "1"}}.text(); }
std::string fetch_after(std::string_view key) { return NotifyMessage{{"FETCH", key}}.text(); }
std::string keep(std::string_view key, std::string_view facts) {
  return NotifyMessage{{"KEEP", key}, {"FACTS", facts}}.text();
}
std::string drop(std::string_view key) { return NotifyMessage{{"DROP", key}}.text(); }

std::string welcome(bool apart) {
  return NotifyMessage{{"WELCOME", "1"}, {"APART", apart ? "1" : "0"}}.text();
}
std::string kept(std::string_view key, std::string_view facts) {
  return NotifyMessage{{"KEPT", key}, {"FACTS", facts}}.text();
}
std::string dropped(std::string_view key) { return NotifyMessage{{"DROPPED", key}}.text(); }
std::string end() { return NotifyMessage{{"END", "1"}}.text(); }
std::string refused(std::string_view why) { return NotifyMessage{{"REFUSED", why}}.text(); }

}  // namespace perch::keeper
