// Binding of thermo::subspace: checks and passes arrays, no arithmetic.
#include <pybind11/numpy.h>
#include <pybind11/pybind11.h>
#include <pybind11/stl.h>

#include <string>

#include "thermo/subspace.hpp"

namespace py = pybind11;
using namespace pybind11::literals;
namespace subspace = thermo::subspace;

namespace {

using Doubles = py::array_t<double, py::array::c_style>;
using Indices = py::array_t<std::int64_t, py::array::c_style>;

std::size_t length(const py::array& a, std::size_t expected, const char* name) {
    if (static_cast<std::size_t>(a.size()) != expected)
        throw py::value_error(std::string(name) + " has " + std::to_string(a.size()) + " numbers, expected " + std::to_string(expected));
    return expected;
}
subspace::Fields fields(const py::list& V, std::size_t n) {
    subspace::Fields out;
    for (const auto& item : V) {
        if (!py::isinstance<Doubles>(item)) throw py::type_error("fields are float64, C-contiguous");
        const auto a = py::reinterpret_borrow<Doubles>(item);
        length(a, n, "a field");
        out.push_back(a.data());
    }
    return out;
}
std::size_t cells(const py::list& V) {
    if (V.empty()) throw py::value_error("there is no field");
    if (!py::isinstance<Doubles>(V[0])) throw py::type_error("fields are float64, C-contiguous");
    return static_cast<std::size_t>(py::reinterpret_borrow<Doubles>(V[0]).size());
}
int positive(int threads) {
    if (threads < 1 || threads > 1024) throw py::value_error("threads must be 1 to 1024");
    return threads;
}
bool asked() {
    py::gil_scoped_acquire gil;
    return PyErr_CheckSignals() != 0;
}
// f(team) without the GIL; Ctrl-C ends it.
template <class F>
auto work(int threads, const F& f) {
    try {
        py::gil_scoped_release nogil;
        thermo::Team team(positive(threads), asked);
        return f(team);
    } catch (const thermo::Interrupted&) {
        throw py::error_already_set();
    }
}

}  // namespace

PYBIND11_MODULE(subspace, m) {
    m.doc() = "Fields as sums of a few fields: `thermo::subspace`, for `thermo.package.transient`.";
    m.def(
        "inner",
        [](const py::list& V, const Doubles& x, int threads, Doubles& out) {
            const auto n = static_cast<std::size_t>(x.size());
            const auto f = fields(V, n);
            length(out, f.size(), "out");
            double* o = out.mutable_data();
            work(threads, [&, x_ = x.data()](thermo::Team& team) { subspace::inner(f, n, x_, o, team); });
        },
        "out[j] = V[j] . x", "V"_a, "x"_a.noconvert(), py::kw_only(), "threads"_a, "out"_a.noconvert());
    m.def(
        "combine",
        [](const py::list& V, const Doubles& c, bool onto, int threads, Doubles& out) {
            const auto n = static_cast<std::size_t>(out.size());
            const auto f = fields(V, n);
            length(c, f.size(), "c");
            double* o = out.mutable_data();
            work(threads, [&, c_ = c.data()](thermo::Team& team) { subspace::combine(f, n, c_, onto, o, team); });
        },
        "out = sum of c[j] V[j], or that added to `out`.", "V"_a, "c"_a.noconvert(), py::kw_only(), "onto"_a, "threads"_a,
        "out"_a.noconvert());
    m.def(
        "orthonormalise",
        [](const py::list& V, const Doubles& C, Doubles& x, int threads) {
            const auto n = static_cast<std::size_t>(x.size());
            const auto f = fields(V, n);
            length(C, n, "C");
            double* x_ = x.mutable_data();
            return work(threads, [&, C_ = C.data()](thermo::Team& team) { return subspace::orthonormalise(f, n, C_, x_, team); });
        },
        "Makes x . C V[j] = 0 and x . C x = 1; returns the share of x's length that was not in V.", "V"_a, "C"_a.noconvert(),
        "x"_a.noconvert(), py::kw_only(), "threads"_a);
    m.def(
        "hottest",
        [](const py::list& V, const Doubles& c, const Indices& order, const Indices& start, int threads, Doubles& value, Indices& cell) {
            const std::size_t n = cells(V);
            const auto f = fields(V, n);
            if (c.ndim() != 2 || static_cast<std::size_t>(c.shape(0)) != f.size()) throw py::value_error("c must be [field, output]");
            if (start.size() < 1) throw py::value_error("start must hold one number more than there are blocks");
            const auto n_output = static_cast<std::size_t>(c.shape(1)), n_block = static_cast<std::size_t>(start.size()) - 1;
            length(value, n_output * n_block, "value");
            length(cell, n_output * n_block, "cell");
            const std::vector<std::int64_t> order_(order.data(), order.data() + order.size());
            const std::vector<std::int64_t> start_(start.data(), start.data() + start.size());
            for (std::size_t b = 0; b < start_.size(); ++b)
                if (start_[b] < (b ? start_[b - 1] : 0) || start_[b] > order.size()) throw py::value_error("start must rise within order");
            for (std::int64_t i : order_)
                if (i < 0 || i >= static_cast<std::int64_t>(n)) throw py::index_error("order names a cell that is not there");
            double* value_ = value.mutable_data();
            std::int64_t* cell_ = cell.mutable_data();
            work(threads, [&, c_ = c.data()](thermo::Team& team) {
                subspace::hottest(f, n_output, c_, order_, start_, value_, cell_, team);
            });
        },
        "The largest of sum of c[j, k] V[j] for each output k among the cells order[start[b]:start[b + 1]] of each block b.", "V"_a,
        "c"_a.noconvert(), "order"_a.noconvert(), "start"_a.noconvert(), py::kw_only(), "threads"_a, "value"_a.noconvert(),
        "cell"_a.noconvert());
}
