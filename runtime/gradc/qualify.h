// gradc/qualify.h: functions that the processor and a device both run. C++17.
#pragma once

#if defined(GRADC_BOTH)
// A target's own header has said it.
#elif defined(__CUDACC__)
#define GRADC_BOTH __host__ __device__
#else
#define GRADC_BOTH
#endif
