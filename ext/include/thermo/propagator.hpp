// The exact stepper: where coefficients hold, each independent block of a server moves by its own matrix exponential.
//
// Nodes fall into four classes. *Driven*: no capacity, and no stored heat can reach them (an inlet plenum). *Dynamic*:
// with capacity. *Core*: no capacity, between dynamic nodes (the air in a lane). *Observers*: no capacity, and nothing
// dynamic listens to them (an exhaust). Driven nodes are inputs; core nodes are eliminated; observers are read off.
// What remains falls apart into blocks (a lane of packages, a voltage regulator on its own).
//
// All numbers that depend on coefficients and step stand in one row per server, [number][lane], so that a change of one
// server's fans replaces one lane, from a cache where that fan speed has been met before.
#pragma once
#include <algorithm>
#include <cmath>
#include <cstdint>
#include <cstring>
#include <memory>
#include <string>
#include <unordered_map>
#include <vector>

#include "thermo/phi.hpp"
#include "thermo/signals.hpp"

namespace thermo {

// What a run writes. Rates are means over the interval that starts at a sample; temperatures are at the sample.
struct Record {
    double* nodes = nullptr;       // [time][server][record node]
    double* signals = nullptr;     // [time][server][record signal], interval mean
    double* energy_in = nullptr;   // [time][server], J in the interval that starts at the sample
    double* energy_out = nullptr;  // [time][server], J
    double* stored = nullptr;      // [time][server], J since the first sample
};

class Propagator {
  public:
    explicit Propagator(const Group& group) : g(group) { analyse(); }

    // Why this group cannot be stepped exactly; empty where it can.
    const std::string& obstacle() const { return obstacle_; }
    int largest_block() const {
        int n = 0;
        for (const auto& b : blocks) n = std::max(n, b.n);
        return n;
    }

    // Runs servers first..first+n-1 (n <= kWidth). `T` is [node][n_server], in and out. `stop` ends the run early.
    // `constant` says which series never change. Few servers take a narrower vector; a server's bits do not depend on it.
    template <class Stop>
    void run(const Series& series, const std::vector<char>& constant, int first, int n, double* T, ControlState& control,
             const Record& record, double tolerance, Stop&& stop) const;

    // Whether servers first..first+n-1 are one and the same in all numbers, inputs and state: then one of them stands for all.
    bool alike(int first, int n, const double* T, const ControlState& control) const {
        const auto S = static_cast<std::size_t>(g.n_server), f = static_cast<std::size_t>(first), m = static_cast<std::size_t>(n);
        auto rows_equal = [&](const auto* table, std::size_t rows) {
            for (std::size_t r = 0; r < rows; ++r)
                for (std::size_t v = 1; v < m; ++v)
                    if (table[r * S + f + v] != table[r * S + f]) return false;
            return true;
        };
        return rows_equal(g.series.data(), g.signals.size()) && rows_equal(g.scale.data(), g.coefficients.size()) &&
               rows_equal(g.capacity.data(), static_cast<std::size_t>(g.n_node)) &&
               rows_equal(T, static_cast<std::size_t>(g.n_node)) &&
               rows_equal(control.output.data(), g.controllers.size()) &&
               rows_equal(control.integral.data(), g.controllers.size());
    }
    // What server `first` did, for the n - 1 behind it.
    void copy_first(int first, int n, int n_time, double* T, ControlState& control, const Record& record) const {
        const auto S = static_cast<std::size_t>(g.n_server), f = static_cast<std::size_t>(first);
        auto spread = [&](double* table, std::size_t width) {
            for (std::size_t k = 0; k < static_cast<std::size_t>(n_time); ++k)
                for (int v = 1; v < n; ++v)
                    std::copy_n(table + (k * S + f) * width, width, table + (k * S + f + static_cast<std::size_t>(v)) * width);
        };
        spread(record.nodes, g.record_nodes.size());
        spread(record.signals, g.record_signals.size());
        for (double* table : {record.energy_in, record.energy_out, record.stored}) spread(table, 1);
        auto along = [&](double* table, std::size_t rows) {
            for (std::size_t r = 0; r < rows; ++r)
                for (int v = 1; v < n; ++v) table[r * S + f + static_cast<std::size_t>(v)] = table[r * S + f];
        };
        along(T, static_cast<std::size_t>(g.n_node));
        along(control.output.data(), g.controllers.size());
        along(control.integral.data(), g.controllers.size());
    }

  private:
    template <int W>
    class Lanes;

    static constexpr int kLargestBlock = 64, kMostInputs = 128;  // dense work grows with the square
    enum class Kind : char { dynamic, driven, core, observer };

    struct Op {  // one term of the balance of a row
        int row, column, input, coefficient;
        double fraction;
    };
    struct Block {
        int n = 0, n_core = 0, m = 0;
        std::vector<int> nodes;   // core first, then dynamic
        std::vector<int> inputs;  // into the input vector
        std::vector<Op> ops;
        std::vector<int> read;     // core nodes that are read (index into nodes)
        std::vector<int> watched;  // dynamic nodes whose mean over a step is asked for (index among the dynamic)
        std::vector<std::pair<int, std::size_t>> answering;  // inputs that follow a chip's temperature: into inputs, among all such
        std::size_t watched_at = 0;  // where its means stand among those of all blocks
        int twin = -1;          // an earlier block of the same shape; equal numbers need not be computed again
        std::size_t added = 0;  // where its part of the direct outflow stands in the scratch
        // offsets into a server's numbers
        std::size_t end = 0;  // just behind them
        std::size_t phi = 0, gain = 0, ramp = 0, out_state = 0, out_input = 0, out_ramp = 0, read_state = 0,
                    read_input = 0, mean_state = 0, mean_input = 0, mean_ramp = 0;
    };
    struct Term {  // one inflow of an algebraic node that is swept: from a node, an input, or a source
        int node, input, coefficient;
        double fraction;
    };
    struct ChipPlace {  // of a chip that leaks: its block, its junction's row there, among the watched, and its power's column
        std::size_t block = 0, row = 0, watched = 0;
        int column = -1;  // < 0: its power heats nothing there
    };
    struct Swept {
        int node;
        std::vector<Term> terms;
    };

    const Group& g;
    std::string obstacle_;
    std::vector<Kind> kind;
    std::vector<Swept> driven, observers;
    std::vector<int> input_of_driven;  // [node] -> input index, -1
    std::vector<Block> blocks;
    int n_input = 0;
    std::size_t n_number = 0, direct_at = 0, n_scratch = 0, n_added = 0;  // for one lane

    std::vector<std::size_t> listened;
    std::vector<char> answers;   // [signal], whether it follows the temperature of a chip
    std::vector<int> answering;  // those signals
    std::vector<ChipPlace> chip_places;
    std::size_t n_watched = 0;
    bool leaky = false, has_firmware = false;
    bool controls_read = false;  // whether a controller watches a node that is not stepped

