#pragma once

#include <functional>
#include <utility>
#include <vector>

namespace skiff {

/// The steps back from a half-done set-up. Each step forward adds its undoing; leaving the scope runs
/// them in reverse order, unless dismiss() said that all went well.
///
///     UndoStack undo;
///     auto dir = TRY(make_directory(path));
///     undo.add([&] { remove_directory(path); });
///     TRY(fill(dir));           // on failure the directory goes
///     undo.dismiss();
///
/// Steps that refer to locals must stand behind them: declare the stack after all of those, or let the steps
/// hold copies. Locals that are declared after the stack are gone when it runs.
class UndoStack {
 public:
  UndoStack() = default;
  UndoStack(UndoStack&& other) noexcept : steps_(std::exchange(other.steps_, {})) {}
  UndoStack& operator=(UndoStack&& other) noexcept {
    if (this != &other) {
      run();
      steps_ = std::exchange(other.steps_, {});
    }
    return *this;
  }
  UndoStack(const UndoStack&) = delete;
  UndoStack& operator=(const UndoStack&) = delete;
  ~UndoStack() { run(); }

  /// `step` must not throw, and deals with its own failure (it is the outermost caller: it logs).
  void add(std::function<void()> step) { steps_.push_back(std::move(step)); }

  /// All went well: nothing will be undone.
  void dismiss() { steps_.clear(); }

  /// Undoes everything now.
  void run() {
    while (!steps_.empty()) {
      auto step = std::move(steps_.back());
      steps_.pop_back();
      step();
    }
  }

 private:
  std::vector<std::function<void()>> steps_;
};

}  // namespace skiff
