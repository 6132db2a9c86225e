// Flow in ducts: Nusselt numbers on the hydraulic diameter, friction factors, entry and exit losses.
// f is Fanning's factor, f_D = 4 f Darcy's. Ranges and sources: src/thermo/formulas.py, same names.
#pragma once
#include <cmath>

#include "thermo/constants.hpp"

namespace thermo {

inline constexpr double NUSSELT_CIRCULAR_T = 3.66;         // wall at one temperature
inline constexpr double NUSSELT_CIRCULAR_H = 48.0 / 11.0;  // uniform heat flux

// ---- laminar, developed: polynomials of Shah and London (1978) in aspect = short / long side
inline double nusselt_rectangular_h1(double aspect) noexcept {
    const double a = aspect;
    return 8.235 * (1 + a * (-2.0421 + a * (3.0853 + a * (-2.4765 + a * (1.0578 - 0.1861 * a)))));
}

inline double nusselt_rectangular_t(double aspect) noexcept {
    const double a = aspect;
    return 7.541 * (1 + a * (-2.610 + a * (4.970 + a * (-5.119 + a * (2.702 - 0.548 * a)))));
}

inline double friction_rectangular(double aspect) noexcept {  // f Re
    const double a = aspect;
    return 24.0 * (1 + a * (-1.3553 + a * (1.9467 + a * (-1.7012 + a * (0.9564 - 0.2537 * a)))));
}

// ---- laminar, entry
inline double graetz(double Re, double Pr, double D_h, double L) noexcept { return Re * Pr * D_h / L; }

inline double nusselt_hausen(double Re, double Pr, double D_h, double L) noexcept {
    const double Gz = graetz(Re, Pr, D_h, L);
    return NUSSELT_CIRCULAR_T + 0.0668 * Gz / (1 + 0.04 * std::pow(Gz, 2.0 / 3.0));
}

inline double nusselt_sieder_tate_entry(double Re, double Pr, double D_h, double L) noexcept {
    return 1.86 * std::cbrt(graetz(Re, Pr, D_h, L));
}

inline double nusselt_baehr_stephan(double Re, double Pr, double D_h, double L) noexcept {
    const double Gz = graetz(Re, Pr, D_h, L);
    const double thermal = 3.657 / std::tanh(2.264 * std::pow(Gz, -1.0 / 3.0) + 1.7 * std::pow(Gz, -2.0 / 3.0));
    const double velocity = std::tanh(2.432 * std::pow(Pr, 1.0 / 6.0) * std::pow(Gz, -1.0 / 6.0));
    return (thermal + 0.0499 * Gz * std::tanh(1 / Gz)) / velocity;
}

// Muzychka and Yovanovich (2004) Eq. for the mean, both layers developing; c_pr and d_pr make f(Pr), C_3 the Leveque
// part. Written on D_h, where sqrt(A) cancels. Their C_1 fRe / (8 sqrt(pi) aspect^0.1) only estimates the developed
// limit (up to a quarter high in narrow ducts), so Nu_fd brings the exact one.
inline double nusselt_combined_entry(double Re, double Pr, double aspect, double D_h, double L, double Nu_fd,
                                     double c_pr, double d_pr, double C_3) noexcept {
    const double C_2 = 1.5, C_4 = 2.0;  // mean over the length; both are 1 at a point
    const double Gz = graetz(Re, Pr, D_h, L);  // 1 / x*
    const double m = 2.27 + 1.65 * std::cbrt(Pr);
    const double f_Pr = c_pr / std::pow(1 + std::pow(d_pr * std::pow(Pr, 1.0 / 6.0), 4.5), 2.0 / 9.0);
    const double leveque = C_2 * C_3 * std::cbrt(friction_rectangular(aspect) * Gz);
    const double long_duct = std::pow(std::pow(leveque, 5) + std::pow(Nu_fd, 5), 0.2);
    return std::pow(std::pow(C_4 * f_Pr * std::sqrt(Gz), m) + std::pow(long_duct, m), 1 / m);
}

inline double nusselt_developing_t(double Re, double Pr, double aspect, double D_h, double L) noexcept {
    return nusselt_combined_entry(Re, Pr, aspect, D_h, L, nusselt_rectangular_t(aspect), 0.564, 1.664, 0.409);
}

inline double nusselt_developing_h1(double Re, double Pr, double aspect, double D_h, double L) noexcept {
    return nusselt_combined_entry(Re, Pr, aspect, D_h, L, nusselt_rectangular_h1(aspect), 0.886, 1.909, 0.501);
}

inline double friction_apparent(double x_plus, double f_Re) noexcept {  // f_app Re
    return std::sqrt(3.44 * 3.44 / x_plus + f_Re * f_Re);
}

// ---- turbulent
inline double friction_petukhov(double Re) noexcept {  // f_D
    const double root = 0.79 * std::log(Re) - 1.64;
    return 1 / (root * root);
}

struct Friction {
    double f_D, exponent;  // d ln f_D / d ln Re
};

// Churchill (1977), f_D = 8 ((8 / Re)^12 + (A + B)^-1.5)^(1/12), with its slope, which Newton's method wants
inline Friction friction_churchill_slope(double Re, double roughness) noexcept {
    const auto to_4 = [](double x) { return x * x * (x * x); };
    const double smooth = std::pow(7 / Re, 0.9), both = smooth + 0.27 * roughness;
    const double theta = 2.457 * std::log(both);
    const double A = to_4(to_4(theta)), B = to_4(to_4(37530 / Re));
    const double laminar = to_4(8 / Re) * to_4(8 / Re) * to_4(8 / Re), turbulent = 1 / ((A + B) * std::sqrt(A + B));
    const double dA = 16 * A * 2.457 * -0.9 * smooth / (both * theta), dB = -16 * B;
    const double sum = laminar + turbulent;
    return {8 * std::pow(sum, 1.0 / 12.0), (-laminar - 0.125 * turbulent * (dA + dB) / (A + B)) / sum};
}

inline double friction_churchill(double Re, double roughness) noexcept {  // f_D
    return friction_churchill_slope(Re, roughness).f_D;
}

// Newton on x = 1 / sqrt(f_D) from Haaland's value: quadratic, three steps reach rounding
inline double friction_colebrook(double Re, double roughness) noexcept {
    const double a = roughness / 3.7, b = 2.51 / Re, c = 2 / std::log(10.0);
    double x = -1.8 * std::log10(std::pow(a, 1.11) + 6.9 / Re);
    for (int i = 0; i < 20; ++i) {
        const double step = (x + c * std::log(a + b * x)) / (1 + c * b / (a + b * x));
        x -= step;
        if (!(std::fabs(step) > 1e-14 * x)) break;  // also leaves on nan
    }
    return 1 / (x * x);
}

inline double nusselt_gnielinski(double Re, double Pr, double f_D) noexcept {
    return f_D / 8 * (Re - 1000) * Pr / (1 + 12.7 * std::sqrt(f_D / 8) * (std::pow(Pr, 2.0 / 3.0) - 1));
}

inline double nusselt_dittus_boelter(double Re, double Pr) noexcept {
    return 0.023 * std::pow(Re, 0.8) * std::pow(Pr, 0.4);
}

// ---- any Re. Below 2300 the laminar entry value Nu_l. Above 4000 Nu_t = (Nu_l^8 + Nu_G^8)^(1/8): in a short duct the
// laminar layer can carry more than Gnielinski's flow. Between, from one to the other by s^2 (3 - 2 s):
// both rise with Re and Nu_t > Nu_l, so the blend rises too, with a continuous slope.
inline double nusselt_duct(double Re, double Pr, double aspect, double D_h, double L) noexcept {
    const double Re_laminar = 2300, Re_turbulent = 4000;  // Gnielinski (2013)
    const double laminar = nusselt_developing_h1(Re, Pr, aspect, D_h, L);
    if (Re <= Re_laminar) return laminar;
    const double entry = 1 + std::pow(D_h / L, 2.0 / 3.0);  // Hausen's, kept by Gnielinski (2013) Eq. 5
    const double gnielinski = nusselt_gnielinski(Re, Pr, friction_petukhov(Re)) * entry;
    const double turbulent = std::pow(std::pow(laminar, 8) + std::pow(gnielinski, 8), 0.125);
    if (Re >= Re_turbulent) return turbulent;
    const double s = (Re - Re_laminar) / (Re_turbulent - Re_laminar);
    return laminar + s * s * (3 - 2 * s) * (turbulent - laminar);
}

// ---- plate-fin channel, area_ratio = free over frontal
inline double contraction_loss(double area_ratio) noexcept { return 0.42 * (1 - area_ratio * area_ratio); }
inline double expansion_loss(double area_ratio) noexcept {
    const double blocked = 1 - area_ratio * area_ratio;
    return blocked * blocked;
}

}  // namespace thermo
