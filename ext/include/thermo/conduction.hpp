// Conduction in a block of cells: K T, and (K + shift C) x = b by conjugate gradients with one multigrid cycle a step.
//
// Fields of the caller are [nz][ny][nx]. The residual is kept in double, directions in float: an answer and its residual are
// moved along the same rounded direction, so rounding only costs conjugacy. At the end the residual is formed anew from the
// answer; where it is not as small as was asked the search goes on from there. Sums are kept by slab and added in their
// order: the same bits for any number of threads.
#pragma once
#include <algorithm>
#include <cmath>
#include <memory>
#include <utility>
#include <vector>

#include "thermo/cells.hpp"
#include "thermo/multigrid.hpp"

namespace thermo {

using FaceValues = std::array<const double*, 6>;  // in the order and shape of thermo::Cells::film

struct SolveOutcome {
    int iterations = 0;
    double residual = 0;  // |b - A x| [W], Euclidean
    double goal = 0;      // what it had to reach
    bool reached() const { return residual <= goal; }
};

struct SteadyOutcome : SolveOutcome {
    double imbalance = 0;                   // power less what leaves [W]
    std::array<double, 6> through_faces{};  // [W]
};

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
template <class V>
THERMO_INLINE void add(std::size_t n, double alpha, const V* __restrict v, double* __restrict y) {
    for (std::size_t i = 0; i < n; ++i) y[i] += alpha * static_cast<double>(v[i]);
}
THERMO_CLONES inline void move(std::size_t n, double alpha, const float* v, double* y) { add(n, alpha, v, y); }
THERMO_CLONES inline void move(std::size_t n, double alpha, const double* v, double* y) { add(n, alpha, v, y); }

}  // namespace detail

class Conduction {
public:
    Conduction(Cells cells, Team& team) : cells_(std::move(cells)), grid_(cells_.grid()) {
        most_.resize(grid_.cells());
        rest_.resize(grid_.cells());
        assemble(nullptr, team);
    }
    const Cells& cells() const { return cells_; }
    const Grid& grid() const { return grid_; }

    // Conductances at temperatures T (or constant); forgets the hierarchy of grids.
    void assemble(const double* T, Team& team) {
        cells_.conductances(T, most_, rest_, team);
        films_ = cells_.films(T);
        multigrid_.reset();
        set_extra(0.0, team);
    }
    // Film and half a cell in series [W/K], of each face.
    const std::array<std::vector<double>, 6>& films() const { return films_; }

    // out = K T, films included; voids count for nothing and get nothing.
    void apply(const double* T, double* out, Team& team) {
        Field<double> v(grid_.cells());
        if (shift_ != 0.0) set_extra(0.0, team);
        inward(T, v.get(), team);
        team.run(grid_.ny, grid_.small(), [&](int j, int) {
            for (int k = 0; k < grid_.nz; ++k)
                detail::product(most_, rest_, detail::RowOf(grid_, j, k), grid_.nx, v.get(), out + grid_.outer_row(j, k));
        });
    }
    // C [J/K] of each cell.
    void capacity(double* out) const {
        for (int j = 0; j < grid_.ny; ++j)
            for (int k = 0; k < grid_.nz; ++k) cells_.capacity(j, k, out + grid_.outer_row(j, k));
    }
    // q += films' conductance times their temperature, one for each place of a face.
    void add_films(const FaceValues& T_film, double* q) const {
        each_film([&](double G, double T, int i, int j, int k) { q[grid_.outer_row(j, k) + static_cast<std::size_t>(i)] += G * T; },
                  T_film, 0.0);
    }
    // Heat that leaves through each face [W] at temperatures T.
    std::array<double, 6> through_faces(const FaceValues& T_film, const double* T) const {
        std::array<double, 6> out{};
        for (int face = 0; face < 6; ++face) {
            const auto f = static_cast<std::size_t>(face);
            Cells::on_face(grid_, face, [&](std::size_t at, int i, int j, int k) {
                if (films_[f][at] > 0.0)
                    out[f] += films_[f][at] * (T[grid_.outer_row(j, k) + static_cast<std::size_t>(i)] - T_film[f][at]);
            });
        }
        return out;
    }

    // (K + shift C) x = b, from the x given, until |b - A x| <= max(tolerance |b|, enough), in at most `limit` cycles.
    // Voids of x become 0. The hierarchy is kept for the next call, and its factors as long as shift stays.
    SolveOutcome solve(double shift, const double* b, double* x, double tolerance, double enough, int limit, Team& team) {
        return solve(shift, Load{b, nullptr, 0.0}, x, tolerance, enough, limit, team);
    }

