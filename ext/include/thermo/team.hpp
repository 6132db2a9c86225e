// A team of threads that works through numbered tasks, again and again, with the same result for any number of threads.
//
// Who takes which task is left to chance; what a task writes is its own, and sums are kept by task and added in the order
// of the tasks afterwards. The caller's thread works too and asks `poll` every 20 ms whether to go on.
#pragma once
#include <atomic>
#include <chrono>
#include <condition_variable>
#include <exception>
#include <functional>
#include <mutex>
#include <thread>
#include <vector>

namespace thermo {

struct Interrupted : std::exception {
    const char* what() const noexcept override { return "interrupted"; }
};

class Team {
public:
    // `poll` runs on the caller's thread; true ends the work with Interrupted.
    explicit Team(int threads, std::function<bool()> poll = {}) : poll_(std::move(poll)), asked_(Clock::now()) {
        for (int i = 1; i < threads; ++i)
            others_.emplace_back([this] { serve(); });
    }
    ~Team() {
        {
            std::lock_guard<std::mutex> lock(guard_);
            closed_ = true;
        }
        wake_.notify_all();
        for (auto& t : others_) t.join();
    }
    Team(const Team&) = delete;
    Team& operator=(const Team&) = delete;

    int threads() const { return static_cast<int>(others_.size()) + 1; }

    // f(task, worker) for task = 0 .. n-1, worker < threads(). `small` work is not worth waking the others.
    template <class F>
    void run(int n, bool small, const F& f) {
        if (small || others_.empty() || n < 2) {
            for (int i = 0; i < n; ++i) {
                f(i, 0);
                ask();
            }
            return;
        }
        const std::function<void(int, int)> task = std::cref(f);
        {
            std::lock_guard<std::mutex> lock(guard_);
            task_ = &task;
            n_ = n;
            next_ = 0;
            seated_ = 1;
            busy_ = static_cast<int>(others_.size());
            halt_ = false;
            failure_ = nullptr;
            ++round_;
        }
        wake_.notify_all();
        work(0);
        std::unique_lock<std::mutex> lock(guard_);
        while (!done_.wait_for(lock, std::chrono::milliseconds(20), [this] { return busy_ == 0; })) {
            lock.unlock();
            keep([this] { ask(); });
            lock.lock();
        }
        task_ = nullptr;
        if (failure_) std::rethrow_exception(failure_);
    }

    void ask() {
        if (!poll_) return;
        const auto now = Clock::now();
        if (now - asked_ < std::chrono::milliseconds(20)) return;
        asked_ = now;
        if (poll_()) throw Interrupted();
    }

private:
    using Clock = std::chrono::steady_clock;

    template <class F>
    void keep(const F& f) {
        try {
            f();
        } catch (...) {
            std::lock_guard<std::mutex> lock(guard_);
            if (!failure_) failure_ = std::current_exception();
            halt_ = true;
        }
    }
    void work(int worker) {
        keep([&] {
            for (int i; !halt_ && (i = next_++) < n_;) {
                (*task_)(i, worker);
                if (worker == 0) ask();
            }
        });
    }
    void serve() {
        std::unique_lock<std::mutex> lock(guard_);
        for (long long seen = 0;;) {
            wake_.wait(lock, [&] { return closed_ || round_ != seen; });
            if (closed_) return;
            seen = round_;
            const int worker = seated_++;
            lock.unlock();
            work(worker);
            lock.lock();
            if (--busy_ == 0) done_.notify_one();
        }
    }

    std::function<bool()> poll_;
    Clock::time_point asked_;
    std::vector<std::thread> others_;
    std::mutex guard_;
    std::condition_variable wake_, done_;
    const std::function<void(int, int)>* task_ = nullptr;
    std::atomic<int> next_{0};
    std::atomic<bool> halt_{false};
    int n_ = 0, seated_ = 1, busy_ = 0;
    long long round_ = 0;
    bool closed_ = false;
    std::exception_ptr failure_;
};

}  // namespace thermo
