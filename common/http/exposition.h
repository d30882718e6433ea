// SPDX-License-Identifier: Apache-2.0
// Exposition: Prometheus' text format, version 0.0.4, written family by family: family() names one,
// and its samples follow at once. An absent value is no sample: Prometheus knows no null, and zero
// would be a lie. Label values may hold any UTF-8.
#pragma once

#include <fmt/format.h>

#include <concepts>
#include <cstdint>
#include <initializer_list>
#include <optional>
#include <span>
#include <string>
#include <string_view>

namespace perch {

struct Label {
  std::string_view name;
  std::string_view value;
};
using Labels = std::initializer_list<Label>;

class Exposition {
 public:
  static constexpr std::string_view kContentType = "text/plain; version=0.0.4; charset=utf-8";
  enum class Type { Counter, Gauge, Histogram };

  void family(std::string_view name, Type type, std::string_view help);

  template <class Number>
    requires std::integral<Number> || std::floating_point<Number>
  void sample(Labels labels, Number value) {
    // + turns a bool into 0 or 1.
    append(family_, labels, fmt::format("{}", +value));
  }
  template <class Number>
  void sample(Labels labels, const std::optional<Number>& value) {
    if (value) sample(labels, *value);
  }
  // Of a Histogram family; the one label tells its histograms apart. `counts` has one more than
  // `kBounds`, for what is beyond them all.
  template <class Buckets>
    requires requires { Buckets::kBounds; }
  void sample(const Label& label, const Buckets& buckets) {
    append(label, Buckets::kBounds, buckets.counts, buckets.sum);
  }

  [[nodiscard]] std::string take() && { return std::move(text_); }

 private:
  void append(std::string_view name, Labels labels, std::string_view value);
  void append(const Label& label, std::span<const double> bounds,
              std::span<const std::uint64_t> counts, double sum);

  std::string text_;
  std::string family_;
};

}  // namespace perch
