// Whole steps on the assembled system: the exponential of its matrix as a rational function, four sparse complex solves a step.
//
// While coefficients stand, C dT/dt = q - K T with q straight over a step of h. With A = -C^-1 K, f = C^-1 F and the heat
// F = q(0) - K T(0) into each node at the begin,
//
//     T(h) = T(0) + h phi1(hA) f + h phi2(hA) df,      mean of T = T(0) + h phi2(hA) f + h phi3(hA) df
//
// r(z) = 2 Re sum a_j / (z - p_j) stands for exp(z), and with r(0) = r'(0) = 1, r''(0) = 1 the phi functions that belong to it
// have the same poles, so that one set of solves gives all of them:
//
//     Y_j = -(K + p_j/h C)^-1 (F + dq/p_j),   T(h) - T(0) = 2 Re sum a_j/p_j Y_j,   mean - T(0) = 2 Re sum a_j/p_j^2 Y_j
//
// What is stored is what came in less what left on average, whatever the error of r: C (T(h) - T(0)) = h (mean q - K mean T)
// holds identically. Nodes without capacity need nothing of their own. r is within 2.1e-7 of exp on the negative real axis and
// on |z + 3| <= 3 (tools/rational_exponential.py; Trefethen, Weideman and Schmelzer 2006, BIT 46, 653-670 on functions of this
// kind). Further out, where many cells of a loop are passed in a step, the error grows and e(z), of the same poles, with it:
// the step is halved until it does not show.
#pragma once
#include <algorithm>
#include <cmath>
#include <complex>
#include <cstddef>
#include <limits>
#include <stdexcept>
#include <string>
#include <vector>

#include "thermo/assembly.hpp"
#include "thermo/leakage.hpp"
#include "thermo/shifted.hpp"

namespace thermo {

namespace rational {

constexpr int kPoles = shifted::kShifts;
using Table = double[kPoles][2];
constexpr Table kPole = {{4.6840756574620519, 1.3479704083537136},
                         {3.8644499678576181, 4.0530255148905212},
                         {2.0731932608175572, 6.782167978898511},
                         {-1.251771645325884, 9.5966209103502642}};
constexpr Table kResidue = {{-3.546515401551984, -46.833462234988332},
                            {5.0533452668949099, 22.143160409165862},
                            {-1.6028317086098163, -4.3307083559119892},
                            {0.096111585832414193, 0.22832795920378102}};
constexpr Table kEstimate = {{0.0017948132336062955, -0.0014360258075514765},
                             {-0.00093244659248882772, -0.0016184500324799638},
                             {-0.0009070782161908562, 0.00047805718005684313},
                             {0.00012537106634435285, 0.00025646374760109357}};
constexpr double kUsual = 1e-6;  // what |e| reaches where r is good

inline std::complex<double> entry(const Table& table, int j) { return {table[j][0], table[j][1]}; }

}  // namespace rational

class Rational {
    using Vectors = std::vector<std::vector<double>>;  // [part][...]

  public:
    Rational(Assembly& assembly, const Series& all_series, std::vector<ControlState>& control_states, double tolerance_kelvin)
        : a(assembly), series(all_series), controls(control_states), tolerance(tolerance_kelvin), linear(all_series.any_linear()),
          P(a.parts.size()), nb(a.z.size()), border_lu(static_cast<int>(nb), 0, border_pattern(a)), F(P), move(P), way(P), spare(P),
          border_x(nb * 2 * kPoles), border_work(nb * 2 * kPoles) {
        for (int j = 0; j < kPoles; ++j) {
            const auto p = rational::entry(rational::kPole, j), r = rational::entry(rational::kResidue, j);
            const auto put = [j](double* to, std::complex<double> z) { to[j] = z.real(), to[kPoles + j] = z.imag(); };
            put(inverse, 1.0 / p);
            put(weights, 2.0 * r / p);
            put(weights + 2 * kPoles, 2.0 * r / (p * p));
            put(weights + 4 * kPoles, 2.0 * rational::entry(rational::kEstimate, j) / p);
        }
        for (std::size_t p = 0; p < P; ++p) {
            Assembly::Part& part = a.parts[p];
            for (auto* v : {&F, &move, &way, &spare}) (*v)[p].assign(part.T.size(), 0.0);
            solved.emplace_back(part.T.size() * 2 * kPoles);
            work.emplace_back(static_cast<std::size_t>(part.rows) * Z);
            std::fill(part.moved_from.begin(), part.moved_from.end(), part.rows);  // nothing is kept yet that could be stale
            border_at.emplace_back();
            for (const auto& e : part.lu.border_entries()) border_at.back().push_back(border_lu.entry(e.row, e.column));
        }
        find_moving();
    }

