// Heat exchangers: effectiveness and number of transfer units, mean temperature difference, chevron plates.
// Ranges and sources: src/thermo/formulas.py, same names.
#pragma once
#include <cmath>

#include "thermo/constants.hpp"

namespace thermo {

inline double expm1_ratio(double x) noexcept { return x == 0 ? 1.0 : -std::expm1(-x) / x; }  // (1 - e^-x) / x
inline double log1p_ratio(double x) noexcept { return x == 0 ? 1.0 : std::log1p(x) / x; }

// (1 - e^-x) / (1 - C_r e^-x), x = NTU (1 - C_r), divided through by 1 - C_r: no 0/0 at C_r = 1, nothing lost near
inline double effectiveness_counterflow(double NTU, double C_r) noexcept {
    const double n = NTU * expm1_ratio(NTU * (1 - C_r));
    return n / (1 + C_r * n);
}

inline double effectiveness_parallel(double NTU, double C_r) noexcept {
    return -std::expm1(-NTU * (1 + C_r)) / (1 + C_r);
}

inline double effectiveness_single_stream(double NTU) noexcept { return -std::expm1(-NTU); }

// The three cross-flow forms, each with its 1 / C_r folded into expm1_ratio so that C_r = 0 is no special case
inline double effectiveness_crossflow_unmixed(double NTU, double C_r) noexcept {
    return -std::expm1(-NTU * expm1_ratio(C_r * std::pow(NTU, 0.78)));
}

inline double effectiveness_crossflow_mixed_min(double NTU, double C_r) noexcept {
    return -std::expm1(-NTU * expm1_ratio(C_r * NTU));
}

inline double effectiveness_crossflow_mixed_max(double NTU, double C_r) noexcept {
    const double e = -std::expm1(-NTU);
    return e * expm1_ratio(C_r * e);
}

inline double ntu_counterflow(double eps, double C_r) noexcept {
    const double n = eps / (1 - eps);
    return n * log1p_ratio(n * (1 - C_r));
}

// (dT_1 - dT_2) / ln(dT_1 / dT_2) on the larger one: no 0/0 when both are equal, 0 when one is
inline double lmtd(double dT_1, double dT_2) noexcept {
    const double high = dT_1 < dT_2 ? dT_2 : dT_1;
    const double low = dT_1 < dT_2 ? dT_1 : dT_2;
    return high == 0 ? low : high / log1p_ratio((low - high) / high);
}

// ---- chevron plates; beta [deg] from the flow direction
struct ChevronRow {
    double beta, Re_1, Re_2, c[3], n[3];  // c Re^n up to Re_1, up to Re_2, and above; row holds up to beta
};

inline constexpr ChevronRow KUMAR_NUSSELT[] = {
    {30, 10, 10, {0.718, 0.348, 0.348}, {0.349, 0.663, 0.663}},
    {45, 10, 100, {0.718, 0.400, 0.300}, {0.349, 0.598, 0.663}},
    {50, 20, 300, {0.630, 0.291, 0.130}, {0.333, 0.591, 0.732}},
    {60, 20, 400, {0.562, 0.306, 0.108}, {0.326, 0.529, 0.703}},
    {65, 20, 500, {0.562, 0.331, 0.087}, {0.326, 0.503, 0.718}},
};
inline constexpr ChevronRow KUMAR_FRICTION[] = {  // Fanning
    {30, 10, 100, {50.0, 19.40, 2.990}, {-1, -0.589, -0.183}},
    {45, 15, 300, {47.0, 18.29, 1.441}, {-1, -0.652, -0.206}},
    {50, 20, 300, {34.0, 11.25, 0.772}, {-1, -0.631, -0.161}},
    {60, 40, 400, {24.0, 3.240, 0.760}, {-1, -0.457, -0.215}},
    {65, 50, 500, {24.0, 2.800, 0.639}, {-1, -0.451, -0.213}},
};

inline double chevron(const ChevronRow (&table)[5], double Re, double beta) noexcept {
    int row = 0;
    while (row < 4 && beta > table[row].beta) ++row;
    const int i = Re <= table[row].Re_1 ? 0 : Re <= table[row].Re_2 ? 1 : 2;
    return table[row].c[i] * std::pow(Re, table[row].n[i]) + 0 * beta;  // nan in, nan out
}

inline double nusselt_plate_kumar(double Re, double Pr, double beta) noexcept {
    return chevron(KUMAR_NUSSELT, Re, beta) * std::pow(Pr, 0.33);
}

inline double friction_plate_kumar(double Re, double beta) noexcept {  // f_D
    return 4 * chevron(KUMAR_FRICTION, Re, beta);
}

inline double nusselt_plate_muley_manglik(double Re, double Pr, double beta, double phi) noexcept {
    const double angle = 0.2668 + beta * (-0.006967 + 7.244e-5 * beta);
    const double area = 20.7803 + phi * (-50.9372 + phi * (41.1585 - 10.1507 * phi));
    return angle * area * std::pow(Re, 0.728 + 0.0543 * std::sin(PI * beta / 45 + 3.7)) * std::cbrt(Pr);
}

}  // namespace thermo
