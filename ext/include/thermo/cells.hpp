// A structured block of cells that conduct heat: geometry, materials, contact and films, and the conductances they make.
//
// Cells form a tensor grid, dx[nx] by dy[ny] by dz[nz], each of one material with its own conductivity in x, y and z.
// Two neighbours are joined by half a cell, the contact between them and half a cell in series (the harmonic mean),
//
//     G = A / (d / 2k + R + d' / 2k'),
//
// and a cell at a face of the block by half a cell and the film there, G = A / (d / 2k + 1 / h). Material 0 is void: it
// conducts nothing, holds nothing, and films do not reach through it. What the cells do is then
//
//     C dT/dt = q - K T,   (K T)_i = sum over neighbours G_ij (T_i - T_j) + extra_i T_i,
//
// with extra_i the films (their share G T_film stands in q) and, for a step in time, shift C_i.
//
// Callers keep fields as [nz][ny][nx]. Within, a field is [ny][nz][nx], in slabs of equal y: a slab holds its columns in z
// whole and close together. Each conductance is kept at its lower cell, and that of the last cell in a row, slab or column is
// zero, so an index that wraps around or leaves a row by one reads a number that is multiplied by nothing. A conductance
// is a float and what the float misses, another float: 2^-48 exact together, and half of it read where a float is enough.
#pragma once
#include <algorithm>
#include <array>
#include <cmath>
#include <cstdint>
#include <cstring>
#include <limits>
#include <memory>
#include <vector>

#include "thermo/lanes.hpp"
#include "thermo/team.hpp"

namespace thermo {

// Numbers that nobody has set yet, with a row of zeros before and after them.
template <class T>
class Field {
public:
    Field() = default;
    explicit Field(std::size_t n) { resize(n); }
    void resize(std::size_t n) {
        n_ = n;
        data_.reset(new T[n + 2 * kMargin]);
        std::fill_n(data_.get(), kMargin, T(0));
        std::fill_n(data_.get() + kMargin + n, kMargin, T(0));
    }
    std::size_t size() const { return n_; }
    T* get() { return data_.get() + kMargin; }
    const T* get() const { return data_.get() + kMargin; }
    T& operator[](std::size_t i) { return get()[i]; }
    const T& operator[](std::size_t i) const { return get()[i]; }

private:
    static constexpr std::size_t kMargin = 16;
    std::size_t n_ = 0;
    std::unique_ptr<T[]> data_;
};

// Rows of a grid in slabs: [ny][nz][nx].
struct Grid {
    int nx = 0, ny = 0, nz = 0;
    std::size_t cells() const { return static_cast<std::size_t>(nx) * ny * nz; }
    std::size_t slab() const { return static_cast<std::size_t>(nx) * nz; }
    std::size_t row(int j, int k) const { return (static_cast<std::size_t>(j) * nz + k) * nx; }
    std::size_t outer_row(int j, int k) const { return (static_cast<std::size_t>(k) * ny + j) * nx; }  // in callers' order
    int before(int i, int n) const { return i > 0 ? i - 1 : n - 1; }
    int after(int i, int n) const { return i + 1 < n ? i + 1 : 0; }
    bool small() const { return cells() < 16384; }
};

// A conductance [W/K] of each cell to its next in x, y and z, and to the outside.
struct Conductances {
    Field<float> x, y, z, extra;
    void resize(std::size_t n) {
        for (Field<float>* f : {&x, &y, &z, &extra}) f->resize(n);
    }
};

enum Face { kXLow, kXHigh, kYLow, kYHigh, kZLow, kZHigh };

// k(T) of one material: values [3] at rising temperatures, held constant beyond the ends.
struct ConductivityTable {
    std::vector<double> temperature;
    std::array<std::vector<double>, 3> value;
};

class Cells {
public:
    std::vector<double> dx, dy, dz;                     // m
    std::vector<std::uint16_t> material;                // [nz][ny][nx]
    std::vector<std::array<double, 3>> conductivity;    // of each material, W/(m K)
    std::vector<double> heat_capacity;                  // of each material, J/(m3 K)
    std::vector<double> contact;                        // [nz - 1], K m2/W
    std::array<std::vector<double>, 6> film;            // W/(m2 K), [nz][ny], [nz][nx] or [ny][nx]
    std::vector<ConductivityTable> table;               // of each material, or none at all; empty: constant

    Grid grid() const { return {static_cast<int>(dx.size()), static_cast<int>(dy.size()), static_cast<int>(dz.size())}; }
    bool is_void(std::size_t outer) const { return material[outer] == 0; }

    bool varies() const {
        return std::any_of(table.begin(), table.end(), [](const auto& t) { return !t.temperature.empty(); });
    }
    // Conductivity of the cell `outer` along an axis, at T where it depends on it.
    double conductivity_of(std::size_t outer, int axis, const double* T) const {
        const std::uint16_t m = material[outer];
        if (T && m < table.size() && !table[m].temperature.empty()) return at(table[m], axis, T[outer]);
        return conductivity[m][static_cast<std::size_t>(axis)];
    }
    // d / 2k of each cell in a row [K m2/W]; infinite in voids.
    void half(int axis, int j, int k, const double* T, double* out) const {
        const Grid g = grid();
        const std::size_t from = g.outer_row(j, k);
        for (int i = 0; i < g.nx; ++i) {
            const double d = axis == 0 ? dx[i] : axis == 1 ? dy[j] : dz[k];
            out[i] = 0.5 * d / conductivity_of(from + i, axis, T);
        }
    }
    // Conductances [W/K] between cells, each split into `most` and `rest`; `extra` is left alone.
    void conductances(const double* T, Conductances& most, Conductances& rest, Team& team) const;

