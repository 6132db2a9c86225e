// Multigrid for columns of cells: the preconditioner of thermo::Conduction. One V-cycle, in float, symmetric and positive but for coolant.
//
// Package layers are thin, so cells are flat: coupling is strongest in z. Columns in z are therefore solved exactly (Thomas)
// within the smoother, and grids are coarsened in x and y alone, down to one column.
//
//   smoother      x <- x + a (x - x_before) + b D^-1 (r - A x), D = A without its couplings in x and y, with the Chebyshev
//                 numbers a, b for eigenvalues of D^-1 A in [2 / kSmoothed, 2]; 2 is a bound, as D + (D - A) is an M-matrix's
//                 sum of squares like A = D - (D - A) itself. All cells of a row at once: x is innermost in memory
//   coarse cells  pairs of neighbours in y, then in x; where the grid is graded, narrow cells first, so that they become
//                 alike. Conductances again in parallel and in series: from middle to middle of two pairs ab | cd
//                 R = R_ab / 2 + R_bc + R_cd / 2. No products of matrices
//   prolongation  straight line in the same resistances: b takes w = (R_ab / 2) / R from the cell beyond and 1 - w from its
//                 own, 1/4 and 3/4 where all is even, and nothing through a void. Restriction is its transpose
//
// Coolant runs along every grid, its walls joined as the cells are and its stations longer. It moves after each visit to the
// coarser grid; between, walls are smoothed beside it. This is a regular splitting, and fast where a station is short of what
// changes the coolant. Where it is not, on the coarsest grids, walls and coolant take turns, and the last column is solved
// together with it. Then the cycle is not symmetric, nor is what it is for.
//
// Rediscretised, the coarse operator is no Galerkin product; the cycle is symmetric and positive all the same, since smoother
// and coarse solve are, and it is only used within conjugate gradients.
#pragma once
#include <algorithm>
#include <array>
#include <cmath>
#include <vector>

#include "thermo/cells.hpp"
#include "thermo/channels.hpp"
#include "thermo/columns.hpp"

namespace thermo {

namespace detail {

constexpr float kWeight = 1.0f / 256.0f;  // weights are kept in bytes; both ways use the same, so that they are transposes

THERMO_CLONES inline void add_weighted(int n, const std::uint8_t* __restrict w, const float* __restrict r, bool beyond,
                                       float* __restrict sum) {
    if (beyond)
        for (int i = 0; i < n; ++i) sum[i] += kWeight * static_cast<float>(w[i]) * r[i];
    else
        for (int i = 0; i < n; ++i) sum[i] += (1.0f - kWeight * static_cast<float>(w[i])) * r[i];
}
THERMO_CLONES inline void correct(int n, const std::uint8_t* __restrict w, const float* __restrict own,
                                  const float* __restrict beyond, float* __restrict e) {
    for (int i = 0; i < n; ++i) e[i] += own[i] + kWeight * static_cast<float>(w[i]) * (beyond[i] - own[i]);
}

}  // namespace detail

// Which neighbours on one axis become one: coarse cell I holds cells start[I] .. start[I + 1] - 1, one or two.
struct Pairing {
    std::vector<int> start, own, beyond;  // of each fine cell: its coarse cell, and the one its line of interpolation runs to
    int coarse() const { return static_cast<int>(start.size()) - 1; }
    bool pair(int I) const { return start[static_cast<std::size_t>(I) + 1] - start[static_cast<std::size_t>(I)] == 2; }

