// Binding of thermo::Conduction: checks and passes arrays, no arithmetic.
#include <pybind11/numpy.h>
#include <pybind11/pybind11.h>
#include <pybind11/stl.h>

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

    std::vector<py::ssize_t> cells() const { return {body->grid().nz, body->grid().ny, body->grid().nx}; }
};

std::unique_ptr<Solid> solid(const Doubles& dx, const Doubles& dy, const Doubles& dz, const Indices& material, const Doubles& conductivity,
                             const Doubles& heat_capacity, const Doubles& contact, const Six& film, int threads) {
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
    auto out = std::make_unique<Solid>();
    work(out->one_at_a_time, threads, [&](thermo::Team& team) { out->body = std::make_unique<thermo::Conduction>(std::move(c), team); });
    return out;
}

py::dict steady(Solid& s, const Doubles& power, const Six& film_temperature, double tolerance, int iterations, int threads, Doubles& out) {
    const double* q = numbers(power, s.cells(), Allowed::any, "power");
    thermo::FaceValues T_film;
    std::array<Doubles, 6> kept;
    for (std::size_t face = 0; face < 6; ++face) {
        const std::string name = std::string("film_temperature at ") + kFaces[face];
        kept[face] = doubles(film_temperature[face], name);
        T_film[face] = numbers(kept[face], face_shape(s.body->grid(), face), Allowed::any, name);
    }
    if (!(tolerance > 0 && tolerance < 1)) throw py::value_error("tolerance must be above 0 and below 1");
    if (iterations < 1) throw py::value_error("iterations must be 1 or more");
    expect(out, s.cells(), "out");
    double* T = out.mutable_data();  // refuses what is read-only
    thermo::SteadyOutcome outcome;
    work(s.one_at_a_time, threads, [&](thermo::Team& team) { outcome = s.body->steady(q, T_film, T, tolerance, iterations, team); });
    return py::dict("iterations"_a = outcome.iterations, "residual"_a = outcome.residual, "goal"_a = outcome.goal,
                    "imbalance"_a = outcome.imbalance, "through_faces"_a = outcome.through_faces);
}

}  // namespace

PYBIND11_MODULE(conduction, m) {
    m.doc() = "Conduction in blocks of cells: `thermo::Conduction`, for `thermo.package`.";
    py::class_<Solid>(m, "Solid", "Cells [nz, ny, nx] of materials, films and contacts; see ext/include/thermo/cells.hpp.")
        .def(py::init(&solid), py::kw_only(), "dx"_a.noconvert(), "dy"_a.noconvert(), "dz"_a.noconvert(), "material"_a.noconvert(),
             "conductivity"_a.noconvert(), "heat_capacity"_a.noconvert(), "contact"_a.noconvert(), "film"_a, "threads"_a)
        .def("apply",
             [](Solid& s, const Doubles& T, int threads, Doubles& out) {
                 const double* from = numbers(T, s.cells(), Allowed::any, "T");
                 expect(out, s.cells(), "out");
                 double* to = out.mutable_data();
                 work(s.one_at_a_time, threads, [&](thermo::Team& team) { s.body->apply(from, to, team); });
             },
             "K T [W], films included.", "T"_a.noconvert(), py::kw_only(), "threads"_a, "out"_a.noconvert())
        .def("capacity",
             [](const Solid& s, Doubles& out) {
                 expect(out, s.cells(), "out");
                 s.body->capacity(out.mutable_data());
             },
             "Heat capacity of each cell [J/K].", py::kw_only(), "out"_a.noconvert())
        .def("solve",
             [](Solid& s, double shift, const Doubles& b, double tolerance, double enough, int iterations, int threads, Doubles& x) {
                 const double* from = numbers(b, s.cells(), Allowed::any, "b");
                 numbers(x, s.cells(), Allowed::any, "x");
                 if (!(shift >= 0) || !std::isfinite(shift)) throw py::value_error("shift must be finite and not negative");
                 double* to = x.mutable_data();
                 thermo::SolveOutcome outcome;
                 work(s.one_at_a_time, threads,
                      [&](thermo::Team& team) { outcome = s.body->solve(shift, from, to, tolerance, enough, iterations, team); });
                 return py::dict("iterations"_a = outcome.iterations, "residual"_a = outcome.residual, "goal"_a = outcome.goal);
             },
             "(K + shift C) x = b from the x given, to |b - A x| <= max(tolerance |b|, enough).", py::kw_only(), "shift"_a,
             "b"_a.noconvert(), "tolerance"_a, "enough"_a, "iterations"_a, "threads"_a, "x"_a.noconvert())
        .def("steady", &steady, "Steady temperatures into `out`, which holds the start; NaN in voids.", py::kw_only(),
             "power"_a.noconvert(), "film_temperature"_a, "tolerance"_a, "iterations"_a, "threads"_a, "out"_a.noconvert());
}
