#include "engine/log_options.h"

#include <gtest/gtest.h>

namespace skiff::engine {
namespace {

using Options = std::map<std::string, std::string>;

std::string refusal(const std::string& driver, const Options& options) {
  const auto checked = check_log_options(driver, options);
  return checked.ok() ? "" : checked.error().message();
}

TEST(LogOptions, NamesAreCheckedInDockersWords) {
  EXPECT_EQ(refusal("foo", {}), "error looking up logging plugin foo: plugin \"foo\" not found");
  EXPECT_EQ(refusal("local", {{"foo", "bar"}}), "unknown log opt 'foo' for log driver local");
  EXPECT_EQ(refusal("local", {{"labels", "x"}}), "unknown log opt 'labels' for log driver local");
  for (const char* driver : {"json-file", "syslog", "journald", "fluentd"})
    EXPECT_EQ(refusal(driver, {{"foo", "bar"}}),
              fmt::format("unknown log opt 'foo' for {} log driver", driver));
  EXPECT_EQ(refusal("gelf", {{"foo", "bar"}}), "gelf-address is a required parameter");
  EXPECT_EQ(refusal("gelf", {{"foo", "bar"}, {"gelf-address", "udp://1.2.3.4:5"}}),
            "unknown log opt \"foo\" for gelf log driver");
  EXPECT_EQ(refusal("syslog", {{"cache-foo", "x"}}), "unknown log opt 'cache-foo' for syslog log driver");
  EXPECT_EQ(refusal("none", {}), "");
  for (const char* driver : {"json-file", "syslog", "journald", "fluentd"})
    EXPECT_EQ(
        refusal(driver,
                {{"labels", "a"}, {"env", "b"}, {"env-regex", "c"}, {"labels-regex", "d"}, {"tag", "e"}}),
        "");
}

TEST(LogOptions, ModeAndBuffer) {
  EXPECT_EQ(refusal("json-file", {{"mode", "foo"}}), "logger: logging mode not supported: foo");
  EXPECT_EQ(refusal("local", {{"max-buffer-size", "1m"}}),
            "logger: max-buffer-size option is only supported with 'mode=non-blocking'");
  EXPECT_EQ(refusal("local", {{"mode", "non-blocking"}, {"max-buffer-size", "x"}}),
            "error parsing option max-buffer-size: invalid size: 'x'");
  EXPECT_EQ(refusal("local", {{"mode", "non-blocking"}, {"max-buffer-size", "1m"}}), "");
  EXPECT_EQ(refusal("json-file", {{"cache-disabled", "x"}}), "invalid value for option cache-disabled: x");
}

TEST(LogOptions, ValuesOfFiles) {
  EXPECT_EQ(refusal("local", {{"max-size", "x"}}), "invalid value for max-size: x: invalid size: 'x'");
  EXPECT_EQ(refusal("local", {{"max-file", "x"}}),
            "invalid value for max-file: x: strconv.Atoi: parsing \"x\": invalid syntax");
  EXPECT_EQ(refusal("local", {{"compress", "x"}}),
            "error reading compress log option: strconv.ParseBool: parsing \"x\": invalid syntax");
  EXPECT_EQ(refusal("local", {{"compress", "true"}, {"max-file", "1"}}),
            "compression cannot be enabled when max file count is 1");
  EXPECT_EQ(refusal("local", {{"max-file", "1"}}), "");
  EXPECT_EQ(refusal("local", {{"max-file", "0"}}), "max-file cannot be less than 1");
  EXPECT_EQ(refusal("json-file", {{"max-size", "x"}}), "invalid size: 'x'");
  EXPECT_EQ(refusal("json-file", {{"max-size", "0"}}), "max-size must be a positive number");
  EXPECT_EQ(refusal("json-file", {{"max-file", "0"}}), "max-file cannot be less than 1");
  EXPECT_EQ(refusal("json-file", {{"max-file", "x"}}), "strconv.Atoi: parsing \"x\": invalid syntax");
  EXPECT_EQ(refusal("json-file", {{"compress", "true"}}),
            "compress cannot be true when max-file is less than 2 or max-size is not set");
  EXPECT_EQ(refusal("json-file", {{"compress", "true"}, {"max-file", "2"}, {"max-size", "1m"}}), "");
}

TEST(LogOptions, ValuesOfSyslog) {
  EXPECT_EQ(refusal("syslog", {{"syslog-address", "foo"}}), "unsupported scheme: ''");
  EXPECT_EQ(refusal("syslog", {{"syslog-address", "http://127.0.0.1:99"}}), "unsupported scheme: 'http'");
  EXPECT_EQ(refusal("syslog", {{"syslog-address", "tcp://127.0.0.1:99:9"}}),
            "address 127.0.0.1:99:9: too many colons in address");
  EXPECT_EQ(refusal("syslog", {{"syslog-address", "unix:///nonexist"}}),
            "stat /nonexist: no such file or directory");
  EXPECT_EQ(refusal("syslog", {{"syslog-address", "tcp://127.0.0.1:x"}}),
            "parse \"tcp://127.0.0.1:x\": invalid port \":x\" after host");
  EXPECT_EQ(refusal("syslog", {{"syslog-address", "tcp+tls://127.0.0.1:44"}, {"syslog-tls-ca-cert", "/no"}}),
            "");
  EXPECT_EQ(refusal("syslog", {{"syslog-facility", "foo"}}), "invalid syslog facility");
  EXPECT_EQ(refusal("syslog", {{"syslog-facility", "24"}}), "invalid syslog facility");
  EXPECT_EQ(refusal("syslog", {{"syslog-format", "foo"}}), "Invalid syslog format");
  EXPECT_EQ(refusal("syslog", {{"syslog-address", "udp://[::1]:514"}, {"syslog-facility", "local7"}}), "");
  EXPECT_EQ(syslog_facility("authpriv"), 10);
  EXPECT_EQ(syslog_facility("local3"), 19);
}

TEST(LogOptions, ValuesOfFluentd) {
  const auto address = [](const char* text) { return refusal("fluentd", {{"fluentd-address", text}}); };
  EXPECT_EQ(address("foo"), "");
  EXPECT_EQ(address("foo:x"),
            "invalid fluentd-address (foo:x): parse \"tcp://foo:x\": invalid port \":x\" after host");
  EXPECT_EQ(address("udp://foo:44"), "invalid fluentd-address (udp://foo:44): unsupported scheme: 'udp'");
  EXPECT_EQ(address("tls://foo:44"), "");
  EXPECT_EQ(address("tls://foo:44/path"),
            "invalid fluentd-address (tls://foo:44/path): should not contain a path element");
  EXPECT_EQ(refusal("fluentd", {{"fluentd-tls-ca-cert", "/x"}}),
            "unknown log opt 'fluentd-tls-ca-cert' for fluentd log driver");
  EXPECT_EQ(address("unix://"), "invalid fluentd-address (unix://): path is empty");
  EXPECT_EQ(address("tcp://foo:44/path"),
            "invalid fluentd-address (tcp://foo:44/path): should not contain a path element");
  EXPECT_EQ(refusal("fluentd", {{"fluentd-buffer-limit", "x"}}), "invalid size: 'x'");
  EXPECT_EQ(refusal("fluentd", {{"fluentd-retry-wait", "x"}}), "time: invalid duration \"x\"");
  EXPECT_EQ(refusal("fluentd", {{"fluentd-retry-wait", "10"}}), "time: missing unit in duration \"10\"");
  EXPECT_EQ(refusal("fluentd", {{"fluentd-max-retries", "x"}}),
            "strconv.ParseUint: parsing \"x\": invalid syntax");
  EXPECT_EQ(refusal("fluentd", {{"fluentd-async", "x"}}), "strconv.ParseBool: parsing \"x\": invalid syntax");
  EXPECT_EQ(
      refusal("fluentd", {{"fluentd-async-reconnect-interval", "1ms"}}),
      "invalid value for fluentd-async-reconnect-interval: value (\"1ms\") must be between 100ms and 10s");
  EXPECT_EQ(refusal("fluentd", {{"fluentd-write-timeout", "-1s"}}),
            "invalid value for fluentd-write-timeout: value must be a duration that is non-negative");
}

TEST(LogOptions, ValuesOfGelf) {
  const auto with = [](const char* address, Options options) {
    options["gelf-address"] = address;
    return refusal("gelf", options);
  };
  EXPECT_EQ(with("foo", {}), "gelf: endpoint needs to be TCP or UDP");
  EXPECT_EQ(with("udp://foo", {}), "gelf: please provide gelf-address as proto://host:port");
  EXPECT_EQ(with("udp://foo:33", {{"gelf-compression-type", "x"}}),
            "unknown value \"x\" for log opt \"gelf-compression-type\" for gelf log driver");
  EXPECT_EQ(with("udp://foo:33", {{"gelf-compression-level", "10"}}),
            "unknown value \"10\" for log opt \"gelf-compression-level\" for gelf log driver");
  EXPECT_EQ(with("tcp://foo:33", {{"gelf-compression-type", "none"}}),
            "compression is only supported on UDP");
  EXPECT_EQ(with("udp://foo:33", {{"gelf-tcp-max-reconnect", "1"}}),
            "\"gelf-tcp-max-reconnect\" is only valid for TCP");
  EXPECT_EQ(with("tcp://foo:33", {{"gelf-tcp-reconnect-delay", "x"}}),
            "\"gelf-tcp-reconnect-delay\" must be a positive integer");
  EXPECT_EQ(with("tcp://foo:33", {{"gelf-tcp-max-reconnect", "3"}}), "");
}

TEST(LogOptions, TheEnginesOptionsCountForItsOwnDriver) {
  spec::EngineConfig engine;
  engine.log_driver = "json-file";
  engine.log_options = {{"max-size", "1m"}, {"cache-max-size", "2m"}};
  EXPECT_EQ(effective_log_config({}, engine).type, "json-file");
  EXPECT_EQ(effective_log_config({"", {{"max-size", "5m"}}}, engine).config,
            (Options{{"max-size", "5m"}, {"cache-max-size", "2m"}}));
  EXPECT_EQ(effective_log_config({"syslog", {}}, engine).config, (Options{{"cache-max-size", "2m"}}));
}

Definition container() {
  Definition definition;
  definition.id = std::string(64, 'a');
  definition.name = "name";
  definition.image = "sha256:0123456789";
  definition.path = "sh";
  definition.args = {"-c", "x"};
  definition.config.image = "image:1";
  definition.config.env = {"A=1", "AB=2", "C=3"};
  definition.config.labels = {{"x.one", "1"}, {"x.two", "2"}, {"y", "3"}};
  return definition;
}

TEST(LogSettings, TagsAreFilledIn) {
  const Definition definition = container();
  EXPECT_EQ(log_tag("{{.Name}}/{{ .ImageName }}/{{.ID}}", definition).value_or(""),
            "name/image:1/aaaaaaaaaaaa");
  EXPECT_EQ(log_tag("{{.ImageID}} {{.Command}}", definition).value_or(""), "sha256:01234 sh -c x");
  EXPECT_EQ(log_tag("{{", definition).error().message(), "template: log-tag:1: unclosed action");
  EXPECT_FALSE(log_tag("{{.Foo}}", definition).ok());
}

TEST(LogSettings, LabelsAndVariablesArePicked) {
  spec::EngineConfig engine;
  Definition definition = container();
  definition.host.log_config = {"json-file",
                                {{"labels", "y,z"},
                                 {"labels-regex", "^x\\."},
                                 {"env-regex", "^A"},
                                 {"tag", "{{.Name}}"},
                                 {"max-size", "10k"}}};
  const auto settings = log_settings(engine, definition);
  ASSERT_TRUE(settings.ok());
  EXPECT_EQ(settings->fields,
            (Options{{"A", "1"}, {"AB", "2"}, {"tag", "name"}, {"x.one", "1"}, {"x.two", "2"}, {"y", "3"}}));
  EXPECT_EQ(settings->max_bytes, 10000U);
  EXPECT_EQ(settings->max_files, 1);
  EXPECT_TRUE(settings->path.ends_with("/" + definition.id + "-json.log"));
  definition.host.log_config.config["labels-regex"] = "[";
  EXPECT_EQ(log_settings(engine, definition).error().message(),
            "error parsing regexp: missing closing ]: `[`");
}

TEST(LogSettings, RemoteDriversHaveTheirFieldsAndACache) {
  spec::EngineConfig engine;
  Definition definition = container();
  definition.host.log_config = {"journald", {{"env", "C"}, {"labels", "x.one"}, {"cache-max-file", "2"}}};
  auto settings = log_settings(engine, definition);
  ASSERT_TRUE(settings.ok());
  EXPECT_EQ(settings->fields.at("CONTAINER_NAME"), "name");
  EXPECT_EQ(settings->fields.at("X_ONE"), "1");
  EXPECT_EQ(settings->fields.at("C"), "3");
  EXPECT_EQ(settings->target.addresses, std::vector<std::string>{"/run/systemd/journal/socket"});
  EXPECT_EQ(settings->max_files, 2);
  EXPECT_FALSE(settings->directory.empty());
  definition.host.log_config.config["cache-disabled"] = "true";
  EXPECT_TRUE(log_settings(engine, definition)->directory.empty());
  EXPECT_FALSE(log_is_readable(definition.host.log_config));
  definition.host.log_config = {"gelf",
                                {{"gelf-address", "udp://127.0.0.1:12201"}, {"mode", "non-blocking"}}};
  settings = log_settings(engine, definition);
  ASSERT_TRUE(settings.ok());
  EXPECT_EQ(settings->target.network, "udp");
  EXPECT_EQ(settings->target.addresses, std::vector<std::string>{"127.0.0.1:12201"});
  EXPECT_FALSE(settings->blocking);
  EXPECT_EQ(settings->fields.at("_tag"), "aaaaaaaaaaaa");
}

}  // namespace
}  // namespace skiff::engine
