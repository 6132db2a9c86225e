// The flow network alone, without Python: every kind of element in one loop, pumps at rest and shut ways, slopes.
// Built with sanitizers by test_engine.py; ends with 1 where an answer is wrong.
#include <cmath>
#include <cstdio>
#include <vector>

#include "thermo/flow.hpp"

namespace {

using Kind = thermo::ElementKind;

int check(bool right, const char* what) {
    if (!right) std::fprintf(stderr, "%s\n", what);
    return right ? 0 : 1;
}

// 0 -(pump, check valve)-> 1 twice; 1 -> 2 a pipe; 2 -> 0 channels, a resistance, a valve side by side
thermo::FlowNetwork loop() {
    const std::vector<thermo::Element> elements = {
        {Kind::pump, 0, 0, {998.2}}, {Kind::check_valve, 0, -1, {30, 1e-9}}, {Kind::pump, 1, 0, {998.2}},
        {Kind::check_valve, 1, -1, {30, 1e-9}}, {Kind::pipe, 2, -1, {5, 0.03, 1e-5, 3, 1}},
        {Kind::channels, 3, -1, {2e-4, 2e-3, 0.02, 100, 1.5}}, {Kind::resistance, 4, -1, {1e8, 1e12, 998.2, 1e-3}},
        {Kind::valve, 5, -1, {4, 1, 50}}};
    const thermo::PumpCurve curve{{0, 1e-3, 3e-3}, {2e5, 1.6e5, 2e4}, {-2e7, -5e7, -8e7}};
    return {3, {0, 0, 1, 2, 2, 2}, {1, 1, 2, 0, 0, 0}, {1, 0, 0}, elements, {curve}};
}

}  // namespace

int main() {
    const thermo::FlowNetwork net = loop();
    const double nan = std::nan("");
    std::vector<double> setting(8, 1.0), loss(6, 1.0), pressure(3, 1e5), inflow(3, 0.0), V(6), p(3), drop(8), up(6), slope(6);
    std::vector<unsigned char> shut(6, 0);
    const thermo::FlowCase given{setting.data(), loss.data(), shut.data(), pressure.data(), inflow.data(), 1000.0, 1e-3};
    int wrong = 0;
    auto solve = [&](bool warm) { return net.solve(given, warm, V.data(), p.data(), drop.data()); };

    wrong += check(solve(false).fault == thermo::FlowFault::none, "the loop was not solved");
    wrong += check(std::fabs(V[0] + V[1] - V[2]) < 1e-10 * V[2] && std::fabs(V[2] - V[3] - V[4] - V[5]) < 1e-10 * V[2], "continuity");
    wrong += check(std::fabs(V[0] - V[1]) < 1e-9 * V[0], "equal pumps differ");
    net.sensitivity(given, V.data(), 7, slope.data());
    const std::vector<double> before = V;
    setting[7] = 1 - 1e-5;
    wrong += check(solve(true).fault == thermo::FlowFault::none, "no solution nearby");
    for (std::size_t b = 0; b < 6; ++b)
        wrong += check(std::fabs((before[b] - V[b]) / 1e-5 - slope[b]) < 1e-3 * std::fabs(slope[5]), "a slope is wrong");
    setting[0] = 0;
    wrong += check(solve(true).fault == thermo::FlowFault::none && V[0] <= 0 && V[0] > -1e-7 * V[1], "the check valve leaks");
    setting[2] = 0;
    wrong += check(solve(false).fault == thermo::FlowFault::none && V[2] == 0, "flow without a drive");
    setting[2] = 1;
    shut[2] = 1;
    const auto fault = solve(false);
    wrong += check(fault.fault == thermo::FlowFault::pump_against_shut && fault.where == 1, "a pump against a shut way went unseen");
    bool refused = false;
    try {
        thermo::FlowNetwork bad(2, {0}, {1}, {1, 0}, {{Kind::pipe, 0, -1, {nan, 1, 0, 0, 1}}}, {});
    } catch (const std::invalid_argument&) {
        refused = true;
    }
    wrong += check(refused, "a pipe without a length was accepted");
    return wrong ? 1 : 0;
}
