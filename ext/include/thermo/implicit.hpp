// The assembled system of all groups and the border, and the TR-BDF2 stepper on it.
//
// Nodes without capacity are algebraic: their rows hold at every stage. TR-BDF2 is L-stable and of second order; with
// g = 2 - sqrt(2), d = g / 2, w = sqrt(2) / 4 and F = q - K T (the heat into each node)
//
//     (C/(h d) + K) T_g = C/(h d) T_n + F_n + q_g                     at t_n + g h
//     (C/(h d) + K) T_1 = C/(h d) T_n + (w/d)(F_n + F_g) + q_1        at t_n + h
//
// (Hosea and Shampine 1996, Appl. Numer. Math. 20, 21-37; error estimate of third order, filtered by the same matrix.)
// It is not positive. Where a step would undershoot the coldest thing around, or pass the steady state of its loads from a
// field that lies wholly on one side of it, a backward Euler step, which is positive, takes its place.
#pragma once
#include <algorithm>
#include <cmath>
#include <cstddef>
#include <limits>
#include <memory>
#include <stdexcept>
#include <string>
#include <vector>

#include "thermo/propagator.hpp"
#include "thermo/sparse.hpp"

namespace thermo {

struct StepCount {
    long long steps = 0, rejected = 0, positive = 0, factored = 0;
};

class Assembly {
  public:
    Assembly(const std::vector<Group>& groups, const Border& border) : border_(border) {
        for (const auto& g : groups) parts.emplace_back(g, border.n_node);
        for (auto& s : schur) s.resize(static_cast<std::size_t>(border.n_node) * border.n_node);
        z.assign(static_cast<std::size_t>(border.n_node), 0.0);
    }

    // One group's share. Vectors are [chunk][position][kWidth]; positions n.. hold the border's values, one copy a lane.
    struct Part {
        const Group& g;
        BorderedLU lu;
        int chunks, rows;
        std::size_t lanes;                 // padded servers
        std::vector<double> signal;        // [signal][lanes]
        std::vector<double> coefficient, assembled;  // [coefficient][lanes], as they stand and as they stand in K
        std::vector<double> K, A[3], capacity;  // [chunk][entry][W], factored (see `factor`), [chunk][position][W]
        std::vector<double> T, q, work;
        struct Slot {
            std::size_t row_diagonal, row_far;
            int position, coefficient, boundary;  // boundary: signal, -1 where the far end is a node
        };
        std::vector<Slot> slots;

        Part(const Group& group, int n_border)
            : g(group), lu(group.n_node, n_border, pattern(group, n_border)),
              chunks((group.n_server + kWidth - 1) / kWidth), rows(group.n_node + n_border),
              lanes(static_cast<std::size_t>(chunks) * kWidth) {
            signal.resize(g.signals.size() * lanes);
            coefficient.resize(g.coefficients.size() * lanes);
            K.resize(static_cast<std::size_t>(chunks) * lu.entries() * kWidth);
            for (auto& a : A) a.resize(K.size());
            assembled.assign(coefficient.size(), std::numeric_limits<double>::quiet_NaN());
            for (auto* v : {&capacity, &T, &q}) v->assign(static_cast<std::size_t>(chunks) * rows * kWidth, 0.0);
            work.resize(static_cast<std::size_t>(rows) * kWidth);
            for (int i = 0; i < g.n_node; ++i)
                for (int v = 0; v < static_cast<int>(lanes); ++v)
                    capacity[at(v, lu.position(i))] =
                        g.capacity[static_cast<std::size_t>(i) * g.n_server + std::min(v, g.n_server - 1)];
            auto row = [&](int r) { return is_shared(r) ? g.n_node + r - kShared : r; };
            auto add = [&](int near, int far, int c) {
                Slot s{lu.entry(row(near), row(near)), 0, lu.position(row(near)), c, -1};
                if (is_boundary(far))
                    s.boundary = g.boundaries[static_cast<std::size_t>(far - kBoundary)];
                else
                    s.row_far = lu.entry(row(near), row(far));
                slots.push_back(s);
            };
            for (const auto& l : g.conductances) {
                add(l.a, l.b, l.coefficient);
                if (!is_boundary(l.b)) add(l.b, l.a, l.coefficient);
            }
            for (const auto& l : g.streams) add(l.b, l.a, l.coefficient);
        }
        std::size_t at(int server, int position) const {
            return (static_cast<std::size_t>(server / kWidth) * rows + static_cast<std::size_t>(position)) * kWidth +
                   static_cast<std::size_t>(server % kWidth);
        }
        // The largest T - target that controller k of server v sees.
        double rise(const Controller& k, int v) const {
            double most = -1e300;
            for (std::size_t i = 0; i < k.nodes.size(); ++i)
                most = std::max(most, T[at(v, lu.position(k.nodes[i]))] - k.target[i]);
            return most;
        }
        int here(int chunk) const { return std::min(kWidth, g.n_server - chunk * kWidth); }  // lanes that are servers

