// Heat in uniform layers with adiabatic sides: cosine modes in the plane, each of them a ladder in z.
//
//     T(x, y, z) = sum over m, n of e_m e_n T_mn(z) cos(m pi x / Lx) cos(n pi y / Ly),    e_0 = 1, e_m = 2
//
// so that T_mn is what scipy.fft.dctn(type=3) takes. `lambda_x` [1/m2] is (m pi / Lx)^2 for the continuum and
// (2 - 2 cos(m pi / nx)) / hx^2 for cells; the code does not know which. All ladders are per area: W/(m2 K), W/m2, J/(m2 K).
//
// A layer without cells is a pi of three conductances (a two-port): `series` from face to face and `shunt` from each face to
// ambient, for what leaves sideways. All are positive, so eliminating node after node only adds and divides: nothing cancels,
// and nothing overflows because only exp(-gamma d) appears.
//
// W modes (neighbours in x) side by side; a mode's bits do not depend on its neighbours.
#pragma once
#include <algorithm>
#include <cmath>
#include <cstddef>
#include <cstdint>
#include <cstring>
#include <vector>

#include "thermo/lanes.hpp"

// A loop over lanes. Left alone, the compiler unrolls eight turns into scalars before it looks for vectors; and lanes never touch.
#if defined(__GNUC__) && !defined(__clang__)
#define THERMO_LANES(index) _Pragma("GCC ivdep") _Pragma("GCC unroll 1") for (index = 0; w < W; ++w)
#else
#define THERMO_LANES(index) for (index = 0; w < W; ++w)
#endif

namespace thermo {

struct Plane {  // modes: nx innermost
    int nx, ny;
    const double *lambda_x, *lambda_y;
    std::size_t size() const { return static_cast<std::size_t>(nx) * static_cast<std::size_t>(ny); }
};

// e = exp(-x), rest = 1 - exp(-x) to full relative accuracy, 0 <= x; beyond 700 as at 700. Branchless, so that it is SIMD.
template <int W>
THERMO_INLINE void decay(const double* x, double* e, double* rest) noexcept {
    constexpr double kMagic = 6755399441055744.0;  // 1.5 * 2^52: adding it rounds to an integer, kept in the low bits
    constexpr double kLn2High = 6.93147180369123816490e-01, kLn2Low = 1.90821492927058770002e-10;
    std::int64_t magic;
    std::memcpy(&magic, &kMagic, 8);
    THERMO_LANES(int w) {
        const double y = x[w] < 700.0 ? x[w] : 700.0, t = y * 1.4426950408889634 + kMagic, n = t - kMagic;
        const double r = (n * kLn2High - y) + n * kLn2Low;  // exp(-y) = 2^-n exp(r), |r| <= ln 2 / 2
        // exp(r) - 1 = r + r^2 (1/2! + r/3! + ...) in pairs, so that no long chain is waited for; r^13 / 15! < 1e-18 is left out
        const double r2 = r * r, r4 = r2 * r2, r8 = r4 * r4;
        const double low = (1.0 / 2 + r * (1.0 / 6)) + r2 * (1.0 / 24 + r * (1.0 / 120));
        const double middle = (1.0 / 720 + r * (1.0 / 5040)) + r2 * (1.0 / 40320 + r * (1.0 / 362880));
        const double high = (1.0 / 3628800 + r * (1.0 / 39916800)) + r2 * (1.0 / 479001600 + r * (1.0 / 6227020800));
        const double p = r + r2 * ((low + r4 * middle) + r8 * high);
        std::int64_t bits;
        std::memcpy(&bits, &t, 8);
        bits = (1023 - (bits - magic)) << 52;
        double scale;
        std::memcpy(&scale, &bits, 8);
        e[w] = scale + scale * p;
        rest[w] = (1.0 - scale) - scale * p;
    }
}

// Elimination of a ladder from the bottom up: looking down from where we stand there is a conductance `A` to ambient and a
// heat flux `I` into it. Passing a series conductance G leaves behind T_below = u + r T_above.
template <int W>
struct Climb {
    double A[W], I[W];