    void analyse();
    void find_listened();
    static bool same_shape(const Block& a, const Block& b) {
        if (a.n != b.n || a.n_core != b.n_core || a.m != b.m || a.read != b.read || a.watched != b.watched || a.ops.size() != b.ops.size()) return false;
        for (std::size_t i = 0; i < a.ops.size(); ++i) {
            const Op &p = a.ops[i], &q = b.ops[i];
            if (p.row != q.row || p.column != q.column || p.input != q.input || p.fraction != q.fraction ||
                (p.coefficient < 0) != (q.coefficient < 0))
                return false;
        }
        return true;
    }
    // Whether two blocks of one shape have equal coefficients, capacities and weights in all lanes.
    template <int W>
    static THERMO_INLINE bool equal_numbers(const Block& a, const Block& b, const double* coefficient,
                                            const double* capacity, const double* weight) {
        auto same = [](const double* table, int i, int j) {
            bool equal = true;
            for (int w = 0; w < W; ++w)
                equal &= table[static_cast<std::size_t>(i) * W + w] == table[static_cast<std::size_t>(j) * W + w];
            return equal;
        };
        for (std::size_t i = 0; i < a.ops.size(); ++i)
            if (a.ops[i].coefficient >= 0 && !same(coefficient, a.ops[i].coefficient, b.ops[i].coefficient)) return false;
        for (std::size_t i = 0; i < a.nodes.size(); ++i)
            if (!same(capacity, a.nodes[i], b.nodes[i]) || !same(weight, a.nodes[i], b.nodes[i])) return false;
        return true;
    }
    template <int W>
    void build(const double* coefficient, const double* capacity, const double* h, bool ramps, double* number,
               double* scratch) const;
    template <int W>
    THERMO_CLONES void build_chunk(const double* coefficient, const double* capacity, const double* h, bool ramps,
                                   double* number, double* scratch) const;
    template <int W>
    void sweep(const std::vector<Swept>& nodes, const double* number, const double* value, const double* input,
               double* out, const std::vector<int>* slot) const;
    template <int W>
    THERMO_CLONES void advance(const double* number, const double* input, const double* change, double* value,
                               double* out) const;
    template <int W>
    void read_nodes(const double* number, const double* input, double* value) const;
    template <int W>
    void means(const double* number, const double* before, const double* input, const double* change, double* way) const;
    template <int W>
    double mean_of(std::size_t node, const double* number, const double* before, const double* input, const double* change, int w) const;
    template <int W>
    void correct(const double* number, const double* old_left, const double* old_right, const double* left, const double* right,
                 double* value, double* out, double* way) const;
};

// ------------------------------------------------------------------------------------------------------------ analysis

inline void Propagator::analyse() {
    const int L = g.n_node;
    kind.assign(L, Kind::dynamic);
    auto algebraic = [&](int i) {
        bool zero = g.capacity[static_cast<std::size_t>(i) * g.n_server] == 0;
        for (int v = 0; v < g.n_server; ++v)
            if ((g.capacity[static_cast<std::size_t>(i) * g.n_server + v] == 0) != zero)
                obstacle_ = "a node has capacity in some servers only";
        return zero;
    };
    for (const auto& s : g.signals)
        if (s.kind == SignalKind::supply_share) obstacle_ = "servers share their air supply (recirculation)";
    auto shared = [&](const Link& l) { return is_shared(l.a) || is_shared(l.b); };
    for (const auto* links : {&g.conductances, &g.streams, &g.exits})
        for (const auto& l : *links)
            if (shared(l)) obstacle_ = "nodes are shared between servers";
    answers = g.answering();
    for (int k = 0; k < g.n_signal(); ++k)
        if (answers[static_cast<std::size_t>(k)]) answering.push_back(k);
    leaky = !answering.empty();
    const auto moves = g.moves_coefficients();
    for (int k : answering)
        if (moves[static_cast<std::size_t>(k)]) obstacle_ = "a flow or a conductance follows the power of a device that leaks";
    if (!obstacle_.empty()) return;

    std::vector<std::vector<int>> feeds(L), fed_by(L);  // u -> i where T_u stands in the balance of i
    for (const auto& l : g.conductances)
        if (is_local(l.b)) {
            feeds[l.a].push_back(l.b), fed_by[l.b].push_back(l.a);
            feeds[l.b].push_back(l.a), fed_by[l.a].push_back(l.b);
        }
    for (const auto& l : g.streams)
        if (is_local(l.a)) feeds[l.a].push_back(l.b), fed_by[l.b].push_back(l.a);
    auto reach = [&](const std::vector<std::vector<int>>& graph) {
        std::vector<char> seen(L, 0);
        std::vector<int> stack;
        for (int i = 0; i < L; ++i)
            if (!algebraic(i)) seen[i] = 1, stack.push_back(i);
        while (!stack.empty()) {
            const int i = stack.back();
            stack.pop_back();
            for (int j : graph[i])
                if (!seen[j]) seen[j] = 1, stack.push_back(j);
        }
        return seen;
    };
    const auto after = reach(feeds), before = reach(fed_by);
    for (int i = 0; i < L; ++i)
        if (algebraic(i)) kind[i] = !after[i] ? Kind::driven : before[i] ? Kind::core : Kind::observer;

    n_input = g.n_signal();
    input_of_driven.assign(L, -1);
    for (int i = 0; i < L; ++i)
        if (kind[i] == Kind::driven) input_of_driven[i] = n_input++;

    // Inflows of each node
    std::vector<std::vector<Term>> terms(L);
    auto end = [&](int far, int near, int coefficient) {
        if (is_boundary(far))
            terms[near].push_back({-1, g.boundaries[far - kBoundary], coefficient, 1.0});
        else if (kind[far] == Kind::driven)
            terms[near].push_back({-1, input_of_driven[far], coefficient, 1.0});
        else
            terms[near].push_back({far, -1, coefficient, 1.0});
    };
    for (const auto& l : g.conductances) {
        end(l.b, l.a, l.coefficient);
        if (is_local(l.b)) end(l.a, l.b, l.coefficient);
    }
    for (const auto& l : g.streams) end(l.a, l.b, l.coefficient);
    for (const auto& s : g.sources) terms[s.node].push_back({-1, s.signal, -1, s.fraction});

    // Swept nodes in an order in which everything is known when it is needed
    auto order = [&](Kind which, std::vector<Swept>& out) {
        std::vector<int> left;
        for (int i = 0; i < L; ++i)
            if (kind[i] == which) left.push_back(i);
        std::vector<char> done(L, 0);
        while (!left.empty()) {
            std::vector<int> later;
            for (int i : left) {
                bool ready = true;
                for (int u : fed_by[i])
                    if (kind[u] == which && !done[u]) ready = false;
                if (ready)
                    done[i] = 1, out.push_back({i, terms[i]});
                else
                    later.push_back(i);
            }
            if (later.size() == left.size()) {
                obstacle_ = "nodes without capacity form a loop";
                return;
            }
            left.swap(later);
        }
    };
    order(Kind::driven, driven);
    order(Kind::observer, observers);
    if (!obstacle_.empty()) return;

    for (const auto& d : driven)
        for (const auto& t : d.terms)
            if (t.input >= 0 && t.input < g.n_signal() && answers[static_cast<std::size_t>(t.input)])
                obstacle_ = "what flows in follows the power of a device that leaks";
    std::vector<char> watched(L, 0);
    for (const auto& c : g.chips)
        if (c.leakage > 0) watched[c.node] = 1;
    for (const auto& c : g.controllers)
        for (int i : c.nodes) {
            controls_read |= kind[i] != Kind::dynamic;
            if (c.kind != Controller::kFirmware) continue;
            has_firmware = true;
            watched[i] = 1;
            if (kind[i] != Kind::dynamic) obstacle_ = "firmware watches a node without capacity";
        }
    if (!obstacle_.empty()) return;

    // Core nodes whose temperature is asked for
    std::vector<char> wanted(L, 0);
    for (int i : g.record_nodes) wanted[i] = 1;
    for (const auto& c : g.controllers)
        for (int i : c.nodes) wanted[i] = 1;
    for (const auto& o : observers)
        for (const auto& t : o.terms)
            if (t.node >= 0) wanted[t.node] = 1;

    // Blocks: weakly connected among dynamic and core nodes
    std::vector<char> seen(L, 0);
    auto inside = [&](int i) { return kind[i] == Kind::dynamic || kind[i] == Kind::core; };
    std::size_t at = static_cast<std::size_t>(g.n_coefficient());
    for (int start = 0; start < L; ++start) {
        if (!inside(start) || seen[start]) continue;
        std::vector<int> members, stack{start};
        seen[start] = 1;
        while (!stack.empty()) {
            const int i = stack.back();
            stack.pop_back();
            members.push_back(i);
            for (const auto* graph : {&feeds, &fed_by})
                for (int j : (*graph)[i])
                    if (inside(j) && !seen[j]) seen[j] = 1, stack.push_back(j);
        }
        std::sort(members.begin(), members.end());
        Block b;
        for (int i : members)
            if (kind[i] == Kind::core) b.nodes.push_back(i), ++b.n_core;
        for (int i : members)
            if (kind[i] == Kind::dynamic) b.nodes.push_back(i), ++b.n;
        std::vector<int> place(L, -1);
        for (std::size_t r = 0; r < b.nodes.size(); ++r) place[b.nodes[r]] = static_cast<int>(r);
        for (int i : b.nodes)
            for (const auto& t : terms[i]) {
                int input = -1;
                if (t.input >= 0) {
                    auto found = std::find(b.inputs.begin(), b.inputs.end(), t.input);
                    input = static_cast<int>(found - b.inputs.begin());
                    if (found == b.inputs.end()) b.inputs.push_back(t.input);
                }
                b.ops.push_back({place[i], t.node >= 0 ? place[t.node] : -1, input, t.coefficient, t.fraction});
            }
        b.m = static_cast<int>(b.inputs.size());
        for (int r = 0; r < b.n_core; ++r)
            if (wanted[b.nodes[r]]) b.read.push_back(r);
        for (int r = 0; r < b.n; ++r)
            if (watched[b.nodes[static_cast<std::size_t>(b.n_core + r)]]) b.watched.push_back(r);
        for (int c = 0; c < b.m; ++c)
            if (b.inputs[static_cast<std::size_t>(c)] < g.n_signal() && answers[static_cast<std::size_t>(b.inputs[static_cast<std::size_t>(c)])])
                b.answering.emplace_back(c, static_cast<std::size_t>(
                    std::find(answering.begin(), answering.end(), b.inputs[static_cast<std::size_t>(c)]) - answering.begin()));
        b.watched_at = n_watched, n_watched += b.watched.size();
        const auto n = static_cast<std::size_t>(b.n), m = static_cast<std::size_t>(b.m), reads = b.read.size();
        b.phi = at, at += n * n;
        b.gain = at, at += n * m;
        b.ramp = at, at += n * m;
        b.out_state = at, at += n;
        b.out_input = at, at += m;
        b.out_ramp = at, at += m;
        b.read_state = at, at += reads * n;
        b.read_input = at, at += reads * m;
        b.mean_state = at, at += b.watched.size() * n;
        b.mean_input = at, at += b.watched.size() * m;
        b.mean_ramp = at, at += b.watched.size() * m;
        b.end = at;
        if (b.n > kLargestBlock || b.m > kMostInputs) obstacle_ = "a block has more than 64 nodes with capacity or 128 inputs";
        const std::size_t t = b.nodes.size();
        n_scratch = std::max(n_scratch, t * t + t * m + 7 * n * n + n);
        b.added = n_added, n_added += m;
        for (std::size_t other = 0; other < blocks.size() && b.twin < 0; ++other)
            if (same_shape(blocks[other], b)) b.twin = static_cast<int>(other);
        blocks.push_back(std::move(b));
    }
    direct_at = at;
    n_number = at + static_cast<std::size_t>(n_input);
    n_scratch += static_cast<std::size_t>(L) + n_added;
    find_listened();
    chip_places.resize(g.chips.size());
    for (std::size_t c = 0; c < g.chips.size(); ++c)
        for (std::size_t p = 0; p < blocks.size(); ++p) {
            const Block& b = blocks[p];
            const auto row = std::find(b.nodes.begin() + b.n_core, b.nodes.end(), g.chips[c].node);
            if (row == b.nodes.end()) continue;
            ChipPlace& place = chip_places[c];
            place.block = p;
            place.row = static_cast<std::size_t>(row - b.nodes.begin() - b.n_core);
            place.watched = static_cast<std::size_t>(
                std::find(b.watched.begin(), b.watched.end(), static_cast<int>(place.row)) - b.watched.begin());
            for (int i = 0; i < b.m; ++i) {
                const int k = b.inputs[static_cast<std::size_t>(i)];
                if (k < g.n_signal() && g.signals[static_cast<std::size_t>(k)].kind == SignalKind::chip_power &&
                    g.signals[static_cast<std::size_t>(k)].first == static_cast<int>(c))
                    place.column = i;
            }
        }
}

// Inputs that the heat that leaves depends on directly: the same walk as in `build`, with marks for numbers.
inline void Propagator::find_listened() {
    std::vector<char> weight(static_cast<std::size_t>(g.n_node), 0), direct(static_cast<std::size_t>(n_input), 0);
    auto mark = [&](int r) {
        if (is_boundary(r))
            direct[static_cast<std::size_t>(g.boundaries[static_cast<std::size_t>(r - kBoundary)])] = 1;
        else if (kind[static_cast<std::size_t>(r)] == Kind::driven)
            direct[static_cast<std::size_t>(input_of_driven[static_cast<std::size_t>(r)])] = 1;
        else
            weight[static_cast<std::size_t>(r)] = 1;
    };
    for (const auto& l : g.exits) mark(l.a);
    for (const auto& l : g.streams)
        if (is_boundary(l.a)) mark(l.a);
    for (const auto& l : g.conductances)
        if (is_boundary(l.b)) mark(l.a), mark(l.b);
    for (auto o = observers.rbegin(); o != observers.rend(); ++o)
        if (weight[static_cast<std::size_t>(o->node)])
            for (const auto& t : o->terms)
                (t.node >= 0 ? weight[static_cast<std::size_t>(t.node)] : direct[static_cast<std::size_t>(t.input)]) = 1;
    for (const auto& b : blocks)
        for (int p = 0; p < b.n_core; ++p)
            if (weight[static_cast<std::size_t>(b.nodes[static_cast<std::size_t>(p)])])
                for (int c : b.inputs) direct[static_cast<std::size_t>(c)] = 1;
    for (std::size_t i = 0; i < direct.size(); ++i)
        if (direct[i]) listened.push_back(i);
}

// --------------------------------------------------------------------------------------------------- the blocks' numbers

// Numbers of W servers from their coefficients [coefficient][W], capacities [node][W] and step h[W]: see Block.
template <int W>
THERMO_INLINE void Propagator::build(const double* coefficient, const double* capacity, const double* h, bool ramps,
                                     double* number, double* scratch) const {
    std::memcpy(number, coefficient, sizeof(double) * W * static_cast<std::size_t>(g.n_coefficient()));

    // Heat that leaves, as a row over nodes (weight) and inputs (direct): d(out)/dt = weight . T + direct . u
    const auto L = static_cast<std::size_t>(g.n_node);
    double* weight = scratch;
    double* direct = number + direct_at * W;
    std::fill(weight, weight + L * W, 0.0);
    std::fill(direct, direct + static_cast<std::size_t>(n_input) * W, 0.0);
    auto add_end = [&](int r, int c, double sign) {
        const double* k = coefficient + static_cast<std::size_t>(c) * W;
        double* to;
        if (is_boundary(r))
            to = direct + static_cast<std::size_t>(g.boundaries[r - kBoundary]) * W;
        else if (kind[r] == Kind::driven)
            to = direct + static_cast<std::size_t>(input_of_driven[r]) * W;
        else
            to = weight + static_cast<std::size_t>(r) * W;
        for (int w = 0; w < W; ++w) to[w] += sign * k[w];
    };
    for (const auto& l : g.exits) add_end(l.a, l.coefficient, 1.0);
    for (const auto& l : g.streams)
        if (is_boundary(l.a)) add_end(l.a, l.coefficient, -1.0);
    for (const auto& l : g.conductances)
        if (is_boundary(l.b)) add_end(l.a, l.coefficient, 1.0), add_end(l.b, l.coefficient, -1.0);
    for (auto o = observers.rbegin(); o != observers.rend(); ++o) {  // an observer is a mean of what flows into it
        double total[W], share[W];
        for (int w = 0; w < W; ++w) total[w] = 0;
        for (const auto& t : o->terms)
            if (t.coefficient >= 0)
                for (int w = 0; w < W; ++w) total[w] += coefficient[static_cast<std::size_t>(t.coefficient) * W + w];
        double* own = weight + static_cast<std::size_t>(o->node) * W;
        for (int w = 0; w < W; ++w) share[w] = own[w] / total[w], own[w] = 0;
        for (const auto& t : o->terms) {
            double* to = t.node >= 0 ? weight + static_cast<std::size_t>(t.node) * W
                                     : direct + static_cast<std::size_t>(t.input) * W;
            for (int w = 0; w < W; ++w)
                to[w] += share[w] *
                         (t.coefficient >= 0 ? coefficient[static_cast<std::size_t>(t.coefficient) * W + w] : t.fraction);
        }
    }

    for (const auto& b : blocks) {
        const int n = b.n, m = b.m, nc = b.n_core, t = nc + n;
        const auto N = static_cast<std::size_t>(n) * n * W;
        double* added = weight + (L + b.added) * W;                       // to the direct outflow [m]
        if (b.twin >= 0) {
            const Block& a = blocks[static_cast<std::size_t>(b.twin)];
            if (equal_numbers<W>(a, b, coefficient, capacity, weight)) {  // alike lanes of a server: all but their places
                std::memcpy(number + b.phi * W, number + a.phi * W, sizeof(double) * W * (a.end - a.phi));
                std::memcpy(added, weight + (L + a.added) * W, sizeof(double) * W * static_cast<std::size_t>(m));
                for (int c = 0; c < m; ++c)
                    for (int w = 0; w < W; ++w)
                        direct[static_cast<std::size_t>(b.inputs[c]) * W + w] += added[static_cast<std::size_t>(c) * W + w];
                continue;
            }
        }
        double* K = weight + (L + n_added) * W;                          // balance matrix [t][t]
        double* B = K + static_cast<std::size_t>(t) * t * W;             // inputs [t][m]
        double* M = B + static_cast<std::size_t>(t) * m * W;             // reduced, [n][n]
        double *phi1 = M + N, *phi2 = phi1 + N, *phi3 = phi2 + N, *work = phi3 + N;  // work: 3 N
        double* outer = work + 3 * N;  // weight of the block's dynamic nodes, core nodes folded in [n]
        auto k_at = [&](int r, int c) { return K + (static_cast<std::size_t>(r) * t + c) * W; };
        auto b_at = [&](int r, int c) { return B + (static_cast<std::size_t>(r) * m + c) * W; };
        std::fill(K, M, 0.0);
        for (const auto& op : b.ops) {
            if (op.coefficient < 0) {
                for (int w = 0; w < W; ++w) b_at(op.row, op.input)[w] += op.fraction;
                continue;
            }
            const double* c = coefficient + static_cast<std::size_t>(op.coefficient) * W;
            double* diagonal = k_at(op.row, op.row);
            double* far = op.column >= 0 ? k_at(op.row, op.column) : b_at(op.row, op.input);
            const double sign = op.column >= 0 ? -1.0 : 1.0;
            for (int w = 0; w < W; ++w) diagonal[w] += c[w], far[w] += sign * c[w];
        }
        // Eliminate core nodes (M-matrix: no pivoting), forwards then backwards, so that each core row becomes
        // T_core = -K[core][dynamic] T + B[core] u with a unit diagonal.
        for (int p = 0; p < nc; ++p) {
            double inverse[W];
            for (int w = 0; w < W; ++w) inverse[w] = 1.0 / k_at(p, p)[w];
            for (int c = p; c < t; ++c)
                for (int w = 0; w < W; ++w) k_at(p, c)[w] *= inverse[w];
            for (int c = 0; c < m; ++c)
                for (int w = 0; w < W; ++w) b_at(p, c)[w] *= inverse[w];
            for (int r = 0; r < t; ++r) {
                if (r == p) continue;
                double factor[W];
                bool any = false;
                for (int w = 0; w < W; ++w) factor[w] = k_at(r, p)[w], any |= factor[w] != 0;
                if (!any) continue;
                for (int c = p; c < t; ++c)
                    for (int w = 0; w < W; ++w) k_at(r, c)[w] -= factor[w] * k_at(p, c)[w];
                for (int c = 0; c < m; ++c)
                    for (int w = 0; w < W; ++w) b_at(r, c)[w] -= factor[w] * b_at(p, c)[w];
            }
        }
        for (int i = 0; i < n; ++i) {
            const int node = b.nodes[nc + i];
            double per_capacity[W];
            for (int w = 0; w < W; ++w) per_capacity[w] = 1.0 / capacity[static_cast<std::size_t>(node) * W + w];
            for (int j = 0; j < n; ++j)
                for (int w = 0; w < W; ++w)
                    M[(static_cast<std::size_t>(i) * n + j) * W + w] = -k_at(nc + i, nc + j)[w] * per_capacity[w];
            for (int c = 0; c < m; ++c)
                for (int w = 0; w < W; ++w) b_at(nc + i, c)[w] *= per_capacity[w];
        }
        double* phi0 = number + b.phi * W;
        phi_functions<W>(M, h, n, phi0, phi1, phi2, ramps ? phi3 : nullptr, work);
        auto times_inputs = [&](const double* phi, double* out, bool by_step) {
            for (int i = 0; i < n; ++i)
                for (int c = 0; c < m; ++c) {
                    double sum[W];
                    for (int w = 0; w < W; ++w) sum[w] = 0;
                    for (int k = 0; k < n; ++k)
                        for (int w = 0; w < W; ++w)
                            sum[w] += phi[(static_cast<std::size_t>(i) * n + k) * W + w] * b_at(nc + k, c)[w];
                    for (int w = 0; w < W; ++w)
                        out[(static_cast<std::size_t>(i) * m + c) * W + w] = by_step ? sum[w] / h[w] : sum[w];
                }
        };
        times_inputs(phi1, number + b.gain * W, false);
        if (ramps) times_inputs(phi2, number + b.ramp * W, true);
        // The heat that leaves: fold core nodes into dynamic nodes and inputs, then integrate over the step.
        for (int i = 0; i < n; ++i)
            for (int w = 0; w < W; ++w) {
                double sum = weight[static_cast<std::size_t>(b.nodes[nc + i]) * W + w];
                for (int p = 0; p < nc; ++p)
                    sum -= weight[static_cast<std::size_t>(b.nodes[p]) * W + w] * k_at(p, nc + i)[w];
                outer[static_cast<std::size_t>(i) * W + w] = sum;
            }
        for (int c = 0; c < m; ++c)
            for (int w = 0; w < W; ++w) {
                double sum = 0;
                for (int p = 0; p < nc; ++p) sum += weight[static_cast<std::size_t>(b.nodes[p]) * W + w] * b_at(p, c)[w];
                added[static_cast<std::size_t>(c) * W + w] = sum;
                direct[static_cast<std::size_t>(b.inputs[c]) * W + w] += sum;
            }
        auto row_times = [&](const double* phi, double* row) {
            for (int j = 0; j < n; ++j)
                for (int w = 0; w < W; ++w) {
                    double sum = 0;
                    for (int i = 0; i < n; ++i)
                        sum += outer[static_cast<std::size_t>(i) * W + w] *
                               phi[(static_cast<std::size_t>(i) * n + j) * W + w];
                    row[static_cast<std::size_t>(j) * W + w] = sum;
                }
        };
        auto row_inputs = [&](const double* row, double* out, bool by_step) {
            for (int c = 0; c < m; ++c)
                for (int w = 0; w < W; ++w) {
                    double sum = 0;
                    for (int k = 0; k < n; ++k) sum += row[static_cast<std::size_t>(k) * W + w] * b_at(nc + k, c)[w];
                    out[static_cast<std::size_t>(c) * W + w] = by_step ? sum / h[w] : sum;
                }
        };
        row_times(phi1, number + b.out_state * W);
        row_times(phi2, work);
        row_inputs(work, number + b.out_input * W, false);
        if (ramps) {
            row_times(phi3, work);
            row_inputs(work, number + b.out_ramp * W, true);
        }
        for (std::size_t q = 0; q < b.watched.size(); ++q) {  // means over the step: the integrals of its row over h
            const auto row = static_cast<std::size_t>(b.watched[q]) * static_cast<std::size_t>(n) * W;
            auto over_step = [&](double* to, int length, int power) {
                for (int c = 0; c < length; ++c)
                    for (int w = 0; w < W; ++w) to[static_cast<std::size_t>(c) * W + w] /= power == 1 ? h[w] : h[w] * h[w];
            };
            double* state = number + (b.mean_state + q * static_cast<std::size_t>(n)) * W;
            double* input = number + (b.mean_input + q * static_cast<std::size_t>(m)) * W;
            std::memcpy(state, phi1 + row, sizeof(double) * W * static_cast<std::size_t>(n));
            over_step(state, n, 1);
            row_inputs(phi2 + row, input, false);
            over_step(input, m, 1);
            if (ramps) {
                double* ramp = number + (b.mean_ramp + q * static_cast<std::size_t>(m)) * W;
                row_inputs(phi3 + row, ramp, false);
                over_step(ramp, m, 2);
            }
        }
        for (std::size_t q = 0; q < b.read.size(); ++q) {
            const int p = b.read[q];
            for (int j = 0; j < n; ++j)
                for (int w = 0; w < W; ++w)
                    number[(b.read_state + q * static_cast<std::size_t>(n) + j) * W + w] = -k_at(p, nc + j)[w];
            for (int c = 0; c < m; ++c)
                for (int w = 0; w < W; ++w)
                    number[(b.read_input + q * static_cast<std::size_t>(m) + c) * W + w] = b_at(p, c)[w];
        }
    }
}

// The vector clones of build for a whole chunk.
template <int W>
void Propagator::build_chunk(const double* coefficient, const double* capacity, const double* h, bool ramps,
                                    double* number, double* scratch) const {
    build<W>(coefficient, capacity, h, ramps, number, scratch);
}

// ------------------------------------------------------------------------------------------------------------ stepping

// One step of a chunk: value <- phi value + gain u + ramp (change of u); `out` gains the heat that left [J].
template <int W>
void Propagator::advance(const double* number, const double* input, const double* change, double* value,
                                double* out) const {
    double next[kLargestBlock * W], state[kLargestBlock * W], u[kMostInputs * W], du[kMostInputs * W];
    for (const auto& b : blocks) {
        const int n = b.n, m = b.m;
        const int* node = b.nodes.data() + b.n_core;
        auto gather = [](const double* from, int place, double* to) {
            for (int w = 0; w < W; ++w) to[w] = from[static_cast<std::size_t>(place) * W + w];
        };
        for (int j = 0; j < n; ++j) gather(value, node[j], state + j * W);
        for (int c = 0; c < m; ++c) gather(input, b.inputs[static_cast<std::size_t>(c)], u + c * W);
        if (change)
            for (int c = 0; c < m; ++c) gather(change, b.inputs[static_cast<std::size_t>(c)], du + c * W);
        // sum += row . x, each lane in the order of the row
        auto add = [](double* sum, const double* row, const double* x, int length) {
            for (int j = 0; j < length; ++j)
                for (int w = 0; w < W; ++w) sum[w] += row[j * W + w] * x[j * W + w];
        };
        for (int i = 0; i < n; ++i) {
            double sum[W];
            for (int w = 0; w < W; ++w) sum[w] = 0;
            add(sum, number + (b.phi + static_cast<std::size_t>(i) * n) * W, state, n);
            add(sum, number + (b.gain + static_cast<std::size_t>(i) * m) * W, u, m);
            if (change) add(sum, number + (b.ramp + static_cast<std::size_t>(i) * m) * W, du, m);
            for (int w = 0; w < W; ++w) next[i * W + w] = sum[w];
        }
        double left[W];
        for (int w = 0; w < W; ++w) left[w] = out[w];
        add(left, number + b.out_state * W, state, n);
        add(left, number + b.out_input * W, u, m);
        if (change) add(left, number + b.out_ramp * W, du, m);
        for (int w = 0; w < W; ++w) out[w] = left[w];
        for (int i = 0; i < n; ++i)
            for (int w = 0; w < W; ++w) value[static_cast<std::size_t>(node[i]) * W + w] = next[i * W + w];
    }
}

// Mean over a step of each watched node, from the state before it and the inputs: way[watched][W].
template <int W>
void Propagator::means(const double* number, const double* before, const double* input, const double* change, double* way) const {
    for (const auto& b : blocks)
        for (std::size_t q = 0; q < b.watched.size(); ++q) {
            double sum[W];
            for (int w = 0; w < W; ++w) sum[w] = 0;
            const double* state = number + (b.mean_state + q * static_cast<std::size_t>(b.n)) * W;
            for (int j = 0; j < b.n; ++j)
                for (int w = 0; w < W; ++w)
                    sum[w] += state[j * W + w] * before[static_cast<std::size_t>(b.nodes[static_cast<std::size_t>(b.n_core + j)]) * W + w];
            const double* in = number + (b.mean_input + q * static_cast<std::size_t>(b.m)) * W;
            const double* ramp = number + (b.mean_ramp + q * static_cast<std::size_t>(b.m)) * W;
            for (int c = 0; c < b.m; ++c) {
                const auto at = static_cast<std::size_t>(b.inputs[static_cast<std::size_t>(c)]) * W;
                for (int w = 0; w < W; ++w) sum[w] += in[c * W + w] * input[at + w];
                if (change)
                    for (int w = 0; w < W; ++w) sum[w] += ramp[c * W + w] * change[at + w];
            }
            for (int w = 0; w < W; ++w) way[(b.watched_at + q) * W + w] = sum[w];
        }
}
// The same for one node of one lane.
template <int W>
double Propagator::mean_of(std::size_t node, const double* number, const double* before, const double* input, const double* change,
                           int w) const {
    for (const auto& b : blocks)
        for (std::size_t q = 0; q < b.watched.size(); ++q) {
            if (static_cast<std::size_t>(b.nodes[static_cast<std::size_t>(b.n_core + b.watched[q])]) != node) continue;
            double sum = 0;
            for (int j = 0; j < b.n; ++j)
                sum += number[(b.mean_state + q * static_cast<std::size_t>(b.n) + static_cast<std::size_t>(j)) * W + w] *
                       before[static_cast<std::size_t>(b.nodes[static_cast<std::size_t>(b.n_core + j)]) * W + w];
            for (int c = 0; c < b.m; ++c) {
                const auto at = static_cast<std::size_t>(b.inputs[static_cast<std::size_t>(c)]) * W + w;
                const std::size_t here = q * static_cast<std::size_t>(b.m) + static_cast<std::size_t>(c);
                sum += number[(b.mean_input + here) * W + w] * input[at];
                if (change) sum += number[(b.mean_ramp + here) * W + w] * change[at];
            }
            return sum;
        }
    return 0;
}

// What new values of the answering inputs make of a step that was taken with the old ones ([answering][W]): its end, what
// left, its means.
template <int W>
void Propagator::correct(const double* number, const double* old_left, const double* old_right, const double* left,
                         const double* right, double* value, double* out, double* way) const {
    for (const auto& b : blocks)
        for (const auto& [c, slot] : b.answering) {
            const auto at = static_cast<std::size_t>(b.inputs[static_cast<std::size_t>(c)]) * W, column = static_cast<std::size_t>(c),
                       m = static_cast<std::size_t>(b.m), was = slot * W;
            double level[W], change[W];
            for (int w = 0; w < W; ++w) {
                level[w] = left[at + w] - old_left[was + w];
                change[w] = right[at + w] - old_right[was + w] - level[w];
            }
            auto add = [&](double* to, std::size_t in, std::size_t ramp) {
                for (int w = 0; w < W; ++w) to[w] += number[in * W + w] * level[w] + number[ramp * W + w] * change[w];
            };
            for (std::size_t i = 0; i < static_cast<std::size_t>(b.n); ++i)
                add(value + static_cast<std::size_t>(b.nodes[static_cast<std::size_t>(b.n_core) + i]) * W, b.gain + i * m + column,
                    b.ramp + i * m + column);
            for (std::size_t q = 0; q < b.watched.size(); ++q)
                add(way + (b.watched_at + q) * W, b.mean_input + q * m + column, b.mean_ramp + q * m + column);
            add(out, b.out_input + column, b.out_ramp + column);
        }
}

// Swept nodes are means of what flows in, plus their own heat. Into out[slot of node] where slots are given.
template <int W>
void Propagator::sweep(const std::vector<Swept>& nodes, const double* number, const double* value,
                              const double* input, double* out, const std::vector<int>* slot) const {
    for (const auto& s : nodes) {
        double total[W], sum[W];
        for (int w = 0; w < W; ++w) total[w] = 0, sum[w] = 0;
        for (const auto& t : s.terms) {
            const double* x = t.node >= 0 ? value + static_cast<std::size_t>(t.node) * W
                                          : input + static_cast<std::size_t>(t.input) * W;
            if (t.coefficient < 0) {
                for (int w = 0; w < W; ++w) sum[w] += t.fraction * x[w];
                continue;
            }
            const double* c = number + static_cast<std::size_t>(t.coefficient) * W;
            for (int w = 0; w < W; ++w) total[w] += c[w], sum[w] += c[w] * x[w];
        }
        double* to = out + static_cast<std::size_t>(slot ? (*slot)[s.node] : s.node) * W;
        for (int w = 0; w < W; ++w) to[w] = sum[w] / total[w];
    }
}

// Temperatures of all that is read but not stepped: core, driven and observing nodes.
template <int W>
void Propagator::read_nodes(const double* number, const double* input, double* value) const {
    for (const auto& b : blocks)
        for (std::size_t q = 0; q < b.read.size(); ++q) {
            double sum[W];
            for (int w = 0; w < W; ++w) sum[w] = 0;
            for (int j = 0; j < b.n; ++j)
                for (int w = 0; w < W; ++w)
                    sum[w] += number[(b.read_state + q * static_cast<std::size_t>(b.n) + j) * W + w] *
                              value[static_cast<std::size_t>(b.nodes[b.n_core + j]) * W + w];
            for (int c = 0; c < b.m; ++c)
                for (int w = 0; w < W; ++w)
                    sum[w] += number[(b.read_input + q * static_cast<std::size_t>(b.m) + c) * W + w] *
                              input[static_cast<std::size_t>(b.inputs[c]) * W + w];
            for (int w = 0; w < W; ++w) value[static_cast<std::size_t>(b.nodes[b.read[q]]) * W + w] = sum[w];
        }
    for (const auto& s : driven)
        std::memcpy(value + static_cast<std::size_t>(s.node) * W,
                    input + static_cast<std::size_t>(input_of_driven[s.node]) * W, sizeof(double) * W);
    sweep<W>(observers, number, value, input, value, nullptr);
}

// ------------------------------------------------------------------------------------------------------------- the run

// Servers first..first+n-1 on their way through the samples, W to a vector.
//
// Most intervals are crossed from stop to stop (samples, ticks of fans) in single steps. Two things ask for more, and are
// looked at behind each step: firmware that would have acted on the way, and leakage that no straight line tells. Where a
// server needs that, it alone goes back to the begin of the interval and crosses it again, with the ticks of its firmware
// and steps as short as it takes. What a server does thus never depends on its neighbours.
//
// Leakage is a source that runs straight over a step. Its end is what the chip leaks at the temperature that the step ends
// with, its mean what it leaks along the way, by the mean and the variance of the temperature: the mean is a linear
// functional of state and inputs, exact as the step itself. Newton on these two numbers per chip closes the step.
template <int W>
class Propagator::Lanes {
  public:
    Lanes(const Propagator& propagator, const Series& all_series, const std::vector<char>& constant, int first_server, int servers,
          const double* T, ControlState& controls, const Record& where, double tolerance_)
        : o(propagator), g(propagator.g), series(all_series), constants(constant), first(first_server), n(servers), control(controls),
          record(where), tolerance(tolerance_), L(static_cast<std::size_t>(g.n_node)), S(static_cast<std::size_t>(g.n_server)),
          U(static_cast<std::size_t>(o.n_input)), F(o.n_number), linear(all_series.any_linear()), leaky(o.leaky),
          ramps(linear || leaky), value(L * W), start(L * W), capacity(L * W), before(L * W), left(U * W), right(U * W), middle(U * W),
          change(U * W), coefficient(g.coefficients.size() * W), number(F * W), scratch(o.n_scratch * W), one(F),
          one_coefficient(g.coefficients.size()), one_capacity(L), leak_left(g.chips.size() * W), leak_right(g.chips.size() * W),
          old_left(o.answering.size() * W), old_right(o.answering.size() * W), way(o.n_watched * W), mean(g.record_signals.size() * W), only(mean.size()), in(W), out(W), varies(U, 0) {
        for (std::size_t i = 0; i < L; ++i)
            for (int w = 0; w < W; ++w) {
                value[i * W + w] = start[i * W + w] = T[i * S + lane(w)];
                capacity[i * W + w] = g.capacity[i * S + lane(w)];
            }
        const auto moves = g.moves_coefficients();
        for (int k = 0; k < g.n_signal(); ++k)
            if (moves[static_cast<std::size_t>(k)]) movers.push_back(k);
        find_varying();
        current = number.data();
    }

