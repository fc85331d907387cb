// Times command lines in turn, A B A B, so that a slow moment of the machine hits all alike.
// usage: times RUNS NAME='PROGRAM WORD ... [+ PROGRAM WORD ...]' ...
// Commands joined by "+" run one after the other and count as one. Words are divided by blanks; output goes
// to /dev/null. Prints each one's median, fastest and slowest run in milliseconds, and the ratio of the
// medians to the first. Static: it also runs in a bare root.
#include <fcntl.h>
#include <spawn.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <chrono>
#include <cstdio>
#include <cstdlib>
#include <sstream>
#include <string>
#include <vector>

namespace {

using Words = std::vector<std::string>;

struct Contestant {
  std::string name;
  std::vector<Words> commands;
  std::vector<double> times;
};

Contestant parse(const std::string& text) {
  const auto equals = text.find('=');
  if (equals == std::string::npos) {
    std::fprintf(stderr, "times: NAME= is missing in '%s'\n", text.c_str());
    std::exit(1);
  }
  Contestant result{text.substr(0, equals), {{}}, {}};
  std::istringstream words(text.substr(equals + 1));
  for (std::string word; words >> word;) {
    if (word == "+")
      result.commands.emplace_back();
    else
      result.commands.back().push_back(word);
  }
  return result;
}

void run(const Words& words) {
  std::vector<char*> arguments;
  for (const auto& word : words) arguments.push_back(const_cast<char*>(word.c_str()));
  arguments.push_back(nullptr);
  posix_spawn_file_actions_t actions;
  posix_spawn_file_actions_init(&actions);
  posix_spawn_file_actions_addopen(&actions, 0, "/dev/null", O_RDONLY, 0);
  posix_spawn_file_actions_addopen(&actions, 1, "/dev/null", O_WRONLY, 0);
  pid_t child = 0;
  int status = posix_spawnp(&child, arguments[0], &actions, nullptr, arguments.data(), environ);
  posix_spawn_file_actions_destroy(&actions);
  if (status == 0 && (waitpid(child, &status, 0) != child || status != 0)) status = 1;
  if (status == 0) return;
  std::fprintf(stderr, "times: %s failed\n", words[0].c_str());
  std::exit(1);
}

}  // namespace

int main(int count, char** words) {
  if (count < 3) {
    std::fputs("usage: times RUNS NAME='PROGRAM WORD ... [+ PROGRAM WORD ...]' ...\n", stderr);
    return 1;
  }
  std::vector<Contestant> contestants;
  for (int i = 2; i < count; ++i) contestants.push_back(parse(words[i]));
  const int runs = std::atoi(words[1]);
  for (int i = 0; i < runs + 2; ++i) {  // the first two warm the caches
    for (auto& contestant : contestants) {
      const auto begin = std::chrono::steady_clock::now();
      for (const Words& command : contestant.commands) run(command);
      const std::chrono::duration<double, std::milli> took = std::chrono::steady_clock::now() - begin;
      if (i >= 2) contestant.times.push_back(took.count());
    }
  }
  double first = 0;
  for (auto& [name, commands, times] : contestants) {
    std::sort(times.begin(), times.end());
    const double median = times[times.size() / 2];
    if (first == 0) first = median;
    std::printf("  %-14s %7.2f ms (%.2f - %.2f)  x%.2f\n", name.c_str(), median, times.front(), times.back(),
                median / first);
  }
  return 0;
}
