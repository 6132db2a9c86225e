// The values of signals and coefficients for a run of servers, and sampled controllers.
#pragma once
#include <algorithm>
#include <cmath>
#include <cstddef>
#include <limits>
#include <vector>

#include "thermo/network.hpp"

namespace thermo {

// Samples that all groups share: value[time][series]; `linear` series run straight between samples, others hold.
struct Series {
    int n_time = 0, n_series = 0;
    const double* time = nullptr;
    const double* value = nullptr;
    const unsigned char* linear = nullptr;

    // Which series never change.
    std::vector<char> constant() const {
        std::vector<char> same(static_cast<std::size_t>(n_series), 1);
        for (int k = 1; k < n_time; ++k)
            for (int j = 0; j < n_series; ++j) {
                const auto at = static_cast<std::size_t>(k) * n_series + static_cast<std::size_t>(j);
                same[static_cast<std::size_t>(j)] &= value[at] == value[static_cast<std::size_t>(j)];
            }
        return same;
    }
    bool any_linear() const {
        for (int j = 0; j < n_series; ++j)
            if (linear[j]) return true;
        return false;
    }
    // Value of series j at `x` in [0, 1] of interval k.
    double at(int k, int j, double x) const noexcept {
        const double a = value[static_cast<std::size_t>(k) * n_series + j];
        if (!linear[j] || k + 1 >= n_time) return a;
        return a + x * (value[static_cast<std::size_t>(k + 1) * n_series + j] - a);
    }
};

// Signals of servers first..first+n-1 into out[signal][stride]; lanes beyond `n` repeat the last server. `control` is
// [controller][n_server]. Signals of the kind supply_share are left alone: they need all servers (see OrderedSupply).
inline void evaluate_signal(const Group& g, int k, const Series& series, int interval, double x, const double* control,
                            int first, int n, int lanes, double* out, std::size_t stride) noexcept {
    const Signal& s = g.signals[static_cast<std::size_t>(k)];
    double* o = out + static_cast<std::size_t>(k) * stride;
    const auto S = static_cast<std::size_t>(g.n_server);
    switch (s.kind) {
        case SignalKind::series:
            for (int w = 0; w < n; ++w)
                o[w] = series.at(interval, g.series[static_cast<std::size_t>(k) * S + first + w], x);
            break;
        case SignalKind::law: {
            const Law& law = g.laws[static_cast<std::size_t>(s.first)];
            const double* in = out + static_cast<std::size_t>(s.second) * stride;
            const double* times = s.third < 0 ? nullptr : out + static_cast<std::size_t>(s.third) * stride;
            for (int w = 0; w < n; ++w)  // equal neighbours are common: servers in step
                o[w] = w > 0 && in[w] == in[w - 1] && !times ? o[w - 1] : law(in[w]) * (times ? times[w] : 1.0);
            break;
        }
        case SignalKind::control:
            for (int w = 0; w < n; ++w) o[w] = control[static_cast<std::size_t>(s.first) * S + first + w];
            break;
        case SignalKind::complement: {
            const double* in = out + static_cast<std::size_t>(s.first) * stride;
            for (int w = 0; w < n; ++w) o[w] = 1.0 - in[w];
            break;
        }
        case SignalKind::choice: {
            const double *a = out + static_cast<std::size_t>(s.first) * stride, *b = out + static_cast<std::size_t>(s.second) * stride,
                         *which = out + static_cast<std::size_t>(s.third) * stride;
            for (int w = 0; w < n; ++w) o[w] = which[w] == 0 ? a[w] : b[w];
            break;
        }
        case SignalKind::total: {
            const Total& t = g.totals[static_cast<std::size_t>(s.first)];
            for (int w = 0; w < n; ++w) o[w] = 0;
            for (std::size_t i = 0; i < t.signals.size(); ++i) {
                const double* in = out + static_cast<std::size_t>(t.signals[i]) * stride;
                for (int w = 0; w < n; ++w) o[w] += t.weights[i] * in[w];
            }
            break;
        }
        case SignalKind::supply_share: break;
    }
    for (int w = n; w < lanes; ++w) o[w] = o[n - 1];
}

inline void evaluate_coefficients(const Group& g, const double* signal, std::size_t stride, int first, int n, int lanes,
                                  double* out, std::size_t out_stride) noexcept {
    for (int c = 0; c < g.n_coefficient(); ++c) {
        const Coefficient& k = g.coefficients[static_cast<std::size_t>(c)];
        double* o = out + static_cast<std::size_t>(c) * out_stride;
        const double* scale = g.scale.data() + static_cast<std::size_t>(c) * g.n_server + first;
        const double* in = k.signal < 0 ? nullptr : signal + static_cast<std::size_t>(k.signal) * stride;
        const double* times = k.multiplier < 0 ? nullptr : signal + static_cast<std::size_t>(k.multiplier) * stride;
        double before = std::numeric_limits<double>::quiet_NaN(), value = 1;
        for (int w = 0; w < n; ++w) {
            if (in && !(in[w] == before)) {
                value = k.law < 0 ? in[w] : g.laws[static_cast<std::size_t>(k.law)](in[w]);
                before = in[w];
            }
            o[w] = scale[w] * value * (times ? times[w] : 1.0);
        }
        for (int w = n; w < lanes; ++w) o[w] = o[n - 1];
    }
}

// What the controllers of a group remember: output and integral, [controller][n_server].
struct ControlState {
    std::vector<double> output, integral;

