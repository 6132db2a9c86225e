// The exact stepper on its way through the samples: what changes when, and where single steps will not do.
#pragma once
#include <algorithm>
#include <cmath>
#include <cstdint>
#include <cstring>
#include <memory>
#include <unordered_map>
#include <vector>

#include "thermo/leakage.hpp"
#include "thermo/propagator.hpp"

namespace thermo {

// Servers first..first+n-1 on their way through the samples, W to a vector.
//
// Most intervals are crossed from stop to stop (samples, ticks of fans) in single steps. Two things ask for more, and are
// looked at behind each step: firmware that would have acted on the way, and leakage that no straight line tells. Where a
// server needs that, it alone goes back to the begin of the interval and crosses it again, with the ticks of its firmware
// and steps as short as it takes. What a server does thus never depends on its neighbours.
//
// Leakage is a source that runs straight over a step. Its end is what the chip leaks at the temperature that the step ends
// with, its mean what it leaks along the way, by the mean and the variance of the temperature: the mean is a linear
// functional of state and inputs, exact as the step itself. Newton on these two numbers per chip closes the step.
template <int W>
class Propagator::Lanes {
  public:
    Lanes(const Propagator& propagator, const Series& all_series, const std::vector<char>& constant, int first_server, int servers,
          const double* T, ControlState& controls, const Record& where, double tolerance_)
        : o(propagator), g(propagator.g), series(all_series), constants(constant), first(first_server), n(servers), control(controls),
          record(where), tolerance(tolerance_), L(static_cast<std::size_t>(g.n_node)), S(static_cast<std::size_t>(g.n_server)),
          U(static_cast<std::size_t>(o.n_input)), F(o.n_number), linear(all_series.any_linear()), leaky(o.leaky),
          ramps(linear || leaky), value(L * W), start(L * W), capacity(L * W), before(L * W), left(U * W), right(U * W), middle(U * W),
          change(U * W), coefficient(g.coefficients.size() * W), number(F * W), scratch(o.n_scratch * W), one(F),
          one_coefficient(g.coefficients.size()), one_capacity(L), leak_left(g.chips.size() * W), leak_right(g.chips.size() * W),
          old_left(o.answering.size() * W), old_right(o.answering.size() * W), way(o.n_watched * W), mean(g.record_signals.size() * W), only(mean.size()), in(W), out(W), varies(U, 0) {
        for (std::size_t i = 0; i < L; ++i)
            for (int w = 0; w < W; ++w) {
                value[i * W + w] = start[i * W + w] = T[i * S + lane(w)];
                capacity[i * W + w] = g.capacity[i * S + lane(w)];
            }
        const auto moves = g.moves_coefficients();
        for (int k = 0; k < g.n_signal(); ++k)
            if (moves[static_cast<std::size_t>(k)]) movers.push_back(k);
        find_varying();
        current = number.data();
    }

    template <class Stop>
    bool run(Stop&& stop, double* T) {
        std::vector<double> begin_value, begin_control;
        for (int k = 0; k < series.n_time; ++k) {
            if (has_limits()) {
                begin_value = value;
                begin_control.clear();
                each_control([&](double& c, int) { begin_control.push_back(c); });
            }
            std::fill(hard, hard + W, false);
            if (!interval(k, false, true, stop)) return false;
            for (int w = 0; w < n; ++w)
                if (hard[w] && !again(w, k, begin_value, begin_control, stop)) return false;
            book(k);
            if (stop()) return false;
        }
        for (std::size_t i = 0; i < L; ++i)
            for (int w = 0; w < n; ++w) T[i * S + lane(w)] = value[i * W + w];
        return true;
    }

  private:
    template <int>
    friend class Propagator::Lanes;

    const Propagator& o;
    const Group& g;
    const Series& series;
    const std::vector<char>& constants;  // series that never change
    const int first, n;
    ControlState& control;
    const Record& record;
    const double tolerance;
    const std::size_t L, S, U, F;
    const bool linear, leaky, ramps;

