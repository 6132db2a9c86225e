// Pool boiling, critical heat flux and film condensation. Ranges and sources: src/thermo/formulas.py, same names.
// T_e = T_wall - T_saturation.
#pragma once
#include <cmath>

#include "thermo/constants.hpp"

namespace thermo {

// ---- Cooper (1984). M in g/mol and R_p in micrometre are the units of his 55
inline double cooper_factor(double p_r, double M, double R_p) noexcept {
    const double M_g = 1e3 * M, R_p_um = 1e6 * R_p;
    return 55 * std::pow(p_r, 0.12 - 0.2 * std::log10(R_p_um)) * std::pow(-std::log10(p_r), -0.55) / std::sqrt(M_g);
}

inline double htc_cooper(double q, double p_r, double M, double R_p) noexcept {
    return cooper_factor(p_r, M, R_p) * std::pow(q, 0.67);
}

inline double htc_cooper_superheat(double T_e, double p_r, double M, double R_p) noexcept {  // with q = h T_e
    return std::pow(cooper_factor(p_r, M, R_p) * std::pow(T_e, 0.67), 1 / 0.33);
}

// ---- Rohsenow (1952): q = factor T_e^3
inline double rohsenow_factor(double rho_l, double rho_v, double mu_l, double k_l, double c_pl, double h_fg,
                              double sigma, double C_sf, double n) noexcept {
    const double Pr_l = c_pl * mu_l / k_l;
    return mu_l * h_fg * std::sqrt(STANDARD_GRAVITY * (rho_l - rho_v) / sigma) *
           std::pow(c_pl / (C_sf * h_fg * std::pow(Pr_l, n)), 3);
}

inline double htc_rohsenow(double q, double rho_l, double rho_v, double mu_l, double k_l, double c_pl, double h_fg,
                           double sigma, double C_sf, double n) noexcept {
    return std::cbrt(rohsenow_factor(rho_l, rho_v, mu_l, k_l, c_pl, h_fg, sigma, C_sf, n) * q * q);
}

inline double htc_rohsenow_superheat(double T_e, double rho_l, double rho_v, double mu_l, double k_l, double c_pl,
                                     double h_fg, double sigma, double C_sf, double n) noexcept {
    return rohsenow_factor(rho_l, rho_v, mu_l, k_l, c_pl, h_fg, sigma, C_sf, n) * T_e * T_e;
}

// ---- Gorenflo (1993), on q_0 = 20 kW/m2 and R_a0 = 0.4 um
inline double gorenflo(double q, double h_0, double R_a, double F_p, double n) noexcept {
    const double q_0 = 2e4, R_a0 = 0.4e-6;
    return h_0 * std::pow(R_a / R_a0, 0.133) * F_p * std::pow(q / q_0, n);
}

inline double htc_gorenflo(double q, double p_r, double h_0, double R_a) noexcept {
    const double F_p = 1.2 * std::pow(p_r, 0.27) + (2.5 + 1 / (1 - p_r)) * p_r;
    return gorenflo(q, h_0, R_a, F_p, 0.9 - 0.3 * std::pow(p_r, 0.3));
}

inline double htc_gorenflo_water(double q, double p_r, double R_a) noexcept {
    const double h_0 = 5600;  // [W/(m2 K)]
    const double F_p = 1.73 * std::pow(p_r, 0.27) + (6.1 + 0.68 / (1 - p_r)) * p_r * p_r;
    return gorenflo(q, h_0, R_a, F_p, 0.9 - 0.3 * std::pow(p_r, 0.15));
}

// ---- critical heat flux
inline double chf_zuber(double rho_l, double rho_v, double h_fg, double sigma, double K) noexcept {
    return K * h_fg * std::sqrt(rho_v) * std::pow(STANDARD_GRAVITY * sigma * (rho_l - rho_v), 0.25);
}

// Kandlikar (2001) is Zuber's group with K from the receding contact angle and the tilt [deg]
inline double chf_kandlikar(double rho_l, double rho_v, double h_fg, double sigma, double contact_angle,
                            double tilt) noexcept {
    const double wetting = 1 + std::cos(contact_angle * PI / 180);
    const double K = wetting / 16 * std::sqrt(2 / PI + PI / 4 * wetting * std::cos(tilt * PI / 180));
    return chf_zuber(rho_l, rho_v, h_fg, sigma, K);
}

inline double chf_subcooling_factor(double rho_l, double rho_v, double c_pl, double h_fg, double dT_sub) noexcept {
    return 1 + 0.1 * std::pow(rho_l / rho_v, 0.75) * c_pl * dT_sub / h_fg;
}

// ---- Nusselt's laminar film on a vertical wall of height L
inline double htc_nusselt_film(double dT, double rho_l, double rho_v, double k_l, double mu_l, double h_fg,
                               double L) noexcept {
    const double C = 0.94280904158206337;  // 2 sqrt(2) / 3, the mean over the height
    return C * std::pow(STANDARD_GRAVITY * rho_l * (rho_l - rho_v) * h_fg * k_l * k_l * k_l / (mu_l * dT * L), 0.25);
}

}  // namespace thermo
