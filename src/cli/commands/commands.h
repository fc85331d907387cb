#pragma once

#include <memory>

#include "cli/command.h"

/// One factory per command; the table in tree.cpp says where each stands.
namespace skiff::cli {

std::unique_ptr<Command> make_attach();
std::unique_ptr<Command> make_commit();
std::unique_ptr<Command> make_container_inspect();
std::unique_ptr<Command> make_container_prune();
std::unique_ptr<Command> make_cp();
std::unique_ptr<Command> make_create();
std::unique_ptr<Command> make_diff();
std::unique_ptr<Command> make_exec();
std::unique_ptr<Command> make_export();
std::unique_ptr<Command> make_inspect();
std::unique_ptr<Command> make_kill();
std::unique_ptr<Command> make_logs();
std::unique_ptr<Command> make_pause();
std::unique_ptr<Command> make_port();
std::unique_ptr<Command> make_ps();
std::unique_ptr<Command> make_rename();
std::unique_ptr<Command> make_restart();
std::unique_ptr<Command> make_rm();
std::unique_ptr<Command> make_run();
std::unique_ptr<Command> make_start();
std::unique_ptr<Command> make_stats();
std::unique_ptr<Command> make_stop();
std::unique_ptr<Command> make_top();
std::unique_ptr<Command> make_unpause();
std::unique_ptr<Command> make_update();
std::unique_ptr<Command> make_wait();

}  // namespace skiff::cli