    template <class Stop>
    bool run(Stop&& stop, double* T) {
        std::vector<double> begin_value, begin_control;
        for (int k = 0; k < series.n_time; ++k) {
            if (has_limits()) {
                begin_value = value;
                begin_control.clear();
                each_control([&](double& c, int) { begin_control.push_back(c); });
            }
            std::fill(hard, hard + W, false);
            if (!interval(k, false, true, stop)) return false;
            for (int w = 0; w < n; ++w)
                if (hard[w] && !again(w, k, begin_value, begin_control, stop)) return false;
            book(k);
            if (stop()) return false;
        }
        for (std::size_t i = 0; i < L; ++i)
            for (int w = 0; w < n; ++w) T[i * S + lane(w)] = value[i * W + w];
        return true;
    }

  private:
    template <int>
    friend class Propagator::Lanes;

    const Propagator& o;
    const Group& g;
    const Series& series;
    const std::vector<char>& constants;  // series that never change
    const int first, n;
    ControlState& control;
    const Record& record;
    const double tolerance;
    const std::size_t L, S, U, F;
    const bool linear, leaky, ramps;

    std::vector<double> value, start, capacity, before;  // [node][W]
    std::vector<double> left, right, middle, change;     // [input][W], at the ends and the middle of a step
    std::vector<double> coefficient, number, scratch, one, one_coefficient, one_capacity;
    std::vector<double> leak_left, leak_right;  // [chip][W]
    std::vector<double> old_left, old_right;    // [answering][W], before a correction
    std::vector<double> way;                    // [watched][W], mean temperatures of the step
    std::vector<double> mean, only, in, out;    // of the interval; `only`: the level of its last piece
    int pieces = 0;
    std::vector<char> varies;                   // [input], from sample to sample; the rest changes with a controller only
    bool coefficients_vary = false, driven_vary = false;
    std::vector<int> movers;  // signals that decide the coefficients
    bool hard[W] = {};
    bool moved = false;  // a controller's output did
    double h = 1.0, held = 0;
    unsigned n_step = 0;
    std::unique_ptr<Lanes<1>> alone[W];

