// SPDX-License-Identifier: Apache-2.0
// A URL as it may be stored and shown: without the user and the password that it may have in it.
// Those are for the origin alone; the query stays, as it often names the file.
#pragma once

#include <string>
#include <string_view>

namespace perch::peer {

// Of text that is no URL, all up to an '@' where the host would begin goes, too.
std::string shown_url(std::string_view url);

}  // namespace perch::peer
