// Binding of thermo::FlowNetwork: checks and passes arrays, no arithmetic.
#include <pybind11/numpy.h>
#include <pybind11/pybind11.h>
#include <pybind11/stl.h>

#include <cmath>
#include <memory>
#include <string>

#include "thermo/flow.hpp"

namespace py = pybind11;
using namespace pybind11::literals;
using thermo::FlowNetwork;

namespace {

using Doubles = py::array_t<double, py::array::c_style>;
using Ints = py::array_t<std::int32_t, py::array::c_style>;
using Bytes = py::array_t<unsigned char, py::array::c_style>;

template <class T>
std::vector<T> vector(const py::array_t<T, py::array::c_style>& a, const char* name) {
    if (a.ndim() != 1) throw py::value_error(std::string(name) + " must have one dimension");
    return {a.data(), a.data() + a.size()};
}
template <class T>
const T* rows(const py::array_t<T, py::array::c_style>& a, py::ssize_t n, py::ssize_t columns, const char* name) {
    if (a.ndim() != 2 || a.shape(0) != n || a.shape(1) != columns) throw py::value_error(std::string(name) + " has the wrong shape");
    return a.data();
}
const double* numbers(const Doubles& a, py::ssize_t n, py::ssize_t columns, double low, const char* name) {
    const double* p = rows(a, n, columns, name);
    for (py::ssize_t i = 0; i < a.size(); ++i)
        if (!std::isfinite(p[i]) || p[i] < low) throw py::value_error(std::string(name) + " holds a number that cannot be");
    return p;
}
double* output(Doubles& a, py::ssize_t n, py::ssize_t columns, const char* name) {
    rows(a, n, columns, name);
    return a.mutable_data();  // refuses what is read-only
}
double positive(double value, const char* name) {
    if (!std::isfinite(value) || !(value > 0)) throw py::value_error(std::string(name) + " must be finite and above 0");
    return value;
}

std::unique_ptr<FlowNetwork> network(const Ints& tail, const Ints& head, const Bytes& given, const Ints& kind, const Ints& branch,
                                     const Ints& curve, const Doubles& parameters, const py::list& curves) {
    std::vector<thermo::PumpCurve> pumps;
    for (const auto& item : curves) {
        if (!py::isinstance<py::tuple>(item) || py::len(item) != 3) throw py::type_error("a pump curve is (flow, rise, slope)");
        const auto t = py::reinterpret_borrow<py::tuple>(item);
        for (int i : {0, 1, 2})
            if (!py::isinstance<Doubles>(t[i])) throw py::type_error("a pump curve's points are float64, C-contiguous");
        pumps.push_back({vector(t[0].cast<Doubles>(), "flow"), vector(t[1].cast<Doubles>(), "rise"), vector(t[2].cast<Doubles>(), "slope")});
    }
    const auto kinds = vector(kind, "kind"), branches = vector(branch, "branch"), which = vector(curve, "curve");
    if (branches.size() != kinds.size() || which.size() != kinds.size()) throw py::value_error("kind, branch and curve differ in length");
    const double* p = rows(parameters, static_cast<py::ssize_t>(kinds.size()), thermo::kElementParameters, "parameters");
    std::vector<thermo::Element> elements;
    for (std::size_t i = 0; i < kinds.size(); ++i) {
        thermo::Element e{static_cast<thermo::ElementKind>(kinds[i]), branches[i], which[i], {}};
        std::copy_n(p + i * thermo::kElementParameters, thermo::kElementParameters, e.p.begin());
        elements.push_back(e);
    }
    const auto flags = vector(given, "given");
    const auto from = vector(tail, "tail"), to = vector(head, "head");
    return std::make_unique<FlowNetwork>(static_cast<int>(flags.size()), std::vector<int>(from.begin(), from.end()),
                                         std::vector<int>(to.begin(), to.end()), std::vector<char>(flags.begin(), flags.end()),
                                         std::move(elements), std::move(pumps));
}

struct Cases {
    py::ssize_t n;
    const double *setting, *loss;
    const unsigned char* shut;
    const double *pressure, *inflow;
    double rho, mu;

    thermo::FlowCase at(const FlowNetwork& net, py::ssize_t k) const {
        return {setting + k * net.n_element(), loss + k * net.n_branch(), shut + k * net.n_branch(), pressure + k * net.n_node(),
                inflow + k * net.n_node(), rho, mu};
    }
};
Cases cases(const FlowNetwork& net, const Doubles& setting, const Doubles& loss, const Bytes& shut, const Doubles& pressure,
            const Doubles& inflow, double density, double viscosity) {
    if (setting.ndim() != 2) throw py::value_error("setting must be [case, element]");
    const py::ssize_t n = setting.shape(0);
    const double anything = -std::numeric_limits<double>::infinity();
    return {n, numbers(setting, n, net.n_element(), 0, "setting"), numbers(loss, n, net.n_branch(), 1e-12, "loss"),
            rows(shut, n, net.n_branch(), "shut"), numbers(pressure, n, net.n_node(), anything, "pressure"),
            numbers(inflow, n, net.n_node(), anything, "inflow"), positive(density, "density"), positive(viscosity, "viscosity")};
}

}  // namespace

