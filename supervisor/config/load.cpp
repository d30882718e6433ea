// SPDX-License-Identifier: Apache-2.0
#include "supervisor/config/load.h"

#include <fcntl.h>
#include <sys/stat.h>

#include <utility>

#include "common/posix/file.h"
#include "supervisor/config/control_place.h"
#include "supervisor/config/document.h"
#include "supervisor/config/overlay.h"
#include "supervisor/config/read_config.h"
#include "supervisor/config/report.h"
#include "supervisor/config/validate.h"

namespace perch::config {
namespace {

Loaded<Config> from_document(const Document& document, const std::string& name,
                             const Overrides& overrides) {
  Report report(name, document);
  Table root = document.root();
  overlay(root, overrides, report);
  Config config = read_config(root, report);
  if (config.perch.control_is_default) config.perch.control = default_control(control_places());
  validate(config, report);
  if (!report.empty()) return std::unexpected(report.problems());
  return config;
}

std::unexpected<std::vector<Problem>> only(std::string text) {
  return std::unexpected(std::vector<Problem>{{std::move(text)}});
}

}  // namespace

// The opening of a FIFO would wait.
Result<std::string> read_source(const std::string& path) {
  auto file = open_file(path, O_RDONLY | O_NONBLOCK);
  if (!file) return std::unexpected(std::move(file.error()));
  struct stat status{};
  if (::fstat(file->get(), &status) != 0) return fail("stat " + path);
  if (S_ISDIR(status.st_mode)) return refuse(path + " is a directory");
  if (!S_ISREG(status.st_mode)) return refuse(path + " is not a regular file");
  auto text = read_open_file(file->get(), kLongestText);
  if (!text && text.error().is(EFBIG)) return refuse(path + " is larger than 1 MiB");
  if (!text) return fail_within(path, std::move(text.error()));
  return text;
}

Loaded<Config> load(const std::string& file, const Overrides& overrides) {
  if (file.empty()) return from_document(Document(), "", overrides);
  const auto text = read_source(file);
  if (!text) return only(text.error().text() + "; check -c or PERCH_CONFIG");
  return parse(*text, file, overrides);
}

Loaded<Config> parse(std::string_view text, const std::string& name, const Overrides& overrides) {
  const auto document = Document::parse(text);
  if (document) return from_document(*document, name, overrides);
  const auto& [where, why] = document.error();
  return only(name + ":" + std::to_string(where.line) + ":" + std::to_string(where.column) + ": " +
              why);
}

}  // namespace perch::config
