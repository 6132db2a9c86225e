// Flow in a network of pipes, plates, valves and pumps: which flow each branch carries, which pressure each node has.
//
//     p_tail - p_head = phi_b(V_b)                  each branch: the drops of its elements add up, a pump's is negative
//     sum of V_out - sum of V_in = inflow           each node whose pressure is not given
//
// One density and viscosity. All phi rise with V, so the solution is the least of a convex function, sum of the integrals of phi_b
// under continuity: there is one at most, and Newton's method with a line search along which phi . dV changes sign finds it from
// anywhere. Flow is positive from tail to head.
#pragma once
#include <algorithm>
#include <array>
#include <cmath>
#include <cstddef>
#include <cstdint>
#include <limits>
#include <numeric>
#include <stdexcept>
#include <utility>
#include <vector>

#include "thermo/constants.hpp"
#include "thermo/ducts.hpp"

namespace thermo {

struct Drop {
    double value, slope;  // Pa and Pa s/m3
};

// ---- elements

// V -> pressure rise at rated speed: cubic Hermite pieces that fall, from V = 0. Beyond the last point and for flow
// backward the rise falls with V^2, so that a pump that slows to a stop becomes a quadratic resistance without a jump.
struct PumpCurve {
    std::vector<double> V, rise, slope;

    double tail() const noexcept { return -slope.back() / (2 * V.back()); }  // Pa s2/m6, positive
    Drop operator()(double x) const noexcept {
        const double c = tail();
        if (x <= 0) return {rise[0] + slope[0] * x + c * x * x, slope[0] + 2 * c * x};
        if (x >= V.back()) return {rise.back() - c * (x * x - V.back() * V.back()), -2 * c * x};
        const auto i = static_cast<std::size_t>(std::upper_bound(V.begin(), V.end(), x) - V.begin()) - 1;
        const double h = V[i + 1] - V[i], u = (x - V[i]) / h, v = 1 - u;
        const double value = rise[i] * (1 + 2 * u) * v * v + h * slope[i] * u * v * v + rise[i + 1] * u * u * (1 + 2 * v) -
                             h * slope[i + 1] * u * u * v;
        const double steep = 6 * u * v * (rise[i + 1] - rise[i]) / h + slope[i] * v * (1 - 3 * u) + slope[i + 1] * u * (1 - 3 * v);
        return {value, steep};
    }
};

enum class ElementKind : std::int32_t { pipe, resistance, channels, valve, check_valve, pump };
inline constexpr int kElementKinds = 6, kElementParameters = 6;

// Parameters by kind:
//   pipe         length, diameter, roughness [m], minor loss on rho v^2 / 2 [1], pipes in parallel [1]
//   resistance   a [Pa s/m3], b [Pa s2/m6] at density [kg/m3] and viscosity [Pa s]: a follows viscosity, b density
//   channels     width, height, length [m], channels in parallel [1], entry and exit loss on rho v^2 / 2 [1]
//   valve        Kv fully open [m3/h at 1 bar], 0 linear or 1 equal percentage, rangeability [1]; setting: opening
//   check_valve  Kv [m3/h at 1 bar], flow backward at 1 bar over that forward [1]
//   pump         density of the curve [kg/m3]; setting: speed
struct Element {
    ElementKind kind;
    int branch, curve;
    std::array<double, kElementParameters> p;
};

// Share of Kv at an opening. Equal percentage is rangeability^(opening - 1); below `nearly_shut` both go to 0 in a line.
inline double valve_share(double opening, bool equal_percentage, double rangeability) noexcept {
    if (!equal_percentage) return opening;
    const double nearly_shut = 0.05;
    if (opening >= nearly_shut) return std::pow(rangeability, opening - 1);
    return opening / nearly_shut * std::pow(rangeability, nearly_shut - 1);
}

// Pa s2/m6 of a Kv: 1 m3/h at 1 bar with water of 1000 kg/m3 (IEC 60534)
inline double quadratic_of_kv(double Kv, double rho) noexcept {
    const double bar = 1e5, hour = 3600, water = 1000;
    return bar * rho / water * (hour / Kv) * (hour / Kv);
}

// An element with fluid and setting put in: what is evaluated many times.
class PreparedElement {
  public:
    PreparedElement(const Element& e, const PumpCurve* pump, double setting, double loss, double rho, double mu)
        : kind(e.kind), curve(pump) {
        switch (kind) {
            case ElementKind::pipe: {
                const double D = e.p[1], A = PI * D * D / 4, dynamic = loss * rho / (2 * A * A);
                count = e.p[4];
                Re_of_V = rho * D / (A * mu);
                roughness = e.p[2] / D;
                b = dynamic * e.p[3];
                friction = dynamic * e.p[0] / D;
                a = 64 / Re_of_V * friction;
                break;
            }
            case ElementKind::resistance:
                a = loss * e.p[0] * mu / e.p[3];
                orifice(loss * e.p[1] * rho / e.p[2], rho, mu);
                break;
            case ElementKind::channels: {
                const double width = e.p[0], height = e.p[1], L = e.p[2];
                const double A = width * height, D_h = 2 * A / (width + height);
                count = e.p[3];
                f_Re = friction_rectangular(std::min(width, height) / std::max(width, height));
                x_plus_V = L * mu * A / (D_h * D_h * rho);
                a = loss * 2 * mu * L / (D_h * D_h * A);
                b = loss * e.p[4] * rho / (2 * A * A);
                break;
            }
            case ElementKind::valve:
                orifice(loss * quadratic_of_kv(e.p[0] * valve_share(setting, e.p[1] != 0, e.p[2]), rho), rho, mu);
                break;
            case ElementKind::check_valve: {
                const double bar = 1e5, b_open = quadratic_of_kv(e.p[0], rho);
                orifice(loss * b_open, rho, mu);
                leak = e.p[1] * std::sqrt(bar / b_open);
                stiff = bar / leak;
                break;
            }
            case ElementKind::pump:
                speed = setting;
                density = rho / e.p[0];  // pressure goes with it, head does not
                orifice(density * pump->tail(), rho, mu);
                break;
        }
    }