    // Film and half a cell in series [W/K], face by face, in the callers' order of that face.
    std::array<std::vector<double>, 6> films(const double* T) const {
        const Grid g = grid();
        std::array<std::vector<double>, 6> out;
        for (int face = 0; face < 6; ++face) {
            const std::vector<double>& h = film[static_cast<std::size_t>(face)];
            std::vector<double>& G = out[static_cast<std::size_t>(face)];
            G.resize(h.size());
            on_face(g, face, [&](std::size_t at, int i, int j, int k) {
                const double area = face < 2 ? dy[j] * dz[k] : face < 4 ? dx[i] * dz[k] : dx[i] * dy[j];
                const double d = face < 2 ? dx[i] : face < 4 ? dy[j] : dz[k];
                G[at] = area / (1.0 / h[at] + 0.5 * d / conductivity_of(g.outer_row(j, k) + i, face / 2, T));
            });
        }
        return out;
    }
    // f(place on the face, i, j, k) for each cell at a face.
    template <class F>
    static void on_face(const Grid& g, int face, const F& f) {
        std::size_t at = 0;
        if (face < 2) {
            for (int k = 0; k < g.nz; ++k)
                for (int j = 0; j < g.ny; ++j) f(at++, face == kXLow ? 0 : g.nx - 1, j, k);
        } else if (face < 4) {
            for (int k = 0; k < g.nz; ++k)
                for (int i = 0; i < g.nx; ++i) f(at++, i, face == kYLow ? 0 : g.ny - 1, k);
        } else {
            for (int j = 0; j < g.ny; ++j)
                for (int i = 0; i < g.nx; ++i) f(at++, i, j, face == kZLow ? 0 : g.nz - 1);
        }
    }
    // Heat capacity [J/K] of each cell in a row.
    void capacity(int j, int k, double* out) const {
        const Grid g = grid();
        const std::uint16_t* m = material.data() + g.outer_row(j, k);
        for (int i = 0; i < g.nx; ++i) out[i] = heat_capacity[m[i]] * dx[i] * dy[j] * dz[k];
    }

private:
    static double at(const ConductivityTable& t, int axis, double T) {
        const std::vector<double>& v = t.value[static_cast<std::size_t>(axis)];
        const auto next = std::upper_bound(t.temperature.begin(), t.temperature.end(), T);
        if (next == t.temperature.begin()) return v.front();
        if (next == t.temperature.end()) return v.back();
        const auto n = static_cast<std::size_t>(next - t.temperature.begin());
        return v[n - 1] + (v[n] - v[n - 1]) * (T - t.temperature[n - 1]) / (t.temperature[n] - t.temperature[n - 1]);
    }
};

namespace detail {

// G = area / (half + contact + other half), as two floats.
THERMO_CLONES inline void split_row(int n, const double* one, const double* other, const double* area, double factor,
                                    double contact, float* __restrict most, float* __restrict rest) {
    for (int i = 0; i < n; ++i) {
        const double G = factor * area[i] / (one[i] + (contact + other[i]));
        most[i] = static_cast<float>(G);
        rest[i] = static_cast<float>(G - static_cast<double>(most[i]));
    }
}

}  // namespace detail

inline void Cells::conductances(const double* T, Conductances& most, Conductances& rest, Team& team) const {
    const Grid g = grid();
    const auto nx = static_cast<std::size_t>(g.nx);
    const std::vector<double> ones(nx, 1.0), closed(nx, std::numeric_limits<double>::infinity());
    std::vector<double> rows(3 * nx * static_cast<std::size_t>(team.threads()));
    team.run(g.ny, g.small(), [&](int j, int worker) {
        double* one = rows.data() + 3 * nx * static_cast<std::size_t>(worker);
        double* next = one + nx;
        double* upper = next + nx;
        half(2, j, 0, T, upper);
        for (int k = 0; k < g.nz; ++k) {
            const std::size_t at = g.row(j, k);
            half(0, j, k, T, one);
            detail::split_row(g.nx - 1, one, one + 1, ones.data(), dy[j] * dz[k], 0.0, &most.x[at], &rest.x[at]);
            most.x[at + nx - 1] = rest.x[at + nx - 1] = 0.0f;
            if (j + 1 < g.ny) {
                half(1, j, k, T, one);
                half(1, j + 1, k, T, next);
            }
            detail::split_row(g.nx, one, j + 1 < g.ny ? next : closed.data(), dx.data(), dz[k], 0.0, &most.y[at], &rest.y[at]);
            std::copy_n(upper, nx, one);
            if (k + 1 < g.nz) half(2, j, k + 1, T, upper);
            detail::split_row(g.nx, one, k + 1 < g.nz ? upper : closed.data(), dx.data(), dy[j],
                              k + 1 < g.nz ? contact[k] : 0.0, &most.z[at], &rest.z[at]);
        }
    });
}

}  // namespace thermo
