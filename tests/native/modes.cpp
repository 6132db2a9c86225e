// Uniform layers in modes, without Python: a tail of lanes, all places and outputs, a column steady and in time.
// Built with sanitizers by test_engine.py; ends with 1 where an answer is wrong.
#include <cmath>
#include <cstdio>
#include <limits>
#include <vector>

#include "thermo/layer_modes.hpp"

namespace {

int check(bool right, const char* what) {
    if (!right) std::fprintf(stderr, "%s\n", what);
    return right ? 0 : 1;
}
bool near(double a, double b, double tolerance) { return std::fabs(a - b) <= tolerance * std::fabs(b); }

}  // namespace

int main() {
    int wrong = 0;
    double x[8] = {0, 1e-20, 1e-9, 0.3, 0.35, 5, 600, 1e9}, e[8], rest[8];
    thermo::decay<8>(x, e, rest);
    for (int w = 0; w < 7; ++w)
        wrong += check(near(e[w], std::exp(-x[w]), 3e-16) && near(rest[w], -std::expm1(-x[w]), 3e-16), "decay is not exp to rounding");
    wrong += check(e[7] < 1e-300 && rest[7] == 1, "decay is not 0 far out");

    std::vector<double> lambda_x(37), lambda_y(2);
    for (std::size_t m = 0; m < lambda_x.size(); ++m) lambda_x[m] = 1e4 * static_cast<double>(m * m);
    lambda_y[1] = 3e4;
    const thermo::Plane plane{37, 2, lambda_x.data(), lambda_y.data()};
    const double d[2] = {1e-3, 2e-3}, k[2] = {100, 10}, contact[1] = {1e-5}, h = 1e4;
    const std::vector<double> flux(plane.size(), 1e5);
    const std::vector<const double*> sources = {flux.data(), nullptr, nullptr, flux.data(), flux.data(), nullptr};
    const std::vector<thermo::LayerOutput> outputs = {{0, 0.0}, {1, std::nan("")}, {1, 1e-3}, {1, 2e-3}};
    std::vector<double> out(outputs.size() * plane.size());
    thermo::steady_layers(plane, {2, d, k, k, k, contact, 0.0, h}, sources, outputs, out.data());
    wrong += check(near(out[3 * plane.size()], 3e5 / h, 1e-12), "what enters does not leave");
    thermo::steady_layers(plane, {2, d, k, k, k, contact, std::numeric_limits<double>::infinity(), h}, sources, outputs, out.data());
    wrong += check(out[0] == 0, "a held face is not held");

    const double up[2] = {5e4, 3e4}, capacity[3] = {1e3, 2e3, 3e3}, share[3] = {1, 0, 0}, profile[3] = {0, 0, 1};
    const double side[3] = {0.1, 0.2, 0.3};
    const thermo::Column column{3, side, side, up, 0.0, h, capacity};
    const std::vector<thermo::ColumnSource> heat = {{share, flux.data()}};
    const std::vector<int> cells = {0, 2};
    std::vector<double> still(2 * plane.size()), maps(2 * still.size()), weight(plane.size(), 0.0), readings(2), start(3 * plane.size(), 1.0);
    weight[0] = 1;
    thermo::steady_column(plane, column, heat, cells, still.data());
    const double step[2] = {0.1, 1e4}, power[2] = {1, 1};
    wrong += check(thermo::transient_column(plane, column, heat, {2, step, power}, start.data(), cells, {{profile, weight.data()}}, maps.data(), readings.data()),
                   "an eigenvalue was not found");
    for (std::size_t i = 0; i < still.size(); ++i) wrong += check(near(maps[still.size() + i], still[i], 1e-11), "the end is not the steady state");
    wrong += check(readings[1] == maps[still.size() + plane.size()], "a sensor does not read its cell");
    return wrong ? 1 : 0;
}
