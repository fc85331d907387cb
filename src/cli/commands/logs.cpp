#include "cli/cli.h"
#include "cli/commands/commands.h"
#include "cli/demux.h"
#include "cli/times.h"

namespace skiff::cli {

namespace {

class LogsCommand : public Command {
 public:
  LogsCommand() {
    flags.boolean(options_.details, "details", 0, "Show extra details provided to logs");
    flags.boolean(options_.follow, "follow", 'f', "Follow log output");
    flags.string(options_.since, "since", 0,
                 "Show logs since timestamp (e.g. \"2013-01-02T13:23:37Z\") or relative (e.g. \"42m\" for 42 "
                 "minutes)");
    flags.string(options_.tail, "tail", 'n', "Number of lines to show from the end of the logs");
    flags.boolean(options_.timestamps, "timestamps", 't', "Show timestamps");
    flags.string(options_.until, "until", 0,
                 "Show logs before a timestamp (e.g. \"2013-01-02T13:23:37Z\") or relative (e.g. \"42m\" for "
                 "42 minutes)");
  }

  Result<int> run(Cli& cli, const Arguments& arguments) override {
    auto* engine = TRY(cli.engine());
    if (!options_.since.empty())
      options_.since = TRY_CONTEXT(moment_text(options_.since), "invalid value for \"since\"");
    if (!options_.until.empty())
      options_.until = TRY_CONTEXT(moment_text(options_.until), "invalid value for \"until\"");
    auto stream = TRY(engine->logs(arguments[0], options_));
    const bool raw = stream.fields().get("Content-Type") == "application/vnd.docker.raw-stream";
    Demultiplexer demultiplexer(1, 2);
    std::string buffer(256 << 10, '\0');
    while (true) {
      const std::size_t got = TRY(stream.read(buffer.data(), buffer.size()));
      if (got == 0) return 0;
      const std::string_view piece(buffer.data(), got);
      if (raw)
        write_fully(1, piece);
      else
        TRY(demultiplexer.feed(piece));
    }
  }

 private:
  client::LogOptions options_;
};

}  // namespace

std::unique_ptr<Command> make_logs() { return make_command<LogsCommand>(); }

}  // namespace skiff::cli
