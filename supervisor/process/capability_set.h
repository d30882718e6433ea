// SPDX-License-Identifier: Apache-2.0
// CapabilitySet: a set of Linux capabilities (capabilities(7)) as a value, and their names. Names
// are canonical as "cap_net_raw"; parsing also takes "CAP_NET_RAW" and Kubernetes' "NET_RAW".
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "common/value/error.h"

namespace perch::process {

inline constexpr int kCapSetpcap = 8;
inline constexpr int kCapSysAdmin = 21;
inline constexpr int kCapSysResource = 24;
// CAP_CHECKPOINT_RESTORE, since Linux 5.9; the newest there is.
inline constexpr int kLastCapability = 40;

std::optional<int> capability_number(std::string_view name);
// Precondition: 0 to kLastCapability.
std::string_view capability_name(int number);

class CapabilitySet {
 public:
  constexpr CapabilitySet() noexcept = default;
  constexpr explicit CapabilitySet(std::uint64_t bits) noexcept : bits_(bits) {}
  static constexpr CapabilitySet of(int number) noexcept {
    return CapabilitySet(std::uint64_t{1} << static_cast<unsigned>(number));
  }
  // All up to kLastCapability.
  static constexpr CapabilitySet known() noexcept {
    return CapabilitySet((std::uint64_t{2} << static_cast<unsigned>(kLastCapability)) - 1);
  }

  // One line that names the first unknown one.
  static Result<CapabilitySet> parse(const std::vector<std::string>& names);

  // What this process has, as /proc/self/status tells it.
  static Result<CapabilitySet> permitted();
  static Result<CapabilitySet> effective();
  static Result<CapabilitySet> bounding();

  [[nodiscard]] constexpr bool contains(int number) const noexcept {
    return (bits_ >> static_cast<unsigned>(number) & 1U) != 0;
  }
  [[nodiscard]] constexpr bool empty() const noexcept { return bits_ == 0; }
  [[nodiscard]] constexpr std::uint64_t bits() const noexcept { return bits_; }
  [[nodiscard]] std::vector<std::string> names() const;

  constexpr CapabilitySet operator&(CapabilitySet other) const noexcept {
    return CapabilitySet(bits_ & other.bits_);
  }
  constexpr CapabilitySet operator|(CapabilitySet other) const noexcept {
    return CapabilitySet(bits_ | other.bits_);
  }
  [[nodiscard]] constexpr CapabilitySet without(CapabilitySet other) const noexcept {
    return CapabilitySet(bits_ & ~other.bits_);
  }
  constexpr bool operator==(const CapabilitySet&) const noexcept = default;

 private:
  std::uint64_t bits_ = 0;
};

}  // namespace perch::process
