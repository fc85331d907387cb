#pragma once

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <cstdio>
#include <cstring>
#include <random>

extern "C" std::size_t LLVMFuzzerMutate(std::uint8_t* data, std::size_t size, std::size_t limit);

namespace skiff::fuzz {

constexpr std::size_t kBlock = 512;

/// Headers whose sum is wrong end an archive before anything was read of it, and nearly each change makes
/// them so. Headers of inner archives stand on the same borders.
inline void mend_sums(std::uint8_t* data, std::size_t size) {
  constexpr std::size_t magic = 257;
  constexpr std::size_t sum_at = 148;
  constexpr std::size_t sum_size = 8;
  for (; size >= kBlock; data += kBlock, size -= kBlock) {
    if (std::memcmp(data + magic, "ustar", 5) != 0) continue;
    std::memset(data + sum_at, ' ', sum_size);
    unsigned sum = 0;
    for (std::size_t i = 0; i < kBlock; ++i) sum += data[i];
    std::snprintf(reinterpret_cast<char*>(data + sum_at), sum_size, "%06o", sum);
  }
}

/// One block is changed, doubled, swapped with another or taken out; the others stay where they are.
inline std::size_t change_block(std::uint8_t* data, std::size_t size, std::size_t limit,
                                std::minstd_rand& chance) {
  const std::size_t count = size / kBlock;
  std::uint8_t* const one = data + chance() % count * kBlock;
  std::uint8_t* const end = data + size;
  switch (chance() % 8) {
    case 0:
      if (size + kBlock > limit) break;
      std::memmove(one + kBlock, one, static_cast<std::size_t>(end - one));
      return size + kBlock;
    case 1:
      std::swap_ranges(one, one + kBlock, data + chance() % count * kBlock);
      return size;
    case 2:
      std::memmove(one, one + kBlock, static_cast<std::size_t>(end - one) - kBlock);
      return size - kBlock;
    default:
      break;
  }
  const std::size_t left = LLVMFuzzerMutate(one, kBlock, kBlock);
  std::memset(one + left, 0, kBlock - left);
  return size;
}

}  // namespace skiff::fuzz

/// For the one file of a fuzzer that reads tars. Part of the changes stays what libFuzzer does with any
/// bytes.
extern "C" std::size_t LLVMFuzzerCustomMutator(std::uint8_t* data, std::size_t size, std::size_t limit,
                                               unsigned seed) {
  std::minstd_rand chance(seed);
  chance.discard(2);  // the first numbers of near seeds are near each other
  if (size < skiff::fuzz::kBlock || chance() % 4 == 0) return LLVMFuzzerMutate(data, size, limit);
  size = skiff::fuzz::change_block(data, size, limit, chance);
  skiff::fuzz::mend_sums(data, size);
  return size;
}