    std::vector<double> value, start, capacity, before;  // [node][W]
    std::vector<double> left, right, middle, change;     // [input][W], at the ends and the middle of a step
    std::vector<double> coefficient, number, scratch, one, one_coefficient, one_capacity;
    std::vector<double> leak_left, leak_right;  // [chip][W]
    std::vector<double> old_left, old_right;    // [answering][W], before a correction
    std::vector<double> way;                    // [watched][W], mean temperatures of the step
    std::vector<double> mean, only, in, out;    // of the interval; `only`: the level of its last piece
    int pieces = 0;
    std::vector<char> varies;                   // [input], from sample to sample; the rest changes with a controller only
    bool coefficients_vary = false, driven_vary = false;
    std::vector<int> movers;  // signals that decide the coefficients
    bool hard[W] = {};
    bool moved = false;  // a controller's output did
    double h = 1.0, held = 0;
    unsigned n_step = 0;
    std::unique_ptr<Lanes<1>> alone[W];

    // Cache of numbers by lane and key (the movers' values and the step)
    struct Key {
        std::vector<double> v;
        bool operator==(const Key& other) const { return std::memcmp(v.data(), other.v.data(), v.size() * sizeof(double)) == 0; }
    };
    struct Hash {
        std::size_t operator()(const Key& k) const {
            std::uint64_t hash = 1469598103934665603ull;
            for (double d : k.v) {
                std::uint64_t bits;
                std::memcpy(&bits, &d, sizeof bits);
                hash = (hash ^ bits) * 1099511628211ull;
                hash ^= hash >> 29;
            }
            return static_cast<std::size_t>(hash);
        }
    };
    static constexpr std::size_t kPoolLimit = 8u << 20;  // doubles: 64 MB for a chunk
    std::unordered_map<Key, std::size_t, Hash> cache[W];
    std::vector<double> pool;
    Key now[W], wanted;
    std::unordered_map<Key, std::vector<double>, Hash> packs;
    const double* current = nullptr;

    std::size_t lane(int w) const { return static_cast<std::size_t>(first + std::min(w, n - 1)); }
    bool has_limits() const { return leaky || o.has_firmware; }
    template <class Use>
    void each_control(Use&& use) {
        for (auto* table : {&control.output, &control.integral})
            for (std::size_t c = 0; c < g.controllers.size(); ++c)
                for (int w = 0; w < n; ++w) use((*table)[c * S + lane(w)], w);
    }

    void find_varying() {
        const auto moving = g.following([&](int s) {
            bool moves = o.answers[static_cast<std::size_t>(s)] != 0;
            if (g.signals[static_cast<std::size_t>(s)].kind == SignalKind::series)
                for (int w = 0; w < n; ++w) moves |= !constants[static_cast<std::size_t>(g.series[static_cast<std::size_t>(s) * S + lane(w)])];
            return moves;
        });
        std::copy(moving.begin(), moving.end(), varies.begin());
        for (int s : movers) coefficients_vary |= varies[static_cast<std::size_t>(s)] != 0;
        for (const auto& d : o.driven) {
            char& v = varies[static_cast<std::size_t>(o.input_of_driven[static_cast<std::size_t>(d.node)])];
            for (const auto& t : d.terms) v |= t.input >= 0 && varies[static_cast<std::size_t>(t.input)];
            driven_vary |= v != 0;
        }
    }

    // Signals at `x` of interval k with the chips' `leaks`: all, or those that vary.
    void evaluate(int k, double x, std::vector<double>& into, bool all, const std::vector<double>& leaks) {
        for (int s = 0; s < g.n_signal(); ++s)
            if (all || varies[static_cast<std::size_t>(s)])
                evaluate_signal(g, s, series, k, x, control.output.data(), leaks.data(), first, n, W, into.data(), W);
    }
    void evaluate_answers(int k, double x, std::vector<double>& into, const std::vector<double>& leaks) {
        for (int s : o.answering)
            evaluate_signal(g, s, series, k, x, control.output.data(), leaks.data(), first, n, W, into.data(), W);
    }
    void inputs(std::vector<double>& u) {
        o.sweep<W>(o.driven, current, value.data(), u.data(), u.data(), &o.input_of_driven);
    }
    // What the chips leak at the temperatures as they stand, into both ends of a step.
    void leak_as_now() {
        for (std::size_t c = 0; c < g.chips.size(); ++c)
            if (g.chips[c].leakage > 0)
                for (int w = 0; w < W; ++w)
                    leak_left[c * W + w] = leak_right[c * W + w] = leak(g.chips[c], value[static_cast<std::size_t>(g.chips[c].node) * W + w]);
    }

