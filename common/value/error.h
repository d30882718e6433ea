// SPDX-License-Identifier: Apache-2.0
// Error: an error code and the context it gained on its way up. It is returned in a Result until
// somebody logs it; it is never both logged and returned. Rendered once, it reads from the outside
// in: "claim /run/app/api.sock: bind: Permission denied".
#pragma once

#include <cerrno>
#include <expected>
#include <string>
#include <string_view>
#include <system_error>

namespace perch {

class [[nodiscard]] Error {
 public:
  Error(std::error_code code, std::string context) : code_(code), context_(std::move(context)) {}

  // The kernel's answer to `what`, e.g. Error::from_errno(errno, "bind").
  static Error from_errno(int number, std::string what);
  // A refusal of our own, in words that need no error code behind them.
  static Error message(std::string text);

  [[nodiscard]] const std::error_code& code() const noexcept { return code_; }
  [[nodiscard]] bool is(int number) const noexcept {
    return code_.category() == std::generic_category() && code_.value() == number;
  }
  // The whole line, without a trailing newline.
  [[nodiscard]] std::string text() const;
  // The same error with "outer: " in front.
  [[nodiscard]] Error within(std::string_view outer) &&;

 private:
  std::error_code code_;
  std::string context_;
};

template <class T>
using Result = std::expected<T, Error>;

// return fail("bind") right after a failed system call; errno is read first.
inline std::unexpected<Error> fail(std::string_view what, int number = errno) {
  return std::unexpected(Error::from_errno(number, std::string(what)));
}
inline std::unexpected<Error> refuse(std::string text) {
  return std::unexpected(Error::message(std::move(text)));
}
inline std::unexpected<Error> fail_within(std::string_view outer, Error error) {
  return std::unexpected(std::move(error).within(outer));
}

// Our own bug: says where and aborts, also in release builds.
[[noreturn]] void broken_invariant(const char* expression, const char* file, int line) noexcept;

}  // namespace perch

#define PERCH_CHECK(expression) \
  ((expression) ? void(0) : ::perch::broken_invariant(#expression, __FILE__, __LINE__))