    Drop operator()(double V) const noexcept {
        const double u = std::fabs(V) / count;
        Drop d{0, 0};
        switch (kind) {
            case ElementKind::pipe: {
                const double Re = Re_of_V * u, Re_laminar = 200;  // below, Churchill's value is 64 / Re to rounding
                if (Re < Re_laminar) {
                    d = {a * u + b * u * u, a + 2 * b * u};
                } else {
                    const Friction f = friction_churchill_slope(Re, roughness);
                    const double wall = friction * f.f_D * u;
                    d = {wall * u + b * u * u, wall * (2 + f.exponent) + 2 * b * u};
                }
                break;
            }
            case ElementKind::channels: {
                // mean over the length: 4 f_app L / D_h rho v^2 / 2 = 2 mu L v / D_h^2 (f_app Re)
                const double f_app_Re = friction_apparent(x_plus_V / u, f_Re);
                const double entry = (f_app_Re * f_app_Re - f_Re * f_Re) / (2 * f_app_Re);
                d = {a * f_app_Re * u + b * u * u, a * (f_app_Re + entry) + 2 * b * u};
                break;
            }
            case ElementKind::resistance:
            case ElementKind::valve:
                d = quadratic(u);
                break;
            case ElementKind::check_valve:
                d = quadratic(u);
                if (V < 0) {  // the seat: a parabola of one leak's depth, then a line
                    const double depth = u / leak;
                    d.value += stiff * (depth < 1 ? 0.5 * depth * u : u - 0.5 * leak);
                    d.slope += stiff * std::min(depth, 1.0);
                }
                break;
            case ElementKind::pump: {
                if (speed <= 0) {
                    d = quadratic(u);
                    break;
                }
                const Drop rise = (*curve)(V / speed);  // affinity: rise with speed^2 at flow with speed
                return {-density * speed * speed * rise.value, -density * speed * rise.slope};
            }
        }
        return {V < 0 ? -d.value : d.value, d.slope / count};
    }

    double shut_off() const noexcept { return kind == ElementKind::pump ? density * speed * speed * curve->rise[0] : 0; }
    double runout() const noexcept { return kind == ElementKind::pump ? speed * curve->V.back() : 0; }
    double seat() const noexcept { return leak; }  // m3/s, 0 where there is none

  private:
    ElementKind kind;
    const PumpCurve* curve;
    double count = 1, density = 1, a = 0, b = 0, V_0 = 0;
    double Re_of_V = 0, roughness = 0, friction = 0, f_Re = 0, x_plus_V = 0, leak = 0, stiff = 0, speed = 0;