PYBIND11_MODULE(flow, m) {
    m.doc() = "Flow in networks of pipes, plates, valves and pumps: `thermo::FlowNetwork`, for `thermo.hydraulics`.";
    py::enum_<thermo::FlowFault>(m, "Fault")
        .value("NONE", thermo::FlowFault::none)
        .value("PUMP_WITHOUT_REFERENCE", thermo::FlowFault::pump_without_reference)
        .value("INFLOW_WITHOUT_WAY_OUT", thermo::FlowFault::inflow_without_way_out)
        .value("PUMP_AGAINST_SHUT", thermo::FlowFault::pump_against_shut)
        .value("NO_CONVERGENCE", thermo::FlowFault::no_convergence);
    py::enum_<thermo::ElementKind>(m, "Kind")
        .value("PIPE", thermo::ElementKind::pipe)
        .value("RESISTANCE", thermo::ElementKind::resistance)
        .value("CHANNELS", thermo::ElementKind::channels)
        .value("VALVE", thermo::ElementKind::valve)
        .value("CHECK_VALVE", thermo::ElementKind::check_valve)
        .value("PUMP", thermo::ElementKind::pump);
    m.attr("PARAMETERS") = thermo::kElementParameters;
    py::class_<FlowNetwork>(m, "FlowNetwork", "Nodes, branches and their elements; see ext/include/thermo/flow.hpp.")
        .def(py::init(&network), py::kw_only(), "tail"_a.noconvert(), "head"_a.noconvert(), "given"_a.noconvert(), "kind"_a.noconvert(),
             "branch"_a.noconvert(), "curve"_a.noconvert(), "parameters"_a.noconvert(), "curves"_a)
        .def("solve",
             [](const FlowNetwork& net, const Doubles& setting, const Doubles& loss, const Bytes& shut, const Doubles& pressure,
                const Doubles& inflow, double density, double viscosity, bool warm, Doubles& flow, Doubles& node_pressure, Doubles& drop) {
                 const Cases all = cases(net, setting, loss, shut, pressure, inflow, density, viscosity);
                 double* V = output(flow, all.n, net.n_branch(), "flow");
                 double* p = output(node_pressure, all.n, net.n_node(), "node_pressure");
                 double* dp = output(drop, all.n, net.n_element(), "drop");
                 if (warm && all.n > 0)
                     for (int b = 0; b < net.n_branch(); ++b)
                         if (!std::isfinite(V[b])) throw py::value_error("flow to start from must be finite");
                 thermo::FlowOutcome outcome;
                 py::ssize_t k = 0;
                 int iterations = 0;
                 bool interrupted = false;
                 {
                     py::gil_scoped_release nogil;
                     for (; k < all.n; ++k) {
                         if (k > 0) std::copy_n(V + (k - 1) * net.n_branch(), net.n_branch(), V + k * net.n_branch());
                         outcome = net.solve(all.at(net, k), warm || k > 0, V + k * net.n_branch(), p + k * net.n_node(), dp + k * net.n_element());
                         iterations += outcome.iterations;
                         if (outcome.fault != thermo::FlowFault::none) break;
                         if (k % 16 == 15) {
                             py::gil_scoped_acquire gil;
                             if ((interrupted = PyErr_CheckSignals() != 0)) break;
                         }
                     }
                 }
                 if (interrupted) throw py::error_already_set();
                 return py::make_tuple(outcome.fault, k, outcome.where, iterations);
             },
             "Solves case after case, each from the one before; (fault, its case, branch or node, Newton steps in all).", py::kw_only(),
             "setting"_a.noconvert(), "loss"_a.noconvert(), "shut"_a.noconvert(), "pressure"_a.noconvert(), "inflow"_a.noconvert(),
             "density"_a, "viscosity"_a, "warm"_a, "flow"_a.noconvert(), "node_pressure"_a.noconvert(), "drop"_a.noconvert())
        .def("sensitivity",
             [](const FlowNetwork& net, const Doubles& setting, const Doubles& loss, const Bytes& shut, const Doubles& pressure,
                const Doubles& inflow, double density, double viscosity, const Doubles& flow, int element, Doubles& out) {
                 const Cases all = cases(net, setting, loss, shut, pressure, inflow, density, viscosity);
                 const double* V = numbers(flow, all.n, net.n_branch(), -std::numeric_limits<double>::infinity(), "flow");
                 double* dV = output(out, all.n, net.n_branch(), "out");
                 if (element < 0 || element >= net.n_element()) throw py::value_error("no such element");
                 py::gil_scoped_release nogil;
                 for (py::ssize_t k = 0; k < all.n; ++k)
                     net.sensitivity(all.at(net, k), V + k * net.n_branch(), element, dV + k * net.n_branch());
             },
             "d flow / d setting of one element, at solutions `flow`.", py::kw_only(), "setting"_a.noconvert(), "loss"_a.noconvert(),
             "shut"_a.noconvert(), "pressure"_a.noconvert(), "inflow"_a.noconvert(), "density"_a, "viscosity"_a, "flow"_a.noconvert(),
             "element"_a, "out"_a.noconvert());
}
