// simt_races.h: what the fibers tell the race check of themselves.
#pragma once

#include <cstddef>

namespace simt {

constexpr unsigned nobody = ~0u;  // no thread of a kernel runs

#if defined(SIMT_RACES)
void races_new_launch();
void races_new_shared(const unsigned char* begin, const unsigned char* end);  // a block starts: nobody wrote it
// Who runs from now on, and where its stack lies.
void races_at(unsigned block, unsigned thread, unsigned epoch, const unsigned char* stack, std::size_t bytes);
#else
inline void races_new_launch() {}
inline void races_new_shared(const unsigned char*, const unsigned char*) {}
inline void races_at(unsigned, unsigned, unsigned, const unsigned char*, std::size_t) {}
#endif

}  // namespace simt
