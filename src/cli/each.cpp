#include "cli/each.h"

#include <atomic>
#include <future>
#include <thread>

#include "base/strings.h"

namespace skiff::cli {

namespace {
constexpr std::size_t kAtOnce = 50;
}

Result<int> for_each_parallel(
    Cli& cli, const Arguments& names,
    const std::function<Result<void>(client::Client&, const std::string&)>& action) {
  auto* engine = TRY(cli.engine());
  if (names.size() == 1)
    return for_each(cli, names, [&](client::Client& client, const std::string& name) -> Result<std::string> {
      TRY(action(client, name));
      return name;
    });
  std::vector<std::promise<Result<void>>> outcomes(names.size());
  std::atomic<std::size_t> next{0};
  const auto work = [&] {
    client::Client own(engine->address(), engine->version(), false);
    for (std::size_t i = next++; i < names.size(); i = next++) outcomes[i].set_value(action(own, names[i]));
  };
  std::vector<std::jthread> threads;
  for (std::size_t i = 0; i < std::min(kAtOnce, names.size()); ++i) threads.emplace_back(work);
  std::vector<Error> errors;
  for (std::size_t i = 0; i < names.size(); ++i) {
    const auto done = outcomes[i].get_future().get();
    if (done.ok()) {
      cli.out.print("{}\n", names[i]);
      cli.out.flush();
    } else {
      errors.push_back(done.error());
    }
  }
  for (const Error& error : errors) cli.report(error);
  return cli.exit_code();
}

Result<int> for_each(Cli& cli, const Arguments& names,
                     const std::function<Result<std::string>(client::Client&, const std::string&)>& action) {
  auto* engine = TRY(cli.engine());
  std::vector<Error> errors;
  for (const auto& name : names) {
    auto line = action(*engine, name);
    if (line.ok())
      cli.out.print("{}\n", *line);
    else
      errors.push_back(line.error());
  }
  for (const Error& error : errors) cli.report(error);
  return cli.exit_code();
}

client::Filters to_filters(const std::vector<std::string>& values) {
  client::Filters filters;
  for (const auto& text : values) {
    const auto [name, value] = cut(text, '=');
    filters[std::string(name)].emplace_back(value.value_or(""));
  }
  return filters;
}

}  // namespace skiff::cli