    // K T = power + films: T starts from what it holds, voids become NaN. It is solved for the rise above one temperature,
    // the mean of the films', so that power and not its distance from 0 degC is what the tolerance is of.
    SteadyOutcome steady(const double* power, const FaceValues& T_film, double* T, double tolerance, int limit, Team& team) {
        double sum = 0.0, weighted = 0.0;
        each_film([&](double G, double t, int, int, int) { sum += G, weighted += G * t; }, T_film, 0.0);
        const double reference = sum > 0.0 ? weighted / sum : 0.0;
        const std::size_t n = grid_.cells();
        for (std::size_t i = 0; i < n; ++i) T[i] -= reference;
        SteadyOutcome out;
        static_cast<SolveOutcome&>(out) = solve(0.0, Load{power, &T_film, reference}, T, tolerance, 0.0, limit, team);
        for (std::size_t i = 0; i < n; ++i) {
            T[i] += reference;
            if (cells_.is_void(i))
                T[i] = std::numeric_limits<double>::quiet_NaN();
            else
                out.imbalance += power[i];
        }
        out.through_faces = through_faces(T_film, T);
        for (double q : out.through_faces) out.imbalance -= q;
        return out;
    }

private:
    // Right-hand side: b and, above a reference, what the films bring.
    struct Load {
        const double* b;
        const FaceValues* T_film;
        double reference;
    };

