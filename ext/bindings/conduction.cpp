// Binding of thermo::Conduction: checks and passes arrays, no arithmetic.
#include <pybind11/numpy.h>
#include <pybind11/pybind11.h>
#include <pybind11/stl.h>

#include <algorithm>
#include <cmath>
#include <memory>
#include <mutex>
#include <string>

#include "thermo/conduction.hpp"

namespace py = pybind11;
using namespace pybind11::literals;

namespace {

using Doubles = py::array_t<double, py::array::c_style>;
using Indices = py::array_t<std::uint16_t, py::array::c_style>;
using Integers = py::array_t<std::int32_t, py::array::c_style>;
using Six = std::array<py::object, 6>;

std::string shape(const std::vector<py::ssize_t>& n) {
    std::string s = "[";
    for (std::size_t i = 0; i < n.size(); ++i) s += (i ? ", " : "") + std::to_string(n[i]);
    return s + "]";
}
template <class A>
void expect(const A& a, const std::vector<py::ssize_t>& n, const std::string& name) {
    bool same = a.ndim() == static_cast<py::ssize_t>(n.size());
    for (std::size_t i = 0; same && i < n.size(); ++i) same = a.shape(static_cast<py::ssize_t>(i)) == n[i];
    if (!same) throw py::value_error(name + " has the wrong shape, expected " + shape(n));
}
enum class Allowed { any, not_negative, positive };
const double* numbers(const Doubles& a, const std::vector<py::ssize_t>& n, Allowed allowed, const std::string& name) {
    expect(a, n, name);
    const double* p = a.data();
    for (py::ssize_t i = 0; i < a.size(); ++i)
        if (!std::isfinite(p[i]) || (allowed == Allowed::not_negative && p[i] < 0) || (allowed == Allowed::positive && !(p[i] > 0)))
            throw py::value_error(name + " holds a number that cannot be: " + std::to_string(p[i]));
    return p;
}
std::vector<double> vector(const Doubles& a, py::ssize_t n, Allowed allowed, const std::string& name) {
    if (n < 0) n = a.ndim() == 1 ? a.size() : 0;
    const double* p = numbers(a, {n}, allowed, name);
    return {p, p + n};
}
Doubles doubles(const py::handle& object, const std::string& name) {  // as .noconvert() would have it
    if (!py::isinstance<Doubles>(object)) throw py::type_error(name + " must be float64 and C-contiguous");
    return py::reinterpret_borrow<Doubles>(object);
}
std::vector<py::ssize_t> face_shape(const thermo::Grid& g, std::size_t face) {
    return face < 2 ? std::vector<py::ssize_t>{g.nz, g.ny} : face < 4 ? std::vector<py::ssize_t>{g.nz, g.nx} : std::vector<py::ssize_t>{g.ny, g.nx};
}
void apart(const Doubles& a, const Doubles& b, const std::string& names) {
    if (a.data() < b.data() + b.size() && b.data() < a.data() + a.size()) throw py::value_error(names + " share memory");
}
const char* const kFaces[6] = {"x-low", "x-high", "y-low", "y-high", "z-low", "z-high"};

struct Poll {  // a Python error, Ctrl-C above all, is kept until the threads are home
    bool* failed;
    bool operator()() const {
        py::gil_scoped_acquire gil;
        return *failed = PyErr_CheckSignals() != 0;
    }
};
// f(team) without the GIL, one caller at a time.
template <class F>
void work(std::mutex& one_at_a_time, int threads, const F& f) {
    if (threads < 1 || threads > 1024) throw py::value_error("threads must be 1 to 1024");
    bool failed = false;
    try {
        py::gil_scoped_release nogil;
        std::lock_guard<std::mutex> lock(one_at_a_time);
        thermo::Team team(threads, Poll{&failed});
        f(team);
    } catch (const thermo::Interrupted&) {
        if (failed) throw py::error_already_set();
        throw;
    }
}

struct Solid {
    std::unique_ptr<thermo::Conduction> body;
    std::mutex one_at_a_time;