        static std::vector<std::pair<int, int>> pattern(const Group& g, int n_border) {
            std::vector<std::pair<int, int>> out;
            auto row = [&](int r) { return is_shared(r) ? g.n_node + r - kShared : r; };
            for (const auto* links : {&g.conductances, &g.streams})
                for (const auto& l : *links)
                    if (!is_boundary(l.a) && !is_boundary(l.b)) out.emplace_back(row(l.a), row(l.b));
            (void)n_border;
            return out;
        }
    };
    std::vector<Part> parts;
    std::vector<double> z;  // border temperatures

    const Border& border() const { return border_; }

    // All signals at `x` of an interval, into each part's `signal`; the ordered supply runs over all servers in order.
    void evaluate(const Series& series, int interval, double x, const std::vector<ControlState>& controls) {
        double covered = 0;  // of the ordered supply, by servers below
        for (std::size_t p = 0; p < parts.size(); ++p) {
            Part& part = parts[p];
            const Group& g = part.g;
            for (int k = 0; k < g.n_signal(); ++k) {
                const Signal& s = g.signals[static_cast<std::size_t>(k)];
                double* o = part.signal.data() + static_cast<std::size_t>(k) * part.lanes;
                if (s.kind == SignalKind::supply_share) {
                    const double* draw = part.signal.data() + static_cast<std::size_t>(s.first) * part.lanes;
                    const double* supply = part.signal.data() + static_cast<std::size_t>(s.second) * part.lanes;
                    for (int v = 0; v < g.n_server; ++v) {
                        const double take = std::clamp(supply[v] - covered, 0.0, draw[v]);
                        covered += draw[v];
                        o[v] = draw[v] > 0 ? take / draw[v] : 1.0;
                    }
                    for (std::size_t v = static_cast<std::size_t>(g.n_server); v < part.lanes; ++v) o[v] = o[g.n_server - 1];
                } else {
                    evaluate_signal(g, k, series, interval, x, controls[p].output.data(), 0, g.n_server,
                                    static_cast<int>(part.lanes), part.signal.data(), part.lanes);
                }
            }
        }
    }
    // Coefficients from the signals as they stand, and the matrix K.
    void assemble() {
        constexpr auto W = static_cast<std::size_t>(kWidth);
        bool moved = false;
        for (auto& part : parts) {
            const Group& g = part.g;
            evaluate_coefficients(g, part.signal.data(), part.lanes, 0, g.n_server, static_cast<int>(part.lanes),
                                  part.coefficient.data(), part.lanes);
            moved |= part.coefficient != part.assembled;
        }
        if (!moved) return;
        factored_[0] = factored_[1] = factored_[2] = stiffest_ = -1;
        for (auto& part : parts) {
            part.assembled = part.coefficient;
            std::fill(part.K.begin(), part.K.end(), 0.0);
            for (int c = 0; c < part.chunks; ++c) {
                double* K = part.K.data() + static_cast<std::size_t>(c) * part.lu.entries() * W;
                for (const auto& s : part.slots) {
                    const double* k = part.coefficient.data() + static_cast<std::size_t>(s.coefficient) * part.lanes +
                                      static_cast<std::size_t>(c) * W;
                    for (std::size_t w = 0; w < W; ++w) K[s.row_diagonal * W + w] += k[w];
                    if (s.boundary < 0)
                        for (std::size_t w = 0; w < W; ++w) K[s.row_far * W + w] -= k[w];
                }
            }
        }
    }
    // Heat that enters each node from sources and boundaries, from the signals as they stand.
    void load(std::vector<std::vector<double>>& q) const {
        constexpr auto W = static_cast<std::size_t>(kWidth);
        q.resize(parts.size());
        for (std::size_t p = 0; p < parts.size(); ++p) {
            const Part& part = parts[p];
            q[p].assign(part.q.size(), 0.0);
            for (int c = 0; c < part.chunks; ++c) {
                double* to = q[p].data() + static_cast<std::size_t>(c) * part.rows * W;
                auto at = [&](const std::vector<double>& v, int k) {
                    return v.data() + static_cast<std::size_t>(k) * part.lanes + static_cast<std::size_t>(c) * W;
                };
                for (const auto& s : part.g.sources) {
                    const double* u = at(part.signal, s.signal);
                    double* node = to + static_cast<std::size_t>(part.lu.position(s.node)) * W;
                    for (std::size_t w = 0; w < W; ++w) node[w] += s.fraction * u[w];
                }
                for (const auto& s : part.slots)
                    if (s.boundary >= 0) {
                        const double *k = at(part.coefficient, s.coefficient), *u = at(part.signal, s.boundary);
                        double* node = to + static_cast<std::size_t>(s.position) * W;
                        for (std::size_t w = 0; w < W; ++w) node[w] += k[w] * u[w];
                    }
            }
        }
    }
    // A = K + a C, factored; kept until K or a changes. Steps keep theirs in slot 0, `settle` in 1, `steady` in 2.
    void factor(double a, int slot = 0) {
        slot_ = slot;
        if (a == factored_[slot]) return;
        factored_[slot] = a;
        std::vector<double>& dense = schur[slot];
        constexpr auto W = static_cast<std::size_t>(kWidth);
        const int nb = border_.n_node;
        std::fill(dense.begin(), dense.end(), 0.0);
        for (int b = 0; b < nb; ++b) dense[static_cast<std::size_t>(b) * nb + b] = a * border_.capacity[b];
        for (auto& part : parts) {
            const std::size_t E = part.lu.entries() * W;
            part.A[slot] = part.K;
            for (int c = 0; c < part.chunks; ++c) {
                double* A = part.A[slot].data() + static_cast<std::size_t>(c) * E;
                for (int i = 0; i < part.g.n_node; ++i) {
                    const int pos = part.lu.position(i);
                    const std::size_t d = part.lu.entry(i, i) * W;
                    const double* C = part.capacity.data() + (static_cast<std::size_t>(c) * part.rows + pos) * W;
                    for (std::size_t w = 0; w < W; ++w) A[d + w] += a * C[w];
                }
                part.lu.factor(A, part.work.data());
                for (int b = 0; b < nb; ++b)
                    for (int k = 0; k < nb; ++k) {
                        const double* s = A + part.lu.border_entry(b, k) * W;
                        for (int w = 0; w < part.here(c); ++w) dense[static_cast<std::size_t>(b) * nb + k] += s[w];
                    }
            }
        }
        dense_factor(dense.data(), nb);
        ++count.factored;
    }
    // x = A^-1 x for every part and the border: x[part][...], border rows of x are zero on entry, `zb` is the border's.
    void solve(std::vector<std::vector<double>>& x, std::vector<double>& zb) {
        constexpr auto W = static_cast<std::size_t>(kWidth);
        const int nb = border_.n_node;
        for (std::size_t p = 0; p < parts.size(); ++p) {
            Part& part = parts[p];
            for (int c = 0; c < part.chunks; ++c) {
                double* v = x[p].data() + static_cast<std::size_t>(c) * part.rows * W;
                part.lu.forward(part.A[slot_].data() + static_cast<std::size_t>(c) * part.lu.entries() * W, v);
                for (int b = 0; b < nb; ++b)
                    for (int w = 0; w < part.here(c); ++w) zb[b] += v[static_cast<std::size_t>(part.g.n_node + b) * W + w];
            }
        }
        dense_solve(schur[slot_].data(), nb, zb.data());
        for (std::size_t p = 0; p < parts.size(); ++p) {
            Part& part = parts[p];
            for (int c = 0; c < part.chunks; ++c) {
                double* v = x[p].data() + static_cast<std::size_t>(c) * part.rows * W;
                for (int b = 0; b < nb; ++b)
                    for (std::size_t w = 0; w < W; ++w) v[static_cast<std::size_t>(part.g.n_node + b) * W + w] = zb[b];
                part.lu.backward(part.A[slot_].data() + static_cast<std::size_t>(c) * part.lu.entries() * W, v);
            }
        }
    }
    // F = q - K T for nodes with capacity, 0 for the others; `fb` likewise for the border.
    void heat(const std::vector<std::vector<double>>& q, std::vector<std::vector<double>>& F, std::vector<double>& fb) {
        constexpr auto W = static_cast<std::size_t>(kWidth);
        const int nb = border_.n_node;
        F.resize(parts.size());
        fb.assign(static_cast<std::size_t>(nb), 0.0);
        for (std::size_t p = 0; p < parts.size(); ++p) {
            Part& part = parts[p];
            F[p].resize(part.T.size());
            for (int c = 0; c < part.chunks; ++c) {
                const std::size_t o = static_cast<std::size_t>(c) * part.rows * W;
                part.lu.multiply(part.K.data() + static_cast<std::size_t>(c) * part.lu.entries() * W, part.T.data() + o,
                                 F[p].data() + o);
                for (std::size_t i = o; i < o + static_cast<std::size_t>(part.g.n_node) * W; ++i)
                    F[p][i] = part.capacity[i] > 0 ? q[p][i] - F[p][i] : 0.0;
                for (int b = 0; b < nb; ++b)
                    for (std::size_t w = 0; w < W; ++w) {
                        double& f = F[p][o + static_cast<std::size_t>(part.g.n_node + b) * W + w];
                        const double load = q[p][o + static_cast<std::size_t>(part.g.n_node + b) * W + w];
                        if (static_cast<int>(w) < part.here(c) && border_.capacity[b] > 0) fb[b] += load - f;
                        f = 0;
                    }
            }
        }
    }
    // Nodes without capacity brought into balance; the others stay. (C so large that they cannot move.)
    void settle(const std::vector<std::vector<double>>& q) {
        const double a = 1e14 * std::max(stiffest(), 1e-6);
        factor(a, 1);
        auto x = q;
        std::vector<double> zb(z.size(), 0.0);
        for (std::size_t b = 0; b < z.size(); ++b) zb[b] = a * border_.capacity[b] * z[b];
        for (std::size_t p = 0; p < parts.size(); ++p)
            for (std::size_t i = 0; i < x[p].size(); ++i) x[p][i] += a * parts[p].capacity[i] * parts[p].T[i];
        solve(x, zb);
        for (std::size_t b = 0; b < z.size(); ++b)
            if (border_.capacity[b] == 0) z[b] = zb[b];
        for (std::size_t p = 0; p < parts.size(); ++p) {
            Part& part = parts[p];
            for (std::size_t i = 0; i < x[p].size(); ++i)
                if (part.capacity[i] == 0) part.T[i] = x[p][i];
            spread_border(part);
        }
    }
    // Steady temperatures for the loads q and the coefficients as they stand; not finite where heat has no way out.
    void steady(const std::vector<std::vector<double>>& q, std::vector<std::vector<double>>& T, std::vector<double>& T_border) {
        factor(0.0, 2);
        T = q;
        T_border.assign(z.size(), 0.0);
        solve(T, T_border);
    }
    void steady(const std::vector<std::vector<double>>& q) {
        std::vector<std::vector<double>> T;
        steady(q, T, z);
        for (std::size_t p = 0; p < parts.size(); ++p) parts[p].T = T[p];
    }
    // Power that leaves each server [W] at temperatures T: into out[part][server]. `boundary(part, i)` is entry i of the
    // signals at the time of T, [signal][lanes].
    template <class Boundary>
    void leaving(const std::vector<std::vector<double>>& T, Boundary&& boundary, std::vector<std::vector<double>>& out) const {
        out.resize(parts.size());
        for (std::size_t p = 0; p < parts.size(); ++p) {
            const Part& part = parts[p];
            const Group& g = part.g;
            out[p].assign(static_cast<std::size_t>(g.n_server), 0.0);
            auto add = [&](int r, int c, double sign) {
                const double* k = part.coefficient.data() + static_cast<std::size_t>(c) * part.lanes;
                if (is_boundary(r)) {
                    const std::size_t u = static_cast<std::size_t>(g.boundaries[static_cast<std::size_t>(r - kBoundary)]) * part.lanes;
                    for (int v = 0; v < g.n_server; ++v) out[p][v] += sign * k[v] * boundary(p, u + static_cast<std::size_t>(v));
                    return;
                }
                const int position = is_shared(r) ? g.n_node + r - kShared : part.lu.position(r);
                for (int v = 0; v < g.n_server; ++v) out[p][v] += sign * k[v] * T[p][part.at(v, position)];
            };
            for (const auto& l : g.exits) add(l.a, l.coefficient, 1.0);
            for (const auto& l : g.streams)
                if (is_boundary(l.a)) add(l.a, l.coefficient, -1.0);
            for (const auto& l : g.conductances)
                if (is_boundary(l.b)) add(l.a, l.coefficient, 1.0), add(l.b, l.coefficient, -1.0);
        }
    }
    void spread_border(Part& part) const {
        for (int c = 0; c < part.chunks; ++c)
            for (std::size_t b = 0; b < z.size(); ++b)
                for (int w = 0; w < kWidth; ++w)
                    part.T[(static_cast<std::size_t>(c) * part.rows + part.g.n_node + b) * kWidth + w] = z[b];
    }
    StepCount count;