    // Pairs no wider than `widest`.
    Pairing(const std::vector<double>& width, double widest) {
        const auto n = static_cast<int>(width.size());
        for (int i = 0; i < n;) {
            start.push_back(i);
            i += i + 1 < n && width[i] + width[i + 1] <= widest ? 2 : 1;
        }
        start.push_back(n);
        for (int I = 0; I < coarse(); ++I) {
            own.push_back(I);
            beyond.push_back(pair(I) ? std::max(I - 1, 0) : I);
            if (pair(I)) {
                own.push_back(I);
                beyond.push_back(std::min(I + 1, coarse() - 1));
            }
        }
    }
    std::vector<double> coarsened(const std::vector<double>& width) const {
        std::vector<double> out(static_cast<std::size_t>(coarse()), 0.0);
        for (std::size_t i = 0; i < width.size(); ++i) out[static_cast<std::size_t>(own[i])] += width[i];
        return out;
    }
};

class Multigrid {
public:
    // `fine` outlives this; `wide_x`, `wide_y` are widths of the cells, scaled such that alike means coupled alike.
    Multigrid(const Grid& grid, const Conductances& fine, Channels& coolant, std::vector<double> wide_x, std::vector<double> wide_y, Team& team);
    // After a change of fine.extra, which holds shift C.
    void renew(double shift, Team& team);
    // One cycle for residual r; the answer is in one of the two fields of work [cells], which is returned. r is as it was.
    template <class R>
    float* cycle(R* r, float* one, float* other, Team& team) {
        make_room(team);
        return cycle(0, r, one, other, team);
    }
    std::size_t bytes() const {
        std::size_t n = 0;
        for (const Level& l : levels_)
            n += sizeof(float) * (l.inverse.size() + l.r.size() + l.one.size() + l.other.size() + 4 * l.own.x.size()) +
                 l.weight_y.size() + l.weight_x.size() + l.own_coolant.bytes();
        return n;
    }

private:
    static constexpr int kDegree = 2;         // of the Chebyshev smoother, before and after
    static constexpr int kFew = 2048, kPasses = 8;  // of columns; of walls and coolant in turn where there are no more: they cost nothing
    static constexpr double kAlike = 2.1;     // pairs up to so much wider than the narrowest join it: 1.5 takes less cycles, more room
    static constexpr double kSmoothed = 4.0;  // eigenvalues of D^-1 A down to 2 / kSmoothed

    struct Level {
        Grid grid;
        Conductances own;                   // but for the finest
        const Conductances* A = nullptr;
        Channels own_coolant;               // but for the finest
        Channels* coolant = nullptr;        // null: none
        Field<float> inverse;               // of the pivots of the columns
        Field<float> r, one, other;         // but for the finest
        std::vector<Pairing> pairing;       // to the next level: in x, in y
        std::vector<std::uint8_t> weight_y, weight_x;  // [ny][nz][nx] and, after pairing in y, [coarse ny][nz][nx]
        detail::Coefficients coefficients() const {
            return {A->x.get(), A->y.get(), A->z.get(), A->extra.get(), inverse.get()};
        }
    };

    // Columns that are smoothed at once: so many that their work stays close to the core.
    static std::size_t tile(const Grid& g) { return static_cast<std::size_t>(std::min(g.nx, std::max(64, 16384 / g.nz / 16 * 16))); }
    void make_room(const Team& team);
    void coarsen(Level& fine, Level& coarse, Team& team);
    void factor(Level& level, Team& team);
    template <class R>
    float* cycle(std::size_t depth, R* r, float* x, float* y, Team& team);
    void factor_last();
    template <class R>
    void solve_last(const R* r, float* x) const;
    template <class R>
    void smooth(const Level& level, bool start, double a, double b, const R* r, const float* x, float* y, Team& team);
    void restrict_to(const Level& fine, Level& coarse, const float* residual, Team& team);
    void prolong(const Level& fine, const Level& coarse, const float* E, float* expanded, float* e, Team& team);

