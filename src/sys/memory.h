#pragma once

/// What a process holds in memory.
namespace skiff::sys {

/// For a program that comes to rest: gives back free heap and the pages of its own code and constants. Those
/// are the file's, unchanged, and come back from the page cache at the first touch (madvise(2),
/// MADV_DONTNEED on a file mapping).
void trim_memory();

}  // namespace skiff::sys
