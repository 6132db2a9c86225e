// Lanes: the server index is innermost, kWidth servers side by side, so that each arithmetic step is one SIMD loop.
#pragma once
#include <cstddef>

// Clones for wider vectors, chosen at run time. Built without FMA contraction, so every clone gives the same bits.
// Off under sanitizers (their runtime is not up when the choice is made) and where the loader cannot choose.
#if defined(__GNUC__) && !defined(__clang__) && defined(__x86_64__) && defined(__gnu_linux__) && \
    !defined(THERMO_NO_CLONES)
#define THERMO_CLONES __attribute__((target_clones("arch=x86-64-v4", "avx2", "default")))
#else
#define THERMO_CLONES
#endif

#if defined(__GNUC__)
#define THERMO_INLINE inline __attribute__((always_inline))
#else
#define THERMO_INLINE inline
#endif

namespace thermo {

constexpr int kWidth = 8;  // servers in a chunk: one AVX-512 vector, two AVX2

}  // namespace thermo