    // a V + b V sqrt(V^2 + V_0^2): quadratic, and linear below V_0, where Re in the free opening sqrt(rho / (2 b)) is 10
    // (an assumption, as IEC 60534 has it for valves; at Re 1000 it adds 5e-5)
    void orifice(double quadratic_part, double rho, double mu) noexcept {
        const double Re_linear = 10;
        b = quadratic_part;
        if (b > 0) V_0 = Re_linear * mu / rho * std::sqrt(PI / 4 * std::sqrt(rho / (2 * b)));
    }
    Drop quadratic(double u) const noexcept {
        if (!(b > 0)) return {a * u, a};
        const double root = std::sqrt(u * u + V_0 * V_0);
        return {a * u + b * u * root, a + b * (root + u * u / root)};
    }
};

// ---- linear algebra

// Gauss elimination of a network of conductances as star-mesh steps: a node is replaced by conductances among its
// neighbours. Only positive numbers are added, never subtracted, so conductances 1e18 apart do no harm. One order, by least
// degree, for all values.
class StarMesh {
  public:
    StarMesh() = default;
    StarMesh(int n_node, const std::vector<std::pair<int, int>>& links) : n(n_node), place(n_node, -1), start{0} {
        std::vector<std::vector<int>> around(n);
        auto join = [&](int a, int b) {
            auto& list = around[a];
            const auto at = std::lower_bound(list.begin(), list.end(), b);
            if (at == list.end() || *at != b) list.insert(at, b);
        };
        for (const auto& [a, b] : links)
            if (a != b) join(a, b), join(b, a);
        std::vector<std::vector<int>> rows(n);
        for (int step = 0; step < n; ++step) {
            int best = -1;
            for (int i = 0; i < n; ++i)
                if (place[i] < 0 && (best < 0 || around[i].size() < around[best].size())) best = i;
            place[best] = step;
            rows[step] = around[best];
            for (int a : rows[step]) {
                auto& list = around[a];
                list.erase(std::lower_bound(list.begin(), list.end(), best));
                for (int b : rows[step])
                    if (a != b) join(a, b);
            }
        }
        for (auto& row : rows) {
            for (int& node : row) node = place[node];
            std::sort(row.begin(), row.end());
            column.insert(column.end(), row.begin(), row.end());
            start.push_back(column.size());
        }
        for (int k = 0; k < n; ++k)
            for (std::size_t e = start[k]; e < start[k + 1]; ++e)
                for (std::size_t f = e + 1; f < start[k + 1]; ++f) target.push_back(entry_at(column[e], column[f]));
    }

    std::size_t entries() const { return column.size(); }
    std::size_t entry(int a, int b) const { return entry_at(std::min(place[a], place[b]), std::max(place[a], place[b])); }
    int position(int node) const { return place[static_cast<std::size_t>(node)]; }

    // conductance[entry], to_ground[position] -> eliminated in place; inverse[position]
    void factor(double* conductance, double* to_ground, double* inverse) const noexcept {
        const std::size_t* to = target.data();
        for (int k = 0; k < n; ++k) {
            double sum = to_ground[k];
            for (std::size_t e = start[k]; e < start[k + 1]; ++e) sum += conductance[e];
            const double inv = inverse[k] = sum > 0 ? 1 / sum : 0;
            for (std::size_t e = start[k]; e < start[k + 1]; ++e) {
                const double share = conductance[e] * inv;
                to_ground[column[e]] += share * to_ground[k];
                for (std::size_t f = e + 1; f < start[k + 1]; ++f) conductance[*to++] += share * conductance[f];
            }
        }
    }
    void solve(const double* conductance, const double* inverse, double* x) const noexcept {
        for (int k = 0; k < n; ++k) {
            x[k] *= inverse[k];
            for (std::size_t e = start[k]; e < start[k + 1]; ++e) x[column[e]] += conductance[e] * x[k];
        }
        for (int k = n - 1; k >= 0; --k) {
            double sum = 0;
            for (std::size_t e = start[k]; e < start[k + 1]; ++e) sum += conductance[e] * x[column[e]];
            x[k] += inverse[k] * sum;
        }
    }

  private:
    int n = 0;
    std::vector<int> place;
    std::vector<std::size_t> start;
    std::vector<int> column;
    std::vector<std::size_t> target;  // entry that each pair of a node's neighbours adds to

