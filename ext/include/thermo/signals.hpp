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

// What chip c leaks at `rise` above what it leaks at its reference temperature [W].
inline double leak(const Chip& c, double rise) noexcept { return c.leakage * std::expm1((rise - c.reference) / c.scale); }

struct Drawn {
    double power, clock;  // [W], [1]
    bool answers;         // whether more leakage means more power: not while a cap holds it
};
// What a chip draws for that demand at that clock of its firmware. Where nothing at all is asked for, it is off.
inline Drawn drawn(const Chip& c, double demand, double clock, double cap, double leak) noexcept {
    if (clock <= 0) return {0.0, 0.0, false};
    if (demand <= 0) return {0.0, clock, false};
    const double base = std::min(demand, c.idle), dynamic = demand - base, more = c.leakage > 0 ? leak : 0.0;
    double share = clock < 1 ? c.power_of_clock(clock) : 1.0;
    double power = clock < 1 ? base + share * dynamic + more : demand + more;
    bool answers = true;
    if (power > cap && dynamic > 0) {
        const double wanted = (cap - base - more) / dynamic, least = std::min(share, c.power_of_clock(c.lowest));
        answers = wanted < least;
        share = std::max(wanted, least);
        clock = std::min(clock, c.clock_of_power(share));
        power = base + share * dynamic + more;
    }
    return {std::max(power, 0.0), clock, answers && power > 0};
}
inline Drawn drawn(const Group& g, const Chip& c, const double* signal, std::size_t stride, const double* control, int server,
                   int w, double leak) noexcept {
    const double cap = c.cap < 0 ? std::numeric_limits<double>::infinity() : signal[static_cast<std::size_t>(c.cap) * stride + w];
    const double clock = c.clock < 0 ? 1.0 : control[static_cast<std::size_t>(c.clock) * g.n_server + server];
    return drawn(c, signal[static_cast<std::size_t>(c.demand) * stride + w], clock, cap, leak);
}

