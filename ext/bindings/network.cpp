// Binding of thermo::Engine: checks and passes arrays, no arithmetic.
#include <pybind11/functional.h>
#include <pybind11/numpy.h>
#include <pybind11/pybind11.h>
#include <pybind11/stl.h>

#include <cmath>

#include "thermo/engine.hpp"

namespace py = pybind11;
using namespace pybind11::literals;
using thermo::Engine;

namespace {

using Doubles = py::array_t<double, py::array::c_style>;
using Ints = py::array_t<std::int32_t, py::array::c_style>;
using Bytes = py::array_t<unsigned char, py::array::c_style>;

template <class T>
const T* matrix(const py::array_t<T, py::array::c_style>& a, py::ssize_t rows, py::ssize_t columns, const char* name) {
    if (a.ndim() != 2 || (rows >= 0 && a.shape(0) != rows) || a.shape(1) != columns)
        throw py::value_error(std::string(name) + " has the wrong shape");
    return a.data();
}
template <class T>
std::vector<T> vector(const py::array_t<T, py::array::c_style>& a, const char* name) {
    if (a.ndim() != 1) throw py::value_error(std::string(name) + " must have one dimension");
    return {a.data(), a.data() + a.size()};
}
thermo::Law law(const py::handle& item) {
    if (!py::isinstance<py::tuple>(item) || py::len(item) != 4) throw py::type_error("a law is (low, step, values, slopes)");
    const auto t = py::reinterpret_borrow<py::tuple>(item);
    thermo::Law l;
    l.low = t[0].cast<double>();
    l.step = t[1].cast<double>();
    for (int i : {2, 3})
        if (!py::isinstance<Doubles>(t[i])) throw py::type_error("a law's values and slopes are float64, C-contiguous");
    l.value = vector(t[2].cast<Doubles>(), "law values");
    l.slope = vector(t[3].cast<Doubles>(), "law slopes");
    return l;
}
std::vector<thermo::Link> links(const Ints& a, const char* name) {
    const std::int32_t* p = matrix(a, -1, 3, name);
    std::vector<thermo::Link> out;
    for (py::ssize_t i = 0; i < a.shape(0); ++i) out.push_back({p[3 * i], p[3 * i + 1], p[3 * i + 2]});
    return out;
}

thermo::Group group(const Doubles& capacity, const Ints& signals, const Ints& series, const Ints& coefficients,
                    const Doubles& scale, const Ints& conductances, const Ints& streams, const Ints& exits,
                    const Ints& sources, const Doubles& fractions, const Ints& boundaries, const py::list& laws,
                    const py::list& totals, const py::list& controllers, const py::list& chips, const Ints& record_nodes, const Ints& record_signals) {
    thermo::Group g;
    if (capacity.ndim() != 2) throw py::value_error("capacity must be [node, server]");
    g.n_node = static_cast<int>(capacity.shape(0));
    g.n_server = static_cast<int>(capacity.shape(1));
    g.capacity.assign(capacity.data(), capacity.data() + capacity.size());
    const std::int32_t* s = matrix(signals, -1, 4, "signals");
    for (py::ssize_t i = 0; i < signals.shape(0); ++i)
        g.signals.push_back({static_cast<thermo::SignalKind>(s[4 * i]), s[4 * i + 1], s[4 * i + 2], s[4 * i + 3]});
    const std::int32_t* column = matrix(series, signals.shape(0), g.n_server, "series");
    g.series.assign(column, column + series.size());
    const std::int32_t* c = matrix(coefficients, -1, 3, "coefficients");
    for (py::ssize_t i = 0; i < coefficients.shape(0); ++i) g.coefficients.push_back({c[3 * i], c[3 * i + 1], c[3 * i + 2]});
    const double* k = matrix(scale, coefficients.shape(0), g.n_server, "scale");
    g.scale.assign(k, k + scale.size());
    g.conductances = links(conductances, "conductances");
    g.streams = links(streams, "streams");
    g.exits = links(exits, "exits");
    const std::int32_t* q = matrix(sources, -1, 2, "sources");
    const auto share = vector(fractions, "fractions");
    if (static_cast<py::ssize_t>(share.size()) != sources.shape(0)) throw py::value_error("fractions has the wrong length");
    for (py::ssize_t i = 0; i < sources.shape(0); ++i)
        g.sources.push_back({q[2 * i], q[2 * i + 1], share[static_cast<std::size_t>(i)]});
    for (int b : vector(boundaries, "boundaries")) g.boundaries.push_back(b);
    for (const auto& l : laws) g.laws.push_back(law(l));
    for (const auto& item : totals) {
        try {
            auto [which, weights] = item.cast<std::pair<std::vector<int>, std::vector<double>>>();
            g.totals.push_back({std::move(which), std::move(weights)});
        } catch (const py::cast_error&) {
            throw py::type_error("a total is (signals, weights)");
        }
    }
    for (const auto& item : controllers) {
        if (!py::isinstance<py::dict>(item)) throw py::type_error("a controller is a dict");
        const auto t = py::reinterpret_borrow<py::dict>(item);
        for (const char* key : {"kind", "period", "gain", "integral_gain", "low", "high", "quantum", "deadband", "nodes", "target", "relative", "curve",
                                "step", "slowdown", "slowed", "shutdown"})
            if (!t.contains(key)) throw py::value_error(std::string("a controller has no ") + key);
        thermo::Controller control;
        try {
            control.kind = t["kind"].cast<int>();
            control.period = t["period"].cast<double>();
            control.gain = t["gain"].cast<double>();
            control.integral_gain = t["integral_gain"].cast<double>();
            control.low = t["low"].cast<double>();
            control.high = t["high"].cast<double>();
            control.quantum = t["quantum"].cast<double>();
            control.deadband = t["deadband"].cast<double>();
            control.nodes = t["nodes"].cast<std::vector<int>>();
            control.target = t["target"].cast<std::vector<double>>();
            control.relative = t["relative"].cast<int>();
            control.curve = law(t["curve"]);
            control.step = t["step"].cast<double>();
            control.slowdown = t["slowdown"].cast<double>();
            control.slowed = t["slowed"].cast<double>();
            control.shutdown = t["shutdown"].cast<double>();
        } catch (const py::cast_error&) {
            throw py::type_error("a controller has an entry of the wrong type");
        }
        g.controllers.push_back(std::move(control));
    }
    for (const auto& item : chips) {
        if (!py::isinstance<py::dict>(item)) throw py::type_error("a chip is a dict");
        const auto t = py::reinterpret_borrow<py::dict>(item);
        thermo::Chip chip;
        auto number = [&](const char* key) {
            if (!t.contains(key)) throw py::value_error(std::string("a chip has no ") + key);
            return t[key];
        };
        try {
            chip.node = number("node").cast<int>();
            chip.demand = number("demand").cast<int>();
            chip.cap = number("cap").cast<int>();
            chip.clock = number("clock").cast<int>();
            chip.idle = number("idle").cast<double>();
            chip.leakage = number("leakage").cast<double>();
            chip.reference = number("reference").cast<double>();
            chip.scale = number("scale").cast<double>();
            chip.lowest = number("lowest").cast<double>();
            chip.power_of_clock = law(number("power_of_clock"));
            chip.clock_of_power = law(number("clock_of_power"));
        } catch (const py::cast_error&) {
            throw py::type_error("a chip has an entry of the wrong type");
        }
        g.chips.push_back(std::move(chip));
    }
    for (int r : vector(record_nodes, "record_nodes")) g.record_nodes.push_back(r);
    for (int r : vector(record_signals, "record_signals")) g.record_signals.push_back(r);
    return g;
}

thermo::Series series(const Engine& e, const Doubles& time, const Doubles& value, const Bytes& linear) {
    if (time.ndim() != 1 || value.ndim() != 2 || linear.ndim() != 1 || value.shape(0) != time.shape(0) ||
        value.shape(1) != linear.shape(0) || time.shape(0) < 1)
        throw py::value_error("series must be [time, series] with one time a row and one flag a column");
    if (value.shape(1) != e.n_series()) throw py::value_error("series has another number of columns than the network names");
    for (py::ssize_t k = 0; k < time.shape(0); ++k)
        if (!std::isfinite(time.data()[k]) || (k > 0 && !(time.data()[k] > time.data()[k - 1])))
            throw py::value_error("time must be finite and rise");
    return {static_cast<int>(time.shape(0)), static_cast<int>(value.shape(1)), time.data(), value.data(), linear.data()};
}
int interval(const thermo::Series& s, int k) {
    if (k < 0 || k >= s.n_time) throw py::value_error("no such interval");
    return k;
}
std::size_t part(const Engine& e, int p) {
    if (p < 0 || static_cast<std::size_t>(p) >= e.groups().size()) throw py::value_error("no such group");
    return static_cast<std::size_t>(p);
}
double* shaped(Doubles& a, std::vector<py::ssize_t> shape, const char* name) {
    if (a.ndim() != static_cast<py::ssize_t>(shape.size())) throw py::value_error(std::string(name) + " has the wrong shape");
    for (std::size_t i = 0; i < shape.size(); ++i)
        if (a.shape(static_cast<py::ssize_t>(i)) != shape[i]) throw py::value_error(std::string(name) + " has the wrong shape");
    return a.mutable_data();
}

// Signals are delivered and progress is told with the GIL held; a Python error ends the run and is raised afterwards.
struct Poll {
    py::object progress;
    std::exception_ptr error;
    bool operator()(double fraction) {
        py::gil_scoped_acquire gil;
        try {
            if (PyErr_CheckSignals() != 0) throw py::error_already_set();
            if (!progress.is_none()) progress(fraction);
        } catch (...) {
            error = std::current_exception();
            return true;
        }
        return false;
    }
};

struct Buffers {
    std::vector<thermo::Record> records;
    py::list arrays;
    Doubles border;
};
Buffers buffers(const Engine& e, py::ssize_t n_time) {
    Buffers b;
    for (const auto& g : e.groups()) {
        const auto S = static_cast<py::ssize_t>(g.n_server);
        Doubles nodes({n_time, S, static_cast<py::ssize_t>(g.record_nodes.size())});
        Doubles means({n_time, S, static_cast<py::ssize_t>(g.record_signals.size())});
        Doubles in({n_time, S}), out({n_time, S}), stored({n_time, S});
        b.records.push_back({nodes.mutable_data(), means.mutable_data(), in.mutable_data(), out.mutable_data(), stored.mutable_data()});
        b.arrays.append(py::dict("nodes"_a = nodes, "signals"_a = means, "energy_in"_a = in, "energy_out"_a = out, "stored"_a = stored));
    }
    b.border = Doubles({n_time, static_cast<py::ssize_t>(e.border().record_nodes.size())});
    return b;
}

}  // namespace

