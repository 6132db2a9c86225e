// The engine: groups, border, state and controllers together, and the ways to move them.
#pragma once
#include <atomic>
#include <chrono>
#include <condition_variable>
#include <exception>
#include <functional>
#include <memory>
#include <mutex>
#include <thread>

#include "thermo/exact_run.hpp"
#include "thermo/implicit.hpp"
#include "thermo/rational.hpp"

namespace thermo {

class Engine {
  public:
    Engine(std::vector<Group> groups, Border border, int n_series) : groups_(std::move(groups)), border_(std::move(border)), n_series_(n_series) {
        if (groups_.empty()) throw std::invalid_argument("network: no group");
        for (double c : border_.capacity)
            if (!(c >= 0) || c > 1e15) throw std::invalid_argument("network: a shared capacity is negative or not finite");
        for (const auto& g : groups_) {
            g.check(n_series, border_.n_node);
            exact_.emplace_back(std::make_unique<Propagator>(g));
            std::vector<double> rest(g.controllers.size() * static_cast<std::size_t>(g.n_server), 0.0);
            controls_.emplace_back(g, rest.data());
        }
        assembly_ = std::make_unique<Assembly>(groups_, border_);
    }
    Engine(const Engine&) = delete;
    Engine& operator=(const Engine&) = delete;

    const std::vector<Group>& groups() const { return groups_; }
    const Border& border() const { return border_; }
    int n_series() const { return n_series_; }
    const Propagator& exact(std::size_t p) const { return *exact_[p]; }
    const StepCount& count() const { return assembly_->count; }
    std::vector<ControlState>& controls() { return controls_; }
    std::vector<double>& border_temperature() { return assembly_->z; }

    // Why the exact stepper cannot be used; empty where it can.
    std::string obstacle() const {
        if (border_.n_node > 0) return "nodes are shared between servers";
        for (const auto& e : exact_)
            if (!e->obstacle().empty()) return e->obstacle();
        return {};
    }

    // Temperatures of group p as [node][server].
    void read(std::size_t p, double* T) const {
        const auto& part = assembly_->parts[p];
        for (int i = 0; i < part.g.n_node; ++i)
            for (int v = 0; v < part.g.n_server; ++v)
                T[static_cast<std::size_t>(i) * part.g.n_server + v] = part.T[part.at(v, part.lu.position(i))];
    }
    void write(std::size_t p, const double* T) {
        auto& part = assembly_->parts[p];
        for (int i = 0; i < part.g.n_node; ++i)
            for (int v = 0; v < static_cast<int>(part.lanes); ++v)
                part.T[part.at(v, part.lu.position(i))] =
                    T[static_cast<std::size_t>(i) * part.g.n_server + std::min(v, part.g.n_server - 1)];
        assembly_->spread_border(part);
    }

    // The steady state of an interval's loads at `x`. `bounded`: leakage grows no further once far too hot, so that there is
    // always one, to be told as too hot.
    void steady(const Series& series, int interval, double x, bool bounded) {
        numbered([&] { assembly_->steady(series, interval, x, controls_, bounded); });
    }
    // The largest T - target of each controller of group p, [controller][server].
    void control_rise(std::size_t p, double* out) const {
        const auto& part = assembly_->parts[p];
        for (std::size_t c = 0; c < part.g.controllers.size(); ++c)
            for (int v = 0; v < part.g.n_server; ++v)
                out[c * static_cast<std::size_t>(part.g.n_server) + static_cast<std::size_t>(v)] =
                    part.rise(part.g.controllers[c], v);
    }

    // Whether the firmware of any device would act, had it ticked anywhere between two states of the differential system.
    bool firmware_acts(const double* low, const double* high) {
        each_state([&](double& T, double, std::size_t i) { T = low[i]; });
        const auto coolest = assembly_->temperatures();
        each_state([&](double& T, double, std::size_t i) { T = high[i]; });
        return assembly_->firmware_acts(controls_, coolest);
    }
    bool leaks() const { return assembly_->leaky; }
    bool has_firmware() const { return assembly_->has_firmware; }