    // Runs from the temperatures in the assembly through the series. `proposed` [s] is the longest step that the state bears
    // (0: any), and part of it. Stops early where `stop()`.
    template <class Stop>
    void run(std::vector<Record>& records, double* record_border, double& proposed, Stop&& stop) {
        for (auto& part : a.parts) a.spread_border(part);
        const Vectors start = a.temperatures();
        bool moved = true;
        for (int k = 0; k < series.n_time; ++k) {
            const bool last = k + 1 == series.n_time;
            const double begin = series.time[k], end = last ? begin : series.time[k + 1], span = end - begin;
            // Durations without the rounding of the clock: equal steps get equal bits, and their factors are found again.
            const double quantum = last ? 1.0 : std::ldexp(1.0, std::ilogb(std::max(std::fabs(begin), std::fabs(end))) - 50);
            auto even = [quantum](double duration) { return std::max(1.0, std::nearbyint(duration / quantum)) * quantum; };
            open_accounts();
            double t = begin, reached = 0;
            bool fresh = true;
            interval = k;
            do {  // from stop to stop: samples and ticks
                const bool care = t < care_until - 1e-10;
                const double next = std::min(end, a.next_tick(t, care));
                if (a.has_firmware && !care && !last) keep(proposed);
                x_left = span > 0 ? (t - begin) / span : 0.0, x_right = span > 0 ? (next - begin) / span : 0.0;
                look_up(moved, fresh);
                moved = false;
                if (fresh) {
                    fresh = false;
                    if (algebraic_kept) a.settle(q_left);
                    a.write(records, record_border, k, start);
                }
                if (last) break;
                const double to = even(next - begin), stretch = to - reached;
                double crossed_share = 0;
                const Crossed crossed = cross(stretch, t, care, crossed_share, proposed, stop);
                if (crossed == Crossed::stopped) return;
                if (crossed == Crossed::back) {  // firmware would have acted: once more with its ticks
                    care_until = next;
                    go_back(proposed);
                    continue;
                }
                if (crossed == Crossed::cut) {  // a device went off inside the stretch
                    t += crossed_share * stretch;
                    reached += crossed_share * stretch;
                    moved = true;
                    continue;
                }
                t = next, reached = to;
                moved = a.tick(controls, t, care);
            } while (t < end - 1e-10);
            close_accounts(records, k, last, reached);
        }
    }

  private:
    static constexpr int kPoles = rational::kPoles;
    static constexpr std::size_t kKept = 6, W = kWidth, Q = kPoles, Z = 2 * shifted::kLanes;
    enum class Crossed { through, back, cut, stopped };

    // Factors for one step size, [part][chunk][entry][2][pole][W], and those of the border, [entry][2][pole].
    struct Factors {
        double h = 0;
        long long used = 0;
        Vectors values;
        std::vector<std::vector<int>> stale;  // [part][chunk], first row that is no longer that of K
        std::vector<double> border;
        std::vector<std::vector<LeakResponse>> response;  // [part][chip * lanes + lane]
        bool responds = false;
    };

    Assembly& a;
    const Series& series;
    std::vector<ControlState>& controls;
    const double tolerance;
    const bool linear;
    const std::size_t P, nb;
    BorderedLU border_lu;
    std::vector<std::vector<std::size_t>> border_at;  // [part], where its border entries go
    double inverse[2 * kPoles], weights[3 * 2 * kPoles];
    std::vector<Factors> kept;
    long long clock = 0;

