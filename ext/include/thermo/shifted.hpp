// LU of K + s C with complex shifts s, on the pattern of the real one, and the step that is made of its solutions.
//
// Values are [entry][2][W], real parts before imaginary ones, W shifts, or shifts of W servers, side by side. No
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

// All shifts of all servers of a chunk side by side: their chains of operations hide each other's latency.
constexpr int kShifts = 4, kLanes = kShifts * kWidth;  // lane: shift * kWidth + server

THERMO_CLONES inline void factor_chunk(const BorderedLU& lu, double* values, double* work, int from) {
    factor<kLanes>(lu, values, work, from);
}
// Right-hand sides -(F + ramp / shift), by the inverse of each shift [2][kShifts], through the forward substitution.
THERMO_CLONES inline void forward_chunk(const BorderedLU& lu, const double* values, const double* F, const double* ramp,
                                        const double* inverse, double* x) {
    const auto N = static_cast<std::size_t>(lu.n_local() + lu.n_border());
    for (std::size_t i = 0; i < N; ++i)
        for (std::size_t part = 0; part < 2; ++part)
            for (std::size_t j = 0; j < kShifts; ++j) {
                double* to = x + (i * 2 + part) * kLanes + j * kWidth;
                const double one = part == 0 ? 1.0 : 0.0, share = inverse[part * kShifts + j];
                if (ramp)
                    for (std::size_t w = 0; w < kWidth; ++w) to[w] = -one * F[i * kWidth + w] - share * ramp[i * kWidth + w];
                else
                    for (std::size_t w = 0; w < kWidth; ++w) to[w] = -one * F[i * kWidth + w];
            }
    forward<kLanes>(lu, values, x);
}
// Back substitution, and three sums of the solutions y over the shifts, each of 2 Re(weight y); weights [3][2][kShifts]. Two
// are kept; of all the largest magnitude is told, and a sum that is not finite where any is not.
struct Largest {
    double kept = 0, other = 0, sum = 0;
};
THERMO_CLONES inline void backward_chunk(const BorderedLU& lu, const double* values, double* x, const double* weight, double* first,
                                         double* second, Largest& largest) {
    backward<kLanes>(lu, values, x);
    const auto N = static_cast<std::size_t>(lu.n_local() + lu.n_border());
    double kept[kWidth], other[kWidth], total[kWidth];
    for (std::size_t w = 0; w < kWidth; ++w) kept[w] = largest.kept, other[w] = largest.other, total[w] = 0;
    for (std::size_t i = 0; i < N; ++i) {
        double sums[3][kWidth] = {};
        for (std::size_t j = 0; j < kShifts; ++j) {
            const double *re = x + i * 2 * kLanes + j * kWidth, *im = re + kLanes;
            for (std::size_t s = 0; s < 3; ++s)
                for (std::size_t w = 0; w < kWidth; ++w)
                    sums[s][w] += weight[(s * 2) * kShifts + j] * re[w] - weight[(s * 2 + 1) * kShifts + j] * im[w];
        }
        for (std::size_t w = 0; w < kWidth; ++w) {
            first[i * kWidth + w] = sums[0][w], second[i * kWidth + w] = sums[1][w];
            const double a = std::fabs(sums[0][w]), b = std::fabs(sums[1][w]), c = std::fabs(sums[2][w]);
            kept[w] = a > kept[w] ? a : kept[w];
            kept[w] = b > kept[w] ? b : kept[w];
            other[w] = c > other[w] ? c : other[w];
            total[w] += a + b + c;
        }
    }
    for (std::size_t w = 0; w < kWidth; ++w) {
        largest.kept = std::max(largest.kept, kept[w]), largest.other = std::max(largest.other, other[w]);
        largest.sum += total[w];
    }
}

}  // namespace thermo::shifted