    // The state of the differential system: nodes with capacity, [group][node][server], then the border's.
    std::size_t n_state() const {
        std::size_t n = 0;
        for (const auto& part : assembly_->parts)
            for (double c : part.g.capacity) n += c > 0;
        for (double c : border_.capacity) n += c > 0;
        return n;
    }
    template <class Use>
    void each_state(Use&& use) {
        std::size_t at = 0;
        for (auto& part : assembly_->parts)
            for (int i = 0; i < part.g.n_node; ++i)
                for (int v = 0; v < part.g.n_server; ++v) {
                    const double C = part.g.capacity[static_cast<std::size_t>(i) * part.g.n_server + v];
                    if (C > 0) use(part.T[part.at(v, part.lu.position(i))], C, at++);
                }
        for (std::size_t b = 0; b < assembly_->z.size(); ++b)
            if (border_.capacity[b] > 0) use(assembly_->z[b], border_.capacity[b], at++);
    }
    // Coefficients at `x` of an interval, held for `derivative`.
    void hold(const Series& series, int interval, double x) {
        assembly_->evaluate(series, interval, x, controls_);
        assembly_->assemble();
    }
    // dT/dt of the state y at `x` of the interval; returns the power that leaves [W]. Same matrices as the steppers.
    double derivative(const Series& series, int interval, double x, const double* y, double* dy) {
        each_state([&](double& T, double, std::size_t i) { T = y[i]; });
        assembly_->leak_as_now();
        assembly_->evaluate(series, interval, x, controls_);
        assembly_->load(q_);
        for (auto& part : assembly_->parts) assembly_->spread_border(part);
        assembly_->settle(q_);
        assembly_->heat(q_, F_, f_border_);
        std::size_t at = 0;
        for (auto& part : assembly_->parts)
            for (int i = 0; i < part.g.n_node; ++i)
                for (int v = 0; v < part.g.n_server; ++v) {
                    const double C = part.g.capacity[static_cast<std::size_t>(i) * part.g.n_server + v];
                    if (C > 0) dy[at++] = F_[static_cast<std::size_t>(&part - assembly_->parts.data())]
                                            [part.at(v, part.lu.position(i))] / C;
                }
        for (std::size_t b = 0; b < border_.capacity.size(); ++b)
            if (border_.capacity[b] > 0) dy[at++] = f_border_[b] / border_.capacity[b];
        return total_leaving();
    }
    // Power of all sources [W], with the signals as they stand.
    double total_entering() const {
        double sum = 0;
        for (const auto& part : assembly_->parts)
            for (const auto& s : part.g.sources)
                for (int v = 0; v < part.g.n_server; ++v)
                    sum += s.fraction * part.signal[static_cast<std::size_t>(s.signal) * part.lanes + static_cast<std::size_t>(v)];
        return sum;
    }
    // Recorded signals of group p as they stand, [server][record signal].
    void recorded_signals(std::size_t p, double* out) const {
        const auto& part = assembly_->parts[p];
        for (int v = 0; v < part.g.n_server; ++v)
            for (int s : part.g.record_signals)
                *out++ = part.signal[static_cast<std::size_t>(s) * part.lanes + static_cast<std::size_t>(v)];
    }
    // The controllers that tick at time t take their tick, on the temperatures as they stand; firmware where it is asked to.
    void tick(double t, bool firmware) {
        for (std::size_t p = 0; p < groups_.size(); ++p) {
            const auto& g = groups_[p];
            for (std::size_t c = 0; c < g.controllers.size(); ++c)
                if ((firmware || g.controllers[c].kind != Controller::kFirmware) && ControlState::ticks_at(g.controllers[c], t))
                    for (int v = 0; v < g.n_server; ++v)
                        controls_[p].tick(g, c, v, assembly_->parts[p].rise(g.controllers[c], v), assembly_->parts[p].first(g.controllers[c], v));
        }
    }
    double next_tick(double t, bool firmware) const {
        double next = std::numeric_limits<double>::infinity();
        for (const auto& g : groups_) next = std::min(next, ControlState::next_tick(g, t, firmware));
        return next;
    }
    double total_leaving() {
        std::vector<std::vector<double>> out;
        assembly_->leaving(assembly_->temperatures(), [&](std::size_t p, std::size_t i) { return assembly_->parts[p].signal[i]; }, out);
        double sum = 0;
        for (const auto& o : out)
            for (double v : o) sum += v;
        return sum;
    }
    // K as (row, column, value) over all nodes, [group][node][server] then border: the balance is q - K T.
    void matrix(std::vector<long long>& row, std::vector<long long>& column, std::vector<double>& value) const {
        long long base = 0, total = 0;
        for (const auto& part : assembly_->parts) total += static_cast<long long>(part.g.n_node) * part.g.n_server;
        auto put = [&](long long r, long long c, double v) { row.push_back(r), column.push_back(c), value.push_back(v); };
        for (const auto& part : assembly_->parts) {
            const Group& g = part.g;
            for (int v = 0; v < g.n_server; ++v) {
                auto number = [&](int r) {
                    return is_shared(r) ? total + (r - kShared) : base + static_cast<long long>(r) * g.n_server + v;
                };
                auto add = [&](int near, int far, int c) {
                    const double k = part.coefficient[static_cast<std::size_t>(c) * part.lanes + static_cast<std::size_t>(v)];
                    put(number(near), number(near), k);
                    if (!is_boundary(far)) put(number(near), number(far), -k);
                };
                for (const auto& l : g.conductances) {
                    add(l.a, l.b, l.coefficient);
                    if (!is_boundary(l.b)) add(l.b, l.a, l.coefficient);
                }
                for (const auto& l : g.streams) add(l.b, l.a, l.coefficient);
            }
            base += static_cast<long long>(g.n_node) * g.n_server;
        }
    }

