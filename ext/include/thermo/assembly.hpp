// The assembled system of all groups and the border: signals, coefficients, matrix, loads, steady state.
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
    // `repeats`: how many servers alike each one of a group stands for.
    Assembly(const std::vector<Group>& groups, const Border& border, const std::vector<int>& repeats = {}) : border_(border) {
        for (const auto& g : groups) parts.emplace_back(g, border.n_node);
        for (std::size_t p = 0; p < repeats.size(); ++p) parts[p].repeats = repeats[p];
        for (const auto& g : groups)
            for (const auto& c : g.chips) leaky |= c.leakage > 0;
        for (const auto& g : groups)
            for (const auto& c : g.controllers) has_firmware |= c.kind == Controller::kFirmware;
        for (auto& s : schur) s.resize(static_cast<std::size_t>(border.n_node) * border.n_node);
        z.assign(static_cast<std::size_t>(border.n_node), 0.0);
    }

    // One group's share. Vectors are [chunk][position][kWidth]; positions n.. hold the border's values, one copy a lane.
    struct Part {
        const Group& g;
        BorderedLU lu;
        int chunks, rows, repeats = 1;
        std::size_t lanes;                 // padded servers
        std::vector<double> signal;        // [signal][lanes]
        std::vector<double> coefficient, assembled;  // [coefficient][lanes], as they stand and as they stand in K
        std::vector<int> movers;           // signals that decide the coefficients
        std::vector<double> seen;          // [mover][lanes], the values that the coefficients were made from
        std::vector<int> moved_from;       // [chunk], the first row of K that moved since someone set it to `rows`
        std::vector<double> K, A[3], capacity;  // [chunk][entry][W], factored (see `factor`), [chunk][position][W]
        std::vector<double> T, q, work;
        std::vector<double> leaks, slope;  // [chip][lanes]: W more than at the chip's reference; W/K at the temperature of that
        struct Slot {
            std::size_t row_diagonal, row_far;
            int position, coefficient, boundary;  // boundary: signal, -1 where the far end is a node
        };
        std::vector<Slot> slots;
        struct Feedback {  // heat of a chip that leaks, into a node: an entry of the matrix of Newton's step
            std::size_t entry;
            int chip, node;
            double fraction;
        };
        std::vector<Feedback> feedback;

        Part(const Group& group, int n_border)
            : g(group), lu(group.n_node, n_border, pattern(group), late(group)),
              chunks((group.n_server + kWidth - 1) / kWidth), rows(group.n_node + n_border),
              lanes(static_cast<std::size_t>(chunks) * kWidth) {
            signal.resize(g.signals.size() * lanes);
            leaks.assign(g.chips.size() * lanes, 0.0);
            slope.assign(g.chips.size() * lanes, 0.0);
            coefficient.resize(g.coefficients.size() * lanes);
            K.resize(static_cast<std::size_t>(chunks) * lu.entries() * kWidth);
            for (auto& a : A) a.resize(K.size());
            assembled.assign(coefficient.size(), std::numeric_limits<double>::quiet_NaN());
            for (auto* v : {&capacity, &T, &q}) v->assign(static_cast<std::size_t>(chunks) * rows * kWidth, 0.0);
            work.resize(static_cast<std::size_t>(rows) * kWidth);
            moved_from.assign(static_cast<std::size_t>(chunks), 0);
            const auto moves = g.moves_coefficients();
            for (int k = 0; k < g.n_signal(); ++k)
                if (moves[static_cast<std::size_t>(k)]) movers.push_back(k);
            seen.assign(movers.size() * lanes, std::numeric_limits<double>::quiet_NaN());
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
            each_feedback(g, [&](int node, int chip, double fraction) {
                feedback.push_back({lu.entry(node, g.chips[static_cast<std::size_t>(chip)].node), chip, node, fraction});
            });
        }
        template <class Use>
        static void each_feedback(const Group& g, Use&& use) {
            for (const auto& s : g.sources) {
                const Signal& signal = g.signals[static_cast<std::size_t>(s.signal)];
                if (signal.kind == SignalKind::chip_power && g.chips[static_cast<std::size_t>(signal.first)].leakage > 0)
                    use(s.node, signal.first, s.fraction);
            }
        }
        std::size_t at(int server, int position) const {
            return (static_cast<std::size_t>(server / kWidth) * rows + static_cast<std::size_t>(position)) * kWidth +
                   static_cast<std::size_t>(server % kWidth);
        }
        // The largest T - target that controller k of server v sees.
        double rise(const Controller& k, int v) const { return rise(k, T, v); }
        double rise(const Controller& k, const std::vector<double>& of, int v) const {
            double most = -1e300;
            for (std::size_t i = 0; i < k.nodes.size(); ++i)
                most = std::max(most, of[at(v, lu.position(k.nodes[i]))] - k.target[i]);
            return k.relative < 0 ? most : most - of[at(v, lu.position(k.relative))];
        }
        double first(const Controller& k, int v) const { return T[at(v, lu.position(k.nodes[0]))]; }
        int here(int chunk) const { return std::min(kWidth, g.n_server - chunk * kWidth); }  // lanes that are servers
        // sum += the value of each server of a chunk, one after the other: the same bits whether servers alike stand for themselves.
        void add_servers(const double* values, int chunk, double& sum) const {
            for (int w = 0; w < here(chunk); ++w)
                for (int r = 0; r < repeats; ++r) sum += values[w];
        }

        // Nodes whose rows a controller moves, where they are few: a valve moves one, fans move all the air.
        static std::vector<char> late(const Group& g) {
            std::vector<char> out(static_cast<std::size_t>(g.n_node), 0);
            const auto controlled = g.controlled();
            auto moves = [&](const Link& l) {
                const Coefficient& c = g.coefficients[static_cast<std::size_t>(l.coefficient)];
                return (c.signal >= 0 && controlled[static_cast<std::size_t>(c.signal)]) ||
                       (c.multiplier >= 0 && controlled[static_cast<std::size_t>(c.multiplier)]);
            };
            auto mark = [&](int r) {
                if (is_local(r)) out[static_cast<std::size_t>(r)] = 1;
            };
            for (const auto& l : g.conductances)
                if (moves(l)) mark(l.a), mark(l.b);
            for (const auto& l : g.streams)
                if (moves(l)) mark(l.b);
            if (4 * std::count(out.begin(), out.end(), 1) > g.n_node) out.clear();
            return out;
        }
        static std::vector<std::pair<int, int>> pattern(const Group& g) {
            std::vector<std::pair<int, int>> out;
            auto row = [&](int r) { return is_shared(r) ? g.n_node + r - kShared : r; };
            for (const auto* links : {&g.conductances, &g.streams})
                for (const auto& l : *links)
                    if (!is_boundary(l.a) && !is_boundary(l.b)) out.emplace_back(row(l.a), row(l.b));
            each_feedback(g, [&](int node, int chip, double) {
                const int junction = g.chips[static_cast<std::size_t>(chip)].node;
                if (node != junction) out.emplace_back(node, junction);
            });
            return out;
        }
    };
    std::vector<Part> parts;
    std::vector<double> z;  // border temperatures
    bool leaky = false, has_firmware = false;

    const Border& border() const { return border_; }

    // As they stand, part by part.
    std::vector<std::vector<double>> temperatures() const {
        std::vector<std::vector<double>> T;
        for (const auto& part : parts) T.push_back(part.T);
        return T;
    }
    // What the chips leak at temperatures T, for `evaluate`.
    void leak_at(const std::vector<std::vector<double>>& T, double ceiling = std::numeric_limits<double>::infinity()) {
        for (std::size_t p = 0; p < parts.size(); ++p) leak_at(parts[p], T[p], ceiling);
    }
    void leak_as_now() {
        if (leaky)
            for (auto& part : parts) leak_at(part, part.T, std::numeric_limits<double>::infinity());
    }
    // `ceiling` [K] above its reference: a chip hotter than that leaks no more than there.
    static void leak_at(Part& part, const std::vector<double>& T, double ceiling) {
        for (std::size_t c = 0; c < part.g.chips.size(); ++c) {
            const Chip& chip = part.g.chips[c];
            if (!(chip.leakage > 0)) continue;
            for (std::size_t v = 0; v < part.lanes; ++v)
                part.leaks[c * part.lanes + v] = leak(chip, std::min(T[part.at(static_cast<int>(v), part.lu.position(chip.node))], chip.reference + ceiling));
        }
    }
    // All signals at `x` of an interval, into each part's `signal`, or those that `which` names, [part][signal]; the ordered
    // supply runs over all servers in order.
    void evaluate(const Series& series, int interval, double x, const std::vector<ControlState>& controls,
                  const std::vector<std::vector<char>>* which = nullptr) {
        controls_ = &controls;
        double covered = 0;  // of the ordered supply, by servers below
        for (std::size_t p = 0; p < parts.size(); ++p) {
            Part& part = parts[p];
            const Group& g = part.g;
            for (int k = 0; k < g.n_signal(); ++k) {
                if (which && !(*which)[p][static_cast<std::size_t>(k)]) continue;
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
                    evaluate_signal(g, k, series, interval, x, controls[p].output.data(), part.leaks.data(), 0, g.n_server,
                                    static_cast<int>(part.lanes), part.signal.data(), part.lanes);
                }
            }
        }
    }
    // Coefficients from the signals as they stand, and the matrix K where they moved.
    void assemble() {
        bool moved = false;
        for (auto& part : parts) {
            if (!see(part)) continue;
            evaluate_coefficients(part.g, part.signal.data(), part.lanes, 0, part.g.n_server, static_cast<int>(part.lanes),
                                  part.coefficient.data(), part.lanes);
            for (int c = 0; c < part.chunks; ++c) moved |= assemble(part, c);
            part.assembled = part.coefficient;
        }
        if (moved) factored_[0] = factored_[1] = factored_[2] = stiffest_ = -1;
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
    // A = K + a C, factored; kept until K or a changes. Steps keep theirs in slot 0, `settle` in 1, `steady` in 2. With
    // `slopes`, less what the chips' leakage gains with temperature: a matrix of Newton's, never kept.
    void factor(double a, int slot = 0, bool slopes = false) {
        slot_ = slot;
        if (a == factored_[slot] && !slopes) return;
        factored_[slot] = slopes ? -1 : a;
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
                if (slopes)
                    for (const auto& f : part.feedback)
                        for (std::size_t w = 0; w < W; ++w)
                            A[f.entry * W + w] -= f.fraction * part.slope[static_cast<std::size_t>(f.chip) * part.lanes + static_cast<std::size_t>(c) * W + w];
                part.lu.factor(A, part.work.data());
                for (const auto& e : part.lu.border_entries())
                    part.add_servers(A + e.at * W, c, dense[static_cast<std::size_t>(e.row * nb + e.column)]);
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
                    part.add_servers(v + static_cast<std::size_t>(part.g.n_node + b) * W, c, zb[static_cast<std::size_t>(b)]);
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
    // The steady state at `x` of an interval, leakage with it: the coolest there is, reached from below. Newton on a convex
    // balance climbs to it without passing it. Where the climb turns down the loop gain has reached 1 before the balance was
    // met, and unless a cap ends the growth there is none.
    void steady(const Series& series, int interval, double x, const std::vector<ControlState>& controls, bool bounded) {
        std::vector<std::vector<double>> q, T;
        for (auto& part : parts)
            for (std::size_t c = 0; c < part.g.chips.size(); ++c)
                std::fill_n(part.leaks.begin() + static_cast<std::ptrdiff_t>(c * part.lanes), part.lanes, -part.g.chips[c].leakage);
        auto balance = [&] {
            evaluate(series, interval, x, controls);
            assemble();
            load(q);
        };
        balance();
        steady(q, T, z);
        if (!leaky || !(hottest_excess(T) < 1e6)) return take(T);  // some heat has no way out: the caller sees it
        auto climb = [&](bool newton) {  // one step; the largest rise and the largest fall of a chip's junction
            const double ceiling = bounded ? kBound : std::numeric_limits<double>::infinity();
            leak_at(T, ceiling);
            balance();
            if (newton) {
                slopes_at(T, ceiling);
                for (std::size_t p = 0; p < parts.size(); ++p)
                    for (const auto& f : parts[p].feedback)
                        for (std::size_t v = 0; v < parts[p].lanes; ++v) {
                            const Part& part = parts[p];
                            const int junction = part.g.chips[static_cast<std::size_t>(f.chip)].node;
                            q[p][part.at(static_cast<int>(v), part.lu.position(f.node))] -=
                                f.fraction * part.slope[static_cast<std::size_t>(f.chip) * part.lanes + v] *
                                T[p][part.at(static_cast<int>(v), part.lu.position(junction))];
                        }
            }
            const auto from = T;
            factor(0.0, 2, newton);
            T = q;
            z.assign(z.size(), 0.0);
            solve(T, z);
            double rise = 0, fall = 0;
            for (std::size_t p = 0; p < parts.size(); ++p)
                for (const auto& chip : parts[p].g.chips)
                    for (int v = 0; v < parts[p].g.n_server; ++v) {
                        const std::size_t at = parts[p].at(v, parts[p].lu.position(chip.node));
                        const double by = T[p][at] - from[p][at];
                        if (!std::isfinite(by)) rise = fall = std::numeric_limits<double>::infinity();
                        rise = std::max(rise, by), fall = std::max(fall, -by);
                    }
            if (newton && fall > 1e-7 + 1e-9 * rise) T = from;
            return std::make_pair(rise, fall);
        };
        auto settled = [](std::pair<double, double> moved) { return std::max(moved.first, moved.second) < 1e-10; };
        for (int i = 0; i < 100; ++i) {
            const auto moved = climb(true);
            if (settled(moved)) return take(T);
            if (moved.second > 1e-7 + 1e-9 * moved.first) break;
        }
        const Runaway where = loop_gain(T, bounded ? kBound : std::numeric_limits<double>::infinity());
        const int most = where.gain < 1 || bounded ? 100'000 : 2'000;
        for (int i = 0; i < most; ++i) {  // as leakage itself would climb, to where a cap may hold it
            if (settled(climb(false))) return take(T);
            if (!bounded && hottest_excess(T) > 2 * kBound) throw where;
        }
        if (!bounded) throw where;
        take(T);  // close to the fold it creeps: near enough to be told as hot, or not
    }
    // The largest eigenvalue of K^-1 S at temperatures T, S what leakage gains with temperature, and the chip that is most in it.
    Runaway loop_gain(const std::vector<std::vector<double>>& T, double ceiling = std::numeric_limits<double>::infinity()) {
        slopes_at(T, ceiling);
        factor(0.0, 2);
        std::vector<std::vector<double>> v = T;
        for (auto& x : v) std::fill(x.begin(), x.end(), 1.0);
        Runaway found{nullptr, 0, 0, 0, 0, 0};
        for (int i = 0; i < 60; ++i) {
            auto next = v;
            double most = 0;
            for (std::size_t p = 0; p < parts.size(); ++p) {
                const Part& part = parts[p];
                std::fill(next[p].begin(), next[p].end(), 0.0);
                for (const auto& f : part.feedback)
                    for (int s = 0; s < part.g.n_server; ++s) {
                        const int junction = part.g.chips[static_cast<std::size_t>(f.chip)].node;
                        next[p][part.at(s, part.lu.position(f.node))] +=
                            f.fraction * part.slope[static_cast<std::size_t>(f.chip) * part.lanes + static_cast<std::size_t>(s)] *
                            v[p][part.at(s, part.lu.position(junction))];
                    }
            }
            std::vector<double> border(z.size(), 0.0);
            solve(next, border);
            for (std::size_t p = 0; p < parts.size(); ++p)
                for (std::size_t c = 0; c < parts[p].g.chips.size(); ++c) {
                    const Part& part = parts[p];
                    if (!(part.g.chips[c].leakage > 0)) continue;
                    for (int s = 0; s < part.g.n_server; ++s) {
                        const std::size_t at = part.at(s, part.lu.position(part.g.chips[c].node));
                        if (!(next[p][at] <= most)) {
                            most = next[p][at];
                            found = {&part.g, static_cast<int>(c), s, 0, T[p][at], most};
                        }
                    }
                }
            if (!(most > 0)) return found;
            for (auto& x : next)
                for (double& value : x) value /= most;
            v.swap(next);
        }
        return found;
    }
    bool trip(std::vector<ControlState>& controls) {
        bool any = false;
        for (std::size_t p = 0; p < parts.size(); ++p)
            for (int v = 0; v < parts[p].g.n_server; ++v)
                any |= controls[p].trip(parts[p].g, v, [&](int node) { return parts[p].T[parts[p].at(v, parts[p].lu.position(node))]; });
        return any;
    }
    // Whether firmware would act between the temperatures `from` and those at hand.
    bool firmware_acts(const std::vector<ControlState>& controls, const std::vector<std::vector<double>>& from) const {
        for (std::size_t p = 0; p < parts.size(); ++p) {
            const Part& part = parts[p];
            for (std::size_t c = 0; c < part.g.controllers.size(); ++c) {
                const Controller& law = part.g.controllers[c];
                if (law.kind != Controller::kFirmware) continue;
                for (int v = 0; v < part.g.n_server; ++v) {
                    const double rise0 = part.rise(law, from[p], v), rise1 = part.rise(law, v);
                    const std::size_t junction = part.at(v, part.lu.position(law.nodes[0]));
                    const double T0 = from[p][junction], T1 = part.T[junction];
                    if (controls[p].would_act(part.g, c, v, std::min(rise0, rise1), std::max(rise0, rise1), std::min(T0, T1),
                                              std::max(T0, T1)))
                        return true;
                }
            }
        }
        return false;
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
    // Controllers that tick at time t take their tick, firmware where asked to; whether any output moved.
    bool tick(std::vector<ControlState>& controls, double t, bool firmware) const {
        bool moved = false;
        for (std::size_t p = 0; p < parts.size(); ++p) {
            const Part& part = parts[p];
            for (std::size_t c = 0; c < part.g.controllers.size(); ++c) {
                const Controller& law = part.g.controllers[c];
                if ((law.kind == Controller::kFirmware && !firmware) || !ControlState::ticks_at(law, t)) continue;
                for (int v = 0; v < part.g.n_server; ++v) moved |= controls[p].tick(part.g, c, v, part.rise(law, v), part.first(law, v));
            }
        }
        return moved;
    }
    double next_tick(double t, bool firmware) const {
        double next = std::numeric_limits<double>::infinity();
        for (const auto& part : parts) next = std::min(next, ControlState::next_tick(part.g, t, firmware));
        return next;
    }
    // What a sample keeps of the temperatures as they stand; `start` is where the run began.
    void write(std::vector<Record>& records, double* record_border, int k, const std::vector<std::vector<double>>& start) const {
        for (std::size_t p = 0; p < parts.size(); ++p) {
            const Part& part = parts[p];
            const std::size_t slots = part.g.record_nodes.size(), S = static_cast<std::size_t>(part.g.n_server),
                              all = S * static_cast<std::size_t>(part.repeats);
            double* nodes = records[p].nodes + static_cast<std::size_t>(k) * all * slots;
            double* stored = records[p].stored + static_cast<std::size_t>(k) * all;
            for (std::size_t v = 0; v < S; ++v) {
                const int server = static_cast<int>(v);
                for (std::size_t s = 0; s < slots; ++s) nodes[v * slots + s] = part.T[part.at(server, part.lu.position(part.g.record_nodes[s]))];
                stored[v] = 0;
                for (int i = 0; i < part.g.n_node; ++i) {
                    const std::size_t e = part.at(server, i);
                    stored[v] += part.capacity[e] * (part.T[e] - start[p][e]);
                }
            }
            for (std::size_t v = S; v < all; ++v) {
                std::copy_n(nodes + (v % S) * slots, slots, nodes + v * slots);
                stored[v] = stored[v % S];
            }
        }
        for (std::size_t s = 0; s < border_.record_nodes.size(); ++s)
            record_border[static_cast<std::size_t>(k) * border_.record_nodes.size() + s] =
                z[static_cast<std::size_t>(border_.record_nodes[s])];
    }
    void spread_border(Part& part) const {
        for (int c = 0; c < part.chunks; ++c)
            for (std::size_t b = 0; b < z.size(); ++b)
                for (int w = 0; w < kWidth; ++w)
                    part.T[(static_cast<std::size_t>(c) * part.rows + part.g.n_node + b) * kWidth + w] = z[b];
    }
    StepCount count;

  private:
    // Whether the signals that decide a part's coefficients moved since it was last seen.
    static bool see(Part& part) {
        bool moved = part.movers.empty() && !(part.assembled == part.coefficient);  // at first it holds no numbers
        for (std::size_t i = 0; i < part.movers.size(); ++i) {
            const double* now = part.signal.data() + static_cast<std::size_t>(part.movers[i]) * part.lanes;
            double* before = part.seen.data() + i * part.lanes;
            for (std::size_t v = 0; v < part.lanes; ++v) moved |= !(now[v] == before[v]), before[v] = now[v];
        }
        return moved;
    }
    // K of a chunk from its coefficients, where they moved.
    static bool assemble(Part& part, int c) {
        constexpr auto W = static_cast<std::size_t>(kWidth);
        const std::size_t o = static_cast<std::size_t>(c) * W;
        int from = part.rows;
        for (const auto& s : part.slots) {
            if (s.position >= from) continue;
            const std::size_t at = static_cast<std::size_t>(s.coefficient) * part.lanes + o;
            for (std::size_t w = 0; w < W; ++w)
                if (!(part.coefficient[at + w] == part.assembled[at + w])) from = s.position;
        }
        if (from == part.rows) return false;
        part.moved_from[static_cast<std::size_t>(c)] = std::min(part.moved_from[static_cast<std::size_t>(c)], from);
        const std::size_t E = part.lu.entries() * W;
        double* K = part.K.data() + static_cast<std::size_t>(c) * E;
        std::fill(K, K + E, 0.0);
        for (const auto& s : part.slots) {
            const double* k = part.coefficient.data() + static_cast<std::size_t>(s.coefficient) * part.lanes + o;
            for (std::size_t w = 0; w < W; ++w) K[s.row_diagonal * W + w] += k[w];
            if (s.boundary < 0)
                for (std::size_t w = 0; w < W; ++w) K[s.row_far * W + w] -= k[w];
        }
        return true;
    }
    void take(const std::vector<std::vector<double>>& T) {
        for (std::size_t p = 0; p < parts.size(); ++p) parts[p].T = T[p];
    }
    static constexpr double kBound = 150;  // K above a chip's reference: nothing lives there
    void slopes_at(const std::vector<std::vector<double>>& T, double ceiling) {  // with the signals as they stand, and their controls
        for (std::size_t p = 0; p < parts.size(); ++p) {
            Part& part = parts[p];
            for (std::size_t c = 0; c < part.g.chips.size(); ++c) {
                const Chip& chip = part.g.chips[c];
                if (!(chip.leakage > 0)) continue;
                for (int v = 0; v < static_cast<int>(part.lanes); ++v) {
                    const double rise = T[p][part.at(v, part.lu.position(chip.node))];
                    const double more = leak(chip, rise);
                    const bool answers = rise < chip.reference + ceiling && drawn(part.g, chip, part.signal.data(), part.lanes, (*controls_)[p].output.data(),
                                               std::min(v, part.g.n_server - 1), v, more).answers;
                    part.slope[c * part.lanes + static_cast<std::size_t>(v)] = answers ? (chip.leakage + more) / chip.scale : 0.0;
                }
            }
        }
    }
    double hottest_excess(const std::vector<std::vector<double>>& T) const {
        double most = 0;
        for (std::size_t p = 0; p < parts.size(); ++p)
            for (const auto& chip : parts[p].g.chips)
                for (int v = 0; v < parts[p].g.n_server; ++v) {
                    const double excess = T[p][parts[p].at(v, parts[p].lu.position(chip.node))] - chip.reference;
                    if (!(excess <= most)) most = excess;  // a NaN stays
                }
        return most;
    }

    const Border& border_;
    const std::vector<ControlState>* controls_ = nullptr;  // of the last `evaluate`
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
                for (int c = 0; c < part.chunks; ++c)
                    part.add_servers(part.K.data() + (static_cast<std::size_t>(c) * part.lu.entries() + part.lu.border_diagonal(b)) * kWidth, c, own);
            if (border_.capacity[b] > 0) stiffest_ = std::max(stiffest_, own / border_.capacity[b]);
        }
        return stiffest_;
    }
};

}  // namespace thermo