    Vectors F, move, way, spare, solved, work;  // way: mean of T less T at first, then the mean itself
    std::vector<double> border_x, border_work;
    Vectors q_left, q_right, ramp, left, right;    // loads and signals at both ends of a stretch, with leakage of a step
    std::vector<std::vector<char>> moving, touched, answering;  // [part][signal]: from sample to sample, by a tick too, with leakage
    Vectors leak_left, leak_right;                              // [part][chip][lanes]
    Vectors in, out, out_mean, mean;
    bool algebraic_kept = false, first_look = true;
    int interval = 0;
    double x_left = 0, x_right = 0, care_until = -std::numeric_limits<double>::infinity();
    struct {
        Vectors T, in, out, mean;
        std::vector<double> z;
        double proposed = 0;
    } before;

    static std::vector<std::pair<int, int>> border_pattern(const Assembly& assembly) {
        std::vector<std::pair<int, int>> pattern;
        for (const auto& part : assembly.parts)
            for (const auto& e : part.lu.border_entries()) pattern.emplace_back(e.row, e.column);
        return pattern;
    }
    void find_moving() {
        const std::vector<char> constant = series.constant();
        for (const auto& part : a.parts) {
            const Group& g = part.g;
            auto signal = [&](int s) -> const Signal& { return g.signals[static_cast<std::size_t>(s)]; };
            auto kind = [&](int s) { return signal(s).kind; };
            auto chip = [&](int s) { return g.is_chip(s) ? &g.chips[static_cast<std::size_t>(signal(s).first)] : nullptr; };
            auto moves = [&](int s) {
                bool does = kind(s) == SignalKind::supply_share || (chip(s) && chip(s)->leakage > 0);
                for (int v = 0; v < g.n_server && kind(s) == SignalKind::series; ++v)
                    does |= !constant[static_cast<std::size_t>(g.series[static_cast<std::size_t>(s) * g.n_server + static_cast<std::size_t>(v)])];
                return does;
            };
            moving.push_back(g.following(moves));
            touched.push_back(g.following([&](int s) { return moves(s) || kind(s) == SignalKind::control || (chip(s) && chip(s)->clock >= 0); }));
            answering.push_back(g.following([&](int s) { return kind(s) == SignalKind::supply_share || (chip(s) && chip(s)->leakage > 0); }));
            for (int r : g.record_nodes) algebraic_kept |= !(part.capacity[part.at(0, part.lu.position(r))] > 0);
        }
        for (int r : a.border().record_nodes) algebraic_kept |= !(a.border().capacity[static_cast<std::size_t>(r)] > 0);
    }

    // ---------------------------------------------------------------------------------------------------------- accounts

