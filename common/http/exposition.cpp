// SPDX-License-Identifier: Apache-2.0
#include "common/http/exposition.h"

namespace perch {
namespace {

std::string_view name(Exposition::Type type) {
  switch (type) {
    case Exposition::Type::Counter:
      return "counter";
    case Exposition::Type::Gauge:
      return "gauge";
    case Exposition::Type::Histogram:
      return "histogram";
  }
  return "untyped";
}

// The format knows these three escapes and no others.
std::string escaped(std::string_view value) {
  std::string out;
  for (const char c : value) {
    if (c == '\n') {
      out += "\\n";
    } else {
      if (c == '\\' || c == '"') out += '\\';
      out += c;
    }
  }
  return out;
}

}  // namespace

void Exposition::family(std::string_view name, Type type, std::string_view help) {
  family_ = name;
  text_ += fmt::format("# HELP {0} {1}\n# TYPE {0} {2}\n", name, help, perch::name(type));
}

void Exposition::append(const Label& label, std::span<const double> bounds,
                        std::span<const std::uint64_t> counts, double sum) {
  const std::string bucket = family_ + "_bucket";
  std::uint64_t so_far = 0;
  for (std::size_t i = 0; i < bounds.size(); ++i) {
    so_far += counts[i];
    const std::string bound = fmt::format("{}", bounds[i]);
    append(bucket, {label, {"le", bound}}, fmt::format("{}", so_far));
  }
  const std::string count = fmt::format("{}", so_far + counts[bounds.size()]);
  append(bucket, {label, {"le", "+Inf"}}, count);
  append(family_ + "_sum", {label}, fmt::format("{}", sum));
  append(family_ + "_count", {label}, count);
}

void Exposition::append(std::string_view name, Labels labels, std::string_view value) {
  text_ += name;
  char before = '{';
  for (const Label& label : labels) {
    text_ += fmt::format("{}{}=\"{}\"", before, label.name, escaped(label.value));
    before = ',';
  }
  if (labels.size() != 0) text_ += '}';
  text_.append(" ").append(value).append("\n");
}

}  // namespace perch
