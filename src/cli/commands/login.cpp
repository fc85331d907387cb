#include <unistd.h>

#include "base/strings.h"
#include "cli/auth/credentials.h"
#include "cli/cli.h"
#include "cli/commands/resource_entries.h"
#include "cli/terminal.h"

namespace skiff::cli {
namespace {

constexpr std::size_t kLongestPassword = 1 << 20;

constexpr std::string_view kHubNotes =
    "\nLog in with your Docker ID or email address to push and pull images from Docker Hub. If you don't "
    "have a "
    "Docker ID, head over to https://hub.docker.com/ to create one.\n"
    "You can log in with your password or a Personal Access Token (PAT). Using a limited-scope PAT grants "
    "better security and is required for organizations using SSO. Learn more at "
    "https://docs.docker.com/go/access-tokens/\n\n";

/// All of standard input.
std::string read_rest() {
  std::string text;
  char piece[4096];
  for (ssize_t count; text.size() < kLongestPassword && (count = ::read(0, piece, sizeof piece)) > 0;)
    text.append(piece, static_cast<std::size_t>(count));
  return text;
}

/// One line of standard input.
std::string read_line() {
  std::string line;
  for (char c = 0; ::read(0, &c, 1) == 1 && c != '\n';) line += c;
  return line;
}

class Login : public Command {
 public:
  Login() {
    flags.string(password_, "password", 'p', "Password or Personal Access Token (PAT)");
    flags.boolean(password_stdin_, "password-stdin", 0,
                  "Take the Password or Personal Access Token (PAT) from stdin");
    flags.string(user_, "username", 'u', "Username");
  }

  Result<int> run(Cli& cli, const Arguments& arguments) override {
    TRY(check(cli));
    const std::string server = arguments.empty() || arguments[0] == "docker.io" ? std::string(kHubServer)
                                                                                : server_name(arguments[0]);
    auto store = TRY(CredentialStore::open(cli.globals.config_directory));
    spec::docker::AuthConfig config;
    if (user_.empty() && password_.empty()) {
      // A helper that fails has nothing for us; what is stored at the end tells.
      const auto known = store.get(server).value_or({});
      if (!known.username.empty() || !known.identity_token.empty()) {
        cli.err.print("Authenticating with existing credentials... [Username: {}]\n\n{}\n\n\n",
                      known.username, other_account(cli));
        auto answered = TRY(cli.engine())->login(with_server(known, server));
        if (answered.ok()) return finish(cli, answered->status);
        cli.err.print("Login did not succeed, error: {}\n", answered.error().message());
      }
      config = known;
    }
    TRY(complete(cli, server, config.username));
    config.username = user_;
    config.password = password_;
    config.identity_token.clear();
    const auto answer = TRY(TRY(cli.engine())->login(with_server(config, server)));
    if (!answer.identity_token.empty()) {
      config.identity_token = answer.identity_token;
      config.password.clear();
    }
    if (TRY(store.store(server, config)))
      cli.err.print(
          "\nWARNING! Your credentials are stored unencrypted in '{}'.\n"
          "Configure a credential helper to remove this warning. See\n"
          "https://docs.docker.com/go/credential-store/\n\n",
          store.path());
    return finish(cli, answer.status);
  }

 private:
  static spec::docker::AuthConfig with_server(spec::docker::AuthConfig config, const std::string& server) {
    config.server_address = server;
    return config;
  }

  static int finish(Cli& cli, const std::string& status) {
    if (!status.empty()) cli.out.print("{}\n", status);
    return 0;
  }

  Result<void> check(Cli& cli) {
    if (!password_.empty() && password_stdin_)
      return Error(Kind::InvalidArgument,
                   "conflicting options: cannot specify both --password and --password-stdin");
    if (!password_.empty())
      cli.err.write("WARNING! Using --password via the CLI is insecure. Use --password-stdin.\n");
    if (!password_stdin_) return {};
    if (user_.empty())
      return Error(Kind::InvalidArgument, "the --password-stdin option requires --username to be set");
    password_ = read_rest();
    while (password_.ends_with('\n') || password_.ends_with('\r')) password_.pop_back();
    return {};
  }

  static std::string_view other_account(Cli& cli) {
    // Select Graphic Rendition (ECMA-48), as Docker's client has it.
    if (cli.err.is_terminal())
      return "\x1b[1m\x1b[106m\x1b[30mi\x1b[0m\x1b[0m \x1b[96mInfo \xe2\x86\x92 \x1b[0m\x1b[0m\x1b[3mTo "
             "login with a "
             "different account, run 'docker logout' followed by 'docker login'\x1b[0m";
    return " Info -> To login with a different account, run 'docker logout' followed by 'docker login'";
  }

  /// Asks for what was not said; `known` is the user of a login before.
  Result<void> complete(Cli& cli, const std::string& server, const std::string& known) {
    if (!user_.empty() && !password_.empty()) return {};
    if (::isatty(0) != 1)
      return Error(Kind::InvalidArgument, "Error: Cannot perform an interactive login from a non TTY device");
    if (user_.empty()) {
      if (server == kHubServer) cli.out.write(kHubNotes);
      cli.out.write(known.empty() ? std::string("Username: ") : fmt::format("Username ({}): ", known));
      cli.out.flush();
      user_ = trim(read_line());
      if (user_.empty()) user_ = known;
    }
    if (user_.empty()) return Error(Kind::InvalidArgument, "Error: Non-null Username Required");
    {
      // Before the prompt: what is typed until then is dropped, and nobody types before it.
      HiddenInput hidden;
      cli.out.write("Password: ");
      cli.out.flush();
      password_ = trim(read_line());
    }
    cli.out.write("\n");
    if (password_.empty()) return Error(Kind::InvalidArgument, "Error: Password Required");
    return {};
  }

  std::string user_, password_;
  bool password_stdin_ = false;
};

class Logout : public Command {
 public:
  Result<int> run(Cli& cli, const Arguments& arguments) override {
    const std::string server = arguments.empty() || arguments[0] == "docker.io" ? std::string(kHubServer)
                                                                                : server_name(arguments[0]);
    auto store = TRY(CredentialStore::open(cli.globals.config_directory));
    cli.out.print("Removing login credentials for {}\n", server);
    if (auto erased = store.erase(server); !erased.ok())
      cli.err.print("WARNING: could not erase credentials:\n{}: {}\n", server, erased.error().message());
    return 0;
  }
};

}  // namespace

namespace make {
std::unique_ptr<Command> login() { return std::make_unique<Login>(); }
std::unique_ptr<Command> logout() { return std::make_unique<Logout>(); }
}  // namespace make

}  // namespace skiff::cli
