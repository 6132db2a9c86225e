// The TR-BDF2 stepper on the assembled system.
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

#include "thermo/assembly.hpp"

namespace thermo {

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
    struct {
        Vectors T, in, out, mean;
        std::vector<double> z;
        double proposed;
    } before;              // the stretch, to go back to where firmware would have acted on the way
    double care_until = -std::numeric_limits<double>::infinity();  // cross with the ticks of firmware until then
    // Loads with leakage: what the chips leak at T, in the signals and the loads of a stage at y of the stretch.
    Vectors q_start, q_mid, q_end, s_start, s_mid, s_end;
    double x_left = 0, x_right = 0;
    int interval = 0;
    auto answer = [&](double y, const Vectors& T, Vectors& q, Vectors& signals) {
        a.leak_at(T);
        a.evaluate(series, interval, x_left + y * (x_right - x_left), controls);
        a.load(q);
        signals.resize(P);
        for (std::size_t p = 0; p < P; ++p) signals[p] = a.parts[p].signal;
    };
    // Solves a stage, `base` without its load, with leakage at its own temperatures; x holds a first guess of them. False
    // where that does not settle, or gets hotter than silicon can be.
    auto solve_stage = [&](double y, const Vectors& base, const std::vector<double>& base_border, Vectors& at, std::vector<double>& border,
                           Vectors& q, Vectors& signals) {
        constexpr double kHottest = 300.0;  // K above a chip's reference
        for (int i = 0; i < 30; ++i) {
            answer(y, at, q, signals);
            Vectors next = base;
            for (std::size_t p = 0; p < P; ++p)
                for (std::size_t j = 0; j < next[p].size(); ++j) next[p][j] += q[p][j];
            border = base_border;
            a.solve(next, border);
            double moved = 0;
            for (std::size_t p = 0; p < P; ++p)
                for (const auto& chip : a.parts[p].g.chips)
                    for (int v = 0; v < a.parts[p].g.n_server && chip.leakage > 0; ++v) {
                        const std::size_t j = a.parts[p].at(v, a.parts[p].lu.position(chip.node));
                        if (!(next[p][j] < chip.reference + kHottest)) return false;
                        moved = std::max(moved, std::fabs(next[p][j] - at[p][j]));
                    }
            at.swap(next);
            if (moved < 1e-4 * std::min(tolerance, 0.1)) return true;
        }
        return false;
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
        interval = k;
        do {  // from stop to stop: samples and controller ticks
            const bool care = t < care_until - 1e-10;
            const double next = std::min(end, a.next_tick(t, care));
            if (a.has_firmware && !care && !last) {
                before.T.resize(P);
                for (std::size_t p = 0; p < P; ++p) before.T[p] = a.parts[p].T;
                before.z = a.z, before.in = in, before.out = out, before.mean = mean, before.proposed = proposed;
            }
            a.leak_as_now();
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
            x_left = xl, x_right = xr;
            if (a.leaky) q_start = q_left, s_start = left;
            a.settle(q_left);
            if (fresh) {
                fresh = false;
                a.write(records, record_border, k, start);
            }
            if (last) break;
            a.heat(q_left, F, f_border);
            const bool loads_hold = !a.leaky && (!linear || q_left == q_right);
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
            bool back = false, cut = false;  // to the begin of the stretch; it ends here, for a device went off
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
                        x[p][i] = A * part.capacity[i] * part.T[i] + F[p][i] + (a.leaky ? 0.0 : load_at(yg, p, i));
                }
                zb.assign(nb, 0.0);
                for (std::size_t b = 0; b < nb; ++b) zb[b] = A * C_border[b] * a.z[b] + f_border[b];
                bool settled = true;
                if (a.leaky) {
                    const Vectors base = x;
                    const std::vector<double> base_border = zb;
                    for (std::size_t p = 0; p < P; ++p) x[p] = a.parts[p].T;
                    settled = solve_stage(yg, base, base_border, x, zb, q_mid, s_mid);
                    a.leaving(x, [&](std::size_t p, std::size_t i) { return s_mid[p][i]; }, out_mid);
                } else {
                    a.solve(x, zb);
                    a.leaving(x, signals_at(yg), out_mid);
                }
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
                        T_new[p][i] = A * part.capacity[i] * part.T[i] + (w / d) * (F[p][i] + Fg[p][i]) + (a.leaky ? 0.0 : load_at(y1, p, i));
                }
                for (std::size_t b = 0; b < nb; ++b)
                    z_new[b] = A * C_border[b] * a.z[b] + (w / d) * (f_border[b] + fg_border[b]);
                if (a.leaky) {
                    const Vectors base = T_new;
                    const std::vector<double> base_border = z_new;
                    T_new = x;
                    settled = settled && solve_stage(y1, base, base_border, T_new, z_new, q_end, s_end);
                    if (!settled) {  // leakage grows faster than this step can follow
                        ++a.count.rejected;
                        proposed = 0.25 * h;
                        if (proposed < 1e-9 && a.trip(controls)) {
                            cut = true;
                            break;
                        }
                        if (forced_step > 0 || proposed < 1e-9) {
                            a.leak_as_now();
                            auto where = a.loop_gain(a.temperatures());
                            where.time = t + done;
                            throw where;
                        }
                        continue;
                    }
                } else {
                    a.solve(T_new, z_new);
                }
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
                            x[p][i] = B * a.parts[p].capacity[i] * a.parts[p].T[i] +
                                      (a.leaky ? 0.0 : 0.5 * (load_at(y0, p, i) + load_at(y1, p, i)));
                    for (std::size_t b = 0; b < nb; ++b) zb[b] = B * C_border[b] * a.z[b];
                    if (a.leaky) {
                        const Vectors base = x;
                        const std::vector<double> base_border = zb;
                        x = T_new;
                        solve_stage(0.5 * (y0 + y1), base, base_border, x, zb, q_mid, s_mid);
                    } else {
                        a.solve(x, zb);
                    }
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
                for (std::size_t p = 0; p < P; ++p) T_old[p] = a.parts[p].T;
                if (in_mid > 0) {
                    f_border = zb;
                    if (a.leaky)
                        a.leaving(T_old, [&](std::size_t p, std::size_t i) { return s_start[p][i]; }, out_start);
                    else
                        a.leaving(T_old, signals_at(y0), out_start);
                }
                if (a.leaky)
                    a.leaving(T_new, [&](std::size_t p, std::size_t i) { return (in_mid > 0 ? s_end : s_mid)[p][i]; }, out_end);
                else
                    a.leaving(T_new, signals_at(in_mid > 0 ? y1 : 0.5 * (y0 + y1)), out_end);
                for (std::size_t p = 0; p < P; ++p) {
                    auto& part = a.parts[p];
                    const auto lanes = part.lanes;
                    auto at = [&](int s, int v, double y) {  // the mean of signal s over the step, as the stages weigh it
                        const std::size_t i = static_cast<std::size_t>(s) * lanes + static_cast<std::size_t>(v);
                        if (a.leaky) return in_mid > 0 ? w * (s_start[p][i] + s_mid[p][i]) + d * s_end[p][i] : s_mid[p][i];
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
                    if (a.leaky) answer(y1, T_new, q_now, s_end);
                    for (std::size_t p = 0; p < P && !a.leaky; ++p) {
                        q_now[p].resize(q_left[p].size());
                        for (std::size_t i = 0; i < q_now[p].size(); ++i) q_now[p][i] = load_at(y1, p, i);
                    }
                    a.settle(q_now);
                    a.heat(q_now, F, f_border);
                }
                if (a.leaky) s_start.swap(s_end);
                done += h;
                ++a.count.steps;
                if (stop()) return;
                if (a.has_firmware && !care && a.firmware_acts(controls, T_old)) {
                    back = true;
                    break;
                }
            }
            if (back) {
                care_until = next;
                for (std::size_t p = 0; p < P; ++p) a.parts[p].T = before.T[p];
                a.z = before.z, in = before.in, out = before.out, mean = before.mean, proposed = before.proposed;
                continue;
            }
            if (cut) {
                t += done;
                proposed = 0;
                continue;
            }
            t = next;
            a.tick(controls, t, care);
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