    std::size_t entry_at(int low, int high) const {
        const auto b = column.begin() + static_cast<std::ptrdiff_t>(start[low]), e = column.begin() + static_cast<std::ptrdiff_t>(start[low + 1]);
        return static_cast<std::size_t>(std::lower_bound(b, e, high) - column.begin());
    }
};

// ---- the network

enum class FlowFault : int {
    none,
    pump_without_reference,   // at a branch: it runs in a part of the network that no given pressure reaches
    inflow_without_way_out,   // at a node
    pump_against_shut,        // at a branch: no open way leads from the pump's outlet back to its inlet
    no_convergence,           // at the branch with the largest error of pressure
};

struct FlowOutcome {
    FlowFault fault = FlowFault::none;
    int where = -1, iterations = 0;
};

// What one solution depends on besides the network; arrays belong to the caller.
struct FlowCase {
    const double* setting;        // [element] speed of a pump, opening of a valve; others unused
    const double* loss;           // [branch] factor on the drop of all that is no pump
    const unsigned char* shut;    // [branch]
    const double* pressure;       // [node] Pa, where it is given
    const double* inflow;         // [node] m3/s
    double rho, mu;               // kg/m3, Pa s
};

class FlowNetwork {
  public:
    FlowNetwork(int n_node, std::vector<int> tail, std::vector<int> head, std::vector<char> given, std::vector<Element> elements,
                std::vector<PumpCurve> curves)
        : n(n_node), tail_(std::move(tail)), head_(std::move(head)), given_(std::move(given)), elements_(std::move(elements)),
          curves_(std::move(curves)), row(n_node, -1), first(tail_.size() + 1, 0) {
        check();
        std::stable_sort(order.begin(), order.end(), [&](int a, int b) { return elements_[a].branch < elements_[b].branch; });
        for (const Element& e : elements_) ++first[static_cast<std::size_t>(e.branch) + 1];
        std::partial_sum(first.begin(), first.end(), first.begin());
        one_way.assign(tail_.size(), 0);
        for (const Element& e : elements_)
            if (e.kind == ElementKind::check_valve) one_way[e.branch] = 1;
        std::vector<std::vector<int>> around(n);
        for (int b = 0; b < n_branch(); ++b) around[tail_[b]].push_back(b), around[head_[b]].push_back(b);
        first_at.push_back(0);
        for (const auto& list : around) {
            branch_at.insert(branch_at.end(), list.begin(), list.end());
            first_at.push_back(branch_at.size());
        }
        int free = 0;
        for (int i = 0; i < n; ++i)
            if (!given_[i]) row[i] = free++;
        std::vector<std::pair<int, int>> links;
        for (int b = 0; b < n_branch(); ++b)
            if (row[tail_[b]] >= 0 && row[head_[b]] >= 0) links.emplace_back(row[tail_[b]], row[head_[b]]);
        mesh = StarMesh(free, links);
        for (int i = 0; i < n; ++i)
            if (row[i] >= 0) row[i] = mesh.position(row[i]);
        n_free = free;
        std::size_t next = 0;
        entry.assign(tail_.size(), kNoEntry);
        for (int b = 0; b < n_branch(); ++b)
            if (row[tail_[b]] >= 0 && row[head_[b]] >= 0) {
                entry[b] = mesh.entry(links[next].first, links[next].second);
                ++next;
            }
    }

    int n_node() const { return n; }
    int n_branch() const { return static_cast<int>(tail_.size()); }
    int n_element() const { return static_cast<int>(elements_.size()); }

    // V [branch]: where to start if `warm`, and the solution; p [node], nan where nothing says it; drop [element]
    FlowOutcome solve(const FlowCase& given, bool warm, double* V, double* p, double* drop) const {
        Work w(*this, given);
        FlowOutcome out = w.islands();
        if (out.fault == FlowFault::none) out = w.newton(V, p, warm);
        if (out.fault == FlowFault::none) w.report(V, p, drop);
        return out;
    }

    // dV/d setting [branch] of one element, at a solution V
    void sensitivity(const FlowCase& given, const double* V, int element, double* dV) const {
        Work w(*this, given);
        w.islands();
        w.sensitivity(V, element, dV);
    }

  private:
    static constexpr std::size_t kNoEntry = std::numeric_limits<std::size_t>::max();
    int n, n_free = 0;
    std::vector<int> tail_, head_;
    std::vector<char> given_;
    std::vector<Element> elements_;
    std::vector<PumpCurve> curves_;
    std::vector<int> row;            // node -> position in the elimination, -1 where the pressure is given
    std::vector<std::size_t> first;  // branch -> its first element in `order`
    std::vector<int> order;
    std::vector<std::size_t> entry;  // branch -> conductance between two free nodes
    std::vector<char> one_way;       // branch: it holds a check valve
    std::vector<std::size_t> first_at;  // node -> its first branch in `branch_at`
    std::vector<int> branch_at;
    StarMesh mesh;

