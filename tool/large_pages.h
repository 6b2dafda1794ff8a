// large_pages.h: memory that is asked for in few large pages.
#pragma once

namespace gradc {

// A compiler touches most of its memory once, and a page of 4 KiB at a time that takes as long as a
// tenth of all its work. Asks for pages of 2 MiB where the allocator has its first memory; does
// nothing where there is no such thing.
void use_large_pages();

}  // namespace gradc
