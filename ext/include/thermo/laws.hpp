// A law: how a coefficient follows a signal, as a table on an even grid with cubic Hermite pieces.
// Built once per scenario from the formulas; the builder checks the table's error.
#pragma once
#include <algorithm>
#include <cmath>
#include <cstddef>
#include <vector>

namespace thermo {

struct Law {
    double low = 0, step = 1;
    std::vector<double> value, slope;  // slope is per grid step

    // Beyond the ends the law goes on as a straight line; the caller has chosen a grid that holds all it expects.
    double operator()(double x) const noexcept {
        const double s = (x - low) / step;
        const std::size_t last = value.size() - 1;
        if (!(s > 0)) return value[0] + s * slope[0];
        if (s >= static_cast<double>(last)) return value[last] + (s - static_cast<double>(last)) * slope[last];
        const auto i = static_cast<std::size_t>(s);
        const double u = s - static_cast<double>(i), v = 1 - u;
        return value[i] * (1 + 2 * u) * v * v + slope[i] * u * v * v + value[i + 1] * u * u * (1 + 2 * v) -
               slope[i + 1] * u * u * v;
    }
};

}  // namespace thermo
