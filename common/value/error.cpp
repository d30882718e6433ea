// SPDX-License-Identifier: Apache-2.0
#include "common/value/error.h"

#include <cstdio>
#include <cstdlib>

namespace perch {

Error Error::from_errno(int number, std::string what) {
  return {std::error_code(number, std::generic_category()), std::move(what)};
}

Error Error::message(std::string text) { return {std::error_code(), std::move(text)}; }

std::string Error::text() const {
  if (!code_) return context_;
  return context_.empty() ? code_.message() : context_ + ": " + code_.message();
}

Error Error::within(std::string_view outer) && {
  std::string context(outer);
  if (!context_.empty()) context.append(": ").append(context_);
  context_ = std::move(context);
  return std::move(*this);
}

void broken_invariant(const char* expression, const char* file, int line) noexcept {
  std::fprintf(stderr, "perch: broken invariant: %s (%s:%d)\n", expression, file, line);
  std::abort();
}

}  // namespace perch