    // Cache of numbers by lane and key (the movers' values and the step)
    struct Key {
        std::vector<double> v;
        bool operator==(const Key& other) const { return std::memcmp(v.data(), other.v.data(), v.size() * sizeof(double)) == 0; }
    };
    struct Hash {
        std::size_t operator()(const Key& k) const {
            std::uint64_t hash = 1469598103934665603ull;
            for (double d : k.v) {
                std::uint64_t bits;
                std::memcpy(&bits, &d, sizeof bits);
                hash = (hash ^ bits) * 1099511628211ull;
                hash ^= hash >> 29;
            }
            return static_cast<std::size_t>(hash);
        }
    };
    static constexpr std::size_t kPoolLimit = 8u << 20;  // doubles: 64 MB for a chunk
    std::unordered_map<Key, std::size_t, Hash> cache[W];
    std::vector<double> pool;
    Key now[W], wanted;
    std::unordered_map<Key, std::vector<double>, Hash> packs;
    const double* current = nullptr;

    std::size_t lane(int w) const { return static_cast<std::size_t>(first + std::min(w, n - 1)); }
    bool has_limits() const { return leaky || o.has_firmware; }
    template <class Use>
    void each_control(Use&& use) {
        for (auto* table : {&control.output, &control.integral})
            for (std::size_t c = 0; c < g.controllers.size(); ++c)
                for (int w = 0; w < n; ++w) use((*table)[c * S + lane(w)], w);
    }

