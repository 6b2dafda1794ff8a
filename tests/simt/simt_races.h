// simt_races.h: what the fibers tell the race check of themselves.
#pragma once

#include <cstddef>

namespace simt {

#if defined(SIMT_RACES)
void races_new_launch();
void races_new_block(unsigned number);
void races_new_shared(const unsigned char* begin, const unsigned char* end);  // nobody has written it in this block
void races_barrier();
// Who runs from now on, and where its stack lies.
void races_thread(unsigned number, const unsigned char* stack, std::size_t bytes);
void races_no_thread();
#else
inline void races_new_launch() {}
inline void races_new_block(unsigned) {}
inline void races_new_shared(const unsigned char*, const unsigned char*) {}
inline void races_barrier() {}
inline void races_thread(unsigned, const unsigned char*, std::size_t) {}
inline void races_no_thread() {}
#endif

}  // namespace simt
