"""Correlations as NumPy ufuncs, one line each: equations in ext/include/thermo/, docstrings in `thermo.formulas`."""
cimport cython

cdef extern from "thermo/ducts.hpp" namespace "thermo" nogil:
    const double _NUSSELT_CIRCULAR_T "thermo::NUSSELT_CIRCULAR_T"
    const double _NUSSELT_CIRCULAR_H "thermo::NUSSELT_CIRCULAR_H"
    double _nusselt_rectangular_h1 "thermo::nusselt_rectangular_h1"(double) noexcept
    double _nusselt_rectangular_t "thermo::nusselt_rectangular_t"(double) noexcept
    double _friction_rectangular "thermo::friction_rectangular"(double) noexcept
    double _nusselt_hausen "thermo::nusselt_hausen"(double, double, double, double) noexcept
    double _nusselt_sieder_tate_entry "thermo::nusselt_sieder_tate_entry"(double, double, double, double) noexcept
    double _nusselt_baehr_stephan "thermo::nusselt_baehr_stephan"(double, double, double, double) noexcept
    double _nusselt_developing_t "thermo::nusselt_developing_t"(double, double, double, double, double) noexcept
    double _nusselt_developing_h1 "thermo::nusselt_developing_h1"(double, double, double, double, double) noexcept
    double _friction_apparent "thermo::friction_apparent"(double, double) noexcept
    double _friction_petukhov "thermo::friction_petukhov"(double) noexcept
    double _friction_churchill "thermo::friction_churchill"(double, double) noexcept
    double _friction_colebrook "thermo::friction_colebrook"(double, double) noexcept
    double _nusselt_gnielinski "thermo::nusselt_gnielinski"(double, double, double) noexcept
    double _nusselt_dittus_boelter "thermo::nusselt_dittus_boelter"(double, double) noexcept
    double _nusselt_duct "thermo::nusselt_duct"(double, double, double, double, double) noexcept
    double _contraction_loss "thermo::contraction_loss"(double) noexcept
    double _expansion_loss "thermo::expansion_loss"(double) noexcept

cdef extern from "thermo/fins.hpp" namespace "thermo" nogil:
    double _fin_parameter "thermo::fin_parameter"(double, double, double) noexcept
    double _fin_efficiency "thermo::fin_efficiency"(double) noexcept
    double _surface_efficiency "thermo::surface_efficiency"(double, double) noexcept
    double _spreading_resistance_average "thermo::spreading_resistance_average"(double, double,
        double, double, double) noexcept
    double _spreading_resistance_max "thermo::spreading_resistance_max"(double, double,
        double, double, double) noexcept

cdef extern from "thermo/exchangers.hpp" namespace "thermo" nogil:
    double _effectiveness_counterflow "thermo::effectiveness_counterflow"(double, double) noexcept
    double _effectiveness_parallel "thermo::effectiveness_parallel"(double, double) noexcept
    double _effectiveness_single_stream "thermo::effectiveness_single_stream"(double) noexcept
    double _effectiveness_crossflow_unmixed "thermo::effectiveness_crossflow_unmixed"(double, double) noexcept
    double _effectiveness_crossflow_mixed_min "thermo::effectiveness_crossflow_mixed_min"(double, double) noexcept
    double _effectiveness_crossflow_mixed_max "thermo::effectiveness_crossflow_mixed_max"(double, double) noexcept
    double _ntu_counterflow "thermo::ntu_counterflow"(double, double) noexcept
    double _lmtd "thermo::lmtd"(double, double) noexcept
    double _nusselt_plate_kumar "thermo::nusselt_plate_kumar"(double, double, double) noexcept
    double _friction_plate_kumar "thermo::friction_plate_kumar"(double, double) noexcept
    double _nusselt_plate_muley_manglik "thermo::nusselt_plate_muley_manglik"(double, double, double, double) noexcept