    void find_varying() {
        for (int s = 0; s < g.n_signal(); ++s) {
            const Signal& k = g.signals[static_cast<std::size_t>(s)];
            auto of = [&](int other) { return other >= 0 && varies[static_cast<std::size_t>(other)] != 0; };
            char& v = varies[static_cast<std::size_t>(s)];
            switch (k.kind) {
                case SignalKind::series:
                    for (int w = 0; w < n; ++w) v |= !constants[static_cast<std::size_t>(g.series[static_cast<std::size_t>(s) * S + lane(w)])];
                    break;
                case SignalKind::law: v = of(k.second) || of(k.third); break;
                case SignalKind::complement: v = of(k.first); break;
                case SignalKind::choice: v = of(k.first) || of(k.second) || of(k.third); break;
                case SignalKind::total:
                    for (int other : g.totals[static_cast<std::size_t>(k.first)].signals) v |= of(other);
                    break;
                case SignalKind::chip_power:
                case SignalKind::chip_clock: {
                    const Chip& c = g.chips[static_cast<std::size_t>(k.first)];
                    v = of(c.demand) || of(c.cap);
                    break;
                }
                case SignalKind::control:
                case SignalKind::supply_share: break;
            }
            v |= o.answers[static_cast<std::size_t>(s)];
        }
        for (int s : movers) coefficients_vary |= varies[static_cast<std::size_t>(s)] != 0;
        for (const auto& d : o.driven) {
            char& v = varies[static_cast<std::size_t>(o.input_of_driven[static_cast<std::size_t>(d.node)])];
            for (const auto& t : d.terms) v |= t.input >= 0 && varies[static_cast<std::size_t>(t.input)];
            driven_vary |= v != 0;
        }
    }

