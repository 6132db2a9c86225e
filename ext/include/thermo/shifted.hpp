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
    constexpr int B = std::min(W, kWidth);
    const int n = lu.n_local(), N = n + lu.n_border();
    for (int row = from; row < N; ++row) {
        const auto i = static_cast<std::size_t>(row);
        for (std::size_t p = start[i]; p < start[i + 1]; ++p)
            std::copy_n(values + p * Z, Z, work + static_cast<std::size_t>(columns[p]) * Z);
        for (std::size_t p = start[i]; p < below[i]; ++p) {
            const auto k = static_cast<std::size_t>(columns[p]);
            const double* pivot = values + diagonal[k] * Z;  // holds the inverse
            for (int j = 0; j < W; j += B) {
                double* x = work + k * Z + j;
                const auto l = *pack<B>(x), m = *pack<B>(x + W), re_pivot = *pack<B>(pivot + j), im_pivot = *pack<B>(pivot + W + j);
                const auto re = l * re_pivot - m * im_pivot, im = l * im_pivot + m * re_pivot;
                *pack<B>(x) = re, *pack<B>(x + W) = im;
                for (std::size_t q = diagonal[k] + 1; q < start[k + 1]; ++q) {
                    double* to = work + static_cast<std::size_t>(columns[q]) * Z + j;
                    const double* u = values + q * Z + j;
                    const auto v = *pack<B>(u), w = *pack<B>(u + W);
                    *pack<B>(to) -= re * v - im * w;
                    *pack<B>(to + W) -= re * w + im * v;
                }
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

// own -= sum of values[from..to) times x at their columns; a vector at a time, so that its sums stay in registers.
template <int W>
THERMO_INLINE void subtract(const double* values, const int* columns, std::size_t from, std::size_t to, const double* x, double* own) {
    constexpr std::size_t Z = 2 * W;
    constexpr int B = std::min(W, kWidth);
    for (int j = 0; j < W; j += B) {
        auto re = *pack<B>(own + j), im = *pack<B>(own + W + j);
        for (std::size_t p = from; p < to; ++p) {
            const double *at = values + p * Z + j, *of = x + static_cast<std::size_t>(columns[p]) * Z + j;
            const auto v = *pack<B>(at), w = *pack<B>(at + W), t = *pack<B>(of), u = *pack<B>(of + W);
            re -= v * t - w * u;
            im -= v * u + w * t;
        }
        *pack<B>(own + j) = re, *pack<B>(own + W + j) = im;
    }
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
    constexpr int B = std::min(W, kWidth);
    const std::size_t *start = lu.row_starts().data(), *diagonal = lu.row_diagonals().data();
    for (auto i = static_cast<std::size_t>(lu.n_local()); i-- > 0;) {
        double* own = x + i * 2 * W;
        subtract<W>(values, lu.row_columns().data(), diagonal[i] + 1, start[i + 1], x, own);
        const double* pivot = values + diagonal[i] * 2 * W;
        for (int j = 0; j < W; j += B) {
            const auto re = *pack<B>(own + j), im = *pack<B>(own + W + j), v = *pack<B>(pivot + j), w = *pack<B>(pivot + W + j);
            *pack<B>(own + j) = re * v - im * w;
            *pack<B>(own + W + j) = re * w + im * v;
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
    auto kept = 0.0 * *pack<kWidth>(values), other = kept, total = kept;
    for (std::size_t i = 0; i < N; ++i) {
        auto one = 0.0 * *pack<kWidth>(values), two = one, three = one;
        for (std::size_t j = 0; j < kShifts; ++j) {
            const double *y = x + i * 2 * kLanes + j * kWidth, *by = weight + j;
            const auto re = *pack<kWidth>(y), im = *pack<kWidth>(y + kLanes);
            one += by[0] * re - by[kShifts] * im;
            two += by[2 * kShifts] * re - by[3 * kShifts] * im;
            three += by[4 * kShifts] * re - by[5 * kShifts] * im;
        }
        *pack<kWidth>(first + i * kWidth) = one, *pack<kWidth>(second + i * kWidth) = two;
        keep_largest(kept, total, one);
        keep_largest(kept, total, two);
        keep_largest(other, total, three);
    }
    for (std::size_t w = 0; w < kWidth; ++w) {
        largest.kept = std::max(largest.kept, reinterpret_cast<const double*>(&kept)[w]);
        largest.other = std::max(largest.other, reinterpret_cast<const double*>(&other)[w]);
        largest.sum += reinterpret_cast<const double*>(&total)[w];
    }
}

}  // namespace thermo::shifted
