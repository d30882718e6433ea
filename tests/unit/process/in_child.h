// SPDX-License-Identifier: Apache-2.0
// in_child: runs a function in a forked child, for what a process does to itself for good: dropping
// rights, entering a namespace. What the child writes to descriptor 1 is the result. The function
// reports by writing, never by doctest's macros.
#pragma once

#include <string>

namespace perch::test {

namespace detail {
std::string in_child(void (*run)(void*), void* function);
}

// Throws std::system_error without a child or a pipe.
template <class Function>
std::string in_child(Function function) {
  return detail::in_child([](void* given) { (*static_cast<Function*>(given))(); }, &function);
}

}  // namespace perch::test