    void check() {
        if (n < 1) throw std::invalid_argument("a flow network needs a node");
        if (tail_.size() != head_.size() || given_.size() != static_cast<std::size_t>(n))
            throw std::invalid_argument("tail and head, or nodes and flags, differ in length");
        for (std::size_t b = 0; b < tail_.size(); ++b)
            if (tail_[b] < 0 || tail_[b] >= n || head_[b] < 0 || head_[b] >= n || tail_[b] == head_[b])
                throw std::invalid_argument("a branch must join two different nodes of the network");
        for (const PumpCurve& c : curves_) {
            if (c.V.size() < 2 || c.V.size() != c.rise.size() || c.V.size() != c.slope.size() || c.V[0] != 0 || !(c.slope.back() < 0))
                throw std::invalid_argument("a pump curve needs two points or more from flow 0 and must fall at its end");
            for (std::size_t i = 0; i < c.V.size(); ++i)
                if (!std::isfinite(c.V[i]) || !std::isfinite(c.rise[i]) || !std::isfinite(c.slope[i]) || c.slope[i] > 0 ||
                    (i > 0 && (!(c.V[i] > c.V[i - 1]) || c.rise[i] > c.rise[i - 1])))
                    throw std::invalid_argument("a pump curve must have finite points, flow that rises and pressure that does not");
        }
        std::vector<int> count(tail_.size(), 0);
        for (std::size_t i = 0; i < elements_.size(); ++i) {
            const Element& e = elements_[i];
            if (static_cast<int>(e.kind) < 0 || static_cast<int>(e.kind) >= kElementKinds) throw std::invalid_argument("no such kind of element");
            if (e.branch < 0 || e.branch >= n_branch()) throw std::invalid_argument("an element must be in a branch");
            for (double x : e.p)
                if (!std::isfinite(x) || x < 0) throw std::invalid_argument("an element's parameters must be finite and not negative");
            if (e.kind == ElementKind::pump && (e.curve < 0 || e.curve >= static_cast<int>(curves_.size())))
                throw std::invalid_argument("a pump needs a curve");
            static constexpr int must_be_positive[kElementKinds] = {0b10011, 0b01100, 0b01111, 0b00101, 0b00011, 0b00001};
            for (int k = 0; k < 5; ++k)
                if ((must_be_positive[static_cast<int>(e.kind)] >> k & 1) && !(e.p[static_cast<std::size_t>(k)] > 0))
                    throw std::invalid_argument("an element's size, Kv or reference must be above 0");
            if (e.kind == ElementKind::resistance && !(e.p[0] + e.p[1] > 0)) throw std::invalid_argument("a resistance must resist");
            ++count[static_cast<std::size_t>(e.branch)];
            order.push_back(static_cast<int>(i));
        }
        if (std::find(count.begin(), count.end(), 0) != count.end()) throw std::invalid_argument("a branch without an element");
    }

    struct Work {
        static constexpr double kEnough = 0.1;  // the line search ends where the slope along it has fallen to this share
        const FlowNetwork& net;
        const FlowCase& given;
        const int nb, n;
        std::vector<PreparedElement> prepared;  // by branch
        std::vector<char> open;
        std::vector<int> island, pinned;
        std::vector<char> floating;  // [node] no given pressure reaches it
        std::vector<double> phi, slope, trial, dV, error, conductance, to_ground, inverse, x;
        double base = 0;  // Pa, taken off all pressures

        Work(const FlowNetwork& network, const FlowCase& c)
            : net(network), given(c), nb(net.n_branch()), n(net.n), open(nb), island(n), floating(n, 0), phi(nb), slope(nb), trial(nb), dV(nb),
              error(nb), conductance(net.mesh.entries()), to_ground(net.n_free), inverse(net.n_free), x(net.n_free) {
            prepared.reserve(net.elements_.size());
            for (int b = 0; b < nb; ++b) open[b] = !given.shut[b];
            for (int i : net.order) {
                const Element& e = net.elements_[i];
                prepared.push_back(at(i, given.setting[i]));
                if (e.kind == ElementKind::valve && !(given.setting[i] > 0)) open[e.branch] = 0;
            }
            for (int i = 0; i < n; ++i)
                if (net.given_[i]) {
                    base = given.pressure[i];
                    break;
                }
        }
        PreparedElement at(int i, double setting) const {
            const Element& e = net.elements_[i];
            return {e, e.kind == ElementKind::pump ? &net.curves_[e.curve] : nullptr, setting, given.loss[e.branch], given.rho, given.mu};
        }
        Drop drop_of(int b, double V) const noexcept {
            Drop sum{0, 0};
            for (std::size_t k = net.first[b]; k < net.first[b + 1]; ++k) {
                const Drop d = prepared[k](V);
                sum.value += d.value, sum.slope += d.slope;
            }
            return sum;
        }
        double shut_off(int b) const noexcept {
            double sum = 0;
            for (std::size_t k = net.first[b]; k < net.first[b + 1]; ++k) sum += prepared[k].shut_off();
            return sum;
        }

