// Moist air as an ideal mixture; T [degC], p [Pa], relative humidity [1]. Ranges and sources: src/thermo/formulas.py.
#pragma once
#include <cmath>

#include "thermo/constants.hpp"

namespace thermo {

inline constexpr double R_DRY_AIR = 287.055;        // [J/(kg K)], 8.314462 / 28.9647e-3
inline constexpr double R_VAPOUR = 461.523;         // [J/(kg K)], 8.314462 / 18.01527e-3
inline constexpr double M_RATIO = 0.621975;         // molar mass of water over that of dry air
inline constexpr double C_P_DRY_AIR = 1006.0;       // [J/(kg K)], ASHRAE Fundamentals (2017) ch. 1 Eq. 30
inline constexpr double C_P_VAPOUR = 1860.0;        // [J/(kg K)], the same

// ---- Hyland and Wexler (1983): ln p_ws over ice and over liquid, and its slope in T
struct LogPressure {
    double value, slope;
};

inline LogPressure log_pressure_ice(double T_K) noexcept {
    const double c0 = -5.6745359e3, c1 = 6.3925247, c2 = -9.6778430e-3, c3 = 6.2215701e-7, c4 = 2.0747825e-9,
                 c5 = -9.4840240e-13, c6 = 4.1635019;
    return {c0 / T_K + c1 + T_K * (c2 + T_K * (c3 + T_K * (c4 + T_K * c5))) + c6 * std::log(T_K),
            (c6 - c0 / T_K) / T_K + c2 + T_K * (2 * c3 + T_K * (3 * c4 + T_K * 4 * c5))};
}

inline LogPressure log_pressure_liquid(double T_K) noexcept {
    const double c0 = -5.8002206e3, c1 = 1.3914993, c2 = -4.8640239e-2, c3 = 4.1764768e-5, c4 = -1.4452093e-8,
                 c5 = 6.5459673;
    return {c0 / T_K + c1 + T_K * (c2 + T_K * (c3 + T_K * c4)) + c5 * std::log(T_K),
            (c5 - c0 / T_K) / T_K + c2 + T_K * (2 * c3 + T_K * 3 * c4)};
}

inline double saturation_pressure(double T) noexcept {
    const double T_K = T + ZERO_CELSIUS;
    return std::exp((T < 0 ? log_pressure_ice(T_K) : log_pressure_liquid(T_K)).value);
}

// Newton in 1/T, where ln p is nearly straight, on the branch that holds the answer (the two differ by 1e-4 at 0 degC)
inline double dew_point(double T, double relative_humidity) noexcept {
    if (relative_humidity == 0) return -ZERO_CELSIUS;  // the limit: vapour pressure falls to 0 at 0 K
    const double log_p = std::log(relative_humidity * saturation_pressure(T));
    const bool ice = log_p < log_pressure_liquid(ZERO_CELSIUS).value;
    double beta = 1 / (T + ZERO_CELSIUS);
    for (int i = 0; i < 50; ++i) {
        const LogPressure f = ice ? log_pressure_ice(1 / beta) : log_pressure_liquid(1 / beta);
        const double step = (f.value - log_p) / (-f.slope / (beta * beta));
        beta -= step;
        if (!(std::fabs(step) > 1e-14 * beta)) break;  // also leaves on nan
    }
    return 1 / beta - ZERO_CELSIUS;
}

inline double humidity_ratio(double T, double p, double relative_humidity) noexcept {
    const double p_v = relative_humidity * saturation_pressure(T);
    return M_RATIO * p_v / (p - p_v);
}

inline double air_density(double T, double p, double relative_humidity) noexcept {
    const double p_v = relative_humidity * saturation_pressure(T);
    return ((p - p_v) / R_DRY_AIR + p_v / R_VAPOUR) / (T + ZERO_CELSIUS);
}

inline double air_heat_capacity(double T, double p, double relative_humidity) noexcept {
    const double W = humidity_ratio(T, p, relative_humidity);
    return (C_P_DRY_AIR + W * C_P_VAPOUR) / (1 + W);
}

// ---- transport: dry air from the U.S. Standard Atmosphere (1976) Eqs. 51, 53; vapour and mixing, Tsilingiris (2008)
inline double dry_air_viscosity(double T) noexcept {
    const double T_K = T + ZERO_CELSIUS;
    return 1.458e-6 * T_K * std::sqrt(T_K) / (T_K + 110.4);
}

inline double dry_air_conductivity(double T) noexcept {
    const double T_K = T + ZERO_CELSIUS;
    return 2.64638e-3 * T_K * std::sqrt(T_K) / (T_K + 245.4 * std::pow(10.0, -12 / T_K));
}

inline double vapour_viscosity(double T) noexcept { return 8.058131868e-6 + 4.000549451e-8 * T; }

inline double vapour_conductivity(double T) noexcept {
    return 1.761758242e-2 + T * (5.558941059e-5 + 1.663336663e-7 * T);
}

// Wilke's rule, which Wassiljewa's form with Mason and Saxena's factors shares: weights from the viscosities
inline double mixture(double T, double p, double relative_humidity, double dry, double vapour) noexcept {
    const double x = relative_humidity * saturation_pressure(T) / p;  // mole fraction of vapour
    const double mu = std::sqrt(dry_air_viscosity(T) / vapour_viscosity(T)), M = std::sqrt(std::sqrt(M_RATIO));
    const double av = 1 + mu * M, va = 1 + 1 / (mu * M);
    const double phi_av = av * av / std::sqrt(8 * (1 + 1 / M_RATIO)), phi_va = va * va / std::sqrt(8 * (1 + M_RATIO));
    return (1 - x) * dry / (1 - x + x * phi_av) + x * vapour / (x + (1 - x) * phi_va);
}

inline double air_viscosity(double T, double p, double relative_humidity) noexcept {
    return mixture(T, p, relative_humidity, dry_air_viscosity(T), vapour_viscosity(T));
}

inline double air_conductivity(double T, double p, double relative_humidity) noexcept {
    return mixture(T, p, relative_humidity, dry_air_conductivity(T), vapour_conductivity(T));
}

// ---- U.S. Standard Atmosphere (1976), troposphere
inline double standard_pressure(double altitude) noexcept {
    return 101325 * std::pow(1 - 2.25577e-5 * altitude, 5.25588);
}

}  // namespace thermo