    // Signals at `x` of interval k with the chips' `leaks`: all, or those that vary.
    void evaluate(int k, double x, std::vector<double>& into, bool all, const std::vector<double>& leaks) {
        for (int s = 0; s < g.n_signal(); ++s)
            if (all || varies[static_cast<std::size_t>(s)])
                evaluate_signal(g, s, series, k, x, control.output.data(), leaks.data(), first, n, W, into.data(), W);
    }
    void evaluate_answers(int k, double x, std::vector<double>& into, const std::vector<double>& leaks) {
        for (int s : o.answering)
            evaluate_signal(g, s, series, k, x, control.output.data(), leaks.data(), first, n, W, into.data(), W);
    }
    void inputs(std::vector<double>& u) {
        o.sweep<W>(o.driven, current, value.data(), u.data(), u.data(), &o.input_of_driven);
    }
    // What the chips leak at the temperatures as they stand, into both ends of a step.
    void leak_as_now() {
        for (std::size_t c = 0; c < g.chips.size(); ++c)
            if (g.chips[c].leakage > 0)
                for (int w = 0; w < W; ++w)
                    leak_left[c * W + w] = leak_right[c * W + w] = leak(g.chips[c], value[static_cast<std::size_t>(g.chips[c].node) * W + w]);
    }

    void renew(double step, const std::vector<double>& at);

    void write(int k) {
        o.read_nodes<W>(current, left.data(), value.data());
        double stored[W] = {};
        for (const auto& b : o.blocks)
            for (int i = b.n_core; i < b.n_core + b.n; ++i) {
                const std::size_t at = static_cast<std::size_t>(b.nodes[static_cast<std::size_t>(i)]) * W;
                for (int w = 0; w < W; ++w) stored[w] += capacity[at + w] * (value[at + w] - start[at + w]);
            }
        const std::size_t n_slot = g.record_nodes.size();
        for (int w = 0; w < n; ++w) {
            const std::size_t at = static_cast<std::size_t>(k) * S + lane(w);
            for (std::size_t q = 0; q < n_slot; ++q)
                record.nodes[at * n_slot + q] = value[static_cast<std::size_t>(g.record_nodes[q]) * W + w];
            record.stored[at] = stored[w];
        }
    }
    // Means and balances are linear in time while nothing moves, so they are booked when something may: at times that are
    // the same for all servers, so that a server's bits do not depend on its neighbours.
    void settle_accounts() {
        if (held == 0) return;
        auto level = [&](std::size_t at) { return ramps ? 0.5 * (left[at] + right[at]) : left[at]; };
        for (std::size_t q = 0; q < g.record_signals.size(); ++q)
            for (int w = 0; w < W; ++w) {
                const double here = level(static_cast<std::size_t>(g.record_signals[q]) * W + w);
                mean[q * W + w] += held * here;
                only[q * W + w] = here;
            }
        ++pieces;
        for (const auto& s : g.sources)
            for (int w = 0; w < W; ++w) in[w] += held * s.fraction * level(static_cast<std::size_t>(s.signal) * W + w);
        const double* direct = current + o.direct_at * W;
        for (std::size_t i : o.listened)
            for (int w = 0; w < W; ++w) out[w] += held * direct[i * W + w] * level(i * W + w);
        held = 0;
    }
    void book(int k) {
        const bool last = k + 1 == series.n_time;
        const std::size_t n_mean = g.record_signals.size();
        for (int w = 0; w < n; ++w) {
            const std::size_t at = static_cast<std::size_t>(k) * S + lane(w);
            for (std::size_t q = 0; q < n_mean; ++q)
                record.signals[at * n_mean + q] = last ? left[static_cast<std::size_t>(g.record_signals[q]) * W + w] : mean[q * W + w];
            record.energy_in[at] = in[w];
            record.energy_out[at] = out[w];
        }
    }