    // Exact stepping of all groups. `poll(fraction)` is called on this thread every 20 ms; true ends the run.
    bool run_exact(const Series& series, std::vector<Record>& records, double tolerance, int threads,
                   const std::function<bool(double)>& poll) {
        struct Task {
            std::size_t group;
            int first, n;
        };
        std::vector<Task> tasks;
        std::vector<std::vector<double>> T(groups_.size());
        for (std::size_t p = 0; p < groups_.size(); ++p) {
            T[p].resize(static_cast<std::size_t>(groups_[p].n_node) * groups_[p].n_server);
            read(p, T[p].data());
            for (int f = 0; f < groups_[p].n_server; f += kWidth)
                tasks.push_back({p, f, std::min(kWidth, groups_[p].n_server - f)});
        }
        const std::vector<char> constant = series.constant();
        std::atomic<std::size_t> next{0}, finished{0};
        std::atomic<bool> halt{false};
        std::exception_ptr failure;
        std::mutex guard;
        std::condition_variable wake;
        auto work = [&](auto&& check) {
            try {
                for (std::size_t i; !halt && (i = next++) < tasks.size();) {
                    const Task& task = tasks[i];
                    const Propagator& exact = *exact_[task.group];
                    double* here = T[task.group].data();
                    ControlState& control = controls_[task.group];
                    const bool one = task.n > 1 && exact.alike(task.first, task.n, here, control);
                    exact.run(series, constant, task.first, one ? 1 : task.n, here, control, records[task.group], tolerance, check);
                    if (one && !halt) exact.copy_first(task.first, task.n, series.n_time, here, control, records[task.group]);
                    ++finished;
                }
            } catch (...) {
                std::lock_guard<std::mutex> lock(guard);
                if (!failure) failure = std::current_exception();
                halt = true;
            }
        };
        auto fraction = [&] { return static_cast<double>(finished) / static_cast<double>(tasks.size()); };
        threads = std::max(1, std::min<int>(threads, static_cast<int>(tasks.size())));
        if (threads == 1) {
            auto last = std::chrono::steady_clock::now();
            work([&] {
                const auto now = std::chrono::steady_clock::now();
                if (now - last > std::chrono::milliseconds(20)) {
                    last = now;
                    if (poll(fraction())) halt = true;
                }
                return halt.load();
            });
        } else {
            std::atomic<int> running{threads};
            std::vector<std::thread> team;
            for (int i = 0; i < threads; ++i)
                team.emplace_back([&] {
                    work([&] { return halt.load(std::memory_order_relaxed); });
                    std::lock_guard<std::mutex> lock(guard);
                    --running;
                    wake.notify_all();
                });
            std::unique_lock<std::mutex> lock(guard);
            while (running > 0) {
                wake.wait_for(lock, std::chrono::milliseconds(20));
                lock.unlock();
                if (!halt && poll(fraction())) halt = true;
                lock.lock();
            }
            lock.unlock();
            for (auto& thread : team) thread.join();
        }
        numbered([&] {
            if (failure) std::rethrow_exception(failure);
        });
        if (halt) return false;
        for (std::size_t p = 0; p < groups_.size(); ++p) write(p, T[p].data());
        return true;
    }