    void renew(double step, const std::vector<double>& at);

    void write(int k) {
        o.read_nodes<W>(current, left.data(), value.data());
        double stored[W] = {};
        for (const auto& b : o.blocks)
            for (int i = b.n_core; i < b.n_core + b.n; ++i) {
                const std::size_t at = static_cast<std::size_t>(b.nodes[static_cast<std::size_t>(i)]) * W;
                for (int w = 0; w < W; ++w) stored[w] += capacity[at + w] * (value[at + w] - start[at + w]);
            }
        const std::size_t n_slot = g.record_nodes.size();
        for (int w = 0; w < n; ++w) {
            const std::size_t at = static_cast<std::size_t>(k) * S + lane(w);
            for (std::size_t q = 0; q < n_slot; ++q)
                record.nodes[at * n_slot + q] = value[static_cast<std::size_t>(g.record_nodes[q]) * W + w];
            record.stored[at] = stored[w];
        }
    }
    // Means and balances are linear in time while nothing moves, so they are booked when something may: at times that are
    // the same for all servers, so that a server's bits do not depend on its neighbours.
    void settle_accounts() {
        if (held == 0) return;
        auto level = [&](std::size_t at) { return ramps ? 0.5 * (left[at] + right[at]) : left[at]; };
        for (std::size_t q = 0; q < g.record_signals.size(); ++q)
            for (int w = 0; w < W; ++w) {
                const double here = level(static_cast<std::size_t>(g.record_signals[q]) * W + w);
                mean[q * W + w] += held * here;
                only[q * W + w] = here;
            }
        ++pieces;
        for (const auto& s : g.sources)
            for (int w = 0; w < W; ++w) in[w] += held * s.fraction * level(static_cast<std::size_t>(s.signal) * W + w);
        const double* direct = current + o.direct_at * W;
        for (std::size_t i : o.listened)
            for (int w = 0; w < W; ++w) out[w] += held * direct[i * W + w] * level(i * W + w);
        held = 0;
    }
    void book(int k) {
        const bool last = k + 1 == series.n_time;
        const std::size_t n_mean = g.record_signals.size();
        for (int w = 0; w < n; ++w) {
            const std::size_t at = static_cast<std::size_t>(k) * S + lane(w);
            for (std::size_t q = 0; q < n_mean; ++q)
                record.signals[at * n_mean + q] = last ? left[static_cast<std::size_t>(g.record_signals[q]) * W + w] : mean[q * W + w];
            record.energy_in[at] = in[w];
            record.energy_out[at] = out[w];
        }
    }

    // Server w crosses interval k again, alone and with care, from where it began.
    template <class Stop>
    bool again(int w, int k, const std::vector<double>& begin_value, const std::vector<double>& begin_control, Stop&& stop) {
        if (!alone[w]) {
            std::vector<double> T(L * S);  // only this server's column is read
            for (std::size_t i = 0; i < L; ++i) T[i * S + lane(w)] = value[i * W + w];
            alone[w] = std::make_unique<Lanes<1>>(o, series, constants, first + w, 1, T.data(), control, record, tolerance);
        }
        Lanes<1>& it = *alone[w];
        for (std::size_t i = 0; i < L; ++i) it.value[i] = begin_value[i * W + w];
        std::size_t at = 0;
        each_control([&](double& c, int v) {
            if (v == w) c = begin_control[at];
            ++at;
        });
        it.moved = true;  // since it last ran
        if (!it.interval(k, true, false, stop)) return false;
        for (std::size_t i = 0; i < L; ++i) value[i * W + w] = it.value[i];
        for (std::size_t q = 0; q < g.record_signals.size(); ++q) mean[q * W + w] = it.mean[q];
        in[w] = it.in[0], out[w] = it.out[0];
        moved = true;
        return true;
    }