  private:
    const Border& border_;
    std::vector<double> schur[3];
    double factored_[3] = {-1, -1, -1}, stiffest_ = -1;  // < 0: stale
    int slot_ = 0;

    // The largest K_ii / C_i [1/s].
    double stiffest() {
        if (stiffest_ >= 0) return stiffest_;
        stiffest_ = 0;
        for (auto& part : parts)
            for (int i = 0; i < part.g.n_node; ++i)
                for (int v = 0; v < part.g.n_server; ++v) {
                    const double C = part.capacity[part.at(v, part.lu.position(i))];
                    const std::size_t e = (static_cast<std::size_t>(v / kWidth) * part.lu.entries() + part.lu.entry(i, i)) * kWidth +
                                          static_cast<std::size_t>(v % kWidth);
                    if (C > 0) stiffest_ = std::max(stiffest_, part.K[e] / C);
                }
        for (int b = 0; b < border_.n_node; ++b) {
            double own = 0;
            for (auto& part : parts)
                for (int v = 0; v < part.g.n_server; ++v)
                    own += part.K[(static_cast<std::size_t>(v / kWidth) * part.lu.entries() + part.lu.border_entry(b, b)) * kWidth +
                                  static_cast<std::size_t>(v % kWidth)];
            if (border_.capacity[b] > 0) stiffest_ = std::max(stiffest_, own / border_.capacity[b]);
        }
        return stiffest_;
    }
};

// Runs all groups from the temperatures in `assembly` through the series. `forced_step` > 0 steps at that size without
// error control (for order studies). Controllers tick between steps. `proposed` is the step that the last one proposed (0:
// none): it is part of the state, so that a run in two parts steps as one.
template <class Stop>
void run_tr_bdf2(Assembly& a, const Series& series, std::vector<ControlState>& controls, std::vector<Record>& records,
                 double* record_border, double tolerance, double forced_step, double& proposed, Stop&& stop) {
    using Vectors = std::vector<std::vector<double>>;
    const double gamma = 2 - std::sqrt(2.0), d = gamma / 2, w = std::sqrt(2.0) / 4;
    // b - b_hat, the weights of the estimate
    const double e0 = w - (1 - w) / 3, e1 = w - (3 * w + 1) / 3, e2 = d - d / 3;
    const std::size_t P = a.parts.size(), nb = a.z.size();
    const bool linear = series.any_linear();
    Vectors q_left, q_right, F, Fg(P), x(P), estimate(P), T_new(P), T_old(P), start(P), steady, out_start, out_mid, out_end;
    std::vector<double> f_border, zb(nb), fg_border(nb), z_new(nb), e_border(nb), steady_border;
    for (std::size_t p = 0; p < P; ++p) start[p] = a.parts[p].T;
    std::vector<std::vector<double>> in(P), out(P), mean(P), left(P), right(P);
    const auto& C_border = a.border().capacity;

    auto load_at = [&](double y, std::size_t p, std::size_t i) {
        return linear ? q_left[p][i] + y * (q_right[p][i] - q_left[p][i]) : q_left[p][i];
    };
    auto signals_at = [&](double y) {
        return [&, y](std::size_t p, std::size_t i) { return left[p][i] + y * (right[p][i] - left[p][i]); };
    };
    auto tick = [&](double t) {
        for (std::size_t p = 0; p < P; ++p) {
            auto& part = a.parts[p];
            for (std::size_t c = 0; c < part.g.controllers.size(); ++c) {
                const Controller& law = part.g.controllers[c];
                if (!ControlState::ticks_at(law, t)) continue;
                for (int v = 0; v < part.g.n_server; ++v) controls[p].tick(part.g, c, v, part.rise(law, v));
            }
        }
    };
    auto next_tick = [&](double t) {
        double next = std::numeric_limits<double>::infinity();
        for (std::size_t p = 0; p < P; ++p)
            next = std::min(next, ControlState::next_tick(a.parts[p].g, t));
        return next;
    };

    for (int k = 0; k < series.n_time; ++k) {
        const bool last = k + 1 == series.n_time;
        const double begin = series.time[k], end = last ? begin : series.time[k + 1], span = end - begin;
        for (std::size_t p = 0; p < P; ++p) {
            const auto& g = a.parts[p].g;
            in[p].assign(static_cast<std::size_t>(g.n_server), 0.0);
            out[p].assign(static_cast<std::size_t>(g.n_server), 0.0);
            mean[p].assign(g.record_signals.size() * static_cast<std::size_t>(g.n_server), 0.0);
        }
        double t = begin;
        bool fresh = true;
        do {  // from stop to stop: samples and controller ticks
            const double next = std::min(end, next_tick(t));
            const double xl = span > 0 ? (t - begin) / span : 0.0, xr = span > 0 ? (next - begin) / span : 0.0;
            if (linear) {
                a.evaluate(series, k, 0.5 * (xl + xr), controls);
                a.assemble();
                a.evaluate(series, k, xr, controls);
                a.load(q_right);
                for (std::size_t p = 0; p < P; ++p) right[p] = a.parts[p].signal;
                a.evaluate(series, k, xl, controls);
            } else {
                a.evaluate(series, k, xl, controls);
                a.assemble();
            }
            a.load(q_left);
            for (std::size_t p = 0; p < P; ++p) left[p] = a.parts[p].signal;
            if (!linear) right = left;
            a.settle(q_left);
            if (fresh) {
                fresh = false;
                for (std::size_t p = 0; p < P; ++p) {
                    const auto& part = a.parts[p];
                    const std::size_t S = static_cast<std::size_t>(part.g.n_server), slots = part.g.record_nodes.size();
                    for (int v = 0; v < part.g.n_server; ++v) {
                        const std::size_t at = static_cast<std::size_t>(k) * S + static_cast<std::size_t>(v);
                        for (std::size_t s = 0; s < slots; ++s)
                            records[p].nodes[at * slots + s] = part.T[part.at(v, part.lu.position(part.g.record_nodes[s]))];
                        double stored = 0;
                        for (int i = 0; i < part.g.n_node; ++i) {
                            const std::size_t e = part.at(v, i);
                            stored += part.capacity[e] * (part.T[e] - start[p][e]);
                        }
                        records[p].stored[at] = stored;
                    }
                }
                for (std::size_t s = 0; s < a.border().record_nodes.size(); ++s)
                    record_border[static_cast<std::size_t>(k) * a.border().record_nodes.size() + s] =
                        a.z[static_cast<std::size_t>(a.border().record_nodes[s])];
            }
            if (last) break;
            a.heat(q_left, F, f_border);
            const bool loads_hold = !linear || q_left == q_right;
            steady.clear();
            // Whether the step leads from one side of the steady state to the other. K^-1 >= 0, so that it cannot where all
            // nodes are still warming, or all cooling.
            auto passes_steady = [&] {
                if (steady.empty()) a.steady(q_left, steady, steady_border);
                bool below = true, above = true, now_below = true, now_above = true;
                for (std::size_t p = 0; p < P; ++p)
                    for (std::size_t i = 0; i < steady[p].size(); ++i) {
                        const double s = steady[p][i], slack = 1e-9;
                        below &= a.parts[p].T[i] <= s + slack, above &= a.parts[p].T[i] >= s - slack;
                        now_below &= T_new[p][i] <= s + slack, now_above &= T_new[p][i] >= s - slack;
                    }
                return (below && !now_below) || (above && !now_above);
            };
            const double stretch = next - t;
            double done = 0;
            while (done < stretch * (1 - 1e-12)) {
                double h = forced_step > 0 ? forced_step : proposed > 0 ? proposed : stretch;
                if (h > stretch - done) {
                    h = stretch - done;
                } else if (h > 0.5 * (stretch - done)) {
                    h = 0.5 * (stretch - done);  // two equal steps rather than a full one and a sliver
                }
                if (!(h > 1e-12)) throw std::runtime_error("the step fell below 1e-12 s at t = " + std::to_string(t + done));
                const double A = 1 / (h * d), y0 = done / stretch, y1 = (done + h) / stretch, yg = (done + gamma * h) / stretch;
                a.factor(A);
                // stage at gamma
                for (std::size_t p = 0; p < P; ++p) {
                    const auto& part = a.parts[p];
                    x[p].resize(part.T.size());
                    for (std::size_t i = 0; i < x[p].size(); ++i)
                        x[p][i] = A * part.capacity[i] * part.T[i] + F[p][i] + load_at(yg, p, i);
                }
                zb.assign(nb, 0.0);
                for (std::size_t b = 0; b < nb; ++b) zb[b] = A * C_border[b] * a.z[b] + f_border[b];
                a.solve(x, zb);
                a.leaving(x, signals_at(yg), out_mid);
                for (std::size_t p = 0; p < P; ++p) {
                    Fg[p].resize(x[p].size());
                    for (std::size_t i = 0; i < x[p].size(); ++i)
                        Fg[p][i] = A * a.parts[p].capacity[i] * (x[p][i] - a.parts[p].T[i]) - F[p][i];
                }
                for (std::size_t b = 0; b < nb; ++b) fg_border[b] = A * C_border[b] * (zb[b] - a.z[b]) - f_border[b];
                // stage at 1
                for (std::size_t p = 0; p < P; ++p) {
                    const auto& part = a.parts[p];
                    T_new[p].resize(part.T.size());
                    for (std::size_t i = 0; i < T_new[p].size(); ++i)
                        T_new[p][i] = A * part.capacity[i] * part.T[i] + (w / d) * (F[p][i] + Fg[p][i]) + load_at(y1, p, i);
                }
                for (std::size_t b = 0; b < nb; ++b)
                    z_new[b] = A * C_border[b] * a.z[b] + (w / d) * (f_border[b] + fg_border[b]);
                a.solve(T_new, z_new);
                // F at the end, and the filtered error estimate
                double error = 0, coldest = std::numeric_limits<double>::infinity(), new_coldest = coldest;
                bool rising = true, falling = true;  // before and after the step
                for (std::size_t p = 0; p < P; ++p) {
                    const auto& part = a.parts[p];
                    estimate[p].resize(T_new[p].size());
                    for (std::size_t i = 0; i < T_new[p].size(); ++i) {
                        const double C = part.capacity[i];
                        const double f1 = A * C * (T_new[p][i] - part.T[i]) - (w / d) * (F[p][i] + Fg[p][i]);
                        estimate[p][i] = (e0 * F[p][i] + e1 * Fg[p][i] + e2 * f1) / d;
                        x[p][i] = f1;
                        coldest = std::min(coldest, part.T[i]);
                        new_coldest = std::min(new_coldest, T_new[p][i]);
                        const double noise = C * 1e-9 / h;
                        rising &= F[p][i] >= -noise && f1 >= -noise, falling &= F[p][i] <= noise && f1 <= noise;
                    }
                    for (int r : part.g.boundaries)
                        for (int v = 0; v < part.g.n_server; ++v)
                            coldest = std::min({coldest, left[p][static_cast<std::size_t>(r) * part.lanes + v],
                                                right[p][static_cast<std::size_t>(r) * part.lanes + v]});
                }
                for (std::size_t b = 0; b < nb; ++b) {
                    const double f1 = A * C_border[b] * (z_new[b] - a.z[b]) - (w / d) * (f_border[b] + fg_border[b]);
                    e_border[b] = (e0 * f_border[b] + e1 * fg_border[b] + e2 * f1) / d;
                    zb[b] = f1;
                    const double noise = C_border[b] * 1e-9 / h;
                    rising &= f_border[b] >= -noise && f1 >= -noise, falling &= f_border[b] <= noise && f1 <= noise;
                }
                if (forced_step <= 0) {
                    auto z_keep = e_border;
                    a.solve(estimate, z_keep);
                    for (std::size_t p = 0; p < P; ++p)
                        for (double v : estimate[p]) error = std::max(error, std::fabs(v));
                    // Errors of steps add up over a relaxation: local e ~ A c h^3 leaves A c h^2 = (A c)^(1/3) e^(2/3) behind.
                    const double allowed = tolerance * std::min(0.1, std::sqrt(tolerance));
                    const double factor = error > 0 ? 0.9 * std::cbrt(allowed / error) : 5.0;
                    proposed = h * std::clamp(factor, 0.2, 5.0);
                    if (!(error <= allowed)) {
                        if (!std::isfinite(error)) proposed = 0.2 * h;
                        ++a.count.rejected;
                        continue;
                    }
                }
                double in_mid = 1;  // weights of the stages in the balance of energy
                bool overshoot = new_coldest < coldest - 1e-9;
                if (!overshoot && loads_hold && !rising && !falling) overshoot = passes_steady();
                if (overshoot) {  // backward Euler with the mean load: positive, and it keeps the energy
                    const double B = 1 / h;
                    a.factor(B);
                    for (std::size_t p = 0; p < P; ++p)
                        for (std::size_t i = 0; i < x[p].size(); ++i)
                            x[p][i] = B * a.parts[p].capacity[i] * a.parts[p].T[i] + 0.5 * (load_at(y0, p, i) + load_at(y1, p, i));
                    for (std::size_t b = 0; b < nb; ++b) zb[b] = B * C_border[b] * a.z[b];
                    a.solve(x, zb);
                    double apart = 0;
                    for (std::size_t p = 0; p < P; ++p)
                        for (std::size_t i = 0; i < x[p].size(); ++i) apart = std::max(apart, std::fabs(x[p][i] - T_new[p][i]));
                    if (forced_step <= 0 && apart > 0.1 * tolerance && h > 1e-6) {
                        proposed = 0.5 * h;
                        ++a.count.rejected;
                        continue;
                    }
                    T_new = x, z_new = zb;
                    in_mid = 0;
                    ++a.count.positive;
                }
                // accepted
                for (std::size_t p = 0; p < P; ++p) {
                    for (std::size_t i = 0; i < T_new[p].size() && in_mid > 0; ++i) F[p][i] = x[p][i];
                }
                if (in_mid > 0) {
                    f_border = zb;
                    for (std::size_t p = 0; p < P; ++p) T_old[p] = a.parts[p].T;
                    a.leaving(T_old, signals_at(y0), out_start);
                }
                a.leaving(T_new, signals_at(in_mid > 0 ? y1 : 0.5 * (y0 + y1)), out_end);
                for (std::size_t p = 0; p < P; ++p) {
                    auto& part = a.parts[p];
                    const auto lanes = part.lanes;
                    auto at = [&](int s, int v, double y) {
                        const std::size_t i = static_cast<std::size_t>(s) * lanes + static_cast<std::size_t>(v);
                        return left[p][i] + y * (right[p][i] - left[p][i]);
                    };
                    for (int v = 0; v < part.g.n_server; ++v) {
                        out[p][v] += h * (in_mid > 0 ? w * (out_start[p][v] + out_mid[p][v]) + d * out_end[p][v] : out_end[p][v]);
                        for (const auto& s : part.g.sources) in[p][v] += h * s.fraction * at(s.signal, v, 0.5 * (y0 + y1));
                        for (std::size_t s = 0; s < part.g.record_signals.size(); ++s)
                            mean[p][static_cast<std::size_t>(v) * part.g.record_signals.size() + s] +=
                                h * at(part.g.record_signals[s], v, 0.5 * (y0 + y1));
                    }
                    part.T = T_new[p];
                }
                a.z = z_new;
                if (in_mid == 0) {  // F afresh, with the loads at the end of the step
                    Vectors q_now(P);
                    for (std::size_t p = 0; p < P; ++p) {
                        q_now[p].resize(q_left[p].size());
                        for (std::size_t i = 0; i < q_now[p].size(); ++i) q_now[p][i] = load_at(y1, p, i);
                    }
                    a.settle(q_now);
                    a.heat(q_now, F, f_border);
                }
                done += h;
                ++a.count.steps;
                if (stop()) return;
            }
            t = next;
            tick(t);
        } while (t < end - 1e-10);
        for (std::size_t p = 0; p < P; ++p) {
            const auto& part = a.parts[p];
            const std::size_t S = static_cast<std::size_t>(part.g.n_server), n_mean = part.g.record_signals.size();
            for (std::size_t v = 0; v < S; ++v) {
                const std::size_t at = static_cast<std::size_t>(k) * S + v;
                for (std::size_t s = 0; s < n_mean; ++s)
                    records[p].signals[at * n_mean + s] =
                        last ? left[p][static_cast<std::size_t>(part.g.record_signals[s]) * part.lanes + v]
                             : mean[p][v * n_mean + s] / span;
                records[p].energy_in[at] = in[p][v];
                records[p].energy_out[at] = out[p][v];
            }
        }
    }
}

}  // namespace thermo
