// Columns of cells in z: their exact solution beside given neighbours, the smoother of thermo::Multigrid, in float.
//
// D is A without its couplings in x and y: one tridiagonal matrix for each column. With s_k the conductance from cell k to the
// outside through itself and all below it,
//
//     s_k = (x, y and extra of cell k) + G_(k-1) s_(k-1) / (s_(k-1) + G_(k-1)),    pivot_k = s_k + G_k,
//
// Thomas' elimination has no difference in it, so float keeps a column that is hardly held as well as one that is. All
// columns of a row go side by side: x is innermost in memory, each step is one vector loop.
#pragma once
#include <algorithm>
#include <cstddef>

#include "thermo/cells.hpp"

namespace thermo {

namespace detail {

// The seven-point row of A: where its neighbours begin, for one row of a slab.
struct RowOf {
    std::size_t own, north, south, up, down;
    RowOf(const Grid& g, int j, int k)
        : own(g.row(j, k)), north(g.row(g.after(j, g.ny), k)), south(g.row(g.before(j, g.ny), k)),
          up(g.row(j, g.after(k, g.nz))), down(g.row(j, g.before(k, g.nz))) {}
};
struct Coefficients {
    const float *x, *y, *z, *extra, *inverse;
};

// r - A x, one row.
template <class R>
THERMO_INLINE void residual_row(const Coefficients& A, const RowOf& at, int n, const R* __restrict r, const float* __restrict v,
                                float* __restrict out) {
    const float *gx = A.x + at.own, *gw = gx - 1, *gy = A.y + at.own, *gs = A.y + at.south, *gz = A.z + at.own,
                *gd = A.z + at.down, *extra = A.extra + at.own;
    const float *c = v + at.own, *w = c - 1, *e = c + 1, *N = v + at.north, *S = v + at.south, *U = v + at.up, *D = v + at.down;
    const R* rr = r + at.own;
    for (int i = 0; i < n; ++i) {
        const float o = c[i];
        out[i] = static_cast<float>(rr[i]) -
                 (((extra[i] * o + gx[i] * (o - e[i])) + (gw[i] * (o - w[i]) + gy[i] * (o - N[i]))) +
                  ((gs[i] * (o - S[i]) + gz[i] * (o - U[i])) + gd[i] * (o - D[i])));
    }
}
// y <- x + a (x - y) + b D^-1 (r - A x) for columns first .. first + n - 1 of slab j; `work` holds nz + 2 rows of n.
// Without x (the start from zero): y <- b D^-1 r.
template <bool kStart, class R>
THERMO_INLINE void smooth_columns(const Grid& g, const Coefficients& A, int j, int first, int n, float a, float b, const R* r,
                                  const float* x, float* y, float* work) {
    float* const row = work + n;  // a row of zeros before and after
    for (int i = 0; i < n; ++i) work[i] = row[static_cast<std::size_t>(g.nz) * n + i] = 0.0f;
    for (int k = 0; k < g.nz; ++k) {
        RowOf at(g, j, k);
        for (std::size_t* p : {&at.own, &at.north, &at.south, &at.up, &at.down}) *p += static_cast<std::size_t>(first);
        float* __restrict to = row + static_cast<std::size_t>(k) * n;
        const float* __restrict below = row + (static_cast<std::ptrdiff_t>(k) - 1) * n;
        if (kStart)
            for (int i = 0; i < n; ++i) to[i] = static_cast<float>(r[at.own + i]);
        else
            residual_row(A, at, n, r, x, to);
        const float *__restrict inverse = A.inverse + at.own, *__restrict gd = A.z + at.down;
        for (int i = 0; i < n; ++i) to[i] = inverse[i] * (to[i] + gd[i] * below[i]);
    }
    for (int k = g.nz - 1; k >= 0; --k) {
        const std::size_t own = g.row(j, k) + static_cast<std::size_t>(first);
        float* __restrict to = row + static_cast<std::size_t>(k) * n;
        const float* __restrict above = row + (static_cast<std::size_t>(k) + 1) * n;
        const float *__restrict inverse = A.inverse + own, *__restrict gz = A.z + own;
        float* __restrict out = y + own;
        if (kStart) {
            for (int i = 0; i < n; ++i) {
                to[i] += inverse[i] * gz[i] * above[i];
                out[i] = b * to[i];
            }
        } else {
            const float* __restrict in = x + own;
            for (int i = 0; i < n; ++i) {
                to[i] += inverse[i] * gz[i] * above[i];
                out[i] = (in[i] + a * (in[i] - out[i])) + b * to[i];
            }
        }
    }
}
#define THERMO_SMOOTH(name, start, real)                                                                                     \
    THERMO_CLONES inline void name(const Grid& g, const Coefficients& A, int j, int first, int n, float a, float b,         \
                                   const real* r, const float* x, float* y, float* work) {                                  \
        smooth_columns<start>(g, A, j, first, n, a, b, r, x, y, work);                                                       \
    }
THERMO_SMOOTH(smooth, false, float)
THERMO_SMOOTH(smooth, false, double)
THERMO_SMOOTH(smooth_start, true, float)
THERMO_SMOOTH(smooth_start, true, double)
#undef THERMO_SMOOTH

THERMO_CLONES inline void residual(const Coefficients& A, const RowOf& at, int n, const float* r, const float* v, float* out) {
    residual_row(A, at, n, r, v, out + at.own);
}
THERMO_CLONES inline void residual(const Coefficients& A, const RowOf& at, int n, const double* r, const float* v, float* out) {
    residual_row(A, at, n, r, v, out + at.own);
}

// Factors of the columns of slab j without cancellation: s is the conductance from a cell to the outside (x, y and extra)
// through itself and all below, 1 / inverse = s + z. `s` holds n numbers.
THERMO_CLONES inline void factor_columns(const Grid& g, const float* gx, const float* gy, const float* gz, const float* extra,
                                         int j, float* __restrict inverse, float* __restrict s) {
    for (int i = 0; i < g.nx; ++i) s[i] = 0.0f;
    for (int k = 0; k < g.nz; ++k) {
        const RowOf at(g, j, k);
        for (int i = 0; i < g.nx; ++i) {
            const std::size_t o = at.own + static_cast<std::size_t>(i);
            const float below = k > 0 ? gz[at.down + i] * inverse[at.down + i] : 0.0f;
            s[i] = (((gx[o] + gx[o - 1]) + (gy[o] + gy[at.south + i])) + extra[o]) + below * s[i];
            const float pivot = s[i] + gz[o];
            inverse[o] = pivot > 0.0f ? 1.0f / pivot : 0.0f;
        }
    }
}

}  // namespace detail

}  // namespace thermo