    THERMO_INLINE void start(double film) noexcept {
        THERMO_LANES(int w) A[w] = film, I[w] = 0;
    }
    THERMO_INLINE void pass(const double* G, double* u, double* r) noexcept {
        THERMO_LANES(int w) {
            const double inverse = 1.0 / (A[w] + G[w]);
            r[w] = G[w] * inverse;
            u[w] = I[w] * inverse;
            A[w] *= r[w];
            I[w] *= r[w];
        }
    }
};

// ---------------------------------------------------------------------------------------------- steady, no cells in z
struct Layers {
    int n;
    const double *thickness, *kx, *ky, *kz;  // m, W/(m K)
    const double* contact;                    // [n - 1] K m2/W above each layer but the last; 0 = none
    double film_bottom, film_top;             // W/(m2 K); 0 = adiabatic, infinite = isothermal
};
enum class Place { through = 0, bottom = 1, top = 2 };  // uniform through a layer, or on one of its faces
struct LayerOutput {
    int layer;
    double height;  // m above the layer's bottom; not a number: the mean through the layer
};

// `sources` [place][layer]: flux [ny][nx] in W/m2, null for none.
THERMO_CLONES inline void steady_layers(const Plane& plane, const Layers& layers, const std::vector<const double*>& sources, const std::vector<LayerOutput>& outputs, double* out) {
    constexpr int W = 4 * kWidth;  // divisions of one vector wait while those of another go on
    constexpr double kSmallest = 1e-20;  // 1/m: stands for 0, far from underflow and far from mattering
    const auto n = static_cast<std::size_t>(layers.n);
    std::vector<double> work(n * 10 * W);
    auto at = [&](std::size_t which, std::size_t layer) { return work.data() + (which * n + layer) * W; };
    enum { kGamma, kE, kRest, kThrough, kU, kR, kUContact, kRContact, kBottom, kTop };
    const bool held_bottom = std::isinf(layers.film_bottom), held_top = std::isinf(layers.film_top);

    for (int row = 0; row < plane.ny; ++row)
        for (int first = 0; first < plane.nx; first += W) {
            const int lanes = std::min(W, plane.nx - first);
            const std::size_t here = static_cast<std::size_t>(row) * static_cast<std::size_t>(plane.nx) + static_cast<std::size_t>(first);
            double lambda_x[W];
            THERMO_LANES(int w) lambda_x[w] = plane.lambda_x[first + std::min(w, lanes - 1)];
            double padded[3][W] = {};
            auto flux_of = [&](std::size_t layer, Place place) {  // of these modes; null for none
                const auto p = static_cast<std::size_t>(place);
                const double* flux = sources[p * n + layer];
                if (!flux || lanes == W) return flux ? flux + here : nullptr;
                std::copy_n(flux + here, lanes, padded[p]);
                return static_cast<const double*>(padded[p]);
            };
            Climb<W> climb;
            climb.start(held_bottom ? 0.0 : layers.film_bottom);
            for (std::size_t i = 0; i < n; ++i) {
                const double d = layers.thickness[i], k = layers.kz[i], ax = layers.kx[i] / k, ay = layers.ky[i] / k;
                double *gamma = at(kGamma, i), *e = at(kE, i), *rest = at(kRest, i), *q = at(kThrough, i);
                double x[W], series[W], shunt[W], load[W];
                if (i > 0 && ax == layers.kx[i - 1] / layers.kz[i - 1] && ay == layers.ky[i - 1] / layers.kz[i - 1])
                    std::copy_n(at(kGamma, i - 1), W, gamma);
                else
                    THERMO_LANES(int w) {
                        const double g = std::sqrt(ax * lambda_x[w] + ay * plane.lambda_y[row]);
                        gamma[w] = g > kSmallest ? g : kSmallest;
                    }
                THERMO_LANES(int w) x[w] = gamma[w] * d;
                decay<W>(x, e, rest);
                THERMO_LANES(int w) {
                    const double Y = k * gamma[w] / (rest[w] * (1 + e[w]));
                    series[w] = 2 * e[w] * Y;           // k gamma / sinh(x)
                    shunt[w] = rest[w] * rest[w] * Y;  // k gamma tanh(x / 2)
                    climb.A[w] += shunt[w];
                    q[w] = load[w] = 0;
                }
                if (const double* flux = flux_of(i, Place::through)) THERMO_LANES(int w) {
                        q[w] = flux[w];
                        load[w] = flux[w] * rest[w] / ((1 + e[w]) * x[w]);  // tanh(x / 2) / x: half of it where nothing leaves
                        climb.I[w] += load[w];
                    }
                if (const double* flux = flux_of(i, Place::bottom)) THERMO_LANES(int w) climb.I[w] += flux[w];
                climb.pass(series, at(kU, i), at(kR, i));
                if (i == 0 && held_bottom)
                    THERMO_LANES(int w) at(kU, i)[w] = at(kR, i)[w] = climb.I[w] = 0, climb.A[w] = series[w];
                THERMO_LANES(int w) {
                    climb.A[w] += shunt[w];
                    climb.I[w] += load[w];
                }
                if (const double* flux = flux_of(i, Place::top)) THERMO_LANES(int w) climb.I[w] += flux[w];
                if (i + 1 < n && layers.contact[i] > 0) {
                    THERMO_LANES(int w) series[w] = 1 / layers.contact[i];
                    climb.pass(series, at(kUContact, i), at(kRContact, i));
                } else
                    THERMO_LANES(int w) at(kUContact, i)[w] = 0, at(kRContact, i)[w] = 1;
            }
            double above[W];
            THERMO_LANES(int w) above[w] = held_top ? 0.0 : climb.I[w] / (climb.A[w] + layers.film_top);
            for (std::size_t i = n; i-- > 0;)
                THERMO_LANES(int w) {
                    const double top = at(kUContact, i)[w] + at(kRContact, i)[w] * above[w];
                    at(kTop, i)[w] = top;
                    at(kBottom, i)[w] = above[w] = at(kU, i)[w] + at(kR, i)[w] * top;
                }
            for (std::size_t o = 0; o < outputs.size(); ++o) {
                const auto i = static_cast<std::size_t>(outputs[o].layer);
                const double d = layers.thickness[i], k = layers.kz[i], z = outputs[o].height;
                const double *gamma = at(kGamma, i), *e = at(kE, i), *rest = at(kRest, i), *q = at(kThrough, i);
                const double *bottom = at(kBottom, i), *top = at(kTop, i);
                double T[W];
                if (std::isnan(z))
                    THERMO_LANES(int w) {
                        const double x = gamma[w] * d, share = rest[w] / (1 + e[w]) / x, x2 = x * x;  // tanh(x/2) / x
                        const double bulge = x > 0.1 ? (1 - 2 * share) / x2  // below: its series, where the difference would cancel
                                                     : 1.0 / 12 - x2 * (1.0 / 120 - x2 * (17.0 / 20160 - x2 * (31.0 / 362880 - x2 * (691.0 / 79833600))));
                        T[w] = (bottom[w] + top[w]) * share + q[w] * d / k * bulge;
                    }
                else if (z <= 0 || z >= d)
                    THERMO_LANES(int w) T[w] = z <= 0 ? bottom[w] : top[w];
                else {
                    double x[W], e_up[W], rest_up[W], e_down[W], rest_down[W];
                    THERMO_LANES(int w) x[w] = gamma[w] * z;
                    decay<W>(x, e_up, rest_up);
                    THERMO_LANES(int w) x[w] = gamma[w] * (d - z);
                    decay<W>(x, e_down, rest_down);
                    THERMO_LANES(int w) {
                        const double whole = 1 / (rest[w] * (1 + e[w]));  // sinh(g a) / sinh(g d) by decaying exponentials
                        const double from_bottom = e_up[w] * rest_down[w] * (1 + e_down[w]) * whole;
                        const double from_top = e_down[w] * rest_up[w] * (1 + e_up[w]) * whole;
                        // (1 - cosh(g (z - d/2)) / cosh(g d/2)) / g^2, written so that it does not cancel
                        const double bulge = (rest_up[w] / gamma[w]) * (rest_down[w] / gamma[w]) / (1 + e[w]);
                        T[w] = bottom[w] * from_bottom + top[w] * from_top + q[w] / (d * k) * bulge;
                    }
                }
                std::copy_n(T, lanes, out + o * plane.size() + here);
            }
        }
}

// --------------------------------------------------------------------------------------------------- cells in z
struct Column {  // cells of a column, per area
    int n;
    const double *side_x, *side_y;  // thickness times kx, ky: W/K; times lambda it is a shunt
    const double* up;               // [n - 1] between neighbours
    double bottom, top;             // to ambient, film and half a cell in series; 0 = adiabatic
    const double* capacity;         // J/(m2 K)
};
struct ColumnSource {
    const double* share;  // [n] of the flux that each cell gets
    const double* flux;   // [ny][nx] W/m2
};

THERMO_CLONES inline void steady_column(const Plane& plane, const Column& column, const std::vector<ColumnSource>& sources,
                                        const std::vector<int>& cells, double* out) {
    constexpr int W = kWidth;
    const auto n = static_cast<std::size_t>(column.n);
    std::vector<double> work(n * 2 * W);
    for (int row = 0; row < plane.ny; ++row)
        for (int first = 0; first < plane.nx; first += W) {
            const int lanes = std::min(W, plane.nx - first);
            const std::size_t here = static_cast<std::size_t>(row) * static_cast<std::size_t>(plane.nx) + static_cast<std::size_t>(first);
            double lambda_x[W], up[W], *u = work.data(), *r = u + n * W;
            THERMO_LANES(int w) lambda_x[w] = plane.lambda_x[first + std::min(w, lanes - 1)];
            Climb<W> climb;
            climb.start(column.bottom);
            for (std::size_t k = 0; k < n; ++k) {
                THERMO_LANES(int w) {
                    climb.A[w] += column.side_x[k] * lambda_x[w] + column.side_y[k] * plane.lambda_y[row];
                    up[w] = k + 1 < n ? column.up[k] : column.top;
                }
                for (const auto& s : sources)
                    if (s.share[k] != 0)
                        for (int w = 0; w < lanes; ++w) climb.I[w] += s.share[k] * s.flux[here + static_cast<std::size_t>(w)];
                climb.pass(up, u + k * W, r + k * W);
            }
            double T[W];
            THERMO_LANES(int w) T[w] = 0;  // ambient
            for (std::size_t k = n; k-- > 0;) {
                THERMO_LANES(int w) T[w] = u[k * W + static_cast<std::size_t>(w)] + r[k * W + static_cast<std::size_t>(w)] * T[w];
                for (std::size_t o = 0; o < cells.size(); ++o)
                    if (static_cast<std::size_t>(cells[o]) == k) std::copy_n(T, lanes, out + o * plane.size() + here);
            }
        }
}

// Eigenvalues of W symmetric tridiagonal matrices: implicit QL with Wilkinson's shift (Golub and Van Loan, Matrix
// Computations, 8.3; the loop order of EISPACK's tql2), the lanes in step, each with its own shift, start and end.
// `d` [n] diagonal, becomes eigenvalues; `e` [n], e[i] between i and i + 1. `Z` [rows][n] is multiplied by the eigenvectors
// from the right: only the rows that are wanted, so that the work is of order n^2 (rows + 4). False: no convergence.
template <int W>
THERMO_INLINE bool tridiagonal_eigen(int n, double* d, double* e, int rows, double* Z) noexcept {
    constexpr double kEps = 2.220446049250313e-16;
    constexpr int kMost = 60;  // sweeps for one eigenvalue; 2 or 3 are usual
    for (int l = 0; l < n; ++l)
        for (int sweep = 0;; ++sweep) {
            double end[W];  // the block that holds l ends here
            bool done = true;
            int last = l;
            THERMO_LANES(int w) end[w] = n - 1;
            for (int i = n - 2; i >= l; --i)
                THERMO_LANES(int w) {
                    const bool split = std::fabs(e[i * W + w]) <= kEps * (std::fabs(d[i * W + w]) + std::fabs(d[(i + 1) * W + w]));
                    end[w] = split ? i : end[w];
                }
            THERMO_LANES(int w) {
                last = std::max(last, static_cast<int>(end[w]));
                done = done && end[w] == l;
            }
            if (done) break;
            if (sweep == kMost) return false;
            double shift[W], g[W], s[W], c[W], p[W];
            THERMO_LANES(int w) {
                const double off = e[l * W + w], half = 0.5 * (d[std::min(l + 1, n - 1) * W + w] - d[l * W + w]);
                const double root = std::sqrt(half * half + off * off), both = half + (half < 0 ? -root : root);
                shift[w] = d[l * W + w] - (both != 0 ? off * off / both : 0.0);
                s[w] = c[w] = 1;
                p[w] = 0;
            }
            THERMO_LANES(int w) g[w] = 0;
            for (int i = last - 1; i >= l; --i) {
                double sine[W], cosine[W];
                THERMO_LANES(int w) {
                    const bool on = i < end[w], start = i + 1 == end[w];
                    const double d1 = d[(i + 1) * W + w], d0 = d[i * W + w], off = e[i * W + w];
                    const double g0 = start ? d1 - shift[w] : g[w];
                    const double f = s[w] * off, b = c[w] * off, r = std::sqrt(f * f + g0 * g0), inverse = 1 / (r > 0 ? r : 1.0);
                    const double s1 = r > 0 ? f * inverse : 0.0, c1 = r > 0 ? g0 * inverse : 1.0;
                    const double h = d1 - p[w], t = (d0 - h) * s1 + 2 * c1 * b, p1 = s1 * t;
                    e[(i + 1) * W + w] = on && !start ? r : e[(i + 1) * W + w];
                    d[(i + 1) * W + w] = on ? h + p1 : d1;
                    g[w] = on ? c1 * t - b : g[w];
                    s[w] = on ? s1 : s[w];
                    c[w] = on ? c1 : c[w];
                    p[w] = on ? p1 : p[w];
                    sine[w] = on ? s1 : 0.0;
                    cosine[w] = on ? c1 : 1.0;
                }
                for (int row = 0; row < rows; ++row) {
                    double* z = Z + (static_cast<std::size_t>(row) * static_cast<std::size_t>(n) + static_cast<std::size_t>(i)) * W;
                    THERMO_LANES(int w) {
                        const double z0 = z[w], z1 = z[W + w];
                        z[W + w] = sine[w] * z0 + cosine[w] * z1;
                        z[w] = cosine[w] * z0 - sine[w] * z1;
                    }
                }
            }
            THERMO_LANES(int w) {
                const bool on = end[w] > l;
                d[l * W + w] = on ? d[l * W + w] - p[w] : d[l * W + w];
                e[l * W + w] = on ? g[w] : e[l * W + w];
                const int m = static_cast<int>(end[w]);
                if (on) e[m * W + w] = 0;  // where the block ends nothing is coupled
            }
        }
    return true;
}

struct Sensor {
    const double* profile;  // [n] weights in z
    const double* weight;   // [ny][nx] of modes: reading = sum of weight times profile times T_mn
};
struct Drive {  // power of each source, constant within each interval
    int intervals;
    const double* step;   // [intervals] s
    const double* power;  // [intervals][source], times `flux`
};

// Exact in time. `initial` [n][ny][nx] K above ambient, or null for none. At the end of each interval: `maps`
// [interval][cell][ny][nx] of `cells`, `readings` [interval][sensor]. False where an eigenvalue does not converge.
THERMO_CLONES inline bool transient_column(const Plane& plane, const Column& column, const std::vector<ColumnSource>& sources,
                                           const Drive& drive, const double* initial, const std::vector<int>& cells,
                                           const std::vector<Sensor>& sensors, double* maps, double* readings) {
    constexpr int W = 2 * kWidth;  // one vector waits for its square root while the other works
    const int n = column.n;
    const auto N = static_cast<std::size_t>(n), S = sources.size(), O = cells.size(), R = sensors.size();
    const std::size_t rows = S + O + R + (initial ? 1 : 0);
    std::vector<double> work((rows + 6) * N * W), root(N), inverse(N);
    double *d = work.data(), *e = d + N * W, *y = e + N * W, *E = y + N * W, *Phi = E + N * W, *x = Phi + N * W, *Z = x + N * W;
    for (std::size_t k = 0; k < N; ++k) root[k] = std::sqrt(column.capacity[k]), inverse[k] = 1 / root[k];
    // The eigenvalues are the more exact the more the fast cells come last (small to large, as EISPACK advises for QL).
    const bool flip = N > 1 && column.up[0] / column.capacity[0] > column.up[N - 2] / column.capacity[N - 1];
    auto cell = [&](std::size_t i) { return flip ? N - 1 - i : i; };
    std::fill_n(readings, static_cast<std::size_t>(drive.intervals) * R, 0.0);

    for (int line = 0; line < plane.ny; ++line)
        for (int first = 0; first < plane.nx; first += W) {
            const int lanes = std::min(W, plane.nx - first);
            const std::size_t here = static_cast<std::size_t>(line) * static_cast<std::size_t>(plane.nx) + static_cast<std::size_t>(first);
            // C^-1/2 K C^-1/2, and the rows that its eigenvectors turn
            for (std::size_t i = 0; i < N; ++i) {
                const std::size_t k = cell(i);
                const double down = k > 0 ? column.up[k - 1] : column.bottom, up = k + 1 < N ? column.up[k] : column.top;
                THERMO_LANES(std::size_t w) {
                    const double lambda_x = plane.lambda_x[first + std::min(static_cast<int>(w), lanes - 1)];
                    const double side = column.side_x[k] * lambda_x + column.side_y[k] * plane.lambda_y[line];
                    d[i * W + w] = (side + (down + up)) / column.capacity[k];
                    e[i * W + w] = i + 1 < N ? -(flip ? down : up) * inverse[k] * inverse[cell(i + 1)] : 0.0;
                    for (std::size_t s = 0; s < S; ++s) Z[(s * N + i) * W + w] = sources[s].share[k] * inverse[k];
                    for (std::size_t o = 0; o < O; ++o) Z[((S + o) * N + i) * W + w] = static_cast<std::size_t>(cells[o]) == k ? inverse[k] : 0.0;
                    for (std::size_t r = 0; r < R; ++r) Z[((S + O + r) * N + i) * W + w] = sensors[r].profile[k] * inverse[k];
                    if (initial)
                        Z[((rows - 1) * N + i) * W + w] =
                            static_cast<int>(w) < lanes ? root[k] * initial[k * plane.size() + here + w] : 0.0;
                }
            }
            if (!tridiagonal_eigen<W>(n, d, e, static_cast<int>(rows), Z)) return false;
            for (std::size_t j = 0; j < N * W; ++j) y[j] = initial ? Z[(rows - 1) * N * W + j] : 0.0;
            double before = -1;
            for (int t = 0; t < drive.intervals; ++t) {
                const double h = drive.step[t];
                const double* power = drive.power + static_cast<std::size_t>(t) * S;
                if (h != before) {  // y' = -lambda y + f:  y <- E y + Phi f
                    for (std::size_t j = 0; j < N * W; ++j) {
                        const double product = d[j] * h;
                        x[j] = product > 1e-20 ? product : 1e-20;  // a mode that keeps all its heat
                    }
                    for (std::size_t j = 0; j < N * W; j += W) decay<W>(x + j, E + j, Phi + j);
                    for (std::size_t j = 0; j < N * W; ++j) Phi[j] *= h / x[j];
                    before = h;
                }
                for (std::size_t j = 0; j < N * W; ++j) y[j] *= E[j];
                for (std::size_t s = 0; s < S; ++s) {
                    double f[W];
                    THERMO_LANES(std::size_t w) f[w] = static_cast<int>(w) < lanes ? sources[s].flux[here + w] * power[s] : 0.0;
                    const double* z = Z + s * N * W;
                    for (std::size_t j = 0; j < N; ++j)
                        THERMO_LANES(std::size_t w) y[j * W + w] += Phi[j * W + w] * z[j * W + w] * f[w];
                }
                auto read = [&](std::size_t which, double* T) {
                    const double* z = Z + which * N * W;
                    THERMO_LANES(std::size_t w) T[w] = 0;
                    for (std::size_t j = 0; j < N; ++j)
                        THERMO_LANES(std::size_t w) T[w] += z[j * W + w] * y[j * W + w];
                };
                double T[W];
                for (std::size_t o = 0; o < O; ++o) {
                    read(S + o, T);
                    std::copy_n(T, lanes, maps + (static_cast<std::size_t>(t) * O + o) * plane.size() + here);
                }
                for (std::size_t r = 0; r < R; ++r) {
                    read(S + O + r, T);
                    double& sum = readings[static_cast<std::size_t>(t) * R + r];
                    for (std::size_t w = 0; w < static_cast<std::size_t>(lanes); ++w) sum += sensors[r].weight[here + w] * T[w];
                }
            }
        }
    return true;
}

}  // namespace thermo
