// gradc/qualify.h: functions that the processor and a CUDA device both run. C++17.
#pragma once

#if defined(__CUDACC__)
#define GRADC_BOTH __host__ __device__
#else
#define GRADC_BOTH
#endif