    SolveOutcome solve(double shift, const Load& load, double* x, double tolerance, double enough, int limit, Team& team) {
        if (!multigrid_) build(team);
        if (shift != shift_ || stale_) {
            set_extra(shift, team);
            multigrid_->renew(team);
            stale_ = false;
        }
        const std::size_t n = grid_.cells();
        if (r_.size() != n) {
            r_.resize(n);
            q_.resize(n);
            p_.resize(n);
        }
        SolveOutcome outcome;
        std::fill_n(q_.get(), n, 0.0);
        outcome.goal = std::max(tolerance * std::sqrt(residual(load, team)), enough);
        double last = std::numeric_limits<double>::infinity();
        for (;;) {
            inward(x, q_.get(), team);
            const double now = std::sqrt(residual(load, team));
            outward(x, team);
            outcome.residual = now;
            if (now <= outcome.goal || outcome.iterations >= limit || !(now < 0.5 * last)) break;
            last = now;
            search(x, outcome.goal, limit, outcome.iterations, team);
        }
        return outcome;
    }
    // f(conductance, temperature above the reference, i, j, k) of each place with a film.
    template <class F>
    void each_film(const F& f, const FaceValues& T_film, double reference) const {
        for (int face = 0; face < 6; ++face) {
            const auto at_face = static_cast<std::size_t>(face);
            Cells::on_face(grid_, face, [&](std::size_t at, int i, int j, int k) {
                if (films_[at_face][at] > 0.0) f(films_[at_face][at], T_film[at_face][at] - reference, i, j, k);
            });
        }
    }
    // Sum over slabs of what f(j) says, in their order.
    template <class F>
    double total(Team& team, const F& f) {
        sums_.resize(static_cast<std::size_t>(grid_.ny));
        team.run(grid_.ny, grid_.small(), [&](int j, int) { sums_[static_cast<std::size_t>(j)] = f(j); });
        double sum = 0.0;
        for (double s : sums_) sum += s;
        return sum;
    }
    // A caller's field in slabs, zero in voids.
    void inward(const double* from, double* to, Team& team) const {
        team.run(grid_.ny, grid_.small(), [&](int j, int) {
            for (int k = 0; k < grid_.nz; ++k) {
                const std::size_t o = grid_.outer_row(j, k);
                double* row = to + grid_.row(j, k);
                for (int i = 0; i < grid_.nx; ++i) row[i] = cells_.is_void(o + static_cast<std::size_t>(i)) ? 0.0 : from[o + i];
            }
        });
    }
    // extra = films + shift C.
    void set_extra(double shift, Team& team) {
        stale_ = true;
        shift_ = std::numeric_limits<double>::quiet_NaN();  // until it is whole
        const auto set = [&](std::size_t at, double extra) {
            most_.extra[at] = static_cast<float>(extra);
            rest_.extra[at] = static_cast<float>(extra - static_cast<double>(most_.extra[at]));
        };
        std::vector<double> rows(static_cast<std::size_t>(grid_.nx) * static_cast<std::size_t>(team.threads()));
        team.run(grid_.ny, grid_.small(), [&](int j, int worker) {
            double* C = rows.data() + static_cast<std::size_t>(grid_.nx) * static_cast<std::size_t>(worker);
            for (int k = 0; k < grid_.nz; ++k) {
                cells_.capacity(j, k, C);
                for (int i = 0; i < grid_.nx; ++i) set(grid_.row(j, k) + static_cast<std::size_t>(i), shift * C[i]);
            }
        });
        for (int face = 0; face < 6; ++face)
            Cells::on_face(grid_, face, [&](std::size_t place, int i, int j, int k) {
                const std::size_t at = grid_.row(j, k) + static_cast<std::size_t>(i);
                const double G = films_[static_cast<std::size_t>(face)][place];
                if (G > 0.0) set(at, static_cast<double>(most_.extra[at]) + static_cast<double>(rest_.extra[at]) + G);
            });
        shift_ = shift;
    }
    // The hierarchy. Widths are scaled by the mean conductivity on their axis.
    void build(Team& team) {
        std::array<double, 2> k{};
        for (int axis = 0; axis < 2; ++axis) {
            const auto a = static_cast<std::size_t>(axis);
            std::vector<double> part(cells_.conductivity.size(), 0.0);
            for (std::uint16_t m : cells_.material) part[m] += 1.0;
            for (std::size_t m = 1; m < part.size(); ++m) k[a] += part[m] * cells_.conductivity[m][a];
        }
        auto x = cells_.dx, y = cells_.dy;
        for (double& d : y) d *= k[1] > 0.0 ? std::sqrt(k[0] / k[1]) : 1.0;
        multigrid_ = std::make_unique<Multigrid>(grid_, most_, std::move(x), std::move(y), team);
        stale_ = true;
    }
    void outward(double* x, Team& team) const {
        team.run(grid_.ny, grid_.small(), [&](int j, int) {
            for (int k = 0; k < grid_.nz; ++k)
                std::copy_n(&q_[grid_.row(j, k)], static_cast<std::size_t>(grid_.nx), x + grid_.outer_row(j, k));
        });
    }
    // r = b - A q; its square.
    double residual(const Load& load, Team& team) {
        const auto n = static_cast<std::size_t>(grid_.nx);
        team.run(grid_.ny, grid_.small(), [&](int j, int) {
            for (int k = 0; k < grid_.nz; ++k) {
                const detail::RowOf at(grid_, j, k);
                const std::size_t o = grid_.outer_row(j, k);
                double* row = &r_[at.own];
                detail::product(most_, rest_, at, grid_.nx, q_.get(), row);
                for (std::size_t i = 0; i < n; ++i) row[i] = cells_.is_void(o + i) ? 0.0 : load.b[o + i] - row[i];
            }
        });
        if (load.T_film)
            each_film([&](double G, double T, int i, int j, int k) { r_[grid_.row(j, k) + static_cast<std::size_t>(i)] += G * T; },
                      *load.T_film, load.reference);
        return total(team, [&](int j) {
            const double* r = &r_[grid_.row(j, 0)];
            return detail::dot(grid_.slab(), r, r);
        });
    }
    // Conjugate gradients on r and x until |r| <= goal, as r is carried along.
    void search(double* x, double goal, int limit, int& iterations, Team& team) {
        const std::size_t n = grid_.cells(), slab = grid_.slab();
        const auto nx = static_cast<std::size_t>(grid_.nx);
        double rz_before = 0.0;
        for (bool first = true; iterations < limit; first = false) {
            float* one = reinterpret_cast<float*>(q_.get());  // q is idle during the cycle: room for its two fields
            float* z = multigrid_->cycle(r_.get(), one, one + n, team);
            ++iterations;
            const double rz = total(team, [&](int j) { return detail::dot(slab, &r_[grid_.row(j, 0)], z + grid_.row(j, 0)); });
            const auto beta = static_cast<float>(first ? 0.0 : rz / rz_before);
            rz_before = rz;
            team.run(grid_.ny, grid_.small(), [&](int j, int) {
                const std::size_t at = grid_.row(j, 0);
                if (first)
                    std::copy_n(z + at, slab, &p_[at]);
                else
                    detail::follow(slab, z + at, beta, &p_[at]);
            });
            const double pq = total(team, [&](int j) {
                for (int k = 0; k < grid_.nz; ++k) {
                    const detail::RowOf at(grid_, j, k);
                    detail::product(most_, rest_, at, grid_.nx, p_.get(), &q_[at.own]);
                }
                return detail::dot(slab, &q_[grid_.row(j, 0)], &p_[grid_.row(j, 0)]);
            });
            const double alpha = rz / pq;
            if (!std::isfinite(alpha)) return;
            const double rr = total(team, [&](int j) {
                const std::size_t at = grid_.row(j, 0);
                for (int k = 0; k < grid_.nz; ++k) detail::move(nx, alpha, &p_[grid_.row(j, k)], x + grid_.outer_row(j, k));
                detail::move(slab, -alpha, &q_[at], &r_[at]);
                return detail::dot(slab, &r_[at], &r_[at]);
            });
            if (std::sqrt(rr) <= goal) return;
        }
    }

    Cells cells_;
    Grid grid_;
    Conductances most_, rest_;
    std::array<std::vector<double>, 6> films_;
    double shift_ = 0.0;
    bool stale_ = true;
    std::unique_ptr<Multigrid> multigrid_;
    Field<double> r_, q_;
    Field<float> p_;
    std::vector<double> sums_;
};

}  // namespace thermo
