// Binding of thermo/layer_modes.hpp: checks and passes arrays, no arithmetic.
#include <pybind11/numpy.h>
#include <pybind11/pybind11.h>
#include <pybind11/stl.h>

#include <cmath>
#include <optional>
#include <string>
#include <vector>

#include "thermo/layer_modes.hpp"

namespace py = pybind11;
using namespace pybind11::literals;

namespace {

using Doubles = py::array_t<double, py::array::c_style>;
using Ints = py::array_t<std::int32_t, py::array::c_style>;

void shape(const py::array& a, std::initializer_list<py::ssize_t> wanted, const char* name) {
    bool right = a.ndim() == static_cast<py::ssize_t>(wanted.size());
    py::ssize_t axis = 0;
    for (py::ssize_t n : wanted) right = right && a.shape(axis++) == n;
    if (!right) throw py::value_error(std::string(name) + " has the wrong shape");
}
py::ssize_t length(const py::array& a, const char* name) {
    if (a.ndim() != 1) throw py::value_error(std::string(name) + " must have one dimension");
    return a.shape(0);
}
// Finite, and not below `low`, nor at it where `above`.
const double* numbers(const Doubles& a, std::initializer_list<py::ssize_t> wanted, double low, bool above, const char* name) {
    shape(a, wanted, name);
    const double* p = a.data();
    for (py::ssize_t i = 0; i < a.size(); ++i)
        if (!std::isfinite(p[i]) || p[i] < low || (above && p[i] == low)) throw py::value_error(std::string(name) + " holds a number that cannot be");
    return p;
}
double film(double value, bool endless, const char* name) {
    if (!(value >= 0) || (!endless && std::isinf(value))) throw py::value_error(std::string(name) + " holds a number that cannot be");
    return value;
}
int index(std::int32_t value, py::ssize_t n, const char* name) {
    if (value < 0 || value >= n) throw py::value_error(std::string(name) + " is out of range");
    return value;
}
thermo::Plane plane_of(const Doubles& lambda_x, const Doubles& lambda_y) {
    const py::ssize_t nx = length(lambda_x, "lambda_x"), ny = length(lambda_y, "lambda_y");
    return {static_cast<int>(nx), static_cast<int>(ny), numbers(lambda_x, {nx}, 0, false, "lambda_x"), numbers(lambda_y, {ny}, 0, false, "lambda_y")};
}

void steady_layers(const Doubles& lambda_x, const Doubles& lambda_y, const Doubles& thickness, const Doubles& conductivity,
                   const Doubles& contact, double film_bottom, double film_top, const Ints& source_layer, const Ints& source_place,
                   const Doubles& flux, const Ints& output_layer, const Doubles& output_height, Doubles& out) {
    const auto plane = plane_of(lambda_x, lambda_y);
    const py::ssize_t n = length(thickness, "thickness"), n_source = length(source_layer, "source_layer"), n_output = length(output_layer, "output_layer");
    if (n < 1) throw py::value_error("thickness is empty");
    const double* k = numbers(conductivity, {3, n}, 0, true, "conductivity");
    const thermo::Layers layers{static_cast<int>(n), numbers(thickness, {n}, 0, true, "thickness"), k, k + n, k + 2 * n,
                                numbers(contact, {n - 1}, 0, false, "contact"), film(film_bottom, true, "film_bottom"), film(film_top, true, "film_top")};
    shape(source_place, {n_source}, "source_place");
    shape(flux, {n_source, plane.ny, plane.nx}, "flux");
    shape(output_height, {n_output}, "output_height");
    shape(out, {n_output, plane.ny, plane.nx}, "out");
    std::vector<const double*> sources(static_cast<std::size_t>(3 * n));
    for (py::ssize_t s = 0; s < n_source; ++s) {
        const auto at = static_cast<std::size_t>(index(source_place.data()[s], 3, "source_place") * n + index(source_layer.data()[s], n, "source_layer"));
        if (sources[at]) throw py::value_error("two sources in one place");
        sources[at] = flux.data() + s * plane.ny * plane.nx;
    }
    std::vector<thermo::LayerOutput> outputs;
    for (py::ssize_t o = 0; o < n_output; ++o) outputs.push_back({index(output_layer.data()[o], n, "output_layer"), output_height.data()[o]});
    double* T = out.mutable_data();
    py::gil_scoped_release nogil;
    thermo::steady_layers(plane, layers, sources, outputs, T);
}

struct Door {  // what both functions of a column take
    thermo::Plane plane;
    thermo::Column column;
    std::vector<thermo::ColumnSource> sources;
    std::vector<int> cells;
};
Door door(const Doubles& lambda_x, const Doubles& lambda_y, const Doubles& side, const Doubles& up, double bottom, double top,
          const Doubles& capacity, const Doubles& share, const Doubles& flux, const Ints& cells) {
    const auto plane = plane_of(lambda_x, lambda_y);
    const py::ssize_t n = length(capacity, "capacity"), n_source = share.ndim() > 0 ? share.shape(0) : 0;
    if (n < 1) throw py::value_error("capacity is empty");
    const double* kd = numbers(side, {2, n}, 0, true, "side");
    const thermo::Column column{static_cast<int>(n), kd, kd + n, numbers(up, {n - 1}, 0, true, "up"), film(bottom, false, "bottom"), film(top, false, "top"),
                                numbers(capacity, {n}, 0, true, "capacity")};
    const double* parts = numbers(share, {n_source, n}, 0, false, "share");
    shape(flux, {n_source, plane.ny, plane.nx}, "flux");
    Door made{plane, column, {}, {}};
    for (py::ssize_t s = 0; s < n_source; ++s) made.sources.push_back({parts + s * n, flux.data() + s * plane.ny * plane.nx});
    for (py::ssize_t o = 0; o < length(cells, "cells"); ++o) made.cells.push_back(index(cells.data()[o], n, "cells"));
    return made;
}

}  // namespace

