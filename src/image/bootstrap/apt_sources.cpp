#include "image/bootstrap/apt_sources.h"

#include <algorithm>
#include <map>

#include "base/strings.h"
#include "sys/file.h"

namespace skiff::image {

namespace {

constexpr const char* kDebianKeyring = "/usr/share/keyrings/debian-archive-keyring.gpg";

std::vector<std::string> words(std::string_view text) {
  std::vector<std::string> found;
  std::string word;
  for (const char c : text) {
    if (c != ' ' && c != '\t' && c != '\n') {
      word += c;
    } else if (!word.empty()) {
      found.push_back(std::exchange(word, {}));
    }
  }
  if (!word.empty()) found.push_back(std::move(word));
  return found;
}

std::string without_slash(std::string uri) {
  while (uri.ends_with('/')) uri.pop_back();
  return uri;
}

/// "bookworm" of "bookworm-updates" and "bookworm-security".
std::string base_suite(std::string_view suite) {
  for (const std::string_view ending :
       {"-updates", "-security", "-backports", "-proposed-updates", "/updates"})
    if (suite.ends_with(ending)) return std::string(suite.substr(0, suite.size() - ending.size()));
  return std::string(suite);
}

void add_stanza(const std::map<std::string, std::string>& fields, std::vector<AptSource>& sources) {
  const auto field = [&](const char* name) {
    const auto found = fields.find(name);
    return found == fields.end() ? std::string() : found->second;
  };
  if (to_lower(field("enabled")) == "no") return;
  const auto types = words(field("types"));
  if (std::find(types.begin(), types.end(), "deb") == types.end()) return;
  std::string keyring = std::string(trim(field("signed-by")));
  if (!keyring.starts_with('/')) keyring.clear();
  for (const auto& uri : words(field("uris")))
    for (const auto& suite : words(field("suites")))
      sources.push_back({without_slash(uri), suite, words(field("components")), keyring});
}

const AptSource* best_match(const std::vector<AptSource>& host, std::string_view distribution,
                            const std::string& suite) {
  const AptSource* fallback = nullptr;
  for (const auto& source : host) {
    if (!source.uri.ends_with("/" + std::string(distribution))) continue;
    if (source.suite == suite) return &source;
    if (!fallback) fallback = &source;
  }
  return fallback;
}

}  // namespace

std::string AptSource::line() const {
  return fmt::format("deb {}{} {} {}", signed_by.empty() ? "" : "[signed-by=" + signed_by + "] ", uri, suite,
                     join(components, " "));
}

std::vector<AptSource> parse_sources_list(std::string_view text) {
  std::vector<AptSource> sources;
  for (const auto& raw : split(text, '\n')) {
    std::string line(cut(raw, '#').first);
    if (!trim(line).starts_with("deb ") && !trim(line).starts_with("deb\t")) continue;
    std::string keyring;
    if (const auto open = line.find('['); open != std::string::npos) {
      const auto close = line.find(']', open);
      if (close == std::string::npos) continue;
      for (const auto& option : words(std::string_view(line).substr(open + 1, close - open - 1)))
        if (const auto [name, value] = cut(option, '='); name == "signed-by" && value)
          keyring = std::string(*value);
      line.erase(open, close - open + 1);
    }
    const auto parts = words(line);
    if (parts.size() < 3 || parts[0] != "deb" || !keyring.empty() == !keyring.starts_with('/')) continue;
    sources.push_back({without_slash(parts[1]), parts[2], {parts.begin() + 3, parts.end()}, keyring});
  }
  return sources;
}

std::vector<AptSource> parse_deb822_sources(std::string_view text) {
  std::vector<AptSource> sources;
  std::map<std::string, std::string> fields;
  std::string last;
  for (const auto& line : split(text, '\n')) {
    if (line.starts_with('#')) continue;
    if (trim(line).empty()) {
      add_stanza(std::exchange(fields, {}), sources);
      last.clear();
    } else if (line[0] == ' ' || line[0] == '\t') {
      if (!last.empty()) fields[last] += "\n" + line;
    } else if (const auto [name, value] = cut(line, ':'); value) {
      last = to_lower(trim(name));
      fields[last] = std::string(trim(*value));
    }
  }
  add_stanza(fields, sources);
  return sources;
}

Result<std::vector<AptSource>> read_apt_sources(const std::string& directory) {
  std::vector<AptSource> sources;
  const auto take = [&](std::vector<AptSource> found) {
    sources.insert(sources.end(), std::make_move_iterator(found.begin()),
                   std::make_move_iterator(found.end()));
  };
  if (const std::string file = directory + "/sources.list"; sys::exists(file))
    take(parse_sources_list(TRY(sys::read_file(file))));
  const std::string parts = directory + "/sources.list.d";
  if (!sys::exists(parts)) return sources;
  for (const auto& name : TRY(sys::list_directory(parts))) {
    if (name.ends_with(".list")) take(parse_sources_list(TRY(sys::read_file(parts + "/" + name))));
    if (name.ends_with(".sources")) take(parse_deb822_sources(TRY(sys::read_file(parts + "/" + name))));
  }
  return sources;
}

std::vector<AptSource> sources_for(const std::vector<AptSource>& host, std::string_view distribution,
                                   const std::string& suite, const std::string& mirror) {
  const AptSource* match = best_match(host, distribution, suite);
  if (!mirror.empty()) {
    AptSource source{without_slash(mirror), suite, {"main"}, match ? match->signed_by : ""};
    if (source.signed_by.empty() && distribution == "debian" && sys::exists(kDebianKeyring))
      source.signed_by = kDebianKeyring;
    return {std::move(source)};
  }
  if (!match) return {};
  std::vector<AptSource> sources = {{match->uri, suite, match->components, match->signed_by}};
  // Whoever follows updates and security for one suite wants them for every suite that has them.
  const std::string security_uri = "/" + std::string(distribution) + "-security";
  for (const auto& source : host) {
    const std::string base = base_suite(source.suite);
    if (base == source.suite || source.suite.find("backports") != std::string::npos ||
        source.suite.find("proposed") != std::string::npos)
      continue;
    if (source.uri != match->uri && !source.uri.ends_with(security_uri)) continue;
    AptSource extra = source;
    extra.suite = suite + source.suite.substr(base.size());
    if (std::find(sources.begin(), sources.end(), extra) == sources.end())
      sources.push_back(std::move(extra));
  }
  return sources;
}

std::string to_deb822(const std::vector<AptSource>& sources) {
  std::string text;
  for (const auto& source : sources) {
    text += fmt::format("{}Types: deb\nURIs: {}\nSuites: {}\nComponents: {}\n", text.empty() ? "" : "\n",
                        source.uri, source.suite, join(source.components, " "));
    if (!source.signed_by.empty()) text += fmt::format("Signed-By: {}\n", source.signed_by);
  }
  return text;
}

}  // namespace skiff::image
