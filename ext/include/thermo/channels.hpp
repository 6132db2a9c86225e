// Coolant that runs through channels in a block of cells: one bulk temperature for each channel and station.
//
// A channel is a box of void cells that runs the whole length of the grid in x or y; a station is a cell's length of it. Along
// a station the walls are taken as they are, and what the coolant does there is then exact,
//
//     w dT/ds = G (T_wall - T) + beta - shift C T          G = sum of the wetted faces, T_wall their mean weighted by G
//
// so with N = (G + shift C) / |w| and T_eq = (G T_wall + beta) / (G + shift C) it leaves at T_eq + (T_in - T_eq) exp(-N), and
// its mean, which the walls see, is T_eq + (T_in - T_eq) (1 - exp(-N)) / N. Steady (shift = 0, beta = 0) both lie between the
// inlet and the hottest wall, whatever the flow; heat is conserved to rounding; the error falls with the square of the
// station. A wall face is its film in series with half a solid cell; w < 0 runs towards the lower index. Contact
// resistances lie between solids: on a wetted face there is none (a coating belongs into the film, 1 / h + R).
#pragma once
#include <algorithm>
#include <array>
#include <cmath>
#include <cstdint>
#include <vector>

#include "thermo/cells.hpp"

namespace thermo {

struct ChannelBox {
    int lateral, lateral_end, bottom, top;  // cells across, and in z; ends are past the last
};

class Channels {
public:
    int axis = 0;                        // 0: along x, 1: along y
    std::vector<ChannelBox> box;         // of each channel
    std::vector<double> film;            // W/(m2 K), [channel][station]
    std::vector<double> capacity_rate;   // W/K of each channel, never 0
    std::vector<double> heat_capacity;   // J/(m K) of each channel

    bool empty() const { return capacity_rate.empty(); }
    std::size_t n() const { return capacity_rate.size(); }
    std::size_t stations() const { return length_.size(); }
    std::size_t bytes() const { return face_.size() * sizeof(face_[0]) + start_.size() * sizeof(start_[0]) + mean_.size() * sizeof(double); }

