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

// N numbers side by side that stay in registers, where a loop over an array of 8 would be unrolled into scalars. Read and
// written in place as *pack<N>(p); the compiler cuts them to what the clone at hand has.
#if defined(__GNUC__)
template <int N>
struct PackOf {
    typedef double type __attribute__((vector_size(N * sizeof(double)), aligned(sizeof(double)), may_alias));
};
#else
template <int N>
struct PackOf {
    struct type {
        double v[N];
        type& operator-=(const type& b) {
            for (int i = 0; i < N; ++i) v[i] -= b.v[i];
            return *this;
        }
        type& operator+=(const type& b) {
            for (int i = 0; i < N; ++i) v[i] += b.v[i];
            return *this;
        }
        friend type operator*(const type& a, const type& b) {
            type c;
            for (int i = 0; i < N; ++i) c.v[i] = a.v[i] * b.v[i];
            return c;
        }
        friend type operator*(double a, const type& b) {
            type c;
            for (int i = 0; i < N; ++i) c.v[i] = a * b.v[i];
            return c;
        }
        friend type operator+(type a, const type& b) { return a += b; }
        friend type operator-(type a, const type& b) { return a -= b; }
    };
};
#endif
// most: the larger of what it is and |x|; sum += |x|.
template <class Pack>
THERMO_INLINE void keep_largest(Pack& most, Pack& sum, const Pack& x) {
#if defined(__GNUC__)
    const Pack size = x < 0.0 ? -x : x;
    most = size > most ? size : most;
    sum += size;
#else
    for (int i = 0; i < static_cast<int>(sizeof(Pack) / sizeof(double)); ++i) {
        const double size = x.v[i] < 0 ? -x.v[i] : x.v[i];
        most.v[i] = size > most.v[i] ? size : most.v[i];
        sum.v[i] += size;
    }
#endif
}
template <int N>
THERMO_INLINE typename PackOf<N>::type* pack(double* p) {
    return reinterpret_cast<typename PackOf<N>::type*>(p);
}
template <int N>
THERMO_INLINE const typename PackOf<N>::type* pack(const double* p) {
    return reinterpret_cast<const typename PackOf<N>::type*>(p);
}

}  // namespace thermo