    bool run_implicit(const Series& series, std::vector<Record>& records, double* record_border, double tolerance,
                      double forced_step, const std::function<bool(double)>& poll) {
        return polled(poll, [&](auto&& ask) {
            run_tr_bdf2(*assembly_, series, controls_, records, record_border, tolerance, forced_step, proposed_step, ask);
        });
    }
    bool run_rational(const Series& series, std::vector<Record>& records, double* record_border, double tolerance,
                      const std::function<bool(double)>& poll) {
        std::vector<int> repeats;
        for (std::size_t p = 0; p < groups_.size(); ++p) repeats.push_back(alike(p) ? groups_[p].n_server : 1);
        if (std::all_of(repeats.begin(), repeats.end(), [](int r) { return r == 1; }))
            return polled(poll, [&](auto&& ask) {
                Rational(*assembly_, series, controls_, tolerance).run(records, record_border, proposed_step, ask);
            });
        // One server stands for all that are alike, and for its neighbours in the sums of what they share.
        std::vector<Group> few;
        for (std::size_t p = 0; p < groups_.size(); ++p) few.push_back(repeats[p] > 1 ? groups_[p].first_server() : groups_[p]);
        std::vector<ControlState> controls;
        Assembly small(few, border_, repeats);
        for (std::size_t p = 0; p < few.size(); ++p) {
            controls.push_back(controls_[p].first_servers(groups_[p], few[p].n_server));
            share(assembly_->parts[p], small.parts[p]);
        }
        small.z = assembly_->z;
        const bool through = polled(poll, [&](auto&& ask) {
            try {
                Rational(small, series, controls, tolerance).run(records, record_border, proposed_step, ask);
            } catch (Runaway& r) {
                for (std::size_t p = 0; p < few.size(); ++p)
                    if (r.group == &few[p]) r.group = &groups_[p];
                throw;
            }
        });
        for (std::size_t p = 0; p < few.size(); ++p) {
            share(small.parts[p], assembly_->parts[p]);
            controls_[p].repeat(controls[p], groups_[p].n_server, few[p].n_server);
        }
        assembly_->z = small.z, assembly_->count = small.count;
        return through;
    }

    double proposed_step = 0;  // s, of TR-BDF2 and the rational stepper, see there

  private:
    // Whether all servers of a group are, start and go the same way.
    bool alike(std::size_t p) const {
        const Group& g = groups_[p];
        const Assembly::Part& part = assembly_->parts[p];
        const auto S = static_cast<std::size_t>(g.n_server);
        auto same = [S](const auto& rows) {
            for (std::size_t i = 0; i < rows.size(); ++i)
                if (!(rows[i] == rows[i - i % S])) return false;
            return true;
        };
        for (const auto& s : g.signals)
            if (s.kind == SignalKind::supply_share) return false;
        for (int i = 0; i < g.n_node; ++i)
            for (int v = 1; v < g.n_server; ++v)
                if (!(part.T[part.at(v, i)] == part.T[part.at(0, i)])) return false;
        return S > 1 && same(g.capacity) && same(g.scale) && same(g.series) && same(controls_[p].output) && same(controls_[p].integral);
    }
    // Temperatures of the servers of one part to those of another, over and over.
    static void share(const Assembly::Part& from, Assembly::Part& to) {
        for (int i = 0; i < to.rows; ++i)
            for (int v = 0; v < static_cast<int>(to.lanes); ++v)
                to.T[to.at(v, i)] = from.T[from.at(std::min(v, from.g.n_server - 1), i)];
    }
    // Runs `work`, which asks from time to time whether to stop; false where it was stopped.
    template <class Work>
    bool polled(const std::function<bool(double)>& poll, Work&& work) {
        auto last = std::chrono::steady_clock::now();
        bool halt = false;
        auto ask = [&] {
            const auto now = std::chrono::steady_clock::now();
            if (now - last > std::chrono::milliseconds(20)) {
                last = now;
                halt = poll(0);
            }
            return halt;
        };
        numbered([&] { work(ask); });
        return !halt;
    }
    // A runaway knows its group by address; those outside know it by number.
    template <class Do>
    void numbered(Do&& work) {
        try {
            work();
        } catch (Runaway& r) {
            for (std::size_t p = 0; p < groups_.size(); ++p)
                if (r.group == &groups_[p]) r.number = static_cast<int>(p);
            throw;
        }
    }
    std::vector<Group> groups_;
    Border border_;
    int n_series_;
    std::vector<std::unique_ptr<Propagator>> exact_;
    std::vector<ControlState> controls_;
    std::unique_ptr<Assembly> assembly_;
    std::vector<std::vector<double>> q_, F_;
    std::vector<double> f_border_;
};

}  // namespace thermo
