// SPDX-License-Identifier: Apache-2.0
// Counts durations in buckets whose width grows with the value: percentiles are at most 1.6 % off,
// at any scale, in constant room.  Pure.
#pragma once

#include <algorithm>
#include <bit>
#include <cstdint>
#include <vector>

namespace bench {

class Histogram {
 public:
  void add(std::uint64_t nanoseconds) {
    ++buckets_[index_of(nanoseconds)];
    ++count_;
    most_ = std::max(most_, nanoseconds);
  }
  std::uint64_t count() const { return count_; }
  std::uint64_t most() const { return most_; }

  /// The value that this share of all does not exceed, 0 < share <= 1; 0 if there is none.
  std::uint64_t percentile(double share) const {
    const auto wanted = static_cast<std::uint64_t>(share * static_cast<double>(count_) + 0.5);
    std::uint64_t seen = 0;
    for (std::size_t i = 0; i < buckets_.size(); ++i) {
      seen += buckets_[i];
      if (seen > 0 && seen >= wanted) return std::min(upper_end(i), most_);
    }
    return most_;
  }

 private:
  /// Buckets in each power of two: 64, hence the 1.6 %.
  static constexpr unsigned kStepBits = 6;
  static constexpr std::uint64_t kSteps = std::uint64_t{1} << kStepBits;
  static constexpr std::size_t kBuckets = (64 - kStepBits + 1) * kSteps;

  static std::size_t index_of(std::uint64_t value) {
    if (value < kSteps) return value;
    const auto shift = static_cast<unsigned>(std::bit_width(value)) - kStepBits - 1;
    return (shift + 1) * kSteps + (value >> shift) - kSteps;
  }
  static std::uint64_t upper_end(std::size_t index) {
    if (index < kSteps) return index;
    const std::uint64_t shift = index / kSteps - 1;
    return ((index % kSteps + kSteps + 1) << shift) - 1;
  }

  std::vector<std::uint64_t> buckets_ = std::vector<std::uint64_t>(kBuckets);
  std::uint64_t count_ = 0;
  std::uint64_t most_ = 0;
};

}  // namespace bench