cdef extern from "thermo/natural_convection.hpp" namespace "thermo" nogil:
    double _nusselt_churchill_chu "thermo::nusselt_churchill_chu"(double, double) noexcept
    double _nusselt_mcadams_up "thermo::nusselt_mcadams_up"(double) noexcept
    double _nusselt_mcadams_down "thermo::nusselt_mcadams_down"(double) noexcept

cdef extern from "thermo/boiling.hpp" namespace "thermo" nogil:
    double _htc_cooper "thermo::htc_cooper"(double, double, double, double) noexcept
    double _htc_cooper_superheat "thermo::htc_cooper_superheat"(double, double, double, double) noexcept
    double _htc_rohsenow "thermo::htc_rohsenow"(double, double, double, double, double,
        double, double, double, double, double) noexcept
    double _htc_rohsenow_superheat "thermo::htc_rohsenow_superheat"(double, double, double, double, double,
        double, double, double, double, double) noexcept
    double _htc_gorenflo "thermo::htc_gorenflo"(double, double, double, double) noexcept
    double _htc_gorenflo_water "thermo::htc_gorenflo_water"(double, double, double) noexcept
    double _chf_zuber "thermo::chf_zuber"(double, double, double, double, double) noexcept
    double _chf_kandlikar "thermo::chf_kandlikar"(double, double, double, double, double, double) noexcept
    double _chf_subcooling_factor "thermo::chf_subcooling_factor"(double, double, double, double, double) noexcept
    double _htc_nusselt_film "thermo::htc_nusselt_film"(double, double, double,
        double, double, double, double) noexcept

cdef extern from "thermo/air.hpp" namespace "thermo" nogil:
    double _saturation_pressure "thermo::saturation_pressure"(double) noexcept
    double _dew_point "thermo::dew_point"(double, double) noexcept
    double _humidity_ratio "thermo::humidity_ratio"(double, double, double) noexcept
    double _air_density "thermo::air_density"(double, double, double) noexcept
    double _air_heat_capacity "thermo::air_heat_capacity"(double, double, double) noexcept
    double _air_viscosity "thermo::air_viscosity"(double, double, double) noexcept
    double _air_conductivity "thermo::air_conductivity"(double, double, double) noexcept
    double _standard_pressure "thermo::standard_pressure"(double) noexcept


# ducts.hpp
NUSSELT_CIRCULAR_T = _NUSSELT_CIRCULAR_T
NUSSELT_CIRCULAR_H = _NUSSELT_CIRCULAR_H
@cython.ufunc
cdef double nusselt_rectangular_h1(double aspect) noexcept nogil: return _nusselt_rectangular_h1(aspect)
@cython.ufunc
cdef double nusselt_rectangular_t(double aspect) noexcept nogil: return _nusselt_rectangular_t(aspect)
@cython.ufunc
cdef double friction_rectangular(double aspect) noexcept nogil: return _friction_rectangular(aspect)
@cython.ufunc
cdef double nusselt_hausen(double Re, double Pr, double D_h, double L) noexcept nogil:
    return _nusselt_hausen(Re, Pr, D_h, L)
@cython.ufunc
cdef double nusselt_sieder_tate_entry(double Re, double Pr, double D_h, double L) noexcept nogil:
    return _nusselt_sieder_tate_entry(Re, Pr, D_h, L)
@cython.ufunc
cdef double nusselt_baehr_stephan(double Re, double Pr, double D_h, double L) noexcept nogil:
    return _nusselt_baehr_stephan(Re, Pr, D_h, L)
@cython.ufunc
cdef double nusselt_developing_t(double Re, double Pr, double aspect, double D_h, double L) noexcept nogil:
    return _nusselt_developing_t(Re, Pr, aspect, D_h, L)
@cython.ufunc
cdef double nusselt_developing_h1(double Re, double Pr, double aspect, double D_h, double L) noexcept nogil:
    return _nusselt_developing_h1(Re, Pr, aspect, D_h, L)
