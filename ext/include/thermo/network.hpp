// The thermal network: nodes, conductances, one-way streams, sources, boundaries, and what they depend on.
//
//     C_i dT_i/dt = q_i + sum_j G_ij (T_j - T_i) + sum_(u->i) w_ui (T_u - T_i)
//
// Servers of one kind form a group: one topology, numbers of their own. Nodes shared by all servers are the border.
// Heat into a node is positive. Temperatures are the rise [K] above a reference that the caller keeps.
//
// What varies is a *signal*: a sample of a time series, the output of a controller, or a law of another signal.
// A *coefficient* [W/K] is   scale * law(signal) * multiplier signal   ; sources [W] and boundary temperatures are signals.
#pragma once
#include <cmath>
#include <cstddef>
#include <cstdint>
#include <limits>
#include <stdexcept>
#include <string>
#include <vector>

#include "thermo/laws.hpp"

namespace thermo {

// Where the far end of a link is: a node of the server, a boundary, or a node shared by all servers.
constexpr int kBoundary = 1'000'000, kShared = 2'000'000;
inline bool is_local(int r) { return r >= 0 && r < kBoundary; }
inline bool is_boundary(int r) { return r >= kBoundary && r < kShared; }
inline bool is_shared(int r) { return r >= kShared; }

enum class SignalKind : int {
    series = 0,   // first: unused; value from the server's own column of the series
    law = 1,      // law[first](signal[second]) * signal[third] (third < 0: 1)
    control = 2,  // output of controller `first`
    supply_share = 3,  // share of this server's draw (signal[first]) that the ordered supply (signal[second]) still covers
    complement = 4,    // 1 - signal[first]
    choice = 5,        // signal[first] where signal[third] is 0, else signal[second]
    total = 6,         // weighted sum of signals, group's totals[first]
    chip_power = 7,    // what chip `first` draws [W]
    chip_clock = 8     // at what share of its full clock it runs
};

struct Signal {
    SignalKind kind = SignalKind::series;
    int first = -1, second = -1, third = -1;
};

struct Total {
    std::vector<int> signals;
    std::vector<double> weights;
};

struct Coefficient {
    int law = -1;         // < 0: the signal itself
    int signal = -1;      // < 0: constant
    int multiplier = -1;  // signal, < 0: 1
};

struct Link {  // conductance between a and b, or stream from a to b
    int a = 0, b = 0, coefficient = 0;
};

struct Source {
    int node = 0, signal = 0;
    double fraction = 1;
};

// A sampled controller on the largest of (T[node] - target): proportional-integral, a curve, or a device's firmware.
// Output in [low, high]; that of firmware is a clock, and 0 once the device has shut down.
struct Controller {
    static constexpr int kFirmware = 2;
    int kind = 0;  // 0: PI, 1: curve, 2: firmware
    double period = 5, gain = 0, integral_gain = 0, low = 0, high = 1, quantum = 0, deadband = 0;
    std::vector<int> nodes;
    std::vector<double> target;  // one for each node, as rise above the reference
    int relative = -1;           // node from which the temperature of all is counted instead, < 0: none. Not of firmware
    Law curve;                   // output against the largest (T - target), kind 1
    // Kind 2. The clock falls by `step` while any node is above its target, and rises when all are `deadband` below. The first
    // node is the junction: from `slowdown` on the clock is at most `slowed`, until it is `deadband` below; at `shutdown` it
    // stops for good. Infinite: no such limit.
    double step = 0, slowdown = std::numeric_limits<double>::infinity(), slowed = 0,
           shutdown = std::numeric_limits<double>::infinity();
};

// A device whose power answers to its clock and, where it leaks, to its own temperature:
//     idle part + leakage + dynamic part * power_of_clock(clock), at most the cap as far as the lowest clock gives it.
struct Chip {
    int node = 0;     // its junction
    int demand = 0;   // signal: what it would draw at the reference temperature and full clock [W]
    int cap = -1;     // signal [W], < 0: none
    int clock = -1;   // controller whose output is its clock, < 0: full
    double idle = 0;  // of the demand, what clocks do not change [W]
    double leakage = 0, reference = 0, scale = 1;  // [W] of the demand at rise `reference`, e times more `scale` [K] above
    double lowest = 0;                             // clock that a cap can bring it to
    Law power_of_clock, clock_of_power;            // dynamic power over that at full clock, and back
};

struct Group {
    int n_server = 0, n_node = 0;
    std::vector<double> capacity;  // [n_node][n_server], 0: algebraic
    std::vector<Signal> signals;
    std::vector<std::int32_t> series;  // [n_signal][n_server], column of the series, -1 where the signal is no series
    std::vector<Coefficient> coefficients;
    std::vector<double> scale;  // [n_coefficient][n_server]
    std::vector<Link> conductances, streams;
    std::vector<Link> exits;  // a: node that the stream leaves from; b unused
    std::vector<Source> sources;
    std::vector<int> boundaries;  // signal that is the temperature of each boundary
    std::vector<Law> laws;
    std::vector<Total> totals;
    std::vector<Controller> controllers;
    std::vector<Chip> chips;
    std::vector<int> record_nodes, record_signals;

