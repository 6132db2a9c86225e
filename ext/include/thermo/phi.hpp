// exp and its integrals for small stable Metzler matrices (off-diagonals >= 0), W of them side by side.
//
//     phi0 = exp(M h),   phi1 = int_0^h exp(M s) ds,   phi2 = int_0^h phi1(s) ds,   phi3 = int_0^h phi2(s) ds
//
// A Taylor series over h / 2^s, then s doublings by the addition theorem. All four are non-negative and every doubling
// adds non-negative terms only, so small entries keep their relative accuracy and no temperature can undershoot.
// Each lane has its own s: its bits do not depend on its neighbours.
#pragma once
#include <cmath>
#include <cstddef>

#include "thermo/lanes.hpp"

namespace thermo {

// C = A B for n x n matrices of W lanes, [row][column][lane].
template <int W>
THERMO_INLINE void multiply(const double* A, const double* B, double* C, int n) noexcept {
    for (int i = 0; i < n; ++i)
        for (int j = 0; j < n; ++j) {
            double sum[W];
            for (int w = 0; w < W; ++w) sum[w] = 0;
            for (int k = 0; k < n; ++k) {
                const double* a = A + (static_cast<std::size_t>(i) * n + k) * W;
                const double* b = B + (static_cast<std::size_t>(k) * n + j) * W;
                for (int w = 0; w < W; ++w) sum[w] += a[w] * b[w];
            }
            double* c = C + (static_cast<std::size_t>(i) * n + j) * W;
            for (int w = 0; w < W; ++w) c[w] = sum[w];
        }
}

// M [1/s], each n*n*W; `h` one step per lane; `work` 3*n*n*W. phi3 may be null where no input ramps.
template <int W>
THERMO_INLINE void phi_functions(const double* M, const double* h, int n, double* phi0, double* phi1, double* phi2,
                                 double* phi3, double* work) noexcept {
    const std::size_t nn = static_cast<std::size_t>(n) * n, N = nn * W;
    double h0[W];
    int doublings[W], most = 0;
    for (int w = 0; w < W; ++w) {
        double norm = 0;
        for (int i = 0; i < n; ++i) {
            double row = 0;
            for (int j = 0; j < n; ++j) row += std::fabs(M[(static_cast<std::size_t>(i) * n + j) * W + w]);
            norm = row > norm ? row : norm;
        }
        int s = 0;
        double step = h[w];
        while (norm * step > 0.25 && s < 60) {
            step *= 0.5;
            ++s;
        }
        h0[w] = step;
        doublings[w] = s;
        most = s > most ? s : most;
    }
    // Taylor: P_k = (M h0)^k / k!;  0.25^12 / 12! = 1e-16 is the first term left out of phi0, relative to 1.
    double *P = work, *next = work + N, *A = work + 2 * N;
    for (std::size_t i = 0; i < nn; ++i) {
        const bool diagonal = i % static_cast<std::size_t>(n + 1) == 0;
        for (int w = 0; w < W; ++w) {
            const std::size_t e = i * W + w;
            const double one = diagonal ? 1.0 : 0.0;
            A[e] = M[e] * h0[w];
            P[e] = one;
            phi0[e] = one;
            phi1[e] = one * h0[w];
            phi2[e] = one * h0[w] * h0[w] / 2;
            if (phi3) phi3[e] = one * h0[w] * h0[w] * h0[w] / 6;
        }
    }
    for (int k = 1; k <= 11; ++k) {
        multiply<W>(P, A, next, n);
        for (std::size_t i = 0; i < nn; ++i)
            for (int w = 0; w < W; ++w) {
                const std::size_t e = i * W + w;
                const double p = next[e] / k;
                P[e] = p;
                phi0[e] += p;
                phi1[e] += p * h0[w] / (k + 1);
                phi2[e] += p * h0[w] * h0[w] / ((k + 1) * (k + 2));
                if (phi3) phi3[e] += p * h0[w] * h0[w] * h0[w] / ((k + 1) * (k + 2) * (k + 3.0));
            }
    }
    for (int d = 0; d < most; ++d) {
        auto blend = [&](double* target, auto value) {  // lanes that are done keep what they have
            for (std::size_t i = 0; i < nn; ++i)
                for (int w = 0; w < W; ++w) {
                    const std::size_t e = i * W + w;
                    target[e] = d < doublings[w] ? value(e, w) : target[e];
                }
        };
        if (phi3) {
            multiply<W>(phi0, phi3, P, n);
            blend(phi3, [&](std::size_t e, int w) {
                return phi3[e] + h0[w] * phi2[e] + 0.5 * h0[w] * h0[w] * phi1[e] + P[e];
            });
        }
        multiply<W>(phi0, phi2, P, n);
        blend(phi2, [&](std::size_t e, int w) { return phi2[e] + h0[w] * phi1[e] + P[e]; });
        multiply<W>(phi0, phi1, P, n);
        blend(phi1, [&](std::size_t e, int) { return phi1[e] + P[e]; });
        multiply<W>(phi0, phi0, P, n);
        blend(phi0, [&](std::size_t e, int) { return P[e]; });
        for (int w = 0; w < W; ++w)
            if (d < doublings[w]) h0[w] *= 2;
    }
}

}  // namespace thermo