        // ---- which nodes hang together; what cannot be
        static int root(std::vector<int>& up, int i) {
            while (up[i] != i) i = up[i] = up[up[i]];
            return i;
        }
        FlowOutcome islands() {
            std::iota(island.begin(), island.end(), 0);
            for (int b = 0; b < nb; ++b)
                if (open[b]) island[root(island, net.tail_[b])] = root(island, net.head_[b]);
            std::vector<char> referenced(n, 0);
            for (int i = 0; i < n; ++i)
                if (net.given_[i]) referenced[root(island, i)] = 1;
            for (int i = 0; i < n; ++i) {
                floating[i] = !referenced[root(island, i)];
                if (floating[i] && root(island, i) == i) pinned.push_back(i);
            }
            for (int i = 0; i < n; ++i)
                if (floating[i] && given.inflow[i] != 0) return {FlowFault::inflow_without_way_out, i, 0};
            for (int b = 0; b < nb; ++b) {
                if (!(shut_off(b) > 0)) continue;
                if (!open[b] || !returns(b)) return {FlowFault::pump_against_shut, b, 0};
                if (floating[net.tail_[b]]) return {FlowFault::pump_without_reference, b, 0};
            }
            return {};
        }
        // Whether an open way leads from the head of a branch to its tail, through check valves only forward; given pressures
        // and inflows are one big vessel.
        bool returns(int skip) const {
            std::vector<char> seen(n, 0);
            std::vector<int> queue;
            queue.reserve(n);
            auto reach = [&](int i) {
                if (!seen[i]) seen[i] = 1, queue.push_back(i);
            };
            bool vessel = false;
            reach(net.head_[skip]);
            for (std::size_t k = 0; k < queue.size() && !seen[net.tail_[skip]]; ++k) {
                const int i = queue[k];
                if (outside(i) && !vessel) {
                    vessel = true;
                    for (int j = 0; j < n; ++j)
                        if (outside(j)) reach(j);
                }
                for (std::size_t e = net.first_at[i]; e < net.first_at[i + 1]; ++e) {
                    const int b = net.branch_at[e];
                    if (!open[b] || b == skip) continue;
                    if (net.tail_[b] == i) reach(net.head_[b]);
                    else if (!net.one_way[b]) reach(net.tail_[b]);
                }
            }
            return seen[net.tail_[skip]];
        }
        bool outside(int i) const { return net.given_[i] || given.inflow[i] != 0; }

        // ---- one linear step: flows that restore continuity and pressures that go with them, at resistances `slope`
        void step(const double* V, double* change) {
            std::fill(conductance.begin(), conductance.end(), 0.0);
            std::fill(to_ground.begin(), to_ground.end(), 0.0);
            std::fill(x.begin(), x.end(), 0.0);
            for (int i = 0; i < n; ++i)
                if (net.row[i] >= 0) x[net.row[i]] = given.inflow[i];
            double largest = 0;
            for (int b = 0; b < nb; ++b) {
                const int t = net.row[net.tail_[b]], h = net.row[net.head_[b]];
                const double G = open[b] ? 1 / slope[b] : 0, moved = open[b] ? V[b] + error[b] * G : 0;
                largest = std::max(largest, G);
                if (net.entry[b] != kNoEntry) conductance[net.entry[b]] += G;
                else if (t >= 0) to_ground[t] += G;
                else if (h >= 0) to_ground[h] += G;
                if (t >= 0) x[t] -= moved;
                if (h >= 0) x[h] += moved;
            }
            for (int i : pinned)  // no net flow reaches it, so the pin carries none
                to_ground[net.row[i]] += largest > 0 ? largest : 1;
            net.mesh.factor(conductance.data(), to_ground.data(), inverse.data());
            net.mesh.solve(conductance.data(), inverse.data(), x.data());
            for (int b = 0; b < nb; ++b) {
                const int t = net.row[net.tail_[b]], h = net.row[net.head_[b]];
                const double pi = (t >= 0 ? x[t] : 0) - (h >= 0 ? x[h] : 0);
                change[b] = open[b] ? (error[b] + pi) / slope[b] : 0;
            }
        }
        double imbalance(const double* V) {
            for (int i = 0; i < n; ++i)
                if (net.row[i] >= 0) x[net.row[i]] = given.inflow[i];
            for (int b = 0; b < nb; ++b) {
                const int t = net.row[net.tail_[b]], h = net.row[net.head_[b]];
                if (t >= 0) x[t] -= V[b];
                if (h >= 0) x[h] += V[b];
            }
            double worst = 0;
            for (double c : x) worst = std::max(worst, std::fabs(c));
            return worst;
        }
        void evaluate(const double* V) {
            for (int b = 0; b < nb; ++b) {
                if (!open[b]) continue;
                const Drop d = drop_of(b, V[b]);
                phi[b] = d.value, slope[b] = d.slope;
            }
        }
        void errors(const double* p) {
            for (int b = 0; b < nb; ++b) error[b] = open[b] ? p[net.tail_[b]] - p[net.head_[b]] - phi[b] : 0;
        }
        void move(double share, double* V, double* p) const {
            for (int b = 0; b < nb; ++b) V[b] += share * dV[b];
            for (int i = 0; i < n; ++i)
                if (net.row[i] >= 0) p[i] += share * x[net.row[i]];
        }