    int n_signal() const { return static_cast<int>(signals.size()); }
    int n_coefficient() const { return static_cast<int>(coefficients.size()); }

    // The group with its first server alone.
    Group first_server() const {
        Group one = *this;
        auto first = [this](auto& rows) {
            const auto S = static_cast<std::size_t>(n_server);
            for (std::size_t i = 0; i < rows.size() / S; ++i) rows[i] = rows[i * S];
            rows.resize(rows.size() / S);
        };
        first(one.capacity), first(one.series), first(one.scale);
        one.n_server = 1;
        return one;
    }
    // Whether a signal moves any coefficient, directly or through another signal.
    std::vector<char> moves_coefficients() const {
        std::vector<char> moves(signals.size(), 0);
        for (const auto& c : coefficients) {
            if (c.signal >= 0) moves[static_cast<std::size_t>(c.signal)] = 1;
            if (c.multiplier >= 0) moves[static_cast<std::size_t>(c.multiplier)] = 1;
        }
        return moves;
    }

    // Signals for which `begins(k)` holds, and those that follow them, directly or through another.
    template <class Begins>
    std::vector<char> following(Begins&& begins) const {
        std::vector<char> does(signals.size(), 0);
        for (std::size_t k = 0; k < signals.size(); ++k) {
            const Signal& s = signals[k];
            auto of = [&](int other) { return other >= 0 && does[static_cast<std::size_t>(other)] != 0; };
            does[k] = begins(static_cast<int>(k));
            switch (s.kind) {
                case SignalKind::chip_power:
                case SignalKind::chip_clock: {
                    const Chip& c = chips[static_cast<std::size_t>(s.first)];
                    does[k] |= of(c.demand) || of(c.cap);
                    break;
                }
                case SignalKind::law: does[k] |= of(s.second) || of(s.third); break;
                case SignalKind::complement: does[k] |= of(s.first); break;
                case SignalKind::supply_share: does[k] |= of(s.first) || of(s.second); break;
                case SignalKind::choice: does[k] |= of(s.first) || of(s.second) || of(s.third); break;
                case SignalKind::total:
                    for (int other : totals[static_cast<std::size_t>(s.first)].signals) does[k] |= of(other);
                    break;
                case SignalKind::series:
                case SignalKind::control: break;
            }
        }
        return does;
    }
    bool is_chip(int signal) const {
        const SignalKind kind = signals[static_cast<std::size_t>(signal)].kind;
        return kind == SignalKind::chip_power || kind == SignalKind::chip_clock;
    }
    // Signals that follow the temperature of a chip that leaks.
    std::vector<char> answering() const {
        return following([&](int k) {
            return is_chip(k) && chips[static_cast<std::size_t>(signals[static_cast<std::size_t>(k)].first)].leakage > 0;
        });
    }
    // Signals that follow a controller's output, that of firmware aside.
    std::vector<char> controlled() const {
        return following([&](int k) { return signals[static_cast<std::size_t>(k)].kind == SignalKind::control; });
    }

