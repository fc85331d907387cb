#include "sys/memory.h"

#include <link.h>
#include <malloc.h>
#include <sys/auxv.h>
#include <sys/mman.h>
#include <unistd.h>

namespace skiff::sys {

void trim_memory() {
  ::malloc_trim(0);
  const auto* segments = reinterpret_cast<const ElfW(Phdr)*>(::getauxval(AT_PHDR));
  const auto* end = segments + ::getauxval(AT_PHNUM);
  const auto page = static_cast<ElfW(Addr)>(::getpagesize());
  ElfW(Addr) base = 0;
  for (const auto* segment = segments; segment != end; ++segment)
    if (segment->p_type == PT_PHDR) base = reinterpret_cast<ElfW(Addr)>(segments) - segment->p_vaddr;
  // Only segments that nothing can have written to: dropping others would undo what the program did.
  for (const auto* segment = segments; segment != end; ++segment) {
    if (segment->p_type != PT_LOAD || (segment->p_flags & PF_W) != 0) continue;
    const ElfW(Addr) from = (base + segment->p_vaddr) & ~(page - 1);
    const ElfW(Addr) to = base + segment->p_vaddr + segment->p_memsz;
    (void)::madvise(reinterpret_cast<void*>(from), to - from, MADV_DONTNEED);  // only ever a saving
  }
}

}  // namespace skiff::sys
