// Conduction in cells, without Python: single cells, rows, columns and blocks, graded, with voids, contact and coolant, on one
// thread and three. Built with sanitizers by test_engine.py; ends with 1 where an answer is wrong.
#include <cmath>
#include <cstdio>
#include <vector>

#include "thermo/conduction.hpp"

namespace {

int wrong = 0;
void check(bool right, const char* what, int nx, int ny, int nz) {
    if (right) return;
    std::fprintf(stderr, "%s (%d x %d x %d)\n", what, nx, ny, nz);
    wrong = 1;
}

thermo::Cells block(int nx, int ny, int nz) {
    thermo::Cells c;
    for (auto [d, n] : {std::pair{&c.dx, nx}, std::pair{&c.dy, ny}, std::pair{&c.dz, nz}})
        for (int i = 0; i < n; ++i) d->push_back(1e-4 * (1 + 3 * (i % 4)));
    const std::size_t n = c.grid().cells();
    c.material.assign(n, 1);
    for (std::size_t i = 0; i < n; i += 7)
        if (i % 3) c.material[i] = 2;
    c.conductivity = {{0, 0, 0}, {120, 100, 3}, {0.5, 400, 400}};
    c.heat_capacity = {0, 2e6, 1e6};
    c.contact.assign(static_cast<std::size_t>(nz - 1), 1e-6);
    const std::size_t faces[6] = {c.dz.size() * c.dy.size(), c.dz.size() * c.dy.size(), c.dz.size() * c.dx.size(),
                                  c.dz.size() * c.dx.size(), c.dy.size() * c.dx.size(), c.dy.size() * c.dx.size()};
    for (std::size_t f = 0; f < 6; ++f) c.film[f].assign(faces[f], f == 5 ? 1e4 : 0.0);
    return c;
}

// Heat goes in everywhere: all of it leaves, whatever the threads, to the same bits; then a step in time.
void solve(int nx, int ny, int nz, int axis) {
    std::vector<double> before;
    for (int threads : {1, 3}) {
        thermo::Team team(threads);
        thermo::Cells c = block(nx, ny, nz);
        thermo::Channels coolant;
        if (axis >= 0) {
            const int across = axis == 0 ? ny : nx, along = axis == 0 ? nx : ny;
            coolant.axis = axis;
            for (int l = 1; l < across; l += 3) {
                coolant.box.push_back({l, l + 1, nz / 3, nz / 2 + 1});
                coolant.capacity_rate.push_back(l % 2 ? 1e-3 : -1e-3);
                coolant.heat_capacity.push_back(0.01);
                for (int s = 0; s < along; ++s) {
                    coolant.film.push_back(2e4);
                    for (int k = nz / 3; k <= nz / 2; ++k)
                        c.material[c.grid().outer_row(axis == 0 ? l : s, k) + static_cast<std::size_t>(axis == 0 ? s : l)] = 0;
                }
            }
        }
        const std::size_t n = c.grid().cells();
        std::vector<double> power(n, 1e-3), T(n, 0.0), mean(coolant.film.size()), outlet(coolant.box.size()), inlet(outlet.size(), 20.0);
        for (std::size_t i = 0; i < n; ++i)
            if (c.is_void(i)) power[i] = 0;
        double heat = 0;
        for (double q : power) heat += q;
        const auto film = c.film;
        thermo::FaceValues around;
        for (std::size_t f = 0; f < 6; ++f) around[f] = film[f].data();  // any numbers will do
        thermo::Conduction body(std::move(c), std::move(coolant), team);
        const auto went = body.steady(power.data(), around, inlet.data(), T.data(), mean.data(), outlet.data(), 1e-11, 1e-9, 99, team);
        check(went.reached(), "not reached", nx, ny, nz);
        check(std::fabs(went.imbalance) <= 1e-7 * heat, "what enters does not leave", nx, ny, nz);
        if (threads == 1) before = T;
        for (std::size_t i = 0; i < n; ++i)
            if (before[i] != T[i] && !std::isnan(T[i])) check(false, "threads change bits", nx, ny, nz);
        std::vector<double> x(n, 0.0);
        check(body.solve(50.0, {power.data()}, x.data(), mean.data(), outlet.data(), 1e-10, 0.0, 99, team).reached(), "no step", nx, ny, nz);
    }
}

}  // namespace

int main() {
    solve(1, 1, 1, -1);
    solve(1, 9, 5, -1);
    solve(9, 1, 5, -1);
    solve(9, 8, 1, -1);
    solve(2, 3, 200, -1);
    solve(37, 41, 12, -1);
    solve(6, 5, 4, 0);
    solve(5, 1, 4, 1);
    solve(37, 41, 12, 0);
    solve(37, 41, 12, 1);
    return wrong;
}