    // Through interval k. With `care`: with the ticks of firmware, and steps as short as leakage asks for. Without, servers for
    // which that would have made a difference are marked in `hard`.
    template <class Stop>
    bool interval(int k, bool care, bool writes, Stop&& stop) {
        const bool last = k + 1 == series.n_time;
        const double begin = series.time[k], end = last ? begin : series.time[k + 1], span = end - begin;
        std::fill(mean.begin(), mean.end(), 0.0);
        pieces = 0;
        std::fill(in.begin(), in.end(), 0.0);
        std::fill(out.begin(), out.end(), 0.0);
        // Durations without the rounding of the clock: equal steps get equal bits, and their exponentials are found again.
        const double quantum = last ? 1.0 : std::ldexp(1.0, std::ilogb(std::max(std::fabs(begin), std::fabs(end))) - 50);
        auto even = [quantum](double duration) { return std::max(1.0, std::nearbyint(duration / quantum)) * quantum; };
        double t = begin, reached = 0;
        bool fresh = true;
        do {
            const double next = std::min(end, ControlState::next_tick(g, t, care));
            const double h_before = h;
            if (!last) {
                const double to = even(next - begin);
                h = to - reached;
                reached = to;
            }
            const double xl = span > 0 ? (t - begin) / span : 0.0, xr = span > 0 ? (next - begin) / span : 0.0;
            prepare(k, xl, xr, h_before, moved || (fresh && k == 0), fresh);
            moved = false;
            if (fresh && writes) write(k);
            fresh = false;
            if (last) break;
            if (leaky) {
                cross_leaking(k, xl, xr, care, 0, begin + xl * span);
            } else {
                if (linear)
                    for (std::size_t i = 0; i < U * W; ++i) change[i] = right[i] - left[i];
                held += h;
                if (linear) settle_accounts();
                if (o.has_firmware) before = value;
                o.advance<W>(current, left.data(), linear ? change.data() : nullptr, value.data(), out.data());
            }
            if (!care && o.has_firmware) look_for_firmware();
            if ((++n_step & 7) == 0 && stop()) return false;  // a sample may be far away
            t = next;
            bool read = false;
            for (std::size_t c = 0; c < g.controllers.size(); ++c) {
                const Controller& law = g.controllers[c];
                if ((law.kind == Controller::kFirmware && !care) || !ControlState::ticks_at(law, t)) continue;
                settle_accounts();
                if (o.controls_read && !read) o.read_nodes<W>(current, (ramps ? right : left).data(), value.data()), read = true;
                for (int w = 0; w < n; ++w)
                    moved |= control.tick(g, c, first + w, rise(law, value, w), value[static_cast<std::size_t>(law.nodes[0]) * W + w]);
            }
        } while (t < end - 1e-10);
        settle_accounts();
        for (std::size_t i = 0; i < mean.size() && !last; ++i) mean[i] = pieces == 1 ? only[i] : mean[i] / span;  // one is exact
        return true;
    }
    static double rise(const Controller& law, const std::vector<double>& T, int w) {
        double most = -1e300;
        for (std::size_t i = 0; i < law.nodes.size(); ++i)
            most = std::max(most, T[static_cast<std::size_t>(law.nodes[i]) * W + w] - law.target[i]);
        return law.relative < 0 ? most : most - T[static_cast<std::size_t>(law.relative) * W + w];
    }

    // Inputs at both ends of a step of h, and the numbers for it.
    void prepare(int k, double xl, double xr, double h_before, bool all, bool fresh) {
        if (leaky) leak_as_now();
        if (all || fresh || ramps) {
            settle_accounts();
            evaluate(k, xl, left, all, leak_left);
            if (linear) {
                evaluate(k, xr, right, all, leak_right);
                evaluate(k, 0.5 * (xl + xr), middle, all, leak_left);
            }
        }
        if (all || h != h_before || coefficients_vary) renew(h, linear ? middle : left);
        if (all || coefficients_vary || driven_vary) {
            inputs(left);
            if (linear) inputs(right);
        }
        if (ramps && !linear) right = left;
    }

