// Leakage over a step as a straight line: its end is what the chip leaks at the temperature that the step ends with, its mean
// what it leaks along the way, by the mean and the variance of the temperature.
#pragma once
#include <algorithm>
#include <cmath>

#include "thermo/signals.hpp"

namespace thermo {

// What a watt of a chip's own power does to the end and to the mean of its temperature over a step [K/W]: as a level, and as a
// line that begins at nothing.
struct LeakResponse {
    double gain, ramp, mean_gain, mean_ramp;
};
struct LeakClosure {
    double off, error;  // [K] what this step of Newton moved, and how far the straight line may be from the truth
    bool bad;           // no line tells it
};

// One step of Newton for the two ends of the line, from the temperatures that the line as it stands leads to: T0 at the begin,
// T1 at the end, Tm on average. `answers`: whether more leakage means more power.
inline LeakClosure close_leak_line(const Chip& chip, double T0, double T1, double Tm, bool answers, const LeakResponse& by, double& left,
                              double& right) noexcept {
    constexpr double kHottest = 300.0;  // K above a chip's reference: no silicon lives there
    if (!(T1 < chip.reference + kHottest) || !(Tm < chip.reference + kHottest)) return {0, 0, true};
    // The variance along the way: that of a straight line or of an exponential, told apart by where the mean lies.
    const double s = chip.scale, D = T1 - T0, z = D != 0 ? (T1 - Tm) / D : 0.5, bulge = Tm - 0.5 * (T0 + T1);
    const bool plain = z >= 0 && z <= 1;
    const double variance = plain ? D * D * z * (1 - z) / 3 : D * D / 12 + bulge * bulge;
    const double at_end = leak(chip, T1), level = chip.leakage + leak(chip, Tm),
                 in_mean = level - chip.leakage + 0.5 * level / (s * s) * variance;
    const double end_off = right - at_end, mean_off = 0.5 * (left + right) - in_mean;
    const double end_slope = answers ? (chip.leakage + at_end) / s : 0.0, mean_slope = answers ? level / s : 0.0;
    // rows: what is off at the end and in the mean; columns: by the left and by the right end of the source
    const double el = -end_slope * (by.gain - by.ramp), er = 1 - end_slope * by.ramp, ml = 0.5 - mean_slope * (by.mean_gain - by.mean_ramp),
                 mr = 0.5 - mean_slope * by.mean_ramp, determinant = el * mr - er * ml;
    const double dl = (mr * end_off - er * mean_off) / determinant, dr = (el * mean_off - ml * end_off) / determinant;
    left -= dl, right -= dr;
    const double strength = std::fabs(by.gain), third = std::fabs(D) / s;
    return {std::max(std::fabs(dl), std::fabs(dr)) * strength,
            strength * level * ((plain ? 0.18 : 0.5) * variance / (s * s) + 0.005 * third * third * third),
            !std::isfinite(dl) || !std::isfinite(dr)};
}

}  // namespace thermo
