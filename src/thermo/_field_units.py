"""Unit of every field of the descriptions, by the field's name: one name, one unit, wherever it occurs. `1` is a pure number."""
from __future__ import annotations

__all__ = ["UNITS", "unit_of"]

UNITS: dict[str, str] = {
    # devices
    "max_power": "W", "idle_power": "W", "context_power": "W", "peak_power": "W",
    "reference_temperature": "degC", "leakage_share": "1", "leakage_scale": "K",
    "max_operating_temperature": "degC", "slowdown_temperature": "degC", "shutdown_temperature": "degC",
    "memory_limit_temperature": "degC", "memory_power_share": "1",
    "junction_capacity": "J/K", "junction_resistance": "K/W", "case_capacity": "J/K", "interface_resistance": "K/W",
    "memory_capacity": "J/K", "memory_resistance": "K/W", "ladder_capacity": "J/K", "ladder_resistance": "K/W", "ladder_from": "1", "ladder_to": "1",
    "die_area": "m2", "contact_area": "m2",
    "peak_flops": "1/s", "memory_bytes": "B",
    # heat sinks
    "width": "m", "length": "m", "base_thickness": "m", "fin_height": "m", "fin_thickness": "m", "fin_count": "1",
    "conductivity": "W/(m K)", "base_conductivity": "W/(m K)", "volumetric_heat_capacity": "J/(m3 K)",
    "constant_resistance": "K/W", "flow_resistance": "K/W", "reference_flow": "m3/s", "exponent": "1", "capacity": "J/K",
    # coolants
    "mass_fraction": "1", "freezing_point": "degC", "lowest_temperature": "degC", "highest_temperature": "degC",
    "density_series": "kg/m3", "heat_capacity_series": "J/(kg K)", "conductivity_series": "W/(m K)",
    "log_viscosity_series": "1", "density_error": "1", "heat_capacity_error": "1", "conductivity_error": "1",
    "viscosity_error": "1",
    "molar_mass": "kg/mol", "critical_pressure": "Pa", "log_pressure_series": "1", "liquid_density_series": "kg/m3",
    "log_vapour_density_series": "1", "latent_heat_series": "J/kg", "liquid_heat_capacity_series": "J/(kg K)",
    "liquid_conductivity_series": "W/(m K)", "log_liquid_viscosity_series": "1", "log_vapour_viscosity_series": "1", "fit_error": "1", "price": "USD/kg",
    "vapour_heat_capacity_series": "J/(kg K)", "vapour_conductivity_series": "W/(m K)", "surface_tension_series": "N/m",
    "tilt": "deg", "area_factor": "1", "boiling_multiplier": "1", "critical_multiplier": "1", "zuber_constant": "1", "rohsenow_constant": "1", "contact_angle": "deg",
    "collapse_factor": "1", "incipience_overshoot": "K",
    "tube_diameter": "m", "tube_length": "m", "tube_rows": "1", "water_conductance": "W/K", "water_exponent": "1", "area": "m2",
    "wall_capacity": "J/K", "opening_pressure": "Pa", "closing_pressure": "Pa", "discharge_coefficient": "1", "heat_capacity_ratio": "1",
    "channel_width": "m", "channel_height": "m", "lid_thickness": "m", "port_diameter": "m", "port_loss": "1",
    "coolant_flow": "m3/s", "coolant_volume": "m3", "coolant_drop": "Pa",
    "laminar_drop": "Pa", "turbulent_drop": "Pa", "volume": "m3",
    # servers and racks
    "flow_share": "1", "positions": "1", "multiplicity": "1", "bypass": "1", "load": "1", "follows": "1",
    "count": "1", "rated_speed": "rev/min", "curve_flow": "m3/s", "curve_pressure": "Pa", "rated_power": "W",
    "power_exponent": "1", "standby_power": "W", "minimum_duty": "1", "system_flow": "m3/s", "system_duty": "1",
    "height_units": "U", "conversion_loss": "W", "conversion_slope": "W/W", "bottom": "U",
    "spread": "1",
    # power chains
    "units": "1", "groups": "1", "servers_per_group": "1", "smallest_on": "1", "capacity_margin": "1", "power_factor": "1",
    "load_fraction": "1", "efficiency": "1", "fixed_efficiency": "1", "offset_power": "W", "slope_efficiency": "1",
    "stated_efficiency": "1", "stated_load": "1", "core_share": "1", "phases": "1", "voltage": "V", "rated_current": "A",
    "resistance_per_length": "ohm/m", "conductor_temperature": "degC", "temperature_coefficient": "1/K",
    "full_load_runtime": "s", "energy_per_device": "J", "peukert": "1", "room_cop": "1",
    "discharge_efficiency": "1", "charge_efficiency": "1", "recharge_time": "s", "capacity_temperature": "degC",
    "capacity_factor": "1", "bypass_load_fraction": "1", "bypass_efficiency": "1", "start_delay": "s", "devices": "1",
    "set_point": "1", "ramp_up": "W/s", "ramp_down": "W/s", "floor_power": "W", "floor_hold": "s", "averaging_time": "s",
    # surroundings
    "air_temperature": "degC", "facility_water_temperature": "degC", "pressure": "Pa", "altitude": "m",
    "relative_humidity": "1",
    # air cooling and controllers
    "fan_speed": "1", "supply_flow": "m3/s", "recirculation": "1", "hot_aisle_makeup": "1", "room_temperature": "degC",
    "handler_fan_share": "1", "chiller_cop": "1", "room_capacity": "J/K", "plant_capacity": "W", "restart_delay": "s",
    "setpoint": "degC", "margin": "K", "gain": "1/K", "integral_gain": "1/(K s)", "period": "s", "resolution": "1",
    "deadband": "K", "temperature": "degC", "output": "1",
    # tanks
    "feed": "m3/s", "rated_rise": "K", "jet_head": "Pa", "slot_height": "m", "slot_width": "m", "gap": "m", "slot_loss": "1",
    "liquid_share": "1", "plenum_height": "m", "bath_share": "1", "bath_cells": "1", "surface_height": "m", "layers": "1",
    "pipe_volume": "m3", "side_exchange": "W/(m2 K)", "wall_loss": "W/(m2 K)", "lid_loss": "W/(m2 K)", "open_loss": "W/(m2 K)",
    # cold-plate cooling
    "supply_temperature": "degC", "pump_speed": "1", "head": "Pa", "minimum_speed": "1", "supply_volume": "m3",
    "return_volume": "m3", "reservoir_volume": "m3", "cells": "1", "cdu_share": "1", "valve": "1", "facility_flow": "m3/s",
    "dew_margin": "K", "facility_share": "1", "liquid_chiller_cop": "1", "rated_heat": "W", "approach": "K",
    "secondary_flow": "m3/s", "primary_flow": "m3/s", "wall_share": "1", "external_head": "Pa", "pump_power": "W",
    "primary_share": "1", "fan_power": "W", "standby": "1", "standby_delay": "s", "start_time": "s", "coast_time": "s",
    "shutoff_head": "1", "shutoff_power": "1", "minimum_pressure": "Pa", "static_pressure": "Pa", "expansion_volume": "m3",
    "tee_loss": "1", "value": "1",
    # flow networks; Kv is m3/h at 1 bar
    "diameter": "m", "roughness": "m", "minor_loss": "1", "linear": "Pa s/m3", "quadratic": "Pa s2/m6", "port_resistance": "Pa s2/m6",
    "reference_density": "kg/m3", "reference_viscosity": "Pa s",
    "channel_count": "1", "flow_coefficient": "m3/h", "rangeability": "1", "leak_share": "1", "curve_power": "W",
    # rear doors
    "rated_air_flow": "m3/s", "rated_air_temperature": "degC", "rated_water_flow": "kg/s",
    "rated_water_temperature": "degC", "air_part": "1", "water_part": "1", "air_exponent": "1", "air_drop": "Pa",
    "drop_exponent": "1", "heat_capacity": "J/K", "water_flow": "kg/s", "water_temperature": "degC", "dew_point_margin": "K",
    "water_pump_share": "1", "water_chiller_cop": "1",
    # tanks of boiling liquid
    "design_temperature": "degC", "critical_margin": "1", "plate_thickness": "m", "plate_conductivity": "W/(m K)",
    "plate_heat_capacity": "J/(m3 K)", "bare_area": "m2", "liquid_volume": "m3", "vapour_volume": "m3", "liquid_area": "m2", "cover": "m", "server_depth": "m",
    "gas": "mol", "lid_conductance": "W/K", "fluid_price": "USD/kg",
    # packages
    "x": "m", "y": "m", "thickness": "m", "contact_resistance": "K m2/W", "power": "W", "density": "kg/m3", "specific_heat": "J/(kg K)",
    "conductivity_temperature": "degC", "conductivity_factor": "1", "coefficient": "W/(m2 K)", "inlet_temperature": "degC",
    # events
    "t": "s", "duration": "s", "change": "K", "fan": "1", "opening": "1", "flow": "m3/s", "factor": "1",
}


def unit_of(place: str) -> str:
    """Unit of the field at a dotted place such as ``mounts[0].sink.width``; empty where it has none."""
    return UNITS.get(place.rpartition(".")[2].partition("[")[0], "")
