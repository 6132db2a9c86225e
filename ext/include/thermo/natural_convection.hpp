// Free convection from isothermal plates. Ranges and sources: src/thermo/formulas.py, same names.
#pragma once
#include <cmath>

namespace thermo {

inline double nusselt_churchill_chu(double Ra, double Pr) noexcept {
    const double prandtl = std::pow(1 + std::pow(0.492 / Pr, 9.0 / 16.0), 8.0 / 27.0);
    const double root = 0.825 + 0.387 * std::pow(Ra, 1.0 / 6.0) / prandtl;
    return root * root;
}

// McAdams changes law at Ra = 1e7 with a step of 6 %; where his two lines cross (4.7e6) there is none
inline double nusselt_mcadams_up(double Ra) noexcept {
    const double laminar = 0.54 * std::pow(Ra, 0.25), turbulent = 0.15 * std::cbrt(Ra);
    return turbulent > laminar ? turbulent : laminar;
}

inline double nusselt_mcadams_down(double Ra) noexcept { return 0.27 * std::pow(Ra, 0.25); }

}  // namespace thermo