PYBIND11_MODULE(modes, m) {
    m.doc() = "Uniform layers in cosine modes: `thermo/layer_modes.hpp`, for `thermo.package.layers_exact`.";
    m.def("steady_layers", &steady_layers, "Steady, no cells in z: modes of T on the outputs, above ambient.", py::kw_only(),
          "lambda_x"_a.noconvert(), "lambda_y"_a.noconvert(), "thickness"_a.noconvert(), "conductivity"_a.noconvert(), "contact"_a.noconvert(),
          "film_bottom"_a, "film_top"_a, "source_layer"_a.noconvert(), "source_place"_a.noconvert(), "flux"_a.noconvert(),
          "output_layer"_a.noconvert(), "output_height"_a.noconvert(), "out"_a.noconvert());
    m.def(
        "steady_column",
        [](const Doubles& lambda_x, const Doubles& lambda_y, const Doubles& side, const Doubles& up, double bottom, double top,
           const Doubles& capacity, const Doubles& share, const Doubles& flux, const Ints& cells, Doubles& out) {
            const Door d = door(lambda_x, lambda_y, side, up, bottom, top, capacity, share, flux, cells);
            shape(out, {static_cast<py::ssize_t>(d.cells.size()), d.plane.ny, d.plane.nx}, "out");
            double* T = out.mutable_data();
            py::gil_scoped_release nogil;
            thermo::steady_column(d.plane, d.column, d.sources, d.cells, T);
        },
        "Steady, cells in z: modes of T in the cells asked for, above ambient.", py::kw_only(), "lambda_x"_a.noconvert(),
        "lambda_y"_a.noconvert(), "side"_a.noconvert(), "up"_a.noconvert(), "bottom"_a, "top"_a, "capacity"_a.noconvert(), "share"_a.noconvert(),
        "flux"_a.noconvert(), "cells"_a.noconvert(), "out"_a.noconvert());
    m.def(
        "transient_column",
        [](const Doubles& lambda_x, const Doubles& lambda_y, const Doubles& side, const Doubles& up, double bottom, double top,
           const Doubles& capacity, const Doubles& share, const Doubles& flux, const Doubles& step, const Doubles& power,
           const std::optional<Doubles>& initial, const Ints& cells, const Doubles& sensor_profile, const Doubles& sensor_weight, Doubles& maps,
           Doubles& readings) {
            const Door d = door(lambda_x, lambda_y, side, up, bottom, top, capacity, share, flux, cells);
            const py::ssize_t ny = d.plane.ny, nx = d.plane.nx, n_time = length(step, "step"), n_source = static_cast<py::ssize_t>(d.sources.size());
            const py::ssize_t n_sensor = sensor_weight.ndim() > 0 ? sensor_weight.shape(0) : 0;
            const thermo::Drive drive{static_cast<int>(n_time), numbers(step, {n_time}, 0, true, "step"), power.data()};
            shape(power, {n_time, n_source}, "power");
            shape(sensor_profile, {n_sensor, d.column.n}, "sensor_profile");
            shape(sensor_weight, {n_sensor, ny, nx}, "sensor_weight");
            shape(maps, {n_time, static_cast<py::ssize_t>(d.cells.size()), ny, nx}, "maps");
            shape(readings, {n_time, n_sensor}, "readings");
            if (initial) shape(*initial, {d.column.n, ny, nx}, "initial");
            std::vector<thermo::Sensor> sensors;
            for (py::ssize_t r = 0; r < n_sensor; ++r)
                sensors.push_back({sensor_profile.data() + r * d.column.n, sensor_weight.data() + r * ny * nx});
            double *map = maps.mutable_data(), *reading = readings.mutable_data();
            const double* start = initial ? initial->data() : nullptr;
            py::gil_scoped_release nogil;
            return thermo::transient_column(d.plane, d.column, d.sources, drive, start, d.cells, sensors, map, reading);
        },
        "Exact in time from `initial` (or 0) under piecewise-constant power; false where an eigenvalue does not converge.", py::kw_only(),
        "lambda_x"_a.noconvert(), "lambda_y"_a.noconvert(), "side"_a.noconvert(), "up"_a.noconvert(), "bottom"_a, "top"_a,
        "capacity"_a.noconvert(), "share"_a.noconvert(), "flux"_a.noconvert(), "step"_a.noconvert(), "power"_a.noconvert(),
        "initial"_a.noconvert(), "cells"_a.noconvert(), "sensor_profile"_a.noconvert(), "sensor_weight"_a.noconvert(), "maps"_a.noconvert(),
        "readings"_a.noconvert());
}