@cython.ufunc
cdef double friction_apparent(double x_plus, double f_Re) noexcept nogil: return _friction_apparent(x_plus, f_Re)
@cython.ufunc
cdef double friction_petukhov(double Re) noexcept nogil: return _friction_petukhov(Re)
@cython.ufunc
cdef double friction_churchill(double Re, double roughness) noexcept nogil: return _friction_churchill(Re, roughness)
@cython.ufunc
cdef double friction_colebrook(double Re, double roughness) noexcept nogil: return _friction_colebrook(Re, roughness)
@cython.ufunc
cdef double nusselt_gnielinski(double Re, double Pr,
                               double f_D) noexcept nogil: return _nusselt_gnielinski(Re, Pr, f_D)
@cython.ufunc
cdef double nusselt_dittus_boelter(double Re, double Pr) noexcept nogil: return _nusselt_dittus_boelter(Re, Pr)
@cython.ufunc
cdef double nusselt_duct(double Re, double Pr, double aspect, double D_h, double L) noexcept nogil:
    return _nusselt_duct(Re, Pr, aspect, D_h, L)
@cython.ufunc
cdef double contraction_loss(double area_ratio) noexcept nogil: return _contraction_loss(area_ratio)
@cython.ufunc
cdef double expansion_loss(double area_ratio) noexcept nogil: return _expansion_loss(area_ratio)

# fins.hpp
@cython.ufunc
cdef double fin_parameter(double h, double k, double t) noexcept nogil: return _fin_parameter(h, k, t)
@cython.ufunc
cdef double fin_efficiency(double mL) noexcept nogil: return _fin_efficiency(mL)
@cython.ufunc
cdef double surface_efficiency(double eta_f, double fin_area_ratio) noexcept nogil:
    return _surface_efficiency(eta_f, fin_area_ratio)
@cython.ufunc
cdef double spreading_resistance_average(double a, double b, double t, double k, double h) noexcept nogil:
    return _spreading_resistance_average(a, b, t, k, h)
@cython.ufunc
cdef double spreading_resistance_max(double a, double b, double t, double k, double h) noexcept nogil:
    return _spreading_resistance_max(a, b, t, k, h)

# exchangers.hpp
@cython.ufunc
cdef double effectiveness_counterflow(double NTU, double C_r) noexcept nogil:
    return _effectiveness_counterflow(NTU, C_r)
@cython.ufunc
cdef double effectiveness_parallel(double NTU, double C_r) noexcept nogil: return _effectiveness_parallel(NTU, C_r)
@cython.ufunc
cdef double effectiveness_single_stream(double NTU) noexcept nogil: return _effectiveness_single_stream(NTU)
@cython.ufunc
cdef double effectiveness_crossflow_unmixed(double NTU, double C_r) noexcept nogil:
    return _effectiveness_crossflow_unmixed(NTU, C_r)
@cython.ufunc
cdef double effectiveness_crossflow_mixed_min(double NTU, double C_r) noexcept nogil:
    return _effectiveness_crossflow_mixed_min(NTU, C_r)
@cython.ufunc
cdef double effectiveness_crossflow_mixed_max(double NTU, double C_r) noexcept nogil:
    return _effectiveness_crossflow_mixed_max(NTU, C_r)
@cython.ufunc
cdef double ntu_counterflow(double eps, double C_r) noexcept nogil: return _ntu_counterflow(eps, C_r)
@cython.ufunc
cdef double lmtd(double dT_1, double dT_2) noexcept nogil: return _lmtd(dT_1, dT_2)
@cython.ufunc
cdef double nusselt_plate_kumar(double Re, double Pr, double beta) noexcept nogil:
    return _nusselt_plate_kumar(Re, Pr, beta)
@cython.ufunc
cdef double friction_plate_kumar(double Re, double beta) noexcept nogil: return _friction_plate_kumar(Re, beta)
@cython.ufunc
cdef double nusselt_plate_muley_manglik(double Re, double Pr, double beta, double phi) noexcept nogil:
    return _nusselt_plate_muley_manglik(Re, Pr, beta, phi)