    py::ssize_t channels() const { return static_cast<py::ssize_t>(body->channels().n()); }
    py::ssize_t stations() const { return static_cast<py::ssize_t>(body->channels().stations()); }
    std::vector<py::ssize_t> cells() const { return {body->grid().nz, body->grid().ny, body->grid().nx}; }
};

// A list with one entry a material: None, or (temperature [n], conductivity [n, 3]).
std::vector<thermo::ConductivityTable> conductivity_tables(const py::object& object, py::ssize_t n_material) {
    if (!py::isinstance<py::list>(object) || static_cast<py::ssize_t>(py::len(object)) != n_material)
        throw py::type_error("tables must be a list with one entry a material");
    std::vector<thermo::ConductivityTable> out;
    for (const auto& item : py::reinterpret_borrow<py::list>(object)) {
        out.emplace_back();
        if (item.is_none()) continue;
        if (out.size() == 1) throw py::value_error("material 0 is void and has no table");
        const std::string name = "table of material " + std::to_string(out.size() - 1);
        if (!py::isinstance<py::tuple>(item) || py::len(item) != 2) throw py::type_error(name + " must be (temperature, conductivity)");
        const auto pair = py::reinterpret_borrow<py::tuple>(item);
        thermo::ConductivityTable& t = out.back();
        t.temperature = vector(doubles(pair[0], name), -1, Allowed::any, name);
        const auto rows = static_cast<py::ssize_t>(t.temperature.size());
        if (rows < 1) throw py::value_error(name + " is empty");
        for (std::size_t i = 1; i < t.temperature.size(); ++i)
            if (!(t.temperature[i] > t.temperature[i - 1])) throw py::value_error(name + ": temperatures must rise");
        const Doubles values = doubles(pair[1], name);
        const double* k = numbers(values, {rows, 3}, Allowed::positive, name);
        for (std::size_t axis = 0; axis < 3; ++axis)
            for (py::ssize_t i = 0; i < rows; ++i) t.value[axis].push_back(k[3 * i + static_cast<py::ssize_t>(axis)]);
    }
    return out;
}

// (axis, box [n, 4], film [n, stations], capacity_rate [n], heat_capacity [n])
thermo::Channels channels_in(const thermo::Cells& c, const py::object& object) {
    if (!py::isinstance<py::tuple>(object) || py::len(object) != 5)
        throw py::type_error("channels must be (axis, box, film, capacity_rate, heat_capacity)");
    const auto t = py::reinterpret_borrow<py::tuple>(object);
    const thermo::Grid g = c.grid();
    thermo::Channels out;
    if (!py::isinstance<py::int_>(t[0])) throw py::type_error("axis of channels must be an int");
    out.axis = t[0].cast<int>();
    if (out.axis != 0 && out.axis != 1) throw py::value_error("axis of channels must be 0 (x) or 1 (y)");
    if (!py::isinstance<Integers>(t[1])) throw py::type_error("box of channels must be int32 and C-contiguous");
    const auto boxes = py::reinterpret_borrow<Integers>(t[1]);
    const py::ssize_t n = boxes.ndim() == 2 ? boxes.shape(0) : 0;
    expect(boxes, {n, 4}, "box of channels");
    const int across = out.axis == 0 ? g.ny : g.nx, stations = out.axis == 0 ? g.nx : g.ny;
    for (py::ssize_t i = 0; i < n; ++i) {
        const std::int32_t* b = boxes.data() + 4 * i;
        if (b[0] < 0 || b[0] >= b[1] || b[1] > across || b[2] < 0 || b[2] >= b[3] || b[3] > g.nz)
            throw py::value_error("box of channel " + std::to_string(i) + " lies outside the grid or is empty");
        for (int k = b[2]; k < b[3]; ++k)
            for (int l = b[0]; l < b[1]; ++l)
                for (int s = 0; s < stations; ++s) {
                    const int x = out.axis == 0 ? s : l, y = out.axis == 0 ? l : s;
                    if (!c.is_void(g.outer_row(y, k) + static_cast<std::size_t>(x)))
                        throw py::value_error("channel " + std::to_string(i) + " runs through cells that are not void");
                }
        out.box.push_back({b[0], b[1], b[2], b[3]});
    }
    const Doubles film = doubles(t[2], "film of channels");
    const double* h = numbers(film, {n, stations}, Allowed::not_negative, "film of channels");
    out.film.assign(h, h + film.size());
    out.capacity_rate = vector(doubles(t[3], "capacity_rate of channels"), n, Allowed::any, "capacity_rate of channels");
    for (double w : out.capacity_rate)
        if (w == 0) throw py::value_error("capacity_rate of a channel is 0, but coolant must flow");
    out.heat_capacity = vector(doubles(t[4], "heat_capacity of channels"), n, Allowed::not_negative, "heat_capacity of channels");
    return out;
}

std::unique_ptr<Solid> solid(const Doubles& dx, const Doubles& dy, const Doubles& dz, const Indices& material, const Doubles& conductivity,
                             const Doubles& heat_capacity, const Doubles& contact, const Six& film, const py::object& tables,
                             const py::object& channels, int threads) {
    thermo::Cells c;
    c.dx = vector(dx, -1, Allowed::positive, "dx");
    c.dy = vector(dy, -1, Allowed::positive, "dy");
    c.dz = vector(dz, -1, Allowed::positive, "dz");
    if (c.dx.empty() || c.dy.empty() || c.dz.empty()) throw py::value_error("dx, dy and dz need one cell at least, in one dimension");
    const thermo::Grid g = c.grid();
    expect(material, {g.nz, g.ny, g.nx}, "material");
    const py::ssize_t n = heat_capacity.ndim() == 1 ? heat_capacity.size() : 0;
    c.heat_capacity = vector(heat_capacity, n, Allowed::not_negative, "heat_capacity");
    const double* k = numbers(conductivity, {n, 3}, Allowed::not_negative, "conductivity");
    if (n < 1) throw py::value_error("material 0 is void and must be there");
    for (py::ssize_t m = 0; m < n; ++m) {
        c.conductivity.push_back({k[3 * m], k[3 * m + 1], k[3 * m + 2]});
        for (int axis = 0; axis < 3; ++axis)
            if ((m > 0) != (k[3 * m + axis] > 0)) throw py::value_error("conductivity must be above 0, and 0 for material 0, the void");
    }
    if (c.heat_capacity[0] != 0) throw py::value_error("heat_capacity of material 0, the void, must be 0");
    c.material.assign(material.data(), material.data() + material.size());
    for (std::uint16_t m : c.material)
        if (m >= n) throw py::value_error("material holds " + std::to_string(m) + ", but there are " + std::to_string(n));
    c.contact = vector(contact, g.nz - 1, Allowed::not_negative, "contact");
    for (std::size_t face = 0; face < 6; ++face) {
        const std::string name = std::string("film at ") + kFaces[face];
        const Doubles h = doubles(film[face], name);
        const double* p = numbers(h, face_shape(g, face), Allowed::not_negative, name);
        c.film[face].assign(p, p + h.size());
    }
    if (!tables.is_none()) c.table = conductivity_tables(tables, n);
    thermo::Channels coolant = channels.is_none() ? thermo::Channels() : channels_in(c, channels);
    auto out = std::make_unique<Solid>();
    work(out->one_at_a_time, threads, [&](thermo::Team& team) { out->body = std::make_unique<thermo::Conduction>(std::move(c), std::move(coolant), team); });
    return out;
}

thermo::FaceValues face_values(const Solid& s, const Six& given, std::array<Doubles, 6>& kept) {
    thermo::FaceValues out;
    for (std::size_t face = 0; face < 6; ++face) {
        const std::string name = std::string("film_temperature at ") + kFaces[face];
        kept[face] = doubles(given[face], name);
        out[face] = numbers(kept[face], face_shape(s.body->grid(), face), Allowed::any, name);
    }
    return out;
}
void expect_limits(double tolerance, int iterations) {
    if (!(tolerance > 0 && tolerance < 1)) throw py::value_error("tolerance must be above 0 and below 1");
    if (iterations < 1) throw py::value_error("iterations must be 1 or more");
}

py::dict steady(Solid& s, const Doubles& power, const Six& film_temperature, const Doubles& inlet, double tolerance, double still,
                int iterations, int threads, Doubles& out, Doubles& coolant, Doubles& outlet) {
    const double* q = numbers(power, s.cells(), Allowed::any, "power");
    std::array<Doubles, 6> kept;
    const thermo::FaceValues T_film = face_values(s, film_temperature, kept);
    const double* T_in = numbers(inlet, {s.channels()}, Allowed::any, "inlet");
    expect_limits(tolerance, iterations);
    if (!(still > 0)) throw py::value_error("still must be above 0");
    expect(out, s.cells(), "out");
    expect(coolant, {s.channels(), s.stations()}, "coolant");
    expect(outlet, {s.channels()}, "outlet");
    double *T = out.mutable_data(), *mean = coolant.mutable_data(), *leaves = outlet.mutable_data();  // refuses what is read-only
    apart(power, out, "power and out");
    for (py::ssize_t i = 0; i < out.size(); ++i)
        if (!s.body->cells().is_void(static_cast<std::size_t>(i)) && !std::isfinite(T[i]))
            throw py::value_error("out holds the start, which must be finite where there is no void");
    thermo::SteadyOutcome outcome;
    work(s.one_at_a_time, threads, [&](thermo::Team& team) {
        outcome = s.body->steady(q, T_film, T_in, T, mean, leaves, tolerance, still, iterations, team);
    });
    return py::dict("iterations"_a = outcome.iterations, "residual"_a = outcome.residual, "goal"_a = outcome.goal,
                    "imbalance"_a = outcome.imbalance, "through_faces"_a = outcome.through_faces,
                    "to_channels"_a = outcome.to_channels, "passes"_a = outcome.passes);
}

py::dict solve(Solid& s, double shift, const Doubles& b, double tolerance, double enough, int iterations, int threads, Doubles& x) {
    const double* from = numbers(b, s.cells(), Allowed::any, "b");
    numbers(x, s.cells(), Allowed::any, "x");
    expect_limits(tolerance, iterations);
    if (!(shift >= 0) || !std::isfinite(shift)) throw py::value_error("shift must be finite and not negative");
    if (!(enough >= 0)) throw py::value_error("enough must not be negative");
    double* to = x.mutable_data();
    apart(b, x, "b and x");
    thermo::SolveOutcome outcome;
    work(s.one_at_a_time, threads, [&](thermo::Team& team) {
        outcome = s.body->solve(shift, {from}, to, nullptr, nullptr, tolerance, enough, iterations, team);
    });
    return py::dict("iterations"_a = outcome.iterations, "residual"_a = outcome.residual, "goal"_a = outcome.goal);
}

}  // namespace