    // Whether the firmware of a server would have acted inside the step behind: see Lanes.
    void look_for_firmware() {
        constexpr double kFar = 25.0;  // K, more than any path between ends so much cooler has been seen to rise
        bool averaged = false;
        for (std::size_t c = 0; c < g.controllers.size(); ++c) {
            const Controller& law = g.controllers[c];
            if (law.kind != Controller::kFirmware) continue;
            for (int w = 0; w < n; ++w) {
                if (hard[w]) continue;
                const std::size_t at = c * S + lane(w), junction = static_cast<std::size_t>(law.nodes[0]) * W + w;
                if (control.output[at] == 0) continue;
                const double rise0 = rise(law, before, w), rise1 = rise(law, value, w);
                if (control.output[at] == law.high && control.integral[at] == law.high && std::max(rise0, rise1) < -kFar &&
                    std::max(before[junction], value[junction]) < std::min(law.slowdown, law.shutdown) - kFar)
                    continue;
                // The mean tells how far the path bulges above or below the line between its ends.
                if (!averaged) o.means<W>(current, before.data(), left.data(), ramps ? change.data() : nullptr, way.data()), averaged = true;
                double least = 1e300, most = -1e300, coldest = 0, hottest = 0;
                for (std::size_t i = 0; i < law.nodes.size(); ++i) {
                    const std::size_t node = static_cast<std::size_t>(law.nodes[i]);
                    const double a = before[node * W + w], b = value[node * W + w], middle_ = 0.5 * (a + b),
                                 bulge = 2 * way[o.watched_as[node] * W + w] - middle_;
                    const double low = std::min({a, b, bulge}), high = std::max({a, b, bulge});
                    if (i == 0) coldest = low, hottest = high;
                    least = std::min(least, low - law.target[i]);
                    most = std::max(most, high - law.target[i]);
                }
                least = std::min({least, rise0, rise1});
                hard[w] = control.would_act(g, c, first + w, least, most, coldest, hottest);
            }
        }
    }