    std::vector<Level> levels_;
    std::array<double, kDegree> a_{}, b_{};
    std::vector<std::vector<float>> work_;  // of each thread
    double shift_ = 0.0;
    std::vector<double> last_;              // factors L and U of the last level's column with coolant, [nz][nz]
};

inline Multigrid::Multigrid(const Grid& grid, const Conductances& fine, Channels& coolant, std::vector<double> wide_x,
                            std::vector<double> wide_y, Team& team) {
    const double middle = 1.0 + 1.0 / kSmoothed, reach = 1.0 - 1.0 / kSmoothed, sigma = middle / reach;
    double rho = 1.0 / sigma;
    for (std::size_t m = 0; m < kDegree; ++m) {
        const double next = 1.0 / (2.0 * sigma - rho);
        a_[m] = m == 0 ? 0.0 : next * rho;
        b_[m] = m == 0 ? 1.0 / middle : 2.0 * next / reach;
        if (m > 0) rho = next;
    }
    const int most = grid.nx + grid.ny + 2;  // each level has at least one pair
    levels_.reserve(static_cast<std::size_t>(most));
    levels_.emplace_back();
    levels_[0].grid = grid;
    levels_[0].A = &fine;
    if (!coolant.empty()) levels_[0].coolant = &coolant;
    while (levels_.back().grid.nx > 1 || levels_.back().grid.ny > 1) {
        Level& from = levels_.back();
        double widest = std::numeric_limits<double>::infinity();
        for (const auto* w : {&wide_x, &wide_y})
            for (std::size_t i = 0; i + 1 < w->size(); ++i) widest = std::min(widest, (*w)[i] + (*w)[i + 1]);
        widest *= kAlike;
        from.pairing = {Pairing(wide_x, widest), Pairing(wide_y, widest)};
        levels_.emplace_back();
        Level& to = levels_.back();
        to.grid = {from.pairing[0].coarse(), from.pairing[1].coarse(), grid.nz};
        coarsen(from, to, team);
        to.A = &to.own;
        if (from.coolant) {
            to.own_coolant = from.coolant->coarsened(from.grid, to.grid, from.pairing[0].own, from.pairing[1].own);
            to.coolant = &to.own_coolant;
        }
        for (Field<float>* f : {&to.r, &to.one, &to.other}) f->resize(to.grid.cells());
        wide_x = from.pairing[0].coarsened(wide_x);
        wide_y = from.pairing[1].coarsened(wide_y);
    }
    for (Level& level : levels_) level.inverse.resize(level.grid.cells());
}

// Room for each thread: a tile of columns, or a row.
inline void Multigrid::make_room(const Team& team) {
    const Grid g = levels_[0].grid;
    work_.resize(static_cast<std::size_t>(team.threads()));
    for (auto& w : work_) w.resize(std::max(static_cast<std::size_t>(g.nx), tile(g) * (static_cast<std::size_t>(g.nz) + 2)));
}

// Two steps: pairs of rows (y), then pairs within rows (x).
inline void Multigrid::coarsen(Level& fine, Level& coarse, Team& team) {
    const Grid g = fine.grid, c = coarse.grid;
    const Pairing &px = fine.pairing[0], &py = fine.pairing[1];
    const Conductances& A = *fine.A;
    const auto n = static_cast<std::size_t>(g.nx);
    fine.weight_y.resize(g.cells());
    fine.weight_x.resize(n * g.nz * static_cast<std::size_t>(c.ny));
    coarse.own.resize(c.cells());
    // Half the resistance within a pair, none where it is a single cell or cut in two.
    const auto within = [](bool pair, float G) { return pair && G > 0.0f ? 0.5f / G : 0.0f; };
    const auto share = [](float own, float R) { return static_cast<std::uint8_t>(std::min(255.0f, 256.0f * (own / R) + 0.5f)); };
    std::vector<float> rows(3 * n * static_cast<std::size_t>(team.threads()));
    team.run(c.ny, g.small(), [&](int J, int worker) {
        float *X = rows.data() + 3 * n * static_cast<std::size_t>(worker), *Y = X + n, *Z = Y + n;
        const int first = py.start[J], last = py.start[J + 1] - 1;
        const bool open = J + 1 < c.ny, pair = py.pair(J), next_pair = open && py.pair(J + 1);
        const bool south = J > 0, south_pair = south && py.pair(J - 1);
        for (int k = 0; k < g.nz; ++k) {
            const std::size_t a = g.row(first, k), b = g.row(last, k);
            const float* inner = &A.y[a];  // first to last, if a pair
            const float* beyond = &A.y[open ? g.row(py.start[J + 1], k) : a];
            const float* before = &A.y[south ? g.row(py.start[J - 1], k) : a];
            const float* gate = &A.y[south ? g.row(first - 1, k) : a];
            std::uint8_t *wa = &fine.weight_y[a], *wb = &fine.weight_y[b];
            for (std::size_t i = 0; i < n; ++i) {
                X[i] = A.x[a + i] + (pair ? A.x[b + i] : 0.0f);
                Z[i] = A.z[a + i] + (pair ? A.z[b + i] : 0.0f);
                const float own = within(pair, inner[i]);
                const float R = own + 1.0f / A.y[b + i] + within(next_pair, beyond[i]);
                const float R_south = south ? within(south_pair, before[i]) + 1.0f / gate[i] + own : 1.0f;
                Y[i] = open ? 1.0f / R : 0.0f;  // 1 / infinity where no heat passes
                wa[i] = south && pair ? share(own, R_south) : 0;
                if (pair) wb[i] = open ? share(own, R) : 0;
            }
            std::uint8_t* w = &fine.weight_x[(static_cast<std::size_t>(J) * g.nz + k) * n];
            const std::size_t to = c.row(J, k);
            float before_R = 0.0f;
            for (int I = 0; I < c.nx; ++I) {
                const int p = px.start[I], q = px.start[I + 1] - 1;
                const bool two = px.pair(I), more = I + 1 < c.nx;
                const float own = within(two, X[p]);
                const float R = more ? own + 1.0f / X[q] + within(px.pair(I + 1), X[q + 1]) : 0.0f;
                coarse.own.x[to + I] = more ? 1.0f / R : 0.0f;
                coarse.own.y[to + I] = Y[p] + (two ? Y[q] : 0.0f);
                coarse.own.z[to + I] = Z[p] + (two ? Z[q] : 0.0f);
                w[p] = two && I > 0 ? share(own, before_R) : 0;
                if (two) w[q] = more ? share(own, R) : 0;
                before_R = R;
            }
        }
    });
}

inline void Multigrid::factor(Level& level, Team& team) {
    const Grid g = level.grid;
    const Conductances& A = *level.A;
    team.run(g.ny, g.small(), [&](int j, int worker) {
        detail::factor_columns(g, A.x.get(), A.y.get(), A.z.get(), A.extra.get(), j, level.inverse.get(),
                               work_[static_cast<std::size_t>(worker)].data());
    });
}

inline void Multigrid::renew(double shift, Team& team) {
    shift_ = shift;
    make_room(team);
    for (std::size_t l = 0; l < levels_.size(); ++l) {
        if (l > 0) {
            const Level& fine = levels_[l - 1];
            Level& coarse = levels_[l];
            const Pairing &px = fine.pairing[0], &py = fine.pairing[1];
            const Field<float>& from = fine.A->extra;
            team.run(coarse.grid.ny, coarse.grid.small(), [&](int J, int) {
                for (int k = 0; k < coarse.grid.nz; ++k) {
                    float* to = &coarse.own.extra[coarse.grid.row(J, k)];
                    const float *a = &from[fine.grid.row(py.start[J], k)], *b = &from[fine.grid.row(py.start[J + 1] - 1, k)];
                    for (int I = 0; I < coarse.grid.nx; ++I) {
                        const int p = px.start[I], q = px.start[I + 1] - 1;
                        float sum = a[p];
                        if (px.pair(I)) sum += a[q];
                        if (py.pair(J)) sum += b[p];
                        if (px.pair(I) && py.pair(J)) sum += b[q];
                        to[I] = sum;
                    }
                }
            });
        }
        factor(levels_[l], team);
    }
    if (levels_.back().coolant) factor_last();
}

// The last column and its coolant as one matrix, eliminated without pivots: its columns are dominated by their diagonal.
inline void Multigrid::factor_last() {
    const Level& level = levels_.back();
    const auto n = static_cast<std::size_t>(level.grid.nz);
    last_.assign(n * n, 0.0);
    std::vector<double> unit(n), out(n);
    for (std::size_t k = 0; k < n; ++k) {
        std::fill(out.begin(), out.end(), 0.0);
        unit[k] = 1.0;
        level.coolant->complete(shift_, -1.0, unit.data(), out.data());
        unit[k] = 0.0;
        for (std::size_t m = 0; m < n; ++m) last_[m * n + k] = out[m];
    }
    for (std::size_t k = 0; k < n; ++k) {
        last_[k * n + k] += static_cast<double>(level.A->extra[k]);
        if (k + 1 == n) break;
        const auto G = static_cast<double>(level.A->z[k]);
        last_[k * n + k] += G, last_[(k + 1) * n + k + 1] += G;
        last_[k * n + k + 1] -= G, last_[(k + 1) * n + k] -= G;
    }
    for (std::size_t k = 0; k < n; ++k)
        for (std::size_t m = k + 1; m < n; ++m) {
            double& L = last_[m * n + k];
            if (L == 0.0) continue;
            L /= last_[k * n + k];
            for (std::size_t i = k + 1; i < n; ++i) last_[m * n + i] -= L * last_[k * n + i];
        }
}

template <class R>
void Multigrid::solve_last(const R* r, float* x) const {
    const auto n = static_cast<std::size_t>(levels_.back().grid.nz);
    std::vector<double> y(n);
    for (std::size_t m = 0; m < n; ++m) {
        y[m] = static_cast<double>(r[m]);
        for (std::size_t k = 0; k < m; ++k) y[m] -= last_[m * n + k] * y[k];
    }
    for (std::size_t m = n; m-- > 0;) {
        for (std::size_t k = m + 1; k < n; ++k) y[m] -= last_[m * n + k] * y[k];
        y[m] = last_[m * n + m] > 0.0 ? y[m] / last_[m * n + m] : 0.0;  // 0: a void
        x[m] = static_cast<float>(y[m]);
    }
}

template <class R>
void Multigrid::smooth(const Level& level, bool start, double a, double b, const R* r, const float* x, float* y, Team& team) {
    const Grid g = level.grid;
    const detail::Coefficients A = level.coefficients();
    const auto tile = static_cast<int>(Multigrid::tile(g));
    team.run(g.ny, g.small(), [&](int j, int worker) {
        float* work = work_[static_cast<std::size_t>(worker)].data();
        for (int i = 0; i < g.nx; i += tile) {
            const int n = std::min(tile, g.nx - i);
            if (start)
                detail::smooth_start(g, A, j, i, n, static_cast<float>(a), static_cast<float>(b), r, x, y, work);
            else
                detail::smooth(g, A, j, i, n, static_cast<float>(a), static_cast<float>(b), r, x, y, work);
        }
    });
}

inline void Multigrid::restrict_to(const Level& fine, Level& coarse, const float* residual, Team& team) {
    const Grid g = fine.grid, c = coarse.grid;
    const Pairing &px = fine.pairing[0], &py = fine.pairing[1];
    const auto n = static_cast<std::size_t>(g.nx);
    team.run(c.ny, g.small(), [&](int J, int worker) {
        float* sum = work_[static_cast<std::size_t>(worker)].data();
        const int first = py.start[J], end = py.start[J + 1];
        for (int k = 0; k < g.nz; ++k) {
            std::fill_n(sum, n, 0.0f);
            const auto add = [&](int j, bool beyond) {
                detail::add_weighted(g.nx, &fine.weight_y[g.row(j, k)], residual + g.row(j, k), beyond, sum);
            };
            if (J > 0 && py.pair(J - 1)) add(first - 1, true);
            for (int j = first; j < end; ++j) add(j, false);
            if (J + 1 < c.ny && py.pair(J + 1)) add(end, true);
            const std::uint8_t* w = &fine.weight_x[(static_cast<std::size_t>(J) * g.nz + k) * n];
            float* to = coarse.r.get() + c.row(J, k);
            float passed = 0.0f;  // from the last cell of the pair before
            for (int I = 0; I < c.nx; ++I) {
                const int p = px.start[I], q = px.start[I + 1] - 1;
                const float wq = detail::kWeight * static_cast<float>(w[q]) * sum[q];
                float total = passed + (sum[q] - wq);
                if (q > p) total += sum[p] - detail::kWeight * static_cast<float>(w[p]) * sum[p];
                if (I + 1 < c.nx && px.pair(I + 1)) total += detail::kWeight * static_cast<float>(w[q + 1]) * sum[q + 1];
                passed = q > p ? wq : 0.0f;
                to[I] = total;
            }
        }
    });
}

inline void Multigrid::prolong(const Level& fine, const Level& coarse, const float* E, float* expanded, float* e, Team& team) {
    const Grid g = fine.grid, c = coarse.grid, half{g.nx, c.ny, g.nz};
    const Pairing &px = fine.pairing[0], &py = fine.pairing[1];
    team.run(c.ny, g.small(), [&](int J, int) {
        for (int k = 0; k < g.nz; ++k) {
            const float* from = E + c.row(J, k);
            const std::uint8_t* w = &fine.weight_x[half.row(J, k)];
            float* to = expanded + half.row(J, k);
            for (int i = 0; i < g.nx; ++i) {
                const float own = from[px.own[static_cast<std::size_t>(i)]];
                to[i] = own + detail::kWeight * static_cast<float>(w[i]) * (from[px.beyond[static_cast<std::size_t>(i)]] - own);
            }
        }
    });
    team.run(g.ny, g.small(), [&](int j, int) {
        for (int k = 0; k < g.nz; ++k)
            detail::correct(g.nx, &fine.weight_y[g.row(j, k)], expanded + half.row(py.own[j], k),
                            expanded + half.row(py.beyond[j], k), e + g.row(j, k));
    });
}

template <class R>
float* Multigrid::cycle(std::size_t depth, R* r, float* x, float* y, Team& team) {
    Level& level = levels_[depth];
    const bool last = depth + 1 == levels_.size();
    if (last && level.coolant) {
        solve_last(r, x);
        return x;
    }
    smooth(level, true, 0.0, last ? 1.0 : b_[0], r, x, x, team);  // one column is solved, not smoothed
    if (last) return x;
    std::fill_n(y, level.grid.cells(), 0.0f);
    for (std::size_t m = 1; m < kDegree; ++m) {
        smooth(level, false, a_[m], b_[m], r, x, y, team);
        std::swap(x, y);
    }
    Level& next = levels_[depth + 1];
    const Grid g = level.grid;
    const detail::Coefficients A = level.coefficients();
    team.run(g.ny, g.small(), [&](int j, int) {
        for (int k = 0; k < g.nz; ++k) detail::residual(A, detail::RowOf(g, j, k), g.nx, r, x, y);
    });
    if (level.coolant) level.coolant->complete(shift_, 1.0, x, y);
    restrict_to(level, next, y, team);
    const float* E = cycle(depth + 1, next.r.get(), next.one.get(), next.other.get(), team);
    prolong(level, next, E, y, x, team);
    std::vector<R> kept;
    if (level.coolant) level.coolant->keep(r, kept);
    for (int pass = 0; pass < (level.coolant && level.grid.nx * level.grid.ny <= kFew ? kPasses : 1); ++pass) {
        if (level.coolant) {  // stays as it is while the walls are smoothed
            level.coolant->put_back(kept, r);
            level.coolant->complete(shift_, 1.0, x, r);
        }
        for (std::size_t m = 0; m < kDegree; ++m) {
            smooth(level, false, m == 0 ? 0.0 : a_[m], b_[m], r, x, y, team);
            std::swap(x, y);
        }
    }
    if (level.coolant) level.coolant->put_back(kept, r);
    return x;
}

}  // namespace thermo
