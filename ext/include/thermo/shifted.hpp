// LU of K + s C with complex shifts s, on the pattern of the real one, and the step that is made of its solutions.
//
// Values are [entry][2][W], real parts before imaginary ones, W servers (or, for the border, W shifts) side by side. No
// pivoting: where a node has a capacity the imaginary part of the matrix has one sign, and elimination keeps it.
#pragma once
#include <algorithm>
#include <cmath>
#include <cstddef>
#include <vector>

#include "thermo/lanes.hpp"
#include "thermo/sparse.hpp"

namespace thermo::shifted {

// In place, rows `from` on, whose values are those of the matrix; the rows before are factored already.
template <int W>
THERMO_INLINE void factor(const BorderedLU& lu, double* values, double* work, int from) {
    const auto &start = lu.row_starts(), &diagonal = lu.row_diagonals(), &below = lu.lower_ends();
    const auto& columns = lu.row_columns();
    constexpr std::size_t Z = 2 * W;
    const int n = lu.n_local(), N = n + lu.n_border();
    for (int row = from; row < N; ++row) {
        const auto i = static_cast<std::size_t>(row);
        for (std::size_t p = start[i]; p < start[i + 1]; ++p)
            std::copy_n(values + p * Z, Z, work + static_cast<std::size_t>(columns[p]) * Z);
        for (std::size_t p = start[i]; p < below[i]; ++p) {
            const auto k = static_cast<std::size_t>(columns[p]);
            double* x = work + k * Z;
            const double* pivot = values + diagonal[k] * Z;  // holds the inverse
            double re[W], im[W];
            for (int w = 0; w < W; ++w) {
                re[w] = x[w] * pivot[w] - x[W + w] * pivot[W + w];
                im[w] = x[w] * pivot[W + w] + x[W + w] * pivot[w];
            }
            for (int w = 0; w < W; ++w) x[w] = re[w], x[W + w] = im[w];
            for (std::size_t q = diagonal[k] + 1; q < start[k + 1]; ++q) {
                double* __restrict to = work + static_cast<std::size_t>(columns[q]) * Z;
                const double* __restrict u = values + q * Z;
                for (int w = 0; w < W; ++w) to[w] -= re[w] * u[w] - im[w] * u[W + w];
                for (int w = 0; w < W; ++w) to[W + w] -= re[w] * u[W + w] + im[w] * u[w];
            }
        }
        for (std::size_t p = start[i]; p < start[i + 1]; ++p)
            std::copy_n(work + static_cast<std::size_t>(columns[p]) * Z, Z, values + p * Z);
        if (row >= n) continue;
        double* pivot = values + diagonal[i] * Z;
        for (int w = 0; w < W; ++w) {
            const double size = pivot[w] * pivot[w] + pivot[W + w] * pivot[W + w];
            pivot[w] /= size, pivot[W + w] /= -size;
        }
    }
}

// own -= sum of values[from..to) times x at their columns
template <int W>
THERMO_INLINE void subtract(const double* values, const int* columns, std::size_t from, std::size_t to, const double* x, double* own) {
    constexpr std::size_t Z = 2 * W;
    double re[W], im[W];
    for (int w = 0; w < W; ++w) re[w] = own[w], im[w] = own[W + w];
    for (std::size_t p = from; p < to; ++p) {
        const double *v = values + p * Z, *u = x + static_cast<std::size_t>(columns[p]) * Z;
        for (int w = 0; w < W; ++w) re[w] -= v[w] * u[w] - v[W + w] * u[W + w];
        for (int w = 0; w < W; ++w) im[w] -= v[w] * u[W + w] + v[W + w] * u[w];
    }
    for (int w = 0; w < W; ++w) own[w] = re[w], own[W + w] = im[w];
}
template <int W>
THERMO_INLINE void forward(const BorderedLU& lu, const double* values, double* x) {
    const auto N = static_cast<std::size_t>(lu.n_local() + lu.n_border());
    const std::size_t *start = lu.row_starts().data(), *below = lu.lower_ends().data();
    for (std::size_t i = 0; i < N; ++i) subtract<W>(values, lu.row_columns().data(), start[i], below[i], x, x + i * 2 * W);
}
// The border's values are in x[n..] already.
template <int W>
THERMO_INLINE void backward(const BorderedLU& lu, const double* values, double* x) {
    const std::size_t *start = lu.row_starts().data(), *diagonal = lu.row_diagonals().data();
    for (auto i = static_cast<std::size_t>(lu.n_local()); i-- > 0;) {
        double* own = x + i * 2 * W;
        subtract<W>(values, lu.row_columns().data(), diagonal[i] + 1, start[i + 1], x, own);
        const double* pivot = values + diagonal[i] * 2 * W;
        for (int w = 0; w < W; ++w) {
            const double re = own[w] * pivot[w] - own[W + w] * pivot[W + w];
            own[W + w] = own[w] * pivot[W + w] + own[W + w] * pivot[w];
            own[w] = re;
        }
    }
}

THERMO_CLONES inline void factor_chunk(const BorderedLU& lu, double* values, double* work, int from) {
    factor<kWidth>(lu, values, work, from);
}
// Right-hand side -(F + ramp/p) for the pole p (its inverse is given), through the forward substitution.
THERMO_CLONES inline void forward_chunk(const BorderedLU& lu, const double* values, const double* F, const double* ramp,
                                        double inverse_re, double inverse_im, double* x) {
    constexpr int W = kWidth;
    const auto N = static_cast<std::size_t>(lu.n_local() + lu.n_border());
    for (std::size_t i = 0; i < N; ++i) {
        double* to = x + i * 2 * W;
        for (int w = 0; w < W; ++w) to[w] = -F[i * W + w], to[W + w] = 0.0;
        if (!ramp) continue;
        for (int w = 0; w < W; ++w) to[w] -= ramp[i * W + w] * inverse_re;
        for (int w = 0; w < W; ++w) to[W + w] -= ramp[i * W + w] * inverse_im;
    }
    forward<W>(lu, values, x);
}
// Back substitution, and what the solution y adds to three sums: each 2 Re(weight y), weights [3][2].
THERMO_CLONES inline void backward_chunk(const BorderedLU& lu, const double* values, double* x, const double* weight, double* first,
                                         double* second, double* third) {
    constexpr int W = kWidth;
    backward<W>(lu, values, x);
    const auto N = static_cast<std::size_t>(lu.n_local() + lu.n_border());
    for (std::size_t i = 0; i < N; ++i) {
        const double* y = x + i * 2 * W;
        double *a = first + i * W, *b = second + i * W, *c = third + i * W;
        for (int w = 0; w < W; ++w) a[w] += weight[0] * y[w] - weight[1] * y[W + w];
        for (int w = 0; w < W; ++w) b[w] += weight[2] * y[w] - weight[3] * y[W + w];
        for (int w = 0; w < W; ++w) c[w] += weight[4] * y[w] - weight[5] * y[W + w];
    }
}
// The largest |x| and the sum of them, which is not finite where any is not.
THERMO_CLONES inline double largest(const double* x, std::size_t rows, double& sum) {
    double most[kWidth] = {}, total[kWidth] = {};
    for (std::size_t i = 0; i < rows; ++i)
        for (int w = 0; w < kWidth; ++w) {
            const double size = std::fabs(x[i * kWidth + static_cast<std::size_t>(w)]);
            most[w] = size > most[w] ? size : most[w];
            total[w] += size;
        }
    for (double t : total) sum += t;
    return *std::max_element(most, most + kWidth);
}

}  // namespace thermo::shifted
