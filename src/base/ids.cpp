#include "base/ids.h"

#include <sys/random.h>

#include <array>
#include <cstdint>
#include <cstdlib>

#include "base/strings.h"

namespace skiff {
namespace {

constexpr std::array kMoods{
    "able",  "agile",  "amber",  "bold",   "brave",   "bright", "brisk",  "calm",   "clever", "cosy",
    "crisp", "dapper", "eager",  "early",  "fair",    "fleet",  "fresh",  "gentle", "glad",   "golden",
    "grand", "happy",  "hardy",  "honest", "jolly",   "keen",   "kind",   "lively", "lucid",  "merry",
    "mild",  "neat",   "nimble", "noble",  "patient", "plucky", "polite", "proud",  "quick",  "quiet",
    "rapid", "ready",  "robust", "serene", "sharp",   "silent", "smart",  "snug",   "steady", "stoic",
    "sunny", "swift",  "tidy",   "trusty", "vivid",   "warm",   "wise",   "witty",  "young",  "zesty"};
constexpr std::array kPeople{
    "allen",    "bardeen",   "bell",     "bernoulli", "blackwell",    "bohr",    "boole",   "borg",
    "brahe",    "carson",    "cerf",     "chandra",   "codd",         "cray",    "curie",   "darwin",
    "dijkstra", "engelbart", "erdos",    "euclid",    "euler",        "faraday", "fermat",  "fermi",
    "feynman",  "floyd",     "franklin", "galileo",   "galois",       "gauss",   "germain", "goldberg",
    "goodall",  "hamilton",  "hamming",  "hertz",     "hoare",        "hopper",  "hypatia", "johnson",
    "joliot",   "kepler",    "kilby",    "knuth",     "kovalevskaya", "lamarr",  "lamport", "liskov",
    "lovelace", "maxwell",   "meitner",  "mendel",    "mirzakhani",   "moore",   "napier",  "nash",
    "newton",   "noether",   "pascal",   "perlman",   "ritchie",      "rubin",   "shannon", "stallman",
    "tesla",    "thompson",  "torvalds", "turing",    "volta",        "wilson",  "wozniak", "wright",
    "yalow"};

/// The kernel's generator cannot fail for such short reads once it is seeded (getrandom(2)).
std::string random_bytes(std::size_t count) {
  std::string bytes(count, '\0');
  if (getrandom(bytes.data(), count, 0) != static_cast<ssize_t>(count)) std::abort();
  return bytes;
}

std::uint32_t random_below(std::size_t bound) {
  std::uint32_t number = 0;
  for (const char c : random_bytes(sizeof number)) number = number << 8 | static_cast<unsigned char>(c);
  return number % static_cast<std::uint32_t>(bound);
}

}  // namespace

std::string random_hex(std::size_t bytes) { return to_hex(random_bytes(bytes)); }

std::string random_id() {
  for (;;) {
    std::string id = random_hex(32);
    if (short_id(id).find_first_of("abcdef") != std::string_view::npos) return id;
  }
}

std::string_view short_id(std::string_view id) { return id.substr(0, 12); }

std::string random_name(int attempt) {
  std::string name = kMoods.at(random_below(kMoods.size()));
  name += '_';
  name += kPeople.at(random_below(kPeople.size()));
  if (attempt > 0) name += std::to_string(random_below(10));
  return name;
}

}  // namespace skiff
