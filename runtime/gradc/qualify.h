// gradc/qualify.h: how what kernels call is declared: for the processor and a device both, under names of its own for
// each set of instructions. C++17.
#pragma once

#if defined(GRADC_BOTH)
// A target's own header has said it.
#elif defined(__CUDACC__)
#define GRADC_BOTH __host__ __device__
#else
#define GRADC_BOTH
#endif

// A program may hold files compiled for different processors (`gradc build --isa=…,…`, or a network compiled with
// -march=native beside code that isn't). A linker keeps one of several inline functions of one name, and it might be one
// that this processor can't run; so each set of instructions has its own names.
#if defined(__CUDACC__)
#define GRADC_PROCESSOR device
#elif defined(__AVX512F__) && defined(__AVX512BF16__)
#define GRADC_PROCESSOR avx512_bf16
#elif defined(__AVX512F__)
#define GRADC_PROCESSOR avx512
#elif defined(__AVX2__)
#define GRADC_PROCESSOR avx2
#elif defined(__AVX__)
#define GRADC_PROCESSOR avx
#elif defined(__SSE4_1__)
#define GRADC_PROCESSOR sse4
#else
#define GRADC_PROCESSOR any
#endif

// A function of the C library, as the compiler's own: <cmath> takes longer to read than many a network to compile.
#if defined(__CUDACC__)
#include <cmath>
#define GRADC_C(function) ::function
#else
#define GRADC_C(function) __builtin_##function
#endif