        // ---- where to start: each branch as the straight line to the flow at which it alone would use up all that drives
        void begin(double drive, double through, double* V, double* p) {
            for (int b = 0; b < nb; ++b) {
                V[b] = 0;
                if (!open[b]) continue;
                phi[b] = drop_of(b, 0).value;
                const double wanted = std::max(drive + phi[b], 1e-3 * drive);
                double flow = through > 0 ? through : 1e-4;
                Drop d = drop_of(b, flow);
                for (int i = 0; i < 30 && drive > 0; ++i) {  // Newton on log of the drop over log of flow
                    const double used = d.value - phi[b];
                    const double change = std::log(wanted / used) * used / (flow * d.slope);
                    flow *= std::exp(std::clamp(change, -7.0, 7.0));
                    d = drop_of(b, flow);
                    if (std::fabs(change) < 0.5) break;
                }
                slope[b] = (d.value - phi[b]) / flow;
            }
            errors(p);
            step(V, dV.data());
            move(1, V, p);
        }

        FlowOutcome newton(double* V, double* p, bool warm) {
            double low = 0, high = 0, drive = 0, through = 0;
            for (int i = 0; i < n; ++i) {
                p[i] = net.given_[i] ? given.pressure[i] - base : 0;
                low = std::min(low, p[i]), high = std::max(high, p[i]);
                through += std::fabs(given.inflow[i]);
            }
            drive = high - low;
            for (int b = 0; b < nb; ++b) {
                drive += shut_off(b);
                for (std::size_t k = net.first[b]; k < net.first[b + 1]; ++k) through += prepared[k].runout();
            }
            if (!(drive > 0) && !(through > 0)) {
                std::fill(V, V + nb, 0.0);
                evaluate(V);
                errors(p);
                return {FlowFault::none, -1, 0};
            }
            if (warm) {
                for (int b = 0; b < nb; ++b)
                    if (!open[b]) V[b] = 0;
                evaluate(V);
                errors(p);
                floor_slopes(drive, through);
                step(V, dV.data());
                move(1, V, p);
            } else {
                begin(drive, through, V, p);
            }
            evaluate(V);
            const int most = 300;
            int stalled = 0;
            double best = std::numeric_limits<double>::infinity();
            for (int k = 1; k <= most; ++k) {
                errors(p);
                floor_slopes(drive, through);
                const double broken = imbalance(V);
                step(V, dV.data());
                double before = 0, moved = 0, flow = 0;
                for (int b = 0; b < nb; ++b) {
                    before += dV[b] * error[b];
                    moved = std::max(moved, std::fabs(dV[b]));
                    flow = std::max(flow, std::fabs(V[b] + dV[b]));
                }
                for (int b = 0; b < nb; ++b) trial[b] = V[b] + dV[b];
                evaluate(trial.data());
                double share = 1, after = 0;
                for (int b = 0; b < nb; ++b)
                    if (open[b]) after += dV[b] * (phi[b] - (p[net.tail_[b]] - p[net.head_[b]]));
                // the line search holds for steps that keep continuity; one that has rounding of larger flows to mend goes whole
                if (after > kEnough * before && moved > 1e-8 * flow && before > 0 && broken <= 1e-9 * flow) {
                    share = line(V, p, before, after);
                    for (int b = 0; b < nb; ++b) trial[b] = V[b] + share * dV[b];
                    evaluate(trial.data());
                }
                move(share, V, p);
                errors(p);
                double off = 0, scale = drive;
                int worst = -1;
                for (int b = 0; b < nb; ++b) {
                    scale = std::max(scale, open[b] ? std::fabs(phi[b]) : 0.0);
                    if (std::fabs(error[b]) > off || worst < 0) off = std::fabs(error[b]), worst = b;
                }
                if (!std::isfinite(off) || !std::isfinite(flow)) return {FlowFault::no_convergence, worst, k};
                const double lost = imbalance(V);
                if (share == 1 && off <= 1e-11 * scale && lost <= 1e-12 * flow) return {FlowFault::none, -1, k};
                // at the floor of rounding nothing improves any more
                stalled = off + lost / flow * scale < 0.5 * best ? 0 : stalled + 1;
                best = std::min(best, off + lost / flow * scale);
                if (stalled > 4 && off <= 1e-8 * scale && lost <= 1e-11 * flow) return {FlowFault::none, -1, k};
                if (k == most) return {FlowFault::no_convergence, worst, k};
            }
            return {FlowFault::no_convergence, 0, most};
        }
        // A branch at rest may have no resistance to first order; a little keeps the step finite and still leads down.
        void floor_slopes(double drive, double through) {
            const double least = through > 0 ? 1e-12 * drive / through : 0;
            for (int b = 0; b < nb; ++b) slope[b] = std::max({slope[b], least, 1e-30});
        }