PYBIND11_MODULE(conduction, m) {
    m.doc() = "Conduction in blocks of cells: `thermo::Conduction`, for `thermo.package`.";
    py::class_<Solid>(m, "Solid", "Cells [nz, ny, nx] of materials, films and contacts; see ext/include/thermo/cells.hpp.")
        .def(py::init(&solid), py::kw_only(), "dx"_a.noconvert(), "dy"_a.noconvert(), "dz"_a.noconvert(), "material"_a.noconvert(),
             "conductivity"_a.noconvert(), "heat_capacity"_a.noconvert(), "contact"_a.noconvert(), "film"_a, "tables"_a, "channels"_a,
             "threads"_a)
        .def_property_readonly("channels", [](const Solid& s) { return s.body->channels().n(); }, "How many there are. [1]")
        .def_property_readonly("coolant_stores", [](const Solid& s) {
                 const auto& c = s.body->channels().heat_capacity;
                 return std::any_of(c.begin(), c.end(), [](double heat) { return heat > 0; });
             }, "Does the coolant in channels hold heat?")
        .def_property_readonly("varies", [](const Solid& s) { return s.body->cells().varies(); }, "Does a conductivity depend on temperature?")
        .def("renew",
             [](Solid& s, const Doubles& T, int threads) {
                 expect(T, s.cells(), "T");
                 const double* at = T.data();
                 work(s.one_at_a_time, threads, [&](thermo::Team& team) { s.body->assemble(at, team); });
             },
             "Conductivities at temperatures T [degC]; K stays there.", py::kw_only(), "T"_a.noconvert(), "threads"_a)
        .def("apply",
             [](Solid& s, const Doubles& T, int threads, Doubles& out) {
                 const double* from = numbers(T, s.cells(), Allowed::any, "T");
                 expect(out, s.cells(), "out");
                 double* to = out.mutable_data();
                 work(s.one_at_a_time, threads, [&](thermo::Team& team) { s.body->apply(from, to, team); });
             },
             "K T [W], films included.", "T"_a.noconvert(), py::kw_only(), "threads"_a, "out"_a.noconvert())
        .def_property_readonly("bytes", [](const Solid& s) { return s.body->bytes(); }, "Held now for fields and grids [B].")
        .def("capacity",
             [](const Solid& s, Doubles& out) {
                 expect(out, s.cells(), "out");
                 s.body->capacity(out.mutable_data());
             },
             "Heat capacity of each cell [J/K].", py::kw_only(), "out"_a.noconvert())
        .def("solve", &solve, "(K + shift C) x = b from the x given, to |b - A x| <= max(tolerance |b|, enough).", py::kw_only(),
             "shift"_a, "b"_a.noconvert(), "tolerance"_a, "enough"_a, "iterations"_a, "threads"_a, "x"_a.noconvert())
        .def("steady", &steady, "Steady temperatures into `out`, which holds the start; NaN in voids.", py::kw_only(),
             "power"_a.noconvert(), "film_temperature"_a, "inlet"_a.noconvert(), "tolerance"_a, "still"_a, "iterations"_a,
             "threads"_a, "out"_a.noconvert(), "coolant"_a.noconvert(), "outlet"_a.noconvert());
}