    void open_accounts() {
        in.resize(P), out.resize(P), mean.resize(P);
        for (std::size_t p = 0; p < P; ++p) {
            const Group& g = a.parts[p].g;
            in[p].assign(static_cast<std::size_t>(g.n_server), 0.0);
            out[p].assign(static_cast<std::size_t>(g.n_server), 0.0);
            mean[p].assign(g.record_signals.size() * static_cast<std::size_t>(g.n_server), 0.0);
        }
    }
    // A step of h whose mean temperatures are in `way`, and whose signals are at `y` between left and right on average.
    void book(double h, double y) {
        const bool straight = linear || a.leaky;
        auto level = [&](std::size_t p, std::size_t i) { return straight ? left[p][i] + y * (right[p][i] - left[p][i]) : left[p][i]; };
        a.leaving(way, level, out_mean);
        for (std::size_t p = 0; p < P; ++p) {
            const Assembly::Part& part = a.parts[p];
            const std::size_t n_mean = part.g.record_signals.size(), S = static_cast<std::size_t>(part.g.n_server);
            for (std::size_t v = 0; v < S; ++v) out[p][v] += h * out_mean[p][v];
            for (const auto& s : part.g.sources) {
                const std::size_t at = static_cast<std::size_t>(s.signal) * part.lanes;
                for (std::size_t v = 0; v < S; ++v) in[p][v] += h * s.fraction * level(p, at + v);
            }
            for (std::size_t s = 0; s < n_mean; ++s) {
                const std::size_t at = static_cast<std::size_t>(part.g.record_signals[s]) * part.lanes;
                for (std::size_t v = 0; v < S; ++v) mean[p][v * n_mean + s] += h * level(p, at + v);
            }
        }
    }
    void close_accounts(std::vector<Record>& records, int k, bool last, double span) {
        for (std::size_t p = 0; p < P; ++p) {
            const Assembly::Part& part = a.parts[p];
            const std::size_t S = static_cast<std::size_t>(part.g.n_server), all = S * static_cast<std::size_t>(part.repeats),
                              n_mean = part.g.record_signals.size();
            for (std::size_t each = 0; each < all; ++each) {
                const std::size_t at = static_cast<std::size_t>(k) * all + each, v = each % S;
                for (std::size_t s = 0; s < n_mean; ++s)
                    records[p].signals[at * n_mean + s] =
                        last ? left[p][static_cast<std::size_t>(part.g.record_signals[s]) * part.lanes + v] : mean[p][v * n_mean + s] / span;
                records[p].energy_in[at] = in[p][v];
                records[p].energy_out[at] = out[p][v];
            }
        }
    }
    void keep(double proposed) {
        before.T.resize(P);
        for (std::size_t p = 0; p < P; ++p) before.T[p] = a.parts[p].T;
        before.z = a.z, before.in = in, before.out = out, before.mean = mean, before.proposed = proposed;
    }
    void go_back(double& proposed) {
        for (std::size_t p = 0; p < P; ++p) a.parts[p].T = before.T[p];
        a.z = before.z, in = before.in, out = before.out, mean = before.mean, proposed = before.proposed;
    }

    // ----------------------------------------------------------------------------------------------------------- signals

    void signals_into(Vectors& to) const {
        to.resize(P);
        for (std::size_t p = 0; p < P; ++p) to[p] = a.parts[p].signal;
    }
    // Signals, coefficients and loads of a stretch; coefficients are those of its middle.
    void look_up(bool moved, bool fresh) {
        a.leak_as_now();
        if (!(moved || fresh || linear || a.leaky)) return;
        const auto* which = first_look ? nullptr : moved ? &touched : &moving;
        first_look = false;
        if (linear) {
            a.evaluate(series, interval, 0.5 * (x_left + x_right), controls, which);
            a.assemble();
            a.evaluate(series, interval, x_right, controls, which);
            a.load(q_right);
            signals_into(right);
        }
        a.evaluate(series, interval, x_left, controls, which);
        if (!linear) a.assemble();
        a.load(q_left);
        signals_into(left);
    }
    // The same for both ends of a step from y0 to y1 of the stretch, with what the chips leak there.
    void answer(double y0, double y1) {
        auto end = [&](double y, const Vectors& leaks, Vectors& q, Vectors& signals) {
            for (std::size_t p = 0; p < P; ++p) a.parts[p].leaks = leaks[p];
            a.evaluate(series, interval, x_left + y * (x_right - x_left), controls, linear ? &moving : &answering);
            a.load(q);
            signals_into(signals);
        };
        end(y0, leak_left, q_left, left);
        end(y1, leak_right, q_right, right);
    }

    // ----------------------------------------------------------------------------------------------------------- factors