    // Server w crosses interval k again, alone and with care, from where it began.
    template <class Stop>
    bool again(int w, int k, const std::vector<double>& begin_value, const std::vector<double>& begin_control, Stop&& stop) {
        if (!alone[w]) {
            std::vector<double> T(L * S);  // only this server's column is read
            for (std::size_t i = 0; i < L; ++i) T[i * S + lane(w)] = value[i * W + w];
            alone[w] = std::make_unique<Lanes<1>>(o, series, constants, first + w, 1, T.data(), control, record, tolerance);
        }
        Lanes<1>& it = *alone[w];
        for (std::size_t i = 0; i < L; ++i) it.value[i] = begin_value[i * W + w];
        std::size_t at = 0;
        each_control([&](double& c, int v) {
            if (v == w) c = begin_control[at];
            ++at;
        });
        it.moved = true;  // since it last ran
        if (!it.interval(k, true, false, stop)) return false;
        for (std::size_t i = 0; i < L; ++i) value[i * W + w] = it.value[i];
        for (std::size_t q = 0; q < g.record_signals.size(); ++q) mean[q * W + w] = it.mean[q];
        in[w] = it.in[0], out[w] = it.out[0];
        moved = true;
        return true;
    }

    // Through interval k. With `care`: with the ticks of firmware, and steps as short as leakage asks for. Without, servers for
    // which that would have made a difference are marked in `hard`.
    template <class Stop>
    bool interval(int k, bool care, bool writes, Stop&& stop) {
        const bool last = k + 1 == series.n_time;
        const double begin = series.time[k], end = last ? begin : series.time[k + 1], span = end - begin;
        std::fill(mean.begin(), mean.end(), 0.0);
        pieces = 0;
        std::fill(in.begin(), in.end(), 0.0);
        std::fill(out.begin(), out.end(), 0.0);
        // Durations without the rounding of the clock: equal steps get equal bits, and their exponentials are found again.
        const double quantum = last ? 1.0 : std::ldexp(1.0, std::ilogb(std::max(std::fabs(begin), std::fabs(end))) - 50);
        auto even = [quantum](double duration) { return std::max(1.0, std::nearbyint(duration / quantum)) * quantum; };
        double t = begin, reached = 0;
        bool fresh = true;
        do {
            const double next = std::min(end, ControlState::next_tick(g, t, care));
            const double h_before = h;
            if (!last) {
                const double to = even(next - begin);
                h = to - reached;
                reached = to;
            }
            const double xl = span > 0 ? (t - begin) / span : 0.0, xr = span > 0 ? (next - begin) / span : 0.0;
            prepare(k, xl, xr, h_before, moved || (fresh && k == 0), fresh);
            moved = false;
            if (fresh && writes) write(k);
            fresh = false;
            if (last) break;
            if (leaky) {
                cross_leaking(k, xl, xr, care, 0, begin + xl * span);
            } else {
                if (linear)
                    for (std::size_t i = 0; i < U * W; ++i) change[i] = right[i] - left[i];
                held += h;
                if (linear) settle_accounts();
                if (o.has_firmware) before = value;
                o.advance<W>(current, left.data(), linear ? change.data() : nullptr, value.data(), out.data());
            }
            if (!care && o.has_firmware) look_for_firmware();
            if ((++n_step & 7) == 0 && stop()) return false;  // a sample may be far away
            t = next;
            bool read = false;
            for (std::size_t c = 0; c < g.controllers.size(); ++c) {
                const Controller& law = g.controllers[c];
                if ((law.kind == Controller::kFirmware && !care) || !ControlState::ticks_at(law, t)) continue;
                settle_accounts();
                if (o.controls_read && !read) o.read_nodes<W>(current, (ramps ? right : left).data(), value.data()), read = true;
                for (int w = 0; w < n; ++w)
                    moved |= control.tick(g, c, first + w, rise(law, value, w), value[static_cast<std::size_t>(law.nodes[0]) * W + w]);
            }
        } while (t < end - 1e-10);
        settle_accounts();
        for (std::size_t i = 0; i < mean.size() && !last; ++i) mean[i] = pieces == 1 ? only[i] : mean[i] / span;  // one is exact
        return true;
    }
    static double rise(const Controller& law, const std::vector<double>& T, int w) {
        double most = -1e300;
        for (std::size_t i = 0; i < law.nodes.size(); ++i)
            most = std::max(most, T[static_cast<std::size_t>(law.nodes[i]) * W + w] - law.target[i]);
        return most;
    }

    // Inputs at both ends of a step of h, and the numbers for it.
    void prepare(int k, double xl, double xr, double h_before, bool all, bool fresh) {
        if (leaky) leak_as_now();
        if (all || fresh || ramps) {
            settle_accounts();
            evaluate(k, xl, left, all, leak_left);
            if (linear) {
                evaluate(k, xr, right, all, leak_right);
                evaluate(k, 0.5 * (xl + xr), middle, all, leak_left);
            }
        }
        if (all || h != h_before || coefficients_vary) renew(h, linear ? middle : left);
        if (all || coefficients_vary || driven_vary) {
            inputs(left);
            if (linear) inputs(right);
        }
        if (ramps && !linear) right = left;
    }

    // Whether the firmware of a server would have acted inside the step behind: see Lanes.
    void look_for_firmware() {
        constexpr double kFar = 25.0;  // K, more than any path between ends so much cooler has been seen to rise
        for (std::size_t c = 0; c < g.controllers.size(); ++c) {
            const Controller& law = g.controllers[c];
            if (law.kind != Controller::kFirmware) continue;
            for (int w = 0; w < n; ++w) {
                if (hard[w]) continue;
                const std::size_t at = c * S + lane(w), junction = static_cast<std::size_t>(law.nodes[0]) * W + w;
                if (control.output[at] == 0) continue;
                const double rise0 = rise(law, before, w), rise1 = rise(law, value, w);
                if (control.output[at] == law.high && control.integral[at] == law.high && std::max(rise0, rise1) < -kFar &&
                    std::max(before[junction], value[junction]) < std::min(law.slowdown, law.shutdown) - kFar)
                    continue;
                // The mean tells how far the path bulges above or below the line between its ends.
                double least = 1e300, most = -1e300, coldest = 0, hottest = 0;
                for (std::size_t i = 0; i < law.nodes.size(); ++i) {
                    const std::size_t node = static_cast<std::size_t>(law.nodes[i]);
                    const double a = before[node * W + w], b = value[node * W + w], middle_ = 0.5 * (a + b),
                                 bulge = 2 * o.mean_of<W>(node, current, before.data(), left.data(), ramps ? change.data() : nullptr, w) - middle_;
                    const double low = std::min({a, b, bulge}), high = std::max({a, b, bulge});
                    if (i == 0) coldest = low, hottest = high;
                    least = std::min(least, low - law.target[i]);
                    most = std::max(most, high - law.target[i]);
                }
                least = std::min({least, rise0, rise1});
                hard[w] = control.would_act(g, c, first + w, least, most, coldest, hottest);
            }
        }
    }

