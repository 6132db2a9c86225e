// Fins and heat spreading in a base plate. Ranges and sources: src/thermo/formulas.py, same names.
#pragma once
#include <cmath>

#include "thermo/constants.hpp"

namespace thermo {

inline double fin_parameter(double h, double k, double t) noexcept { return std::sqrt(2 * h / (k * t)); }

inline double fin_efficiency(double mL) noexcept { return mL == 0 ? 1.0 : std::tanh(mL) / mL; }

inline double surface_efficiency(double eta_f, double fin_area_ratio) noexcept {
    return 1 - fin_area_ratio * (1 - eta_f);
}

// ---- Lee, Song, Au and Moran (1995): disc of radius a on a plate of radius b and thickness t, film h below
struct Spreading {
    double eps, tau, phi, scale;  // psi * scale = R
};

inline Spreading spreading(double a, double b, double t, double k, double h) noexcept {
    const double eps = a / b, tau = t / b, Bi = h * b / k;
    const double lambda = PI + 1 / (std::sqrt(PI) * eps);
    const double th = std::tanh(lambda * tau);
    return {eps, tau, (Bi * th + lambda) / (Bi + lambda * th), 1 / (std::sqrt(PI) * k * a)};  // phi times Bi / Bi
}

inline double spreading_resistance_average(double a, double b, double t, double k, double h) noexcept {
    const Spreading s = spreading(a, b, t, k, h);
    return s.scale * (s.eps * s.tau / std::sqrt(PI) + 0.5 * std::pow(1 - s.eps, 1.5) * s.phi);
}

inline double spreading_resistance_max(double a, double b, double t, double k, double h) noexcept {
    const Spreading s = spreading(a, b, t, k, h);
    return s.scale * (s.eps * s.tau + (1 - s.eps) * s.phi) / std::sqrt(PI);
}

}  // namespace thermo