        // Share of the step dV at which the sum of (phi - dp) dV, which rises along it from -before, crosses zero. Where a
        // check valve shuts it has a kink: those shares are tried first, so that a smooth piece remains.
        double along(const double* V, const double* p, double share) {
            double sum = 0;
            for (int b = 0; b < nb; ++b)
                if (dV[b] != 0) sum += dV[b] * (drop_of(b, V[b] + share * dV[b]).value - (p[net.tail_[b]] - p[net.head_[b]]));
            return sum;
        }
        double line(const double* V, const double* p, double before, double g_high) {
            const double enough = kEnough * before;
            double low = 0, g_low = -before, high = 1;
            std::vector<double> kinks;
            for (int b = 0; b < nb; ++b)
                for (std::size_t k = net.first[b]; k < net.first[b + 1]; ++k)
                    if (const double seat = prepared[k].seat(); seat > 0 && dV[b] != 0)
                        for (double at : {0.0, -seat, -10 * seat})
                            if (const double share = (at - V[b]) / dV[b]; share > 0 && share < 1) kinks.push_back(share);
            std::sort(kinks.begin(), kinks.end());
            for (std::size_t a = 0, b = kinks.size(); a < b;) {
                const std::size_t middle = (a + b) / 2;
                const double g = along(V, p, kinks[middle]);
                if (std::fabs(g) <= enough) return kinks[middle];
                if (g < 0) low = kinks[middle], g_low = g, a = middle + 1;
                else high = kinks[middle], g_high = g, b = middle;
            }
            int side = 0;
            for (int k = 0; k < 60; ++k) {  // regula falsi, Illinois' rule
                const double share = k % 8 == 7 ? 0.5 * (low + high) : (low * g_high - high * g_low) / (g_high - g_low);
                const double g = along(V, p, share);
                if (std::fabs(g) <= enough || !(share > low && share < high)) return share;
                if (g < 0) {
                    low = share, g_low = g;
                    if (side == -1) g_high *= 0.5;
                    side = -1;
                } else {
                    high = share, g_high = g;
                    if (side == 1) g_low *= 0.5;
                    side = 1;
                }
            }
            return high;
        }

        void report(const double* V, double* p, double* drop) {
            for (int i = 0; i < n; ++i) p[i] = floating[i] ? std::numeric_limits<double>::quiet_NaN() : p[i] + base;
            for (int b = 0; b < nb; ++b)
                for (std::size_t k = net.first[b]; k < net.first[b + 1]; ++k) drop[net.order[k]] = open[b] ? prepared[k](V[b]).value : 0.0;
        }

        void sensitivity(const double* V, int element, double* out) {
            const double h = 1e-6, s = given.setting[element];
            const int b = net.elements_[element].branch;
            evaluate(V);
            floor_slopes(0, 0);
            std::fill(error.begin(), error.end(), 0.0);
            const double low = std::max(s - h, 0.0), v = V[b];
            error[b] = -(at(element, s + h)(v).value - at(element, low)(v).value) / (s + h - low);
            std::vector<double> none(nb, 0.0), inflow(n, 0.0);
            FlowCase unforced = given;
            unforced.inflow = inflow.data();
            Work w(net, unforced);  // the same resistances, no inflow
            w.pinned = pinned, w.slope = slope, w.error = error, w.open = open;
            w.step(none.data(), out);
        }
    };
};

}  // namespace thermo
