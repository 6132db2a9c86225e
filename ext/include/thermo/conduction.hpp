// Conduction in a block of cells, with coolant in its channels: K T, and (K + shift C) x = b by Krylov's method with one
// multigrid cycle a step: conjugate gradients, or stabilised bi-conjugate gradients where coolant carries heat one way.
// The coolant's temperatures are never unknowns: they follow from the walls by one march (see channels.hpp), and the
// cycle marches it, too.
//
// Fields of the caller are [nz][ny][nx]. The residual is kept in double, directions in float: an answer and its residual are
// moved along the same rounded direction, so rounding only costs conjugacy. At the end the residual is formed anew from the
// answer; where it is not as small as was asked the search goes on from there. Sums are kept by slab and added in their
// order: the same bits for any number of threads.
#pragma once
#include <algorithm>
#include <atomic>
#include <cmath>
#include <memory>
#include <utility>
#include <vector>

#include "thermo/cells.hpp"
#include "thermo/channels.hpp"
#include "thermo/multigrid.hpp"
#include "thermo/products.hpp"

namespace thermo {

using FaceValues = std::array<const double*, 6>;  // in the order and shape of thermo::Cells::film

struct SolveOutcome {
    int iterations = 0;
    double residual = 0;  // |b - A x| [W], Euclidean
    double goal = 0;      // what it had to reach: what was asked for, or what rounding leaves
    bool reached() const { return residual <= goal; }
};

struct SteadyOutcome : SolveOutcome {
    double imbalance = 0;                   // power less what leaves [W]
    std::array<double, 6> through_faces{};  // [W]
    std::vector<double> to_channels;        // [W]
    int passes = 1;                         // over conductivities that depend on temperature
};

// Right-hand side of the solid and what its surroundings are at; null: zero.
struct Load {
    const double* b;                          // W, of each cell
    const FaceValues* film = nullptr;         // temperatures
    const double* inlet = nullptr;            // temperature of each channel's coolant
    const double* coolant = nullptr;          // W, of each channel's stations
    double reference = 0.0;                   // from which b's unknowns are counted
};

class Conduction {
public:
    Conduction(Cells cells, Channels channels, Team& team)
        : cells_(std::move(cells)), channels_(std::move(channels)), grid_(cells_.grid()) {
        most_.resize(grid_.cells());
        rest_.resize(grid_.cells());
        assemble(nullptr, team);
    }
    const Cells& cells() const { return cells_; }
    const Channels& channels() const { return channels_; }
    const Grid& grid() const { return grid_; }

    // Held at the moment, but for what callers hold.
    std::size_t bytes() const {
        std::size_t n = cells_.material.size() * sizeof(cells_.material[0]);
        for (const Conductances* G : {&most_, &rest_}) n += 4 * G->x.size() * sizeof(float);
        n += (r_.size() + q_.size()) * sizeof(double) + (p_.size() + d_.size() + v_.size() + shadow_.size()) * sizeof(float);
        return n + channels_.bytes() + (multigrid_ ? multigrid_->bytes() : 0);
    }
    // Conductances at temperatures T (or constant); forgets the hierarchy of grids.
    void assemble(const double* T, Team& team) {
        cells_.conductances(T, most_, rest_, team);
        films_ = cells_.films(T);
        if (!channels_.empty()) channels_.lay(cells_, T);
        multigrid_.reset();
        set_extra(0.0, team);
    }
    // Film and half a cell in series [W/K], of each face.
    const std::array<std::vector<double>, 6>& films() const { return films_; }