PYBIND11_MODULE(network, m, py::mod_gil_not_used()) {
    m.doc() = "The thermal network engine.";
    m.attr("BOUNDARY") = thermo::kBoundary;
    m.attr("SHARED") = thermo::kShared;
    m.attr("WIDTH") = thermo::kWidth;

    // args: group, chip, server, time [s], rise of its junction [K], loop gain [1]
    static py::exception<thermo::Runaway> runaway(m, "Runaway", PyExc_ArithmeticError);
    py::register_exception_translator([](std::exception_ptr p) {
        try {
            if (p) std::rethrow_exception(p);
        } catch (const thermo::Runaway& r) {
            const auto args = py::make_tuple(r.number, r.chip, r.server, r.time, r.rise, r.gain);
            PyErr_SetObject(runaway.ptr(), args.ptr());
        }
    });

    py::class_<thermo::Group>(m, "Group", "Servers of one kind: one topology, numbers of their own.")
        .def(py::init(&group), py::kw_only(), "capacity"_a.noconvert(), "signals"_a.noconvert(), "series"_a.noconvert(),
             "coefficients"_a.noconvert(), "scale"_a.noconvert(), "conductances"_a.noconvert(), "streams"_a.noconvert(),
             "exits"_a.noconvert(), "sources"_a.noconvert(), "fractions"_a.noconvert(), "boundaries"_a.noconvert(), "laws"_a,
             "totals"_a, "controllers"_a, "chips"_a, "record_nodes"_a.noconvert(), "record_signals"_a.noconvert());

    py::class_<Engine>(m, "Engine", "Groups, border, state and controllers, and the steppers that move them.")
        .def(py::init([](std::vector<thermo::Group> groups, const Doubles& border_capacity, const Ints& record_border, int n_series) {
                 thermo::Border border;
                 border.capacity = vector(border_capacity, "border_capacity");
                 border.n_node = static_cast<int>(border.capacity.size());
                 for (int r : vector(record_border, "record_border")) {
                     if (r < 0 || r >= border.n_node) throw py::value_error("record_border names no border node");
                     border.record_nodes.push_back(r);
                 }
                 return std::make_unique<Engine>(std::move(groups), std::move(border), n_series);
             }),
             py::kw_only(), "groups"_a, "border_capacity"_a.noconvert(), "record_border"_a.noconvert(), "n_series"_a)
        .def_property_readonly("obstacle", &Engine::obstacle, "Why the exact stepper cannot be used; empty where it can.")
        .def_property_readonly("count",
                               [](const Engine& e) {
                                   const auto& c = e.count();
                                   return py::dict("steps"_a = c.steps, "rejected"_a = c.rejected, "positive"_a = c.positive,
                                                   "factored"_a = c.factored);
                               })
        .def("largest_block", [](const Engine& e, int p) { return e.exact(part(e, p)).largest_block(); }, "group"_a)
        .def_readwrite("proposed_step", &Engine::proposed_step, "The step that TR-BDF2 would take next, or the longest that whole steps may have [s]; 0: none yet.")
        .def_property_readonly("n_state", &Engine::n_state)
        .def("temperature",
             [](const Engine& e, int p) {
                 const auto& g = e.groups()[part(e, p)];
                 Doubles T({static_cast<py::ssize_t>(g.n_node), static_cast<py::ssize_t>(g.n_server)});
                 e.read(static_cast<std::size_t>(p), T.mutable_data());
                 return T;
             },
             "group"_a, "Temperatures [node, server] as rise above the reference [K].")
        .def("set_temperature",
             [](Engine& e, int p, const Doubles& T) {
                 const auto& g = e.groups()[part(e, p)];
                 e.write(static_cast<std::size_t>(p), matrix(T, g.n_node, g.n_server, "T"));
             },
             "group"_a, "T"_a.noconvert())
        .def("border_temperature",
             [](Engine& e) { return Doubles(static_cast<py::ssize_t>(e.border_temperature().size()), e.border_temperature().data()); })
        .def("set_border_temperature",
             [](Engine& e, const Doubles& T) {
                 auto v = vector(T, "T");
                 if (v.size() != e.border_temperature().size()) throw py::value_error("T has the wrong length");
                 e.border_temperature() = v;
             },
             "T"_a.noconvert())
        .def("control",
             [](Engine& e, int p) {
                 const auto& g = e.groups()[part(e, p)];
                 return Doubles({static_cast<py::ssize_t>(g.controllers.size()), static_cast<py::ssize_t>(g.n_server)},
                                e.controls()[static_cast<std::size_t>(p)].output.data());
             },
             "group"_a, "Controller outputs [controller, server].")
        .def("set_control",
             [](Engine& e, int p, const Doubles& output) {
                 const auto& g = e.groups()[part(e, p)];
                 const double* v = matrix(output, static_cast<py::ssize_t>(g.controllers.size()), g.n_server, "output");
                 e.controls()[static_cast<std::size_t>(p)] = thermo::ControlState(g, v);
             },
             "group"_a, "output"_a.noconvert())
        .def("integral",
             [](Engine& e, int p) {
                 const auto& g = e.groups()[part(e, p)];
                 return Doubles({static_cast<py::ssize_t>(g.controllers.size()), static_cast<py::ssize_t>(g.n_server)},
                                e.controls()[static_cast<std::size_t>(p)].integral.data());
             },
             "group"_a, "Controller integrals [controller, server].")
        .def("set_integral",
             [](Engine& e, int p, const Doubles& integral) {
                 const auto& g = e.groups()[part(e, p)];
                 const double* v = matrix(integral, static_cast<py::ssize_t>(g.controllers.size()), g.n_server, "integral");
                 e.controls()[static_cast<std::size_t>(p)].integral.assign(v, v + integral.size());
             },
             "group"_a, "integral"_a.noconvert())
        .def_property_readonly("entering", &Engine::total_entering, "Power of all sources as the signals stand [W].")
        .def("recorded_signals",
             [](const Engine& e, int p) {
                 const auto& g = e.groups()[part(e, p)];
                 Doubles out({static_cast<py::ssize_t>(g.n_server), static_cast<py::ssize_t>(g.record_signals.size())});
                 e.recorded_signals(static_cast<std::size_t>(p), out.mutable_data());
                 return out;
             },
             "group"_a, "Recorded signals as they stand [server, signal].")
        .def("tick", &Engine::tick, "t"_a, py::kw_only(), "firmware"_a, "The controllers that tick at t take their tick.")
        .def("next_tick", &Engine::next_tick, "t"_a, py::kw_only(), "firmware"_a)
        .def("control_rise",
             [](const Engine& e, int p) {
                 const auto& g = e.groups()[part(e, p)];
                 Doubles out({static_cast<py::ssize_t>(g.controllers.size()), static_cast<py::ssize_t>(g.n_server)});
                 e.control_rise(static_cast<std::size_t>(p), out.mutable_data());
                 return out;
             },
             "group"_a, "The largest T - target of each controller [controller, server].")
        .def("steady",
             [](Engine& e, const Doubles& time, const Doubles& value, const Bytes& linear, int k, double x, bool bounded) {
                 const auto s = series(e, time, value, linear);
                 interval(s, k);
                 py::gil_scoped_release nogil;
                 e.steady(s, k, x, bounded);
             },
             "time"_a.noconvert(), "value"_a.noconvert(), "linear"_a.noconvert(), py::kw_only(), "interval"_a, "x"_a,
             "bounded"_a = false, "The steady state. Raises Runaway where there is none; `bounded`: a far too hot one instead.")
        .def("firmware_acts",
             [](Engine& e, const Doubles& low, const Doubles& high) {
                 const auto n = static_cast<py::ssize_t>(e.n_state());
                 if (low.ndim() != 1 || low.size() != n || high.ndim() != 1 || high.size() != n)
                     throw py::value_error("a state has the wrong length");
                 return e.firmware_acts(low.data(), high.data());
             },
             "low"_a.noconvert(), "high"_a.noconvert(), "Whether firmware would act between two states. Leaves the second.")
        .def_property_readonly("leaks", &Engine::leaks)
        .def_property_readonly("has_firmware", &Engine::has_firmware)
        .def("hold",
             [](Engine& e, const Doubles& time, const Doubles& value, const Bytes& linear, int k, double x) {
                 const auto s = series(e, time, value, linear);
                 e.hold(s, interval(s, k), x);
             },
             "time"_a.noconvert(), "value"_a.noconvert(), "linear"_a.noconvert(), py::kw_only(), "interval"_a, "x"_a)
        .def("derivative",
             [](Engine& e, const Doubles& time, const Doubles& value, const Bytes& linear, const Doubles& y, Doubles& dy, int k,
                double x) {
                 const auto s = series(e, time, value, linear);
                 interval(s, k);
                 const auto n = static_cast<py::ssize_t>(e.n_state());
                 if (y.ndim() != 1 || y.size() != n) throw py::value_error("y has the wrong length");
                 double* out = shaped(dy, {n}, "dy");
                 const double* in = y.data();
                 py::gil_scoped_release nogil;
                 return e.derivative(s, k, x, in, out);
             },
             "time"_a.noconvert(), "value"_a.noconvert(), "linear"_a.noconvert(), "y"_a.noconvert(), "dy"_a.noconvert(),
             py::kw_only(), "interval"_a, "x"_a, "dT/dt of the state at `x` of an interval; returns the power that leaves [W].")
        .def("state",
             [](Engine& e) {
                 Doubles y(static_cast<py::ssize_t>(e.n_state())), C(static_cast<py::ssize_t>(e.n_state()));
                 double *py_ = y.mutable_data(), *pc = C.mutable_data();
                 e.each_state([&](double& T, double c, std::size_t i) { py_[i] = T, pc[i] = c; });
                 return py::make_tuple(y, C);
             },
             "Temperatures of the nodes with capacity, and their capacities.")
        .def("matrix",
             [](const Engine& e) {
                 std::vector<long long> row, column;
                 std::vector<double> value;
                 e.matrix(row, column, value);
                 return py::make_tuple(py::array_t<long long>(static_cast<py::ssize_t>(row.size()), row.data()),
                                       py::array_t<long long>(static_cast<py::ssize_t>(column.size()), column.data()),
                                       Doubles(static_cast<py::ssize_t>(value.size()), value.data()));
             },
             "K as (row, column, value); the balance is q - K T.")
        .def("run",
             [](Engine& e, const Doubles& time, const Doubles& value, const Bytes& linear, bool exact, double tolerance,
                double forced_step, int threads, const py::object& progress, bool rational) {
                 const auto s = series(e, time, value, linear);
                 Buffers b = buffers(e, s.n_time);
                 double* border = b.border.mutable_data();
                 Poll poll{progress, {}};
                 {
                     py::gil_scoped_release nogil;
                     auto ask = [&](double f) { return poll(f); };
                     if (exact)
                         e.run_exact(s, b.records, tolerance, threads, ask);
                     else if (rational)
                         e.run_rational(s, b.records, border, tolerance, ask);
                     else
                         e.run_implicit(s, b.records, border, tolerance, forced_step, ask);
                 }
                 if (poll.error) std::rethrow_exception(poll.error);
                 return py::make_tuple(b.arrays, b.border);
             },
             "time"_a.noconvert(), "value"_a.noconvert(), "linear"_a.noconvert(), py::kw_only(), "exact"_a, "tolerance"_a,
             "forced_step"_a, "threads"_a, "progress"_a, "rational"_a = false,
             "By the exact stepper, else by whole steps where `rational`, else by TR-BDF2.");
}