    const Factors& factors(double h) {
        for (std::size_t p = 0; p < P; ++p)
            for (std::size_t c = 0; c < a.parts[p].moved_from.size(); ++c) {
                int& from = a.parts[p].moved_from[c];
                for (auto& f : kept) f.stale[p][c] = std::min(f.stale[p][c], from);
                from = a.parts[p].rows;
            }
        auto found = std::find_if(kept.begin(), kept.end(), [&](const Factors& f) { return f.h == h; });
        if (found == kept.end()) {
            if (kept.size() < kKept)
                kept.emplace_back(), found = kept.end() - 1;
            else
                found = std::min_element(kept.begin(), kept.end(), [](const Factors& x, const Factors& y) { return x.used < y.used; });
            found->h = h;
            found->values.resize(P), found->stale.resize(P);
            found->border.resize(border_lu.entries() * 2 * kPoles);
            for (std::size_t p = 0; p < P; ++p) {
                found->values[p].resize(a.parts[p].K.size() * 2 * kPoles);
                found->stale[p].assign(static_cast<std::size_t>(a.parts[p].chunks), 0);
            }
        }
        found->used = ++clock;
        bool renewed = false;
        for (std::size_t p = 0; p < P; ++p)
            for (int c = 0; c < a.parts[p].chunks; ++c) renewed |= renew(*found, p, c);
        if (renewed) {
            renew_border(*found);
            ++a.count.factored;
        }
        if (a.leaky && !found->responds) respond(*found);
        return *found;
    }
    std::size_t of_chunk(std::size_t p, int c) const { return static_cast<std::size_t>(c) * a.parts[p].lu.entries() * Z; }
    // The rows of a chunk that are not those of K any more: K + p/h C, factored.
    bool renew(Factors& f, std::size_t p, int c) {
        const Assembly::Part& part = a.parts[p];
        int& stale = f.stale[p][static_cast<std::size_t>(c)];
        if (stale >= part.rows) return false;
        const double* K = part.K.data() + static_cast<std::size_t>(c) * part.lu.entries() * W;
        double* values = f.values[p].data() + of_chunk(p, c);
        for (std::size_t e = part.lu.row_starts()[static_cast<std::size_t>(stale)]; e < part.lu.entries(); ++e)
            for (std::size_t j = 0; j < Q; ++j)
                for (std::size_t w = 0; w < W; ++w)
                    values[e * Z + j * W + w] = K[e * W + w], values[e * Z + (Q + j) * W + w] = 0.0;
        for (int i = stale; i < part.g.n_node; ++i) {
            double* diagonal = values + part.lu.row_diagonals()[static_cast<std::size_t>(i)] * Z;
            const double* C = part.capacity.data() + (static_cast<std::size_t>(c) * part.rows + static_cast<std::size_t>(i)) * W;
            for (std::size_t j = 0; j < Q; ++j)
                for (std::size_t w = 0; w < W; ++w) {
                    diagonal[j * W + w] += rational::kPole[j][0] / f.h * C[w];
                    diagonal[(Q + j) * W + w] += rational::kPole[j][1] / f.h * C[w];
                }
        }
        shifted::factor_chunk(part.lu, values, work[p].data(), stale);
        if (stale < part.lu.first_late()) f.responds = false;
        stale = part.rows;
        return true;
    }
    void renew_border(Factors& f) {
        std::fill(f.border.begin(), f.border.end(), 0.0);
        for (std::size_t b = 0; b < nb; ++b)
            for (std::size_t j = 0; j < Q; ++j)
                for (std::size_t i : {0, 1})
                    f.border[(border_lu.entry(static_cast<int>(b), static_cast<int>(b)) * 2 + i) * Q + j] =
                        rational::kPole[j][i] / f.h * a.border().capacity[b];
        for (std::size_t p = 0; p < P; ++p) {
            const Assembly::Part& part = a.parts[p];
            const auto& entries = part.lu.border_entries();
            for (int c = 0; c < part.chunks; ++c)
                for (std::size_t e = 0; e < entries.size(); ++e)
                    add_servers(part, c, f.values[p].data() + of_chunk(p, c) + entries[e].at * Z, f.border.data() + border_at[p][e] * 2 * Q);
        }
        shifted::factor<kPoles>(border_lu, f.border.data(), border_work.data(), 0);
    }
    // sum[2][pole] += from[2][pole][W] over the servers of a chunk.
    static void add_servers(const Assembly::Part& part, int chunk, const double* from, double* sum) {
        for (std::size_t i = 0; i < 2 * Q; ++i) part.add_servers(from + i * W, chunk, sum[i]);
    }
    // What a watt of all chips of a server at once does to their own temperatures, a little more than a watt of each one's own;
    // with what a controller moves and all servers share held still, so that it need not follow a valve.
    void respond(Factors& f) {
        f.response.resize(P);
        for (bool rising : {false, true}) {
            for (std::size_t p = 0; p < P; ++p) {
                const Assembly::Part& part = a.parts[p];
                std::fill(F[p].begin(), F[p].end(), 0.0);
                for (const auto& s : part.feedback)
                    for (int v = 0; v < static_cast<int>(part.lanes); ++v) F[p][part.at(v, part.lu.position(s.node))] += s.fraction;
            }
            if (rising) {
                ramp.resize(P);
                for (std::size_t p = 0; p < P; ++p) {
                    ramp[p] = F[p];
                    std::fill(F[p].begin(), F[p].end(), 0.0);
                }
            }
            solve(f, rising, true);
            for (std::size_t p = 0; p < P; ++p) {
                const Assembly::Part& part = a.parts[p];
                f.response[p].resize(part.g.chips.size() * part.lanes);
                for (std::size_t c = 0; c < part.g.chips.size(); ++c)
                    for (std::size_t v = 0; v < part.lanes; ++v) {
                        const std::size_t at = part.at(static_cast<int>(v), part.lu.position(part.g.chips[c].node));
                        LeakResponse& r = f.response[p][c * part.lanes + v];
                        (rising ? r.ramp : r.gain) = move[p][at];
                        (rising ? r.mean_ramp : r.mean_gain) = way[p][at];
                    }
            }
        }
        f.responds = true;
    }

