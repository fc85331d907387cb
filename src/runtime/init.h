#pragma once

namespace skiff::runtime {

/// Makes this process the init of its pid namespace for a program that is to run as its child: returns 0 in
/// the child, whose signal mask is the one from before; the caller lets it execute the program. The process
/// itself passes signals on to it, reaps every orphan, and ends as the program ended. Returns an errno, in
/// the caller's process, when no child could be made. Allocates nothing.
int split_off_program();

}  // namespace skiff::runtime