    // One step with leakage, from xl to xr of interval k, inputs and numbers ready. Where it does not close: with `care` in two
    // halves, else the servers are marked.
    void cross_leaking(int k, double xl, double xr, bool care, int depth, double t) {
        constexpr int kMostIterations = 12, kMostHalvings = 24;
        constexpr double kHottest = 300.0;  // K above a chip's reference: no silicon lives there
        before = value;
        double out_before[W];
        std::copy(out.begin(), out.end(), out_before);
        for (std::size_t i = 0; i < U * W; ++i) change[i] = right[i] - left[i];
        o.advance<W>(current, left.data(), change.data(), value.data(), out.data());
        o.means<W>(current, before.data(), left.data(), change.data(), way.data());
        bool open[W];
        for (int w = 0; w < W; ++w) open[w] = true;
        bool bad[W] = {};
        for (int iteration = 0;; ++iteration) {
            double off[W] = {}, error[W] = {};
            for (std::size_t c = 0; c < g.chips.size(); ++c) {
                const Chip& chip = g.chips[c];
                if (!(chip.leakage > 0)) continue;
                const ChipPlace& p = o.chip_places[c];
                const Block& b = o.blocks[p.block];
                const double* gain = p.column < 0 ? nullptr : current + (b.gain + p.row * static_cast<std::size_t>(b.m) + static_cast<std::size_t>(p.column)) * W;
                const double* ramp = p.column < 0 ? nullptr : current + (b.ramp + p.row * static_cast<std::size_t>(b.m) + static_cast<std::size_t>(p.column)) * W;
                const double* mean_input = p.column < 0 ? nullptr : current + (b.mean_input + p.watched * static_cast<std::size_t>(b.m) + static_cast<std::size_t>(p.column)) * W;
                const double* mean_ramp = p.column < 0 ? nullptr : current + (b.mean_ramp + p.watched * static_cast<std::size_t>(b.m) + static_cast<std::size_t>(p.column)) * W;
                for (int w = 0; w < W; ++w) {
                    if (!open[w]) continue;
                    const double T0 = before[static_cast<std::size_t>(chip.node) * W + w], T1 = value[static_cast<std::size_t>(chip.node) * W + w],
                                 Tm = way[(b.watched_at + p.watched) * W + w];
                    if (!(T1 < chip.reference + kHottest) || !(Tm < chip.reference + kHottest)) {
                        bad[w] = true;
                        continue;
                    }
                    // variance along the way: that of a straight line or of an exponential, by where the mean lies
                    const double D = T1 - T0, z = D != 0 ? (T1 - Tm) / D : 0.5, s = chip.scale;
                    const double off_line = Tm - 0.5 * (T0 + T1);
                    const bool plain = z >= 0 && z <= 1;
                    const double variance = plain ? D * D * z * (1 - z) / 3 : D * D / 12 + off_line * off_line;
                    const double at_end = leak(chip, T1), level = chip.leakage + leak(chip, Tm),
                                 at_mean = level - chip.leakage + 0.5 * level / (s * s) * variance;
                    double &l = leak_left[c * W + w], &r = leak_right[c * W + w];
                    const double f_end = r - at_end, f_mean = 0.5 * (l + r) - at_mean;
                    const double responds =
                        gain && drawn(g, chip, right.data(), W, control.output.data(), static_cast<int>(lane(w)), w, r).answers ? 1.0 : 0.0;
                    const double slope_end = (chip.leakage + at_end) / s * responds, slope_mean = level / s * responds;
                    const double gain_ = gain ? gain[w] : 0.0, ramp_ = gain ? ramp[w] : 0.0, mi = gain ? mean_input[w] : 0.0, mr = gain ? mean_ramp[w] : 0.0;
                    // [df_end/dl, df_end/dr; df_mean/dl, df_mean/dr]
                    const double a = -slope_end * (gain_ - ramp_), b_ = 1 - slope_end * ramp_, c_ = 0.5 - slope_mean * (mi - mr), d = 0.5 - slope_mean * mr;
                    const double det = a * d - b_ * c_;
                    const double dl = (d * f_end - b_ * f_mean) / det, dr = (a * f_mean - c_ * f_end) / det;
                    l -= dl, r -= dr;
                    const double strength = std::fabs(gain_);
                    off[w] = std::max(off[w], std::max(std::fabs(dl), std::fabs(dr)) * strength);
                    const double cubed = std::fabs(D) / s;
                    error[w] = std::max(error[w], strength * level * ((plain ? 0.18 : 0.5) * variance / (s * s) + 0.005 * cubed * cubed * cubed));
                    if (!std::isfinite(dl) || !std::isfinite(dr)) bad[w] = true;
                }
            }
            bool any = false;
            for (int w = 0; w < W; ++w) {
                if (!open[w]) continue;
                bad[w] = bad[w] || !(error[w] <= 0.25 * tolerance) || iteration == kMostIterations;
                if (bad[w]) open[w] = false;
                else if (off[w] < 0.02 * tolerance) open[w] = false;  // Newton: what is left is its square
                any |= open[w];
            }
            // what changed comes in, and leads to new ends and means; lanes that are closed see their own values again
            for (std::size_t i = 0; i < o.answering.size(); ++i) {
                const std::size_t at = static_cast<std::size_t>(o.answering[i]) * W;
                std::copy_n(left.data() + at, W, old_left.data() + i * W);
                std::copy_n(right.data() + at, W, old_right.data() + i * W);
            }
            evaluate_answers(k, xl, left, leak_left);
            evaluate_answers(k, xr, right, leak_right);
            o.correct<W>(current, old_left.data(), old_right.data(), left.data(), right.data(), value.data(), out.data(), way.data());
            if (!any) break;
        }
        if (o.has_firmware)
            for (std::size_t i = 0; i < U * W; ++i) change[i] = right[i] - left[i];
        bool whole = true;
        for (int w = 0; w < n; ++w) whole &= !bad[w];
        if (!whole && !care) {
            for (int w = 0; w < n; ++w) {
                if (!bad[w]) continue;
                hard[w] = true;  // it goes back to the begin of the interval: until then anything finite will do
                for (std::size_t i = 0; i < L; ++i) value[i * W + w] = before[i * W + w];
            }
        }
        if (!whole && care) {
            value = before;
            std::copy(out_before, out_before + W, out.begin());
            if (depth == kMostHalvings) {
                std::size_t worst = 0;
                for (std::size_t c = 0; c < g.chips.size(); ++c)
                    if (value[static_cast<std::size_t>(g.chips[c].node) * W] - g.chips[c].reference >
                        value[static_cast<std::size_t>(g.chips[worst].node) * W] - g.chips[worst].reference) worst = c;
                throw Runaway{&g, static_cast<int>(worst), first, t, value[static_cast<std::size_t>(g.chips[worst].node) * W], 0};
            }
            const double full = h, half = 0.5 * h, xm = 0.5 * (xl + xr);
            for (int part = 0; part < 2; ++part) {
                h = half;
                prepare(k, part ? xm : xl, part ? xr : xm, -1.0, true, false);
                cross_leaking(k, part ? xm : xl, part ? xr : xm, true, depth + 1, t + part * half);
            }
            h = full;
            moved = true;  // the numbers at hand are those of the half step
            return;
        }
        held = h;
        settle_accounts();
    }
};

// Points `current` at the numbers for the signals in `at` and the step. Servers in step share whole packs, ready made;
// where they differ only the lanes that changed are touched, in `number`.
template <int W>
void Propagator::Lanes<W>::renew(double step_, const std::vector<double>& at) {
    bool in_step = true;
    for (int s : movers)
        for (int w = 1; w < n; ++w)
            in_step &= at[static_cast<std::size_t>(s) * W + w] == at[static_cast<std::size_t>(s) * W];
    if (in_step) {
        wanted.v.resize(movers.size() + 1);
        for (std::size_t i = 0; i < movers.size(); ++i) wanted.v[i] = at[static_cast<std::size_t>(movers[i]) * W];
        wanted.v.back() = step_;
        auto found = packs.find(wanted);
        if (found == packs.end()) {
            if (packs.size() * F * W > kPoolLimit) packs.clear();
            found = packs.emplace(wanted, std::vector<double>(F * W)).first;
            evaluate_coefficients(g, at.data(), W, first, n, W, coefficient.data(), W);
            double step[W];
            for (double& s : step) s = step_;
            o.build_chunk<W>(coefficient.data(), capacity.data(), step, ramps, found->second.data(), scratch.data());
        }
        current = found->second.data();
        return;
    }
    current = number.data();
    int stale[W] = {}, n_stale = 0, known[W] = {}, n_known = 0;
    std::size_t from[W] = {};
    for (int w = 0; w < n; ++w) {
        wanted.v.resize(movers.size() + 1);
        for (std::size_t i = 0; i < movers.size(); ++i)
            wanted.v[i] = at[static_cast<std::size_t>(movers[i]) * W + w];
        wanted.v.back() = step_;
        if (!now[w].v.empty() && now[w] == wanted) continue;
        now[w] = wanted;
        const auto found = cache[w].find(wanted);
        if (found == cache[w].end()) {
            stale[n_stale++] = w;
            continue;
        }
        from[n_known] = found->second;
        known[n_known++] = w;
    }
    if (n_stale == 0)
        for (std::size_t f = 0; f < F; ++f)
            for (int q = 0; q < n_known; ++q) number[f * W + known[q]] = pool[from[q] + f];
    if (n_stale == 0) return;
    evaluate_coefficients(g, at.data(), W, first, n, W, coefficient.data(), W);
    if (n_stale + n_known > 2) {  // all lanes at once: those that are known get the same bits again
        double step[W];
        for (double& s : step) s = step_;
        o.build_chunk<W>(coefficient.data(), capacity.data(), step, ramps, number.data(), scratch.data());
    } else {
        for (std::size_t f = 0; f < F; ++f)
            for (int q = 0; q < n_known; ++q) number[f * W + known[q]] = pool[from[q] + f];
        for (int q = 0; q < n_stale; ++q) {
            const int w = stale[q];
            for (std::size_t c = 0; c < one_coefficient.size(); ++c) one_coefficient[c] = coefficient[c * W + w];
            for (std::size_t i = 0; i < L; ++i) one_capacity[i] = capacity[i * W + w];
            o.build<1>(one_coefficient.data(), one_capacity.data(), &step_, ramps, one.data(), scratch.data());
            for (std::size_t f = 0; f < F; ++f) number[f * W + w] = one[f];
        }
    }
    for (int q = 0; q < n_stale; ++q) {
        if (pool.size() + F > kPoolLimit) {
            pool.clear();
            for (auto& c : cache) c.clear();
        }
        const int w = stale[q];
        cache[w].emplace(now[w], pool.size());
        for (std::size_t f = 0; f < F; ++f) pool.push_back(number[f * W + w]);
    }
    if (n < W && n_stale > 0)  // padding lanes follow the last server
        for (std::size_t f = 0; f < F; ++f)
            for (int w = n; w < W; ++w) number[f * W + w] = number[f * W + n - 1];
}

template <class Stop>
void Propagator::run(const Series& series, const std::vector<char>& constant, int first, int n, double* T, ControlState& control,
                     const Record& record, double tolerance, Stop&& stop) const {
    if (n == 1)
        Lanes<1>(*this, series, constant, first, n, T, control, record, tolerance).run(stop, T);
    else if (n <= kWidth / 2)
        Lanes<kWidth / 2>(*this, series, constant, first, n, T, control, record, tolerance).run(stop, T);
    else
        Lanes<kWidth>(*this, series, constant, first, n, T, control, record, tolerance).run(stop, T);
}

}  // namespace thermo