    // ------------------------------------------------------------------------------------------------------------- steps

    // From F, and `ramp` where it is asked for: `move` and `way`. Returns the error [K] that the step is suspected of. `early`:
    // late nodes and the border stand still.
    double solve(const Factors& f, bool ramps, bool early = false) {
        auto of_border = [&](int b) { return border_x.data() + static_cast<std::size_t>(border_lu.position(b)) * 2 * Q; };
        std::fill(border_x.begin(), border_x.end(), 0.0);
        for (std::size_t p = 0; p < P; ++p) {
            const Assembly::Part& part = a.parts[p];
            for (int c = 0; c < part.chunks; ++c) {
                const std::size_t o = static_cast<std::size_t>(c * part.rows);
                double* x = solved[p].data() + o * Z;
                shifted::forward_chunk(part.lu, f.values[p].data() + of_chunk(p, c), F[p].data() + o * W,
                                       ramps ? ramp[p].data() + o * W : nullptr, inverse, x);
                for (int b = 0; b < static_cast<int>(nb); ++b)
                    add_servers(part, c, x + static_cast<std::size_t>(part.g.n_node + b) * Z, of_border(b));
            }
        }
        shifted::forward<kPoles>(border_lu, f.border.data(), border_x.data());
        shifted::backward<kPoles>(border_lu, f.border.data(), border_x.data());
        shifted::Largest largest;
        for (std::size_t p = 0; p < P; ++p) {
            const Assembly::Part& part = a.parts[p];
            for (int c = 0; c < part.chunks; ++c) {
                const std::size_t o = static_cast<std::size_t>(c * part.rows);
                double* x = solved[p].data() + o * Z;
                for (int b = 0; b < static_cast<int>(nb); ++b)
                    for (std::size_t i = 0; i < 2 * Q; ++i)
                        std::fill_n(x + static_cast<std::size_t>(part.g.n_node + b) * Z + i * W, W, of_border(b)[i]);
                if (early) std::fill(x + static_cast<std::size_t>(part.lu.first_late()) * Z, x + static_cast<std::size_t>(part.rows) * Z, 0.0);
                shifted::backward_chunk(part.lu, f.values[p].data() + of_chunk(p, c), x, weights, move[p].data() + o * W,
                                        way[p].data() + o * W, largest);
            }
        }
        if (!std::isfinite(largest.sum)) return std::numeric_limits<double>::infinity();
        // Where e is no larger than on the region that r was made for, r is better than it. Beyond, r loses faster than e.
        const double beyond = largest.kept > 0 ? std::max(1.0, largest.other / (rational::kUsual * largest.kept)) : 1.0;
        return std::min(largest.other * beyond * beyond, largest.kept);
    }
    // Heat into each node with the loads q.
    void heat(const Vectors& q) {
        for (std::size_t p = 0; p < P; ++p) {
            const Assembly::Part& part = a.parts[p];
            for (int c = 0; c < part.chunks; ++c) {
                const std::size_t o = static_cast<std::size_t>(c * part.rows) * W;
                part.lu.multiply(part.K.data() + static_cast<std::size_t>(c) * part.lu.entries() * W, part.T.data() + o, F[p].data() + o);
            }
            for (std::size_t i = 0; i < F[p].size(); ++i) F[p][i] = q[p][i] - F[p][i];
        }
    }
    // One step from y0 to y1 of the stretch. Returns its error over what is allowed, infinite where leakage does not close.
    double step(const Factors& f, double y0, double y1) {
        const double allowed = 0.1 * tolerance;
        if (a.leaky) return step_leaking(f, y0, y1, allowed);
        if (!linear) {
            heat(q_left);
            return solve(f, false) / allowed;
        }
        ramp.resize(P);
        for (std::size_t p = 0; p < P; ++p) {
            ramp[p].resize(q_left[p].size());
            for (std::size_t i = 0; i < ramp[p].size(); ++i) ramp[p][i] = q_right[p][i] - q_left[p][i];
        }
        if (y0 == 0) {
            heat(q_left);
        } else {
            for (std::size_t p = 0; p < P; ++p)
                for (std::size_t i = 0; i < ramp[p].size(); ++i) spare[p][i] = q_left[p][i] + y0 * ramp[p][i];
            heat(spare);
        }
        for (std::size_t p = 0; p < P; ++p)
            for (double& x : ramp[p]) x *= y1 - y0;
        return solve(f, true) / allowed;
    }
    double step_leaking(const Factors& f, double y0, double y1, double allowed) {
        constexpr int kMostIterations = 12;
        constexpr double kAstray = 0.1;  // of the tolerance; where junctions jump the truth has been seen to be twice as far off
        const double never = std::numeric_limits<double>::infinity();
        a.leak_as_now();
        leak_left.resize(P);
        for (std::size_t p = 0; p < P; ++p) leak_left[p] = a.parts[p].leaks;
        leak_right = leak_left;
        ramp.resize(P);
        for (int iteration = 0; iteration < kMostIterations; ++iteration) {
            answer(y0, y1);
            heat(q_left);
            for (std::size_t p = 0; p < P; ++p) {
                ramp[p].resize(q_left[p].size());
                for (std::size_t i = 0; i < ramp[p].size(); ++i) ramp[p][i] = q_right[p][i] - q_left[p][i];
            }
            const double error = solve(f, true) / allowed;
            if (!std::isfinite(error)) return never;
            double off = 0, astray = 0;
            for (std::size_t p = 0; p < P; ++p) {
                const Assembly::Part& part = a.parts[p];
                for (std::size_t c = 0; c < part.g.chips.size(); ++c) {
                    const Chip& chip = part.g.chips[c];
                    if (!(chip.leakage > 0)) continue;
                    for (std::size_t v = 0; v < part.lanes; ++v) {
                        const std::size_t at = part.at(static_cast<int>(v), part.lu.position(chip.node)), i = c * part.lanes + v;
                        const double T = part.T[at];
                        const int lane = static_cast<int>(v), server = std::min(lane, part.g.n_server - 1);
                        const bool answers = drawn(part.g, chip, right[p].data(), part.lanes, controls[p].output.data(), server, lane,
                                                   leak_right[p][i]).answers;
                        const LeakClosure closed = close_leak_line(chip, T, T + move[p][at], T + way[p][at], answers, f.response[p][i],
                                                                   leak_left[p][i], leak_right[p][i]);
                        if (closed.bad) return never;
                        off = std::max(off, closed.off), astray = std::max(astray, closed.error);
                    }
                }
            }
            if (!(astray <= kAstray * tolerance)) return never;
            if (off < 0.02 * tolerance) return std::max(error, astray / (kAstray * tolerance));  // signals and loads stay those of this solve
        }
        return never;
    }
    // Through a stretch of signals that hold or run straight, in one step where that is good enough, else in halves of it.
    // `y0`: what share of it is behind, a sum of halves, so without rounding.
    template <class Stop>
    Crossed cross(double stretch, double t, bool care, double& y0, double& proposed, Stop&& stop) {
        while (y0 < 1) {
            double share = 1;
            while (share > 1 - y0 || (proposed > 0 && share * stretch > proposed)) share *= 0.5;
            const double h = share * stretch, y1 = y0 + share;
            if (!(h > 1e-12)) throw std::runtime_error("the step fell below 1e-12 s at t = " + std::to_string(t + y0 * stretch));
            const double error = step(factors(h), y0, y1);
            if (!(error <= 1)) {
                ++a.count.rejected;
                proposed = 0.5 * h;
                if (a.leaky && proposed < 1e-9) {
                    if (a.trip(controls)) {
                        proposed = 0;
                        return Crossed::cut;
                    }
                    a.leak_as_now();
                    auto where = a.loop_gain(a.temperatures());
                    where.time = t + y0 * stretch;
                    throw where;
                }
                continue;
            }
            if (proposed > 0 && error < 0.1) proposed = std::max(proposed, 2 * h);
            for (std::size_t p = 0; p < P; ++p) {
                auto& T = a.parts[p].T;
                for (std::size_t i = 0; i < T.size(); ++i) spare[p][i] = T[i], way[p][i] += T[i], T[i] += move[p][i];
            }
            take_border();
            book(h, a.leaky ? 0.5 : 0.5 * (y0 + y1));
            y0 = y1;
            ++a.count.steps;
            if (stop()) return Crossed::stopped;
            if (a.has_firmware && !care && firmware_acts(spare)) return Crossed::back;
        }
        return Crossed::through;
    }
    void take_border() {
        const Assembly::Part& part = a.parts[0];
        for (std::size_t b = 0; b < nb; ++b) a.z[b] = part.T[(static_cast<std::size_t>(part.g.n_node) + b) * W];
    }
    // Whether firmware would have acted inside the step behind, from temperatures `from`, whose means are in `way`.
    bool firmware_acts(const Vectors& from) const {
        constexpr double kFar = 25.0;  // K, more than any path between ends so much cooler has been seen to rise
        for (std::size_t p = 0; p < P; ++p) {
            const Assembly::Part& part = a.parts[p];
            for (std::size_t c = 0; c < part.g.controllers.size(); ++c) {
                const Controller& law = part.g.controllers[c];
                if (law.kind != Controller::kFirmware) continue;
                for (int v = 0; v < part.g.n_server; ++v) {
                    const std::size_t i = c * static_cast<std::size_t>(part.g.n_server) + static_cast<std::size_t>(v);
                    const double rise0 = part.rise(law, from[p], v), rise1 = part.rise(law, v);
                    const std::size_t junction = part.at(v, part.lu.position(law.nodes[0]));
                    if (controls[p].output[i] == law.high && controls[p].integral[i] == law.high && std::max(rise0, rise1) < -kFar &&
                        std::max(from[p][junction], part.T[junction]) < std::min(law.slowdown, law.shutdown) - kFar)
                        continue;
                    double least = std::min(rise0, rise1), most = -1e300, coldest = 0, hottest = 0;
                    for (std::size_t n = 0; n < law.nodes.size(); ++n) {
                        // The mean tells how far the path bulges above or below the line between its ends.
                        const std::size_t at = part.at(v, part.lu.position(law.nodes[n]));
                        const double x = from[p][at], y = part.T[at], bulge = 2 * way[p][at] - 0.5 * (x + y);
                        const double low = std::min({x, y, bulge}), high = std::max({x, y, bulge});
                        if (n == 0) coldest = low, hottest = high;
                        least = std::min(least, low - law.target[n]);
                        most = std::max(most, high - law.target[n]);
                    }
                    if (controls[p].would_act(part.g, c, v, least, most, coldest, hottest)) return true;
                }
            }
        }
        return false;
    }
};

}  // namespace thermo
