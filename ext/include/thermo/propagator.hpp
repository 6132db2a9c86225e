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
#include <string>
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
    std::vector<std::size_t> watched_as;  // [node], its place among the watched, where it is one
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
    watched_as.assign(static_cast<std::size_t>(L), 0);
    for (const auto& c : g.chips)
        if (c.leakage > 0) watched[c.node] = 1;
    for (const auto& c : g.controllers) {
        if (c.relative >= 0) controls_read |= kind[c.relative] != Kind::dynamic;
        for (int i : c.nodes) {
            controls_read |= kind[i] != Kind::dynamic;
            if (c.kind != Controller::kFirmware) continue;
            has_firmware = true;
            watched[i] = 1;
            if (kind[i] != Kind::dynamic) obstacle_ = "firmware watches a node without capacity";
        }
    }
    if (!obstacle_.empty()) return;

    // Core nodes whose temperature is asked for
    std::vector<char> wanted(L, 0);
    for (int i : g.record_nodes) wanted[i] = 1;
    for (const auto& c : g.controllers) {
        for (int i : c.nodes) wanted[i] = 1;
        if (c.relative >= 0) wanted[c.relative] = 1;
    }
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
        for (std::size_t q = 0; q < b.watched.size(); ++q)
            watched_as[static_cast<std::size_t>(b.nodes[static_cast<std::size_t>(b.n_core + b.watched[q])])] = b.watched_at + q;
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

}  // namespace thermo
