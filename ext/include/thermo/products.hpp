// What Krylov's methods do with fields of cells: rows of A v in double, sums of products, moves along a direction.
#pragma once
#include <cstddef>

#include "thermo/cells.hpp"
#include "thermo/columns.hpp"

namespace thermo {

namespace detail {

// A v of one row, in double, with both parts of the conductances.
template <class V>
THERMO_INLINE void product_row(const Conductances& most, const Conductances& rest, const RowOf& at, int n, const V* v,
                               double* __restrict out) {
    const V *c = v + at.own, *w = c - 1, *e = c + 1, *N = v + at.north, *S = v + at.south, *U = v + at.up, *D = v + at.down;
    const float *gx = &most.x[at.own], *gw = gx - 1, *gy = &most.y[at.own], *gs = &most.y[at.south], *gz = &most.z[at.own],
                *gd = &most.z[at.down], *extra = &most.extra[at.own];
    const float *hx = &rest.x[at.own], *hw = hx - 1, *hy = &rest.y[at.own], *hs = &rest.y[at.south], *hz = &rest.z[at.own],
                *hd = &rest.z[at.down], *hextra = &rest.extra[at.own];
    const auto both = [](float a, float b) { return static_cast<double>(a) + static_cast<double>(b); };
    for (int i = 0; i < n; ++i) {
        const double o = c[i];
        out[i] = ((both(extra[i], hextra[i]) * o + both(gx[i], hx[i]) * (o - static_cast<double>(e[i]))) +
                  (both(gw[i], hw[i]) * (o - static_cast<double>(w[i])) + both(gy[i], hy[i]) * (o - static_cast<double>(N[i])))) +
                 ((both(gs[i], hs[i]) * (o - static_cast<double>(S[i])) + both(gz[i], hz[i]) * (o - static_cast<double>(U[i]))) +
                  both(gd[i], hd[i]) * (o - static_cast<double>(D[i])));
    }
}
THERMO_CLONES inline void product(const Conductances& most, const Conductances& rest, const RowOf& at, int n, const double* v,
                                  double* out) {
    product_row(most, rest, at, n, v, out);
}
THERMO_CLONES inline void product(const Conductances& most, const Conductances& rest, const RowOf& at, int n, const float* v,
                                  double* out) {
    product_row(most, rest, at, n, v, out);
}

// Sum of a[i] b[i], eight at a time.
template <class A, class B>
THERMO_INLINE double dot_of(std::size_t n, const A* a, const B* b) {
    double lane[kWidth] = {};
    std::size_t i = 0;
    for (; i + kWidth <= n; i += kWidth)
        for (std::size_t l = 0; l < kWidth; ++l) lane[l] += static_cast<double>(a[i + l]) * static_cast<double>(b[i + l]);
    for (std::size_t l = 0; i < n; ++i, ++l) lane[l] += static_cast<double>(a[i]) * static_cast<double>(b[i]);
    return ((lane[0] + lane[1]) + (lane[2] + lane[3])) + ((lane[4] + lane[5]) + (lane[6] + lane[7]));
}
THERMO_CLONES inline double dot(std::size_t n, const double* a, const float* b) { return dot_of(n, a, b); }
THERMO_CLONES inline double dot(std::size_t n, const double* a, const double* b) { return dot_of(n, a, b); }
THERMO_CLONES inline void follow(std::size_t n, const float* __restrict z, float beta, float* __restrict p) {
    for (std::size_t i = 0; i < n; ++i) p[i] = z[i] + beta * p[i];
}
THERMO_CLONES inline void narrow(std::size_t n, const double* __restrict from, float* __restrict to) {
    for (std::size_t i = 0; i < n; ++i) to[i] = static_cast<float>(from[i]);
}
THERMO_CLONES inline void turn(std::size_t n, const double* __restrict r, double beta, double omega, const float* __restrict v,
                               float* __restrict p) {
    for (std::size_t i = 0; i < n; ++i) p[i] = static_cast<float>(r[i] + beta * (static_cast<double>(p[i]) - omega * static_cast<double>(v[i])));
}
template <class V>
THERMO_INLINE void add(std::size_t n, double alpha, const V* __restrict v, double* __restrict y) {
    for (std::size_t i = 0; i < n; ++i) y[i] += alpha * static_cast<double>(v[i]);
}
THERMO_CLONES inline void move(std::size_t n, double alpha, const float* v, double* y) { add(n, alpha, v, y); }
THERMO_CLONES inline void move(std::size_t n, double alpha, const double* v, double* y) { add(n, alpha, v, y); }

}  // namespace detail

}  // namespace thermo