    // One step with leakage, from xl to xr of interval k, inputs and numbers ready. Where it does not close: with `care` in two
    // halves, else the servers are marked.
    void cross_leaking(int k, double xl, double xr, bool care, int depth, double t) {
        constexpr int kMostIterations = 12;
        before = value;
        double out_before[W];
        std::copy(out.begin(), out.end(), out_before);
        for (std::size_t i = 0; i < U * W; ++i) change[i] = right[i] - left[i];
        o.advance<W>(current, left.data(), change.data(), value.data(), out.data());
        o.means<W>(current, before.data(), left.data(), change.data(), way.data());
        bool open[W], bad[W] = {}, any = true;
        std::fill(open, open + W, true);
        for (int iteration = 0; any; ++iteration) {
            double off[W] = {}, error[W] = {};
            for (std::size_t c = 0; c < g.chips.size(); ++c)
                if (g.chips[c].leakage > 0) close_leak(c, open, off, error, bad);
            any = false;
            for (int w = 0; w < W; ++w) {
                if (!open[w]) continue;
                bad[w] = bad[w] || !(error[w] <= 0.25 * tolerance) || iteration == kMostIterations;
                open[w] = !bad[w] && off[w] >= 0.02 * tolerance;  // Newton: what is left behind is the square of its last step
                any |= open[w];
            }
            take_leaks(k, xl, xr);
        }
        if (o.has_firmware)
            for (std::size_t i = 0; i < U * W; ++i) change[i] = right[i] - left[i];
        bool whole = true;
        for (int w = 0; w < n; ++w) whole &= !bad[w];
        if (!whole && care) {
            value = before;
            std::copy(out_before, out_before + W, out.begin());
            return cross_in_halves(k, xl, xr, depth, t);
        }
        for (int w = 0; w < n && !whole; ++w)
            if (bad[w]) {  // it goes back to the begin of the interval: until then anything finite will do
                hard[w] = true;
                for (std::size_t i = 0; i < L; ++i) value[i * W + w] = before[i * W + w];
            }
        held = h;
        settle_accounts();
    }
    // A step of Newton for both ends of a chip's leakage in the lanes that are `open`: moves them by what they are `off` [K],
    // and says how far the straight line may be from the truth (`error` [K]), and where it is no use at all (`bad`).
    void close_leak(std::size_t c, const bool* open, double* off, double* error, bool* bad) {
        const Chip& chip = g.chips[c];
        const ChipPlace& p = o.chip_places[c];
        const Block& b = o.blocks[p.block];
        const auto m = static_cast<std::size_t>(b.m), column = static_cast<std::size_t>(p.column);
        auto of_power = [&](std::size_t table, std::size_t row, int w) {  // what its own power does to the end or the mean [K/W]
            return p.column < 0 ? 0.0 : current[(table + row * m + column) * W + static_cast<std::size_t>(w)];
        };
        for (int w = 0; w < W; ++w) {
            if (!open[w]) continue;
            const std::size_t junction = static_cast<std::size_t>(chip.node) * W + static_cast<std::size_t>(w);
            double &l = leak_left[c * W + static_cast<std::size_t>(w)], &r = leak_right[c * W + static_cast<std::size_t>(w)];
            const bool answers = drawn(g, chip, right.data(), W, control.output.data(), static_cast<int>(lane(w)), w, r).answers;
            const LeakResponse by{of_power(b.gain, p.row, w), of_power(b.ramp, p.row, w), of_power(b.mean_input, p.watched, w),
                                  of_power(b.mean_ramp, p.watched, w)};
            const LeakClosure closed = close_leak_line(chip, before[junction], value[junction],
                                                       way[(b.watched_at + p.watched) * W + static_cast<std::size_t>(w)], answers, by, l, r);
            if (closed.bad) bad[w] = true;
            off[w] = std::max(off[w], closed.off);
            error[w] = std::max(error[w], closed.error);
        }
    }
    // New leakage comes in, and leads to new ends and means; lanes that are closed see their own values again.
    void take_leaks(int k, double xl, double xr) {
        for (std::size_t i = 0; i < o.answering.size(); ++i) {
            const std::size_t at = static_cast<std::size_t>(o.answering[i]) * W;
            std::copy_n(left.data() + at, W, old_left.data() + i * W);
            std::copy_n(right.data() + at, W, old_right.data() + i * W);
        }
        evaluate_answers(k, xl, left, leak_left);
        evaluate_answers(k, xr, right, leak_right);
        o.correct<W>(current, old_left.data(), old_right.data(), left.data(), right.data(), value.data(), out.data(), way.data());
    }
    void cross_in_halves(int k, double xl, double xr, int depth, double t) {
        constexpr int kMostHalvings = 24;
        if (depth == kMostHalvings) {
            if (control.trip(g, first, [&](int node) { return value[static_cast<std::size_t>(node) * W]; })) {
                prepare(k, xl, xr, -1.0, true, false);
                moved = true;
                return cross_leaking(k, xl, xr, true, depth, t);
            }
            auto excess = [&](std::size_t c) { return value[static_cast<std::size_t>(g.chips[c].node) * W] - g.chips[c].reference; };
            std::size_t worst = 0;
            for (std::size_t c = 0; c < g.chips.size(); ++c)
                if (g.chips[c].leakage > 0 && (!(g.chips[worst].leakage > 0) || excess(c) > excess(worst))) worst = c;
            throw Runaway{&g, static_cast<int>(worst), first, t, value[static_cast<std::size_t>(g.chips[worst].node) * W], 0};
        }
        const double full = h, half = 0.5 * h, ends[3] = {xl, 0.5 * (xl + xr), xr};
        for (int part = 0; part < 2; ++part) {
            h = half;
            prepare(k, ends[part], ends[part + 1], -1.0, true, false);
            cross_leaking(k, ends[part], ends[part + 1], true, depth + 1, t + part * half);
        }
        h = full;
        moved = true;  // the numbers at hand are those of the half step
    }
};

// Points `current` at the numbers for the signals in `at` and the step. Servers in step share whole packs, ready made;
// where they differ only the lanes that changed are touched, in `number`.
template <int W>
void Propagator::Lanes<W>::renew(double step_, const std::vector<double>& at) {
    bool in_step = true;
    for (int s : movers)
        for (int w = 1; w < n; ++w)
            in_step &= at[static_cast<std::size_t>(s) * W + w] == at[static_cast<std::size_t>(s) * W];
    if (in_step) {
        wanted.v.resize(movers.size() + 1);
        for (std::size_t i = 0; i < movers.size(); ++i) wanted.v[i] = at[static_cast<std::size_t>(movers[i]) * W];
        wanted.v.back() = step_;
        auto found = packs.find(wanted);
        if (found == packs.end()) {
            if (packs.size() * F * W > kPoolLimit) packs.clear();
            found = packs.emplace(wanted, std::vector<double>(F * W)).first;
            evaluate_coefficients(g, at.data(), W, first, n, W, coefficient.data(), W);
            double step[W];
            for (double& s : step) s = step_;
            o.build_chunk<W>(coefficient.data(), capacity.data(), step, ramps, found->second.data(), scratch.data());
        }
        current = found->second.data();
        return;
    }
    current = number.data();
    int stale[W] = {}, n_stale = 0, known[W] = {}, n_known = 0;
    std::size_t from[W] = {};
    for (int w = 0; w < n; ++w) {
        wanted.v.resize(movers.size() + 1);
        for (std::size_t i = 0; i < movers.size(); ++i)
            wanted.v[i] = at[static_cast<std::size_t>(movers[i]) * W + w];
        wanted.v.back() = step_;
        if (!now[w].v.empty() && now[w] == wanted) continue;
        now[w] = wanted;
        const auto found = cache[w].find(wanted);
        if (found == cache[w].end()) {
            stale[n_stale++] = w;
            continue;
        }
        from[n_known] = found->second;
        known[n_known++] = w;
    }
    if (n_stale == 0)
        for (std::size_t f = 0; f < F; ++f)
            for (int q = 0; q < n_known; ++q) number[f * W + known[q]] = pool[from[q] + f];
    if (n_stale == 0) return;
    evaluate_coefficients(g, at.data(), W, first, n, W, coefficient.data(), W);
    if (n_stale + n_known > 2) {  // all lanes at once: those that are known get the same bits again
        double step[W];
        for (double& s : step) s = step_;
        o.build_chunk<W>(coefficient.data(), capacity.data(), step, ramps, number.data(), scratch.data());
    } else {
        for (std::size_t f = 0; f < F; ++f)
            for (int q = 0; q < n_known; ++q) number[f * W + known[q]] = pool[from[q] + f];
        for (int q = 0; q < n_stale; ++q) {
            const int w = stale[q];
            for (std::size_t c = 0; c < one_coefficient.size(); ++c) one_coefficient[c] = coefficient[c * W + w];
            for (std::size_t i = 0; i < L; ++i) one_capacity[i] = capacity[i * W + w];
            o.build<1>(one_coefficient.data(), one_capacity.data(), &step_, ramps, one.data(), scratch.data());
            for (std::size_t f = 0; f < F; ++f) number[f * W + w] = one[f];
        }
    }
    for (int q = 0; q < n_stale; ++q) {
        if (pool.size() + F > kPoolLimit) {
            pool.clear();
            for (auto& c : cache) c.clear();
        }
        const int w = stale[q];
        cache[w].emplace(now[w], pool.size());
        for (std::size_t f = 0; f < F; ++f) pool.push_back(number[f * W + w]);
    }
    if (n < W && n_stale > 0)  // padding lanes follow the last server
        for (std::size_t f = 0; f < F; ++f)
            for (int w = n; w < W; ++w) number[f * W + w] = number[f * W + n - 1];
}

template <class Stop>
void Propagator::run(const Series& series, const std::vector<char>& constant, int first, int n, double* T, ControlState& control,
                     const Record& record, double tolerance, Stop&& stop) const {
    if (n == 1)
        Lanes<1>(*this, series, constant, first, n, T, control, record, tolerance).run(stop, T);
    else if (n <= kWidth / 2)
        Lanes<kWidth / 2>(*this, series, constant, first, n, T, control, record, tolerance).run(stop, T);
    else
        Lanes<kWidth>(*this, series, constant, first, n, T, control, record, tolerance).run(stop, T);
}

}  // namespace thermo