    void check(int n_series, int n_shared) const {
        auto fail = [](const std::string& what) { throw std::invalid_argument("network: " + what); };
        const int S = n_signal();
        auto law_ok = [&](const Law& l) {
            if (l.value.size() < 2 || l.slope.size() != l.value.size() || !(l.step > 0) || !std::isfinite(l.step) ||
                !std::isfinite(l.low))
                fail("a law's table is malformed");
            for (std::size_t i = 0; i < l.value.size(); ++i)
                if (!std::isfinite(l.value[i]) || !std::isfinite(l.slope[i])) fail("a law's table has a value that is not finite");
        };
        auto signal_ok = [&](int s, int below) { return s >= 0 && s < below; };
        if (n_server < 1 || n_node < 1) fail("a group needs at least one server and one node");
        if (capacity.size() != static_cast<std::size_t>(n_node) * n_server) fail("capacity has the wrong length");
        for (double c : capacity)
            if (!(c >= 0) || c > 1e15) fail("a capacity is negative or not finite");
        if (series.size() != static_cast<std::size_t>(S) * n_server) fail("series has the wrong length");
        for (int k = 0; k < S; ++k) {
            const auto& s = signals[k];
            switch (s.kind) {
                case SignalKind::series:
                    for (int v = 0; v < n_server; ++v)
                        if (series[static_cast<std::size_t>(k) * n_server + v] < 0 ||
                            series[static_cast<std::size_t>(k) * n_server + v] >= n_series)
                            fail("a signal names a series that does not exist");
                    break;
                case SignalKind::law:
                    if (s.first < 0 || s.first >= static_cast<int>(laws.size()) || !signal_ok(s.second, k) ||
                        (s.third >= 0 && !signal_ok(s.third, k)))
                        fail("a law signal refers to something that does not come before it");
                    break;
                case SignalKind::control:
                    if (s.first < 0 || s.first >= static_cast<int>(controllers.size())) fail("no such controller");
                    break;
                case SignalKind::supply_share:
                    if (!signal_ok(s.first, k) || !signal_ok(s.second, k)) fail("supply share of an unknown signal");
                    break;
                case SignalKind::complement:
                    if (!signal_ok(s.first, k)) fail("complement of an unknown signal");
                    break;
                case SignalKind::choice:
                    if (!signal_ok(s.first, k) || !signal_ok(s.second, k) || !signal_ok(s.third, k))
                        fail("a choice between signals that do not come before it");
                    break;
                case SignalKind::total: {
                    if (s.first < 0 || s.first >= static_cast<int>(totals.size())) fail("no such total");
                    const Total& t = totals[static_cast<std::size_t>(s.first)];
                    if (t.signals.size() != t.weights.size()) fail("a total needs one weight a signal");
                    for (std::size_t i = 0; i < t.signals.size(); ++i)
                        if (!signal_ok(t.signals[i], k) || !std::isfinite(t.weights[i]))
                            fail("a total of signals that do not come before it, or a weight that is not finite");
                    break;
                }
                case SignalKind::chip_power:
                case SignalKind::chip_clock:
                    if (s.first < 0 || s.first >= static_cast<int>(chips.size())) fail("no such chip");
                    if (!signal_ok(chips[static_cast<std::size_t>(s.first)].demand, k) ||
                        (chips[static_cast<std::size_t>(s.first)].cap >= 0 && !signal_ok(chips[static_cast<std::size_t>(s.first)].cap, k)))
                        fail("a chip's demand or cap does not come before its power");
                    break;
                default: fail("unknown kind of signal");
            }
        }
        if (scale.size() != coefficients.size() * static_cast<std::size_t>(n_server)) fail("scale has the wrong length");
        for (double s : scale)
            if (!(s >= 0) || !std::isfinite(s)) fail("a coefficient is negative or not finite");
        for (const auto& s : sources)
            if (!std::isfinite(s.fraction)) fail("a source's fraction is not finite");
        for (const auto& c : coefficients)
            if (c.law >= static_cast<int>(laws.size()) || c.signal >= S || c.multiplier >= S ||
                (c.law >= 0 && c.signal < 0))
                fail("a coefficient refers to something that does not exist");
        auto ref_ok = [&](int r) {
            if (is_shared(r)) return r - kShared < n_shared;
            if (is_boundary(r)) return r - kBoundary < static_cast<int>(boundaries.size());
            return r >= 0 && r < n_node;
        };
        for (const auto* links : {&conductances, &streams, &exits})
            for (const auto& l : *links) {
                if (!ref_ok(l.a) || !ref_ok(l.b)) fail("a link ends at a node that does not exist");
                if (l.coefficient < 0 || l.coefficient >= n_coefficient()) fail("a link has no coefficient");
            }
        for (const auto& l : conductances)
            if (!is_local(l.a)) fail("a conductance starts at a node of the server");
        for (const auto& l : streams)
            if (is_boundary(l.b)) fail("a stream cannot end at a boundary: make it an exit");
        for (const auto& l : exits)
            if (is_boundary(l.a)) fail("an exit leaves from a node, not from a boundary");
        for (const auto& s : sources)
            if (s.node < 0 || s.node >= n_node || !signal_ok(s.signal, S)) fail("a source is at no node or has no signal");
        for (int b : boundaries)
            if (!signal_ok(b, S)) fail("a boundary has no signal");
        for (int r : record_nodes)
            if (r < 0 || r >= n_node) fail("a recorded node does not exist");
        for (int r : record_signals)
            if (!signal_ok(r, S)) fail("a recorded signal does not exist");
        for (const auto& c : controllers) {
            if (c.nodes.empty() || c.nodes.size() != c.target.size() || !(c.period > 0) || !(c.high >= c.low))
                fail("a controller needs nodes with targets, a period and an ordered range");
            if (c.kind < 0 || c.kind > Controller::kFirmware) fail("unknown kind of controller");
            if (c.kind == 1) law_ok(c.curve);
            if (c.kind == Controller::kFirmware &&
                (!(c.step > 0) || !(c.low > 0) || !(c.high <= 1) || !(c.slowed >= c.low) || !(c.slowed <= c.high) ||
                 !(c.slowdown > -1e9) || !(c.shutdown > -1e9)))
                fail("firmware needs a step, clocks in (0, 1] in order, and limits");
            for (double number : {c.period, c.gain, c.integral_gain, c.low, c.high, c.quantum, c.deadband})
                if (!std::isfinite(number)) fail("a controller has a number that is not finite");
            for (double target : c.target)
                if (!std::isfinite(target)) fail("a controller has a target that is not finite");
            for (int n : c.nodes)
                if (n < 0 || n >= n_node) fail("a controller watches a node that does not exist");
            if (c.relative >= n_node || (c.relative >= 0 && c.kind == Controller::kFirmware))
                fail("a controller counts from a node that does not exist, or is firmware");
        }
        for (const auto& c : chips) {
            if (c.node < 0 || c.node >= n_node) fail("a chip's junction does not exist");
            for (int v = 0; v < n_server; ++v)
                if (!(capacity[static_cast<std::size_t>(c.node) * n_server + v] > 0)) fail("a chip's junction has no capacity");
            if (c.clock >= static_cast<int>(controllers.size()) ||
                (c.clock >= 0 && controllers[static_cast<std::size_t>(c.clock)].kind != Controller::kFirmware))
                fail("a chip's clock is no firmware");
            if (!(c.idle >= 0) || !(c.leakage >= 0) || !(c.scale > 0) || !std::isfinite(c.idle) || !std::isfinite(c.leakage) ||
                !std::isfinite(c.reference) || !std::isfinite(c.scale) || !(c.lowest >= 0) || !(c.lowest <= 1))
                fail("a chip has a number that is negative or not finite");
            law_ok(c.power_of_clock);
            law_ok(c.clock_of_power);
        }
        for (const auto& l : laws) law_ok(l);
    }
};

// Thrown where leakage feeds itself and nothing stops it: a chip's loop gain reached 1, or it left all that silicon bears.
struct Runaway {
    const Group* group;
    int chip, server;
    double time, rise, gain;  // [s], [K], of the loop in the steady state [1]
    int number = 0;           // of the group
};

// Nodes shared by all servers, and the streams between them and out of them. Coefficients here are sums over servers of
// the same coefficient in every group, so that what the servers blow into a shared node is what leaves it.
struct Border {
    int n_node = 0;
    std::vector<double> capacity;
    std::vector<int> record_nodes;
};

}  // namespace thermo