// Signals of servers first..first+n-1 into out[signal][stride]; lanes beyond `n` repeat the last server. `control` is
// [controller][n_server], `leaks` [chip][stride] what each chip leaks more than at its reference. Signals of the kind
// supply_share are left alone: they need all servers.
inline void evaluate_signal(const Group& g, int k, const Series& series, int interval, double x, const double* control,
                            const double* leaks, int first, int n, int lanes, double* out, std::size_t stride) noexcept {
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
            double value = 0;
            for (int w = 0; w < n; ++w) {
                if (w == 0 || !(in[w] == in[w - 1])) value = law(in[w]);  // equal neighbours are common: servers in step, or in one tank
                o[w] = times ? value * times[w] : value;
            }
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
        case SignalKind::chip_power:
        case SignalKind::chip_clock: {
            const Chip& c = g.chips[static_cast<std::size_t>(s.first)];
            const double* more = leaks + static_cast<std::size_t>(s.first) * stride;
            for (int w = 0; w < n; ++w) {
                const Drawn d = drawn(g, c, out, stride, control, first + w, w, more[w]);
                o[w] = s.kind == SignalKind::chip_power ? d.power : d.clock;
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

    // Those of a group's first n servers.
    ControlState first_servers(const Group& g, int n) const {
        ControlState few;
        for (std::size_t c = 0; c < g.controllers.size(); ++c)
            for (int v = 0; v < n; ++v) {
                const std::size_t at = c * static_cast<std::size_t>(g.n_server) + static_cast<std::size_t>(v);
                few.output.push_back(output[at]), few.integral.push_back(integral[at]);
            }
        return few;
    }
    // `n_server` servers take those of `few` servers, over and over.
    void repeat(const ControlState& of, int n_server, int few) {
        for (std::size_t i = 0; i < output.size(); ++i) {
            const auto S = static_cast<std::size_t>(n_server), n = static_cast<std::size_t>(few);
            const std::size_t from = i / S * n + i % S % n;
            output[i] = of.output[from], integral[i] = of.integral[from];
        }
    }

    // Controllers tick at whole multiples of their period on the run's clock: a run in two parts ticks as one.
    static constexpr double kTick = 1e-9;  // s, two times closer than this are the same
    static double close(double t) noexcept { return std::max(kTick, 4 * std::numeric_limits<double>::epsilon() * std::fabs(t)); }
    // `firmware`: with the ticks of firmware, which far from its limits does nothing.
    static double next_tick(const Group& g, double t, bool firmware) noexcept {
        const double past = t + close(t);
        double next = std::numeric_limits<double>::infinity();
        for (const auto& c : g.controllers) {
            if (c.kind == Controller::kFirmware && !firmware) continue;
            double n = std::floor(past / c.period) + 1;
            if (n * c.period <= past) n += 1;  // the quotient was rounded down
            next = std::min(next, std::max(n * c.period, past));  // late on a clock of large numbers, but never standing still
        }
        return next;
    }
    static bool ticks_at(const Controller& c, double t) noexcept {
        return std::fabs(t - std::nearbyint(t / c.period) * c.period) <= close(t);
    }

    // One tick of controller c for server v; `rise` is the largest of T[node] - target, `first` T of the first node. True if
    // the output moved.
    bool tick(const Group& g, std::size_t c, int v, double rise, double first) noexcept {
        const Controller& k = g.controllers[c];
        const std::size_t at = c * static_cast<std::size_t>(g.n_server) + static_cast<std::size_t>(v);
        if (k.kind == Controller::kFirmware) return tick_firmware(k, output[at], integral[at], rise, first);
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

    // Firmware keeps two clocks: the one that software asks for (`soft`, in place of an integral), and the one that the device
    // runs at. They differ while the hardware slows it down.
    static bool tick_firmware(const Controller& k, double& clock, double& soft, double rise, double junction) noexcept {
        if (clock == 0) return false;
        const double before = clock;
        if (junction >= k.shutdown) {
            clock = soft = 0;
            return true;
        }
        const bool slow = junction >= (clock < soft ? k.slowdown - k.deadband : k.slowdown);
        if (rise >= 0)
            soft = std::max(k.low, soft - k.step);
        else if (rise < -k.deadband)
            soft = std::min(k.high, soft + k.step);
        clock = slow ? std::min(soft, k.slowed) : soft;
        return clock != before;
    }
    // Where leakage grows faster than firmware looks, the shutdown of hardware acts at once: devices of server v that are
    // beyond theirs, by the temperature of their junction, are off. True if any is.
    template <class Junction>
    bool trip(const Group& g, int v, Junction&& junction) noexcept {
        bool any = false;
        for (std::size_t c = 0; c < g.controllers.size(); ++c) {
            const std::size_t at = c * static_cast<std::size_t>(g.n_server) + static_cast<std::size_t>(v);
            const Controller& k = g.controllers[c];
            if (k.kind != Controller::kFirmware || output[at] == 0 || !(junction(k.nodes[0]) >= k.shutdown)) continue;
            output[at] = integral[at] = 0;
            any = true;
        }
        return any;
    }
    // Whether firmware would do anything, had it ticked anywhere between these extremes of rise and junction.
    bool would_act(const Group& g, std::size_t c, int v, double least_rise, double most_rise, double coldest, double hottest) const noexcept {
        const Controller& k = g.controllers[c];
        const std::size_t at = c * static_cast<std::size_t>(g.n_server) + static_cast<std::size_t>(v);
        const double clock = output[at], soft = integral[at];
        if (clock == 0) return false;
        if (hottest >= k.shutdown) return true;
        if (clock < soft ? coldest < k.slowdown - k.deadband : hottest >= k.slowdown && soft > k.slowed) return true;
        return (most_rise >= 0 && soft > k.low) || (least_rise < -k.deadband && soft < k.high);
    }
};

}  // namespace thermo