# natural_convection.hpp
@cython.ufunc
cdef double nusselt_churchill_chu(double Ra, double Pr) noexcept nogil: return _nusselt_churchill_chu(Ra, Pr)
@cython.ufunc
cdef double nusselt_mcadams_up(double Ra) noexcept nogil: return _nusselt_mcadams_up(Ra)
@cython.ufunc
cdef double nusselt_mcadams_down(double Ra) noexcept nogil: return _nusselt_mcadams_down(Ra)

# boiling.hpp
@cython.ufunc
cdef double htc_cooper(double q, double p_r, double M, double R_p) noexcept nogil: return _htc_cooper(q, p_r, M, R_p)
@cython.ufunc
cdef double htc_cooper_superheat(double T_e, double p_r, double M, double R_p) noexcept nogil:
    return _htc_cooper_superheat(T_e, p_r, M, R_p)
@cython.ufunc
cdef double htc_rohsenow(double q, double rho_l, double rho_v, double mu_l, double k_l, double c_pl,
                         double h_fg, double sigma, double C_sf, double n) noexcept nogil:
    return _htc_rohsenow(q, rho_l, rho_v, mu_l, k_l, c_pl, h_fg, sigma, C_sf, n)
@cython.ufunc
cdef double htc_rohsenow_superheat(double T_e, double rho_l, double rho_v, double mu_l, double k_l,
                                   double c_pl, double h_fg, double sigma, double C_sf, double n) noexcept nogil:
    return _htc_rohsenow_superheat(T_e, rho_l, rho_v, mu_l, k_l, c_pl, h_fg, sigma, C_sf, n)
@cython.ufunc
cdef double htc_gorenflo(double q, double p_r, double h_0, double R_a) noexcept nogil:
    return _htc_gorenflo(q, p_r, h_0, R_a)
@cython.ufunc
cdef double htc_gorenflo_water(double q, double p_r,
                               double R_a) noexcept nogil: return _htc_gorenflo_water(q, p_r, R_a)
@cython.ufunc
cdef double chf_zuber(double rho_l, double rho_v, double h_fg, double sigma, double K) noexcept nogil:
    return _chf_zuber(rho_l, rho_v, h_fg, sigma, K)
@cython.ufunc
cdef double chf_kandlikar(double rho_l, double rho_v, double h_fg, double sigma, double contact_angle,
                          double tilt) noexcept nogil:
    return _chf_kandlikar(rho_l, rho_v, h_fg, sigma, contact_angle, tilt)
@cython.ufunc
cdef double chf_subcooling_factor(double rho_l, double rho_v, double c_pl, double h_fg, double dT_sub) noexcept nogil:
    return _chf_subcooling_factor(rho_l, rho_v, c_pl, h_fg, dT_sub)
@cython.ufunc
cdef double htc_nusselt_film(double dT, double rho_l, double rho_v, double k_l, double mu_l,
                             double h_fg, double L) noexcept nogil:
    return _htc_nusselt_film(dT, rho_l, rho_v, k_l, mu_l, h_fg, L)

# air.hpp
@cython.ufunc
cdef double saturation_pressure(double T) noexcept nogil: return _saturation_pressure(T)
@cython.ufunc
cdef double dew_point(double T, double relative_humidity) noexcept nogil: return _dew_point(T, relative_humidity)
@cython.ufunc
cdef double humidity_ratio(double T, double p, double relative_humidity) noexcept nogil:
    return _humidity_ratio(T, p, relative_humidity)
@cython.ufunc
cdef double air_density(double T, double p, double relative_humidity) noexcept nogil:
    return _air_density(T, p, relative_humidity)
@cython.ufunc
cdef double air_heat_capacity(double T, double p, double relative_humidity) noexcept nogil:
    return _air_heat_capacity(T, p, relative_humidity)
@cython.ufunc
cdef double air_viscosity(double T, double p, double relative_humidity) noexcept nogil:
    return _air_viscosity(T, p, relative_humidity)
@cython.ufunc
cdef double air_conductivity(double T, double p, double relative_humidity) noexcept nogil:
    return _air_conductivity(T, p, relative_humidity)
@cython.ufunc
cdef double standard_pressure(double altitude) noexcept nogil: return _standard_pressure(altitude)