    // out = K T, films included, and coolant that enters at 0; voids count for nothing and get nothing.
    void apply(const double* T, double* out, Team& team) {
        if (shift_ != 0.0) set_extra(0.0, team);
        Field<double> v(grid_.cells()), q(grid_.cells());
        inward(T, v.get(), team);
        product(v.get(), q.get(), team);
        outward(q, out, team);
    }
    // C [J/K] of each cell.
    void capacity(double* out) const {
        for (int j = 0; j < grid_.ny; ++j)
            for (int k = 0; k < grid_.nz; ++k) cells_.capacity(j, k, out + grid_.outer_row(j, k));
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

    // (K + shift C) x = load, from the x given, until |b - A x| <= max(tolerance |b|, enough), in at most `limit` cycles.
    // Voids of x become 0; `mean` and `outlet` get the coolant's temperatures unless null. The hierarchy is kept for the next
    // call, and its factors as long as shift stays.
    SolveOutcome solve(double shift, const Load& load, double* x, double* mean, double* outlet, double tolerance, double enough,
                       int limit, Team& team) {
        if (!multigrid_) build(team);
        if (shift != shift_ || stale_) {
            set_extra(shift, team);
            multigrid_->renew(shift, team);
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
        const double size = std::sqrt(residual(load, team));
        outcome.goal = std::max(tolerance * size, enough);
        if (outcome.goal == 0.0) std::fill_n(x, n, 0.0);  // nothing drives it
        double last = std::numeric_limits<double>::infinity();
        for (;;) {
            inward(x, q_.get(), team);
            const double now = std::sqrt(residual(load, team));
            outward(q_, x, team);
            outcome.residual = now;
            const bool stuck = !(now < 0.5 * last);
            if (stuck && now > outcome.goal) outcome.goal = std::max(outcome.goal, std::min(rounding(team), kRounding * size));
            if (now <= outcome.goal || outcome.iterations >= limit || stuck) break;
            last = now;
            if (channels_.empty())
                search(x, outcome.goal, limit, outcome.iterations, team);
            else
                search_with_coolant(x, outcome.goal, limit, outcome.iterations, team);
        }
        if (!channels_.empty() && mean) {
            std::vector<double> inlet(channels_.n(), 0.0);
            if (load.inlet)
                for (std::size_t c = 0; c < inlet.size(); ++c) inlet[c] = above(load.inlet[c], load.reference);
            channels_.march(shift, q_.get(), inlet.data(), load.coolant, mean, outlet);
        }
        return outcome;
    }
    // K T = power + films + coolant: T starts from what it holds, voids become NaN. It is solved for the rise above one
    // temperature, the mean of the surroundings', so that power and not its distance from 0 degC is what the tolerance is of.
    // Conductivities that depend on temperature are renewed between passes, until no T moves by more than `still`. Early passes
    // are solved to kPass, kPass^2, ... of the load only, as their conductivities are not the last.
    SteadyOutcome steady(const double* power, const FaceValues& T_film, const double* inlet, double* T, double* mean,
                         double* outlet, double tolerance, double still, int limit, Team& team) {
        const std::size_t n = grid_.cells();
        SteadyOutcome out;
        std::vector<double> before;
        for (int pass = 1, done = 0;; ++pass) {
            if (cells_.varies()) {
                assemble(T, team);
                before.assign(T, T + n);
            }
            double sum = 0.0, weighted = 0.0;
            each_film([&](double G, double t, int, int, int) { sum += G, weighted += G * t; }, T_film, 0.0);
            for (std::size_t c = 0; c < channels_.n(); ++c) {
                const double w = std::abs(channels_.capacity_rate[c]);
                sum += w, weighted += w * inlet[c];
            }
            const double reference = sum > 0.0 ? weighted / sum : 0.0;
            each_cell(team, [&](std::size_t i) { T[i] -= reference; });
            const double aim = cells_.varies() ? std::max(tolerance, std::pow(kPass, pass)) : tolerance;
            static_cast<SolveOutcome&>(out) =
                solve(0.0, {power, &T_film, inlet, nullptr, reference}, T, mean, outlet, aim, 0.0, limit - done, team);
            out.iterations = done += out.iterations;
            out.passes = pass;
            each_cell(team, [&](std::size_t i) { T[i] += reference; });
            for (std::size_t i = 0; i < channels_.n() * channels_.stations(); ++i) mean[i] += reference;
            for (std::size_t c = 0; c < channels_.n(); ++c) outlet[c] += reference;
            if (!cells_.varies() || !out.reached()) break;
            double moved = 0.0;
            for (std::size_t i = 0; i < n; ++i)
                if (!cells_.is_void(i)) moved = std::max(moved, std::abs(T[i] - before[i]));
            if (moved <= still && aim == tolerance) break;
        }
        out.imbalance = total(team, [&](int j) {
            double sum = 0.0;
            for (int k = 0; k < grid_.nz; ++k)
                for (std::size_t i = grid_.outer_row(j, k), end = i + static_cast<std::size_t>(grid_.nx); i < end; ++i) {
                    if (cells_.is_void(i))
                        T[i] = std::numeric_limits<double>::quiet_NaN();
                    else
                        sum += power[i];
                }
            return sum;
        });
        out.through_faces = through_faces(T_film, T);
        for (double q : out.through_faces) out.imbalance -= q;
        for (std::size_t c = 0; c < channels_.n(); ++c) {
            out.to_channels.push_back(std::abs(channels_.capacity_rate[c]) * (outlet[c] - inlet[c]));
            out.imbalance -= out.to_channels.back();
        }
        return out;
    }

private:
    static constexpr double kPass = 0.01;
    static constexpr double kRounding = 1e-6;  // of the load: rounding that leaves more is no excuse

    // T - reference, and nothing where only the last bits differ.
    static double above(double T, double reference) {
        return std::abs(T - reference) > 8.0 * std::numeric_limits<double>::epsilon() * std::abs(reference) ? T - reference : 0.0;
    }
    // f(conductance, temperature above the reference, i, j, k) of each place with a film.
    template <class F>
    void each_film(const F& f, const FaceValues& T_film, double reference) const {
        for (int face = 0; face < 6; ++face) {
            const auto at_face = static_cast<std::size_t>(face);
            Cells::on_face(grid_, face, [&](std::size_t at, int i, int j, int k) {
                if (films_[at_face][at] > 0.0) f(films_[at_face][at], above(T_film[at_face][at], reference), i, j, k);
            });
        }
    }
    // f(place in the callers' order) for each cell.
    template <class F>
    void each_cell(Team& team, const F& f) const {
        team.run(grid_.ny, grid_.small(), [&](int j, int) {
            for (int k = 0; k < grid_.nz; ++k)
                for (std::size_t i = grid_.outer_row(j, k), end = i + static_cast<std::size_t>(grid_.nx); i < end; ++i) f(i);
        });
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
    // extra = films + walls of channels + shift C.
    void set_extra(double shift, Team& team) {
        stale_ = true;
        shift_ = std::numeric_limits<double>::quiet_NaN();  // until it is whole
        const auto set = [&](std::size_t at, double extra) {
            most_.extra[at] = static_cast<float>(extra);
            rest_.extra[at] = static_cast<float>(extra - static_cast<double>(most_.extra[at]));
        };
        const auto add = [&](std::size_t at, double G) {
            set(at, static_cast<double>(most_.extra[at]) + static_cast<double>(rest_.extra[at]) + G);
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
                if (G > 0.0) add(at, G);
            });
        channels_.each_face(add);
        shift_ = shift;
    }
    // The hierarchy. Widths are scaled by the mean conductivity on their axis.
    void build(Team& team) {
        std::array<double, 2> k{};
        for (std::size_t axis = 0; axis < 2; ++axis)
            k[axis] = total(team, [&](int j) {
                double sum = 0.0;
                for (int z = 0; z < grid_.nz; ++z)
                    for (std::size_t i = grid_.outer_row(j, z), end = i + static_cast<std::size_t>(grid_.nx); i < end; ++i)
                        sum += cells_.conductivity[cells_.material[i]][axis];
                return sum;
            });
        auto x = cells_.dx, y = cells_.dy;
        for (double& d : y) d *= k[1] > 0.0 ? std::sqrt(k[0] / k[1]) : 1.0;
        multigrid_ = std::make_unique<Multigrid>(grid_, most_, channels_, std::move(x), std::move(y), team);
        stale_ = true;
    }
    void outward(const Field<double>& q, double* x, Team& team) const {
        team.run(grid_.ny, grid_.small(), [&](int j, int) {
            for (int k = 0; k < grid_.nz; ++k)
                std::copy_n(&q[grid_.row(j, k)], static_cast<std::size_t>(grid_.nx), x + grid_.outer_row(j, k));
        });
    }
    // q = A v.
    template <class V>
    void product(const V* v, double* q, Team& team) {
        team.run(grid_.ny, grid_.small(), [&](int j, int) {
            for (int k = 0; k < grid_.nz; ++k) {
                const detail::RowOf at(grid_, j, k);
                detail::product(most_, rest_, at, grid_.nx, v, q + at.own);
            }
        });
        if (!channels_.empty()) channels_.complete(shift_, -1.0, v, q);
    }
    template <class A, class B>
    double dot(const A* a, const B* b, Team& team) {
        return total(team, [&](int j) { return detail::dot(grid_.slab(), a + grid_.row(j, 0), b + grid_.row(j, 0)); });
    }
    // r = b - A q; its square.
    double residual(const Load& load, Team& team) {
        product(q_.get(), r_.get(), team);
        team.run(grid_.ny, grid_.small(), [&](int j, int) {
            for (int k = 0; k < grid_.nz; ++k) {
                const std::size_t o = grid_.outer_row(j, k);
                double* row = &r_[grid_.row(j, k)];
                for (int i = 0; i < grid_.nx; ++i)
                    row[i] = cells_.is_void(o + static_cast<std::size_t>(i)) ? 0.0 : load.b[o + static_cast<std::size_t>(i)] - row[i];
            }
        });
        if (load.film)
            each_film([&](double G, double T, int i, int j, int k) { r_[grid_.row(j, k) + static_cast<std::size_t>(i)] += G * T; },
                      *load.film, load.reference);
        if (load.inlet || load.coolant) {  // what coolant brings along that no wall has warmed
            std::vector<double> inlet(channels_.n(), 0.0), mean(channels_.n() * channels_.stations());
            for (std::size_t c = 0; load.inlet && c < inlet.size(); ++c) inlet[c] = above(load.inlet[c], load.reference);
            channels_.march(shift_, static_cast<const double*>(nullptr), inlet.data(), load.coolant, mean.data(), nullptr);
            channels_.warm(1.0, mean.data(), r_.get());
        }
        return dot(r_.get(), r_.get(), team);
    }
    // What is left of r when q is right but for the last bit of each number: |q_i| sum G_ij, a few times over.
    double rounding(Team& team) {
        const std::array<const Field<float>*, 3> G = {&most_.x, &most_.y, &most_.z};
        const double sum = total(team, [&](int j) {
            double square = 0.0;
            for (int k = 0; k < grid_.nz; ++k) {
                const detail::RowOf at(grid_, j, k);
                for (std::size_t i = 0; i < static_cast<std::size_t>(grid_.nx); ++i) {
                    const std::size_t o = at.own + i;
                    const float all = ((*G[0])[o] + *(&(*G[0])[o] - 1)) + ((*G[1])[o] + (*G[1])[at.south + i]) +
                                      ((*G[2])[o] + (*G[2])[at.down + i]) + most_.extra[o];
                    square += (all * q_[o]) * (all * q_[o]);
                }
            }
            return square;
        });
        return 4.0 * std::numeric_limits<double>::epsilon() * std::sqrt(sum);
    }
    // One cycle for r. Its fields are where q is, idle meanwhile: two floats for a double. The answer holds until q is written.
    template <class R>
    const float* cycle(R* r, Team& team) {
        float* one = reinterpret_cast<float*>(q_.get());
        as_other_type();
        return multigrid_->cycle(r, one, one + grid_.cells(), team);
    }
    static void as_other_type() { std::atomic_signal_fence(std::memory_order_seq_cst); }  // nothing is moved across

    // Conjugate gradients on r and x until |r| <= goal, as r is carried along.
    void search(double* x, double goal, int limit, int& iterations, Team& team) {
        const std::size_t slab = grid_.slab();
        const auto nx = static_cast<std::size_t>(grid_.nx);
        double rz_before = 0.0;
        for (bool first = true; iterations < limit; first = false) {
            const float* z = cycle(r_.get(), team);
            ++iterations;
            const double rz = dot(r_.get(), z, team);
            const auto beta = static_cast<float>(first ? 0.0 : rz / rz_before);
            rz_before = rz;
            team.run(grid_.ny, grid_.small(), [&](int j, int) {
                const std::size_t at = grid_.row(j, 0);
                if (first)
                    std::copy_n(z + at, slab, &p_[at]);
                else
                    detail::follow(slab, z + at, beta, &p_[at]);
            });
            as_other_type();
            product(p_.get(), q_.get(), team);
            const double pq = dot(q_.get(), p_.get(), team);
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

    // The same where coolant makes A one-sided. x and r move along one rounded direction here, too.
    void search_with_coolant(double* x, double goal, int limit, int& iterations, Team& team) {
        const std::size_t n = grid_.cells(), slab = grid_.slab();
        const auto nx = static_cast<std::size_t>(grid_.nx);
        if (v_.size() != n)
            for (Field<float>* f : {&d_, &v_, &shadow_}) f->resize(n);
        // d = a cycle for r, q = A d.
        const auto aim = [&](auto* r) {
            const float* d = cycle(r, team);
            team.run(grid_.ny, grid_.small(), [&](int j, int) { std::copy_n(d + grid_.row(j, 0), slab, &d_[grid_.row(j, 0)]); });
            as_other_type();
            product(d_.get(), q_.get(), team);
            ++iterations;
        };
        // x += step d, r -= step q; the square of r.
        const auto move = [&](double step) {
            return total(team, [&](int j) {
                const std::size_t at = grid_.row(j, 0);
                for (int k = 0; k < grid_.nz; ++k) detail::move(nx, step, &d_[grid_.row(j, k)], x + grid_.outer_row(j, k));
                detail::move(slab, -step, &q_[at], &r_[at]);
                return detail::dot(slab, &r_[at], &r_[at]);
            });
        };
        double rho = 1.0, alpha = 1.0, omega = 1.0;
        for (bool first = true; iterations < limit; first = false) {
            const double before = rho;
            if (first) detail::narrow(n, r_.get(), shadow_.get());
            rho = dot(r_.get(), shadow_.get(), team);
            const double beta = first ? 0.0 : rho / before * (alpha / omega);
            team.run(grid_.ny, grid_.small(), [&](int j, int) {
                const std::size_t at = grid_.row(j, 0);
                if (first)
                    detail::narrow(slab, &r_[at], &p_[at]);
                else
                    detail::turn(slab, &r_[at], beta, omega, &v_[at], &p_[at]);
            });
            aim(p_.get());
            alpha = rho / dot(q_.get(), shadow_.get(), team);
            if (!std::isfinite(alpha)) return;
            team.run(grid_.ny, grid_.small(), [&](int j, int) { detail::narrow(slab, &q_[grid_.row(j, 0)], &v_[grid_.row(j, 0)]); });
            if (std::sqrt(move(alpha)) <= goal || iterations >= limit) return;
            aim(r_.get());
            omega = dot(q_.get(), r_.get(), team) / dot(q_.get(), q_.get(), team);
            if (!std::isfinite(omega) || omega == 0.0) return;
            if (std::sqrt(move(omega)) <= goal) return;
        }
    }

    Cells cells_;
    Channels channels_;
    Grid grid_;
    Conductances most_, rest_;
    std::array<std::vector<double>, 6> films_;
    double shift_ = 0.0;
    bool stale_ = true;
    std::unique_ptr<Multigrid> multigrid_;
    Field<double> r_, q_;
    Field<float> p_, d_, v_, shadow_;  // the last three only where there is coolant
    std::vector<double> sums_;
};

}  // namespace thermo
