// The engine alone, without Python: servers in lanes through both steppers, with a controller, and with a shared tank.
// Built with sanitizers by test_engine.py; ends with 1 where an answer is wrong.
#include <cmath>
#include <cstdio>

#include "thermo/engine.hpp"

namespace {

constexpr int kTime = 16, kServers = 11, kDevices = 4;

thermo::Group lanes(bool controlled, bool tank) {
    thermo::Group g;
    g.n_server = kServers;
    // signals: 0 power, 1 supply, 2 flow (a law of the controller's output, or series 2), 3 controller
    g.signals = {{thermo::SignalKind::series, -1, -1, -1}, {thermo::SignalKind::series, -1, -1, -1}};
    std::vector<int> column = {0, 1};
    g.laws.push_back({0.0, 0.5, {20.0, 60.0, 100.0}, {40.0, 40.0, 40.0}});
    if (controlled) {
        g.signals.push_back({thermo::SignalKind::control, 0, -1, -1}), column.push_back(-1);
        g.signals.push_back({thermo::SignalKind::law, 0, 2, -1}), column.push_back(-1);
    } else {
        g.signals.push_back({thermo::SignalKind::series, -1, -1, -1}), column.push_back(2);
        g.signals.push_back({thermo::SignalKind::law, 0, 2, -1}), column.push_back(-1);
    }
    for (int c : column)
        for (int v = 0; v < kServers; ++v) g.series.push_back(c);
    g.boundaries = {1};
    g.coefficients = {{-1, 3, -1}, {-1, -1, -1}, {-1, -1, -1}};
    for (double scale : {1.0, 50.0, 40.0})
        for (int v = 0; v < kServers; ++v) g.scale.push_back(scale * (1 + 0.01 * v));
    int at = thermo::kBoundary;
    auto node = [&](double C) {
        for (int v = 0; v < kServers; ++v) g.capacity.push_back(C);
        return g.n_node++;
    };
    if (tank) {
        g.streams.push_back({thermo::kBoundary, thermo::kShared, 0});
        at = thermo::kShared;
    }
    thermo::Controller fan;
    for (int i = 0; i < kDevices; ++i) {
        const int die = node(1.2), plate = node(150), cell = node(0);
        g.conductances.push_back({die, plate, 1});
        g.conductances.push_back({plate, cell, 2});
        g.streams.push_back({at, cell, 0});
        g.sources.push_back({die, 0, 1.0});
        fan.nodes.push_back(die), fan.target.push_back(30.0);
        at = cell;
        g.record_nodes.insert(g.record_nodes.end(), {die, cell});
    }
    g.exits.push_back({at, at, 0});
    g.record_signals = {3};
    if (controlled) {
        fan.gain = 0.01, fan.integral_gain = 0.001, fan.low = 0.2, fan.period = 2.5;
        g.controllers.push_back(fan);
    }
    return g;
}

struct Run {
    std::vector<double> nodes, signals, in, out, stored, border;
};

enum class By { exact, implicit, whole };

Run run(By by, bool controlled, bool tank, bool linear, int threads, double tolerance) {
    std::vector<double> time, value;
    for (int k = 0; k < kTime; ++k) {
        time.push_back(2.0 * k);
        value.insert(value.end(), {300.0 + 200.0 * ((k * 7) % 5), 4.0 * (k % 3), 0.5});
    }
    const unsigned char flag[3] = {linear, linear, 0};
    const thermo::Series series{kTime, 3, time.data(), value.data(), flag};
    thermo::Border border;
    if (tank) border.n_node = 1, border.capacity = {5000.0}, border.record_nodes = {0};
    thermo::Engine engine({lanes(controlled, tank)}, border, 3);
    const std::vector<double> half(controlled ? kServers : 0, 0.5);
    engine.controls()[0] = thermo::ControlState(engine.groups()[0], half.data());
    engine.steady(series, 0, 0.0, false);
    Run r;
    r.nodes.resize(kTime * kServers * 2 * kDevices), r.signals.resize(kTime * kServers);
    for (auto* v : {&r.in, &r.out, &r.stored}) v->resize(kTime * kServers);
    r.border.resize(kTime);
    std::vector<thermo::Record> records = {{r.nodes.data(), r.signals.data(), r.in.data(), r.out.data(), r.stored.data()}};
    auto poll = [](double) { return false; };
    const bool done = by == By::exact      ? engine.run_exact(series, records, 0.01, threads, poll)
                      : by == By::implicit ? engine.run_implicit(series, records, r.border.data(), tolerance, 0.0, poll)
                                           : engine.run_rational(series, records, r.border.data(), tolerance, poll);
    if (!done) std::printf("a run was cut short\n"), std::exit(1);
    return r;
}

double apart(const std::vector<double>& a, const std::vector<double>& b) {
    double most = 0;
    for (std::size_t i = 0; i < a.size(); ++i) most = std::max(most, std::fabs(a[i] - b[i]));
    return most;
}

// Largest gap in the balance of any interval [J]. The tank's heat is counted by the caller.
double gap(const Run& r, double tank) {
    double most = 0;
    for (int k = 0; k + 1 < kTime; ++k) {
        double sum = tank * (r.border[static_cast<std::size_t>(k)] - r.border[static_cast<std::size_t>(k) + 1]);
        for (int v = 0; v < kServers; ++v) {
            const auto i = static_cast<std::size_t>(k * kServers + v);
            sum += r.in[i] - r.out[i] - (r.stored[i + kServers] - r.stored[i]);
        }
        most = std::max(most, std::fabs(sum));
    }
    return most;
}

int check(bool good, const char* what) {
    if (!good) std::printf("wrong: %s\n", what);
    return good ? 0 : 1;
}

}  // namespace

int main() {
    int wrong = 0;
    for (const bool controlled : {false, true})
        for (const bool linear : {false, true}) {
            const Run exact = run(By::exact, controlled, false, linear, 1, 0), team = run(By::exact, controlled, false, linear, 3, 0);
            const Run implicit = run(By::implicit, controlled, false, linear, 1, 1e-3);
            const Run whole = run(By::whole, controlled, false, linear, 1, 1e-3);
            wrong += check(apart(exact.nodes, team.nodes) == 0, "threads changed bits");
            wrong += check(apart(exact.nodes, implicit.nodes) < 0.02, "steppers disagree");
            wrong += check(gap(exact, 0) < 1e-6 && gap(implicit, 0) < 1e-6, "energy is lost");
            // where a straight supply moves the fans too the exact stepper takes coefficients of the middle, as this one does
            wrong += check(apart(exact.nodes, whole.nodes) < 1e-4 && gap(whole, 0) < 1e-6, "whole steps are wrong, or lose energy");
            const Run shared = run(By::implicit, controlled, true, linear, 1, 1e-3), steps = run(By::whole, controlled, true, linear, 1, 1e-3);
            wrong += check(gap(shared, 5000.0) < 1e-6 && gap(steps, 5000.0) < 1e-6, "energy is lost around the tank");
            wrong += check(apart(shared.nodes, steps.nodes) < 0.02, "steppers disagree around the tank");
        }
    bool refused = false;
    try {
        thermo::Group bad = lanes(false, false);
        bad.streams[0].b = 99;
        thermo::Engine engine({bad}, {}, 3);
    } catch (const std::invalid_argument&) {
        refused = true;
    }
    wrong += check(refused, "a stream to nowhere was accepted");
    return wrong ? 1 : 0;
}