    ControlState() = default;
    ControlState(const Group& g, const double* initial)
        : output(initial, initial + g.controllers.size() * static_cast<std::size_t>(g.n_server)),
          integral(output) {}

    // Controllers tick at whole multiples of their period on the run's clock: a run in two parts ticks as one.
    static constexpr double kTick = 1e-9;  // s, two times closer than this are the same
    static double close(double t) noexcept { return std::max(kTick, 4 * std::numeric_limits<double>::epsilon() * std::fabs(t)); }
    static double next_tick(const Group& g, double t) noexcept {
        const double past = t + close(t);
        double next = std::numeric_limits<double>::infinity();
        for (const auto& c : g.controllers) {
            double n = std::floor(past / c.period) + 1;
            if (n * c.period <= past) n += 1;  // the quotient was rounded down
            next = std::min(next, std::max(n * c.period, past));  // late on a clock of large numbers, but never standing still
        }
        return next;
    }
    static bool ticks_at(const Controller& c, double t) noexcept {
        return std::fabs(t - std::nearbyint(t / c.period) * c.period) <= close(t);
    }

    // One tick of controller c for server v; `rise` is the largest of T[node] - target. True if the output moved.
    bool tick(const Group& g, std::size_t c, int v, double rise) noexcept {
        const Controller& k = g.controllers[c];
        const std::size_t at = c * static_cast<std::size_t>(g.n_server) + static_cast<std::size_t>(v);
        double wanted;
        if (k.kind == 0) {
            if (std::fabs(rise) <= k.deadband) return false;
            // velocity-free form with clamping: the integral never leaves the range of the output (no wind-up)
            integral[at] = std::clamp(integral[at] + k.integral_gain * rise * k.period, k.low, k.high);
            wanted = integral[at] + k.gain * rise;
        } else {
            wanted = k.curve(rise);
            // a curve falls only when the temperature has fallen by the dead band, so that it does not chatter
            if (wanted < output[at]) wanted = std::min(output[at], k.curve(rise + k.deadband));
        }
        if (k.quantum > 0) wanted = std::nearbyint(wanted / k.quantum) * k.quantum;
        wanted = std::clamp(wanted, k.low, k.high);
        const bool moved = wanted != output[at];
        output[at] = wanted;
        return moved;
    }
};

}  // namespace thermo