    // Finds the wetted faces and their conductances at temperatures T (or constant).
    void lay(const Cells& cells, const double* T) {
        const Grid g = cells.grid();
        length_ = axis == 0 ? cells.dx : cells.dy;
        start_.assign(1, 0);
        face_.clear();
        for (std::size_t c = 0; c < n(); ++c)
            for (std::size_t s = 0; s < stations(); ++s) {
                const ChannelBox& b = box[c];
                const double h = film[c * stations() + s];
                const auto wet = [&](int lateral, int k, bool side) {
                    const int i = axis == 0 ? static_cast<int>(s) : lateral, j = axis == 0 ? lateral : static_cast<int>(s);
                    if (lateral < 0 || lateral >= (axis == 0 ? g.ny : g.nx) || k < 0 || k >= g.nz) return;
                    const std::size_t outer = g.outer_row(j, k) + static_cast<std::size_t>(i);
                    if (cells.is_void(outer)) return;
                    const double across = axis == 0 ? cells.dy[lateral] : cells.dx[lateral];
                    const double d = side ? across : cells.dz[k], width = side ? cells.dz[k] : across;
                    const double half = 0.5 * d / cells.conductivity_of(outer, side ? 1 - axis : 2, T);
                    add(g.row(j, k) + static_cast<std::size_t>(i), width * length_[s] / (1.0 / h + half));
                };
                for (int k = b.bottom; k < b.top; ++k) wet(b.lateral - 1, k, true), wet(b.lateral_end, k, true);
                for (int l = b.lateral; l < b.lateral_end; ++l) wet(l, b.bottom - 1, false), wet(l, b.top, false);
                start_.push_back(face_.size());
            }
        mean_.assign(n() * stations(), 0.0);
    }
    // The same coolant along the cells of a coarser grid, where cell i of the fine one is part of own_x[i], and so in y.
    Channels coarsened(const Grid& fine, const Grid& coarse, const std::vector<int>& own_x, const std::vector<int>& own_y) const {
        Channels out;
        out.axis = axis;
        out.capacity_rate = capacity_rate;
        out.heat_capacity = heat_capacity;
        out.length_.assign(static_cast<std::size_t>(axis == 0 ? coarse.nx : coarse.ny), 0.0);
        out.start_.assign(1, 0);
        const std::vector<int>& own = axis == 0 ? own_x : own_y;
        for (std::size_t s = 0; s < stations(); ++s) out.length_[static_cast<std::size_t>(own[s])] += length_[s];
        std::vector<Wetted> walls;
        for (std::size_t c = 0; c < n(); ++c)
            for (std::size_t s = 0; s < stations(); ++s) {
                for (std::size_t f = start_[c * stations() + s]; f < start_[c * stations() + s + 1]; ++f) {
                    const std::size_t row = face_[f].cell / static_cast<std::size_t>(fine.nx), i = face_[f].cell % static_cast<std::size_t>(fine.nx);
                    const std::size_t j = row / static_cast<std::size_t>(fine.nz), k = row % static_cast<std::size_t>(fine.nz);
                    walls.push_back({static_cast<std::uint32_t>(coarse.row(own_y[j], static_cast<int>(k)) + static_cast<std::size_t>(own_x[i])), face_[f].most, face_[f].rest});
                }
                if (s + 1 < stations() && own[s + 1] == own[s]) continue;
                std::stable_sort(walls.begin(), walls.end(), [](const Wetted& a, const Wetted& b) { return a.cell < b.cell; });
                for (std::size_t w = 0; w < walls.size();) {
                    double G = 0.0;
                    const std::uint32_t cell = walls[w].cell;
                    for (; w < walls.size() && walls[w].cell == cell; ++w) G += walls[w].G();
                    out.add(cell, G);
                }
                walls.clear();
                out.start_.push_back(out.face_.size());
            }
        out.face_.shrink_to_fit();
        out.mean_.assign(out.n() * out.stations(), 0.0);
        return out;
    }
    // f(cell in slabs, conductance) for each wetted face.
    template <class F>
    void each_face(const F& f) const {
        for (const Wetted& w : face_) f(static_cast<std::size_t>(w.cell), w.G());
    }
    // Mean temperatures of the coolant at every station for walls v (a field in slabs; null: at zero), and what leaves each channel.
    template <class V>
    void march(double shift, const V* v, const double* inlet, const double* beta, double* mean, double* outlet) const {
        for (std::size_t c = 0; c < n(); ++c) {
            const double w = std::abs(capacity_rate[c]);
            double T = inlet ? inlet[c] : 0.0;
            for (std::size_t m = 0; m < stations(); ++m) {
                const std::size_t s = capacity_rate[c] > 0 ? m : stations() - 1 - m, at = c * stations() + s;
                double G = 0.0, q = beta ? beta[at] : 0.0;
                for (std::size_t f = start_[at]; f < start_[at + 1]; ++f) {
                    G += face_[f].G();
                    if (v) q += face_[f].G() * static_cast<double>(v[face_[f].cell]);
                }
                G += shift * heat_capacity[c] * length_[s];
                if (G > 0.0) {
                    const double N = G / w, gone = -std::expm1(-N), target = q / G;
                    mean[at] = target + (T - target) * (gone / N);
                    T += (target - T) * gone;
                } else {
                    mean[at] = T + 0.5 * q / w;
                    T += q / w;
                }
            }
            if (outlet) outlet[c] = T;
        }
    }
    // q += factor times what the coolant at `mean` gives to the walls, G T, in slabs.
    template <class Q>
    void warm(double factor, const double* mean, Q* q) const {
        for (std::size_t at = 0; at < n() * stations(); ++at)
            for (std::size_t f = start_[at]; f < start_[at + 1]; ++f)
                q[face_[f].cell] = static_cast<Q>(static_cast<double>(q[face_[f].cell]) + factor * face_[f].G() * mean[at]);
    }
    // q += factor G mean(v), with the inlet at zero. With -1 it completes (K + G) v to the operator of walls and coolant together.
    template <class V, class Q>
    void complete(double shift, double factor, const V* v, Q* q) {
        march(shift, v, nullptr, nullptr, mean_.data(), nullptr);
        warm(factor, mean_.data(), q);
    }
    // The numbers of a field in wetted cells, kept and put back.
    template <class V>
    void keep(const V* field, std::vector<V>& kept) const {
        kept.resize(face_.size());
        for (std::size_t f = 0; f < face_.size(); ++f) kept[f] = field[face_[f].cell];
    }
    template <class V>
    void put_back(const std::vector<V>& kept, V* field) const {
        for (std::size_t f = 0; f < face_.size(); ++f) field[face_[f].cell] = kept[f];
    }

private:
    struct Wetted {
        std::uint32_t cell;
        float most, rest;  // as thermo::Conductances
        double G() const { return static_cast<double>(most) + static_cast<double>(rest); }
    };
    void add(std::size_t cell, double G) {
        const auto most = static_cast<float>(G);
        face_.push_back({static_cast<std::uint32_t>(cell), most, static_cast<float>(G - static_cast<double>(most))});
    }
    std::vector<double> length_;      // of stations
    std::vector<std::size_t> start_;  // of the faces of each channel and station
    std::vector<Wetted> face_;
    std::vector<double> mean_;
};

}  // namespace thermo
