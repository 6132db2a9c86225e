// Numbers that several formulas share.
#pragma once

namespace thermo {

inline constexpr double PI = 3.14159265358979323846;
inline constexpr double ZERO_CELSIUS = 273.15;       // [K], by definition
inline constexpr double STANDARD_GRAVITY = 9.80665;  // [m/s2], by definition

}  // namespace thermo
