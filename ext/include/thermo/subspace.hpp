// Fields of cells as sums of a few: x = sum over j of c_j V_j, the passes that thermo.package.transient makes over them.
//
// A field has n numbers, one for each cell; V_1 .. V_m are fields that the caller owns. Cells are taken in pieces of a fixed
// length, and sums are kept by piece and added in their order: the same bits for any number of threads.
#pragma once
#include <algorithm>
#include <cmath>
#include <cstddef>
#include <cstdint>
#include <limits>
#include <vector>

#include "thermo/lanes.hpp"
#include "thermo/team.hpp"

namespace thermo::subspace {

using Fields = std::vector<const double*>;
constexpr std::size_t kPiece = 2048;                    // cells: half of a first-level cache for each of two fields
constexpr std::size_t kGroup = 64, kOutputs = 64;       // cells, and outputs in time, that are looked at together
constexpr std::size_t kSmall = 16384;                   // cells that are not worth waking other threads for

namespace detail {

THERMO_INLINE double sum(const double (&lane)[kWidth]) {
    return ((lane[0] + lane[1]) + (lane[2] + lane[3])) + ((lane[4] + lane[5]) + (lane[6] + lane[7]));
}
THERMO_CLONES inline double dot(std::size_t n, const double* a, const double* b) {
    double lane[kWidth] = {};
    std::size_t i = 0;
    for (; i + kWidth <= n; i += kWidth)
        for (std::size_t l = 0; l < kWidth; ++l) lane[l] += a[i + l] * b[i + l];
    for (std::size_t l = 0; i < n; ++i, ++l) lane[l] += a[i] * b[i];
    return sum(lane);
}
THERMO_CLONES inline void add(std::size_t n, double c, const double* __restrict v, double* __restrict x) {
    for (std::size_t i = 0; i < n; ++i) x[i] += c * v[i];
}
THERMO_CLONES inline void times(std::size_t n, const double* __restrict a, const double* __restrict b, double* __restrict x) {
    for (std::size_t i = 0; i < n; ++i) x[i] = a[i] * b[i];
}
// bound[k] = sum over j of the larger of c[j][k] low[j] and c[j][k] high[j], for n outputs k.
THERMO_CLONES inline void bounds(std::size_t n, std::size_t m, const double* __restrict c, std::size_t stride, const double* low,
                                 const double* high, double* __restrict bound) {
    std::fill_n(bound, n, 0.0);
    for (std::size_t j = 0; j < m; ++j) {
        const double *row = c + j * stride, l = low[j], h = high[j];
        for (std::size_t k = 0; k < n; ++k) {
            const double a = row[k] * l, b = row[k] * h;
            bound[k] += a > b ? a : b;
        }
    }
}
// x[i] = sum over j of c[j stride] v[j][i] for the cells of a group.
THERMO_CLONES inline void group(std::size_t m, const double* __restrict v, const double* c, std::size_t stride,
                                double* __restrict x) {
    for (std::size_t i = 0; i < kGroup; ++i) x[i] = 0.0;
    for (std::size_t j = 0; j < m; ++j) {
        const double f = c[j * stride];
        const double* row = v + j * kGroup;
        for (std::size_t i = 0; i < kGroup; ++i) x[i] += f * row[i];
    }
}

template <class F>
void pieces(std::size_t n, Team& team, const F& f) {
    const std::size_t count = (n + kPiece - 1) / kPiece;
    team.run(static_cast<int>(count), n < kSmall, [&](int p, int) {
        const std::size_t from = static_cast<std::size_t>(p) * kPiece;
        f(static_cast<std::size_t>(p), from, std::min(kPiece, n - from));
    });
}

}  // namespace detail

// out[j] = V_j . x
inline void inner(const Fields& V, std::size_t n, const double* x, double* out, Team& team) {
    const std::size_t m = V.size();
    std::vector<double> part((n + kPiece - 1) / kPiece * m);
    detail::pieces(n, team, [&](std::size_t p, std::size_t from, std::size_t count) {
        for (std::size_t j = 0; j < m; ++j) part[p * m + j] = detail::dot(count, V[j] + from, x + from);
    });
    std::fill_n(out, m, 0.0);
    for (std::size_t at = 0; at < part.size(); ++at) out[at % m] += part[at];
}

// x = sum over j of c_j V_j, or that added to x.
inline void combine(const Fields& V, std::size_t n, const double* c, bool onto, double* x, Team& team) {
    detail::pieces(n, team, [&](std::size_t, std::size_t from, std::size_t count) {
        if (!onto) std::fill_n(x + from, count, 0.0);
        for (std::size_t j = 0; j < V.size(); ++j) detail::add(count, c[j], V[j] + from, x + from);
    });
}

// Makes V_i . C V_j = 1 or 0 with x as the next V, by Gram and Schmidt. What is left of x, by length, as a share of what it was
// is returned; where that is below kAgain rounding shows, and it is done twice ("twice is enough"). 0: nothing is left.
inline double orthonormalise(const Fields& V, std::size_t n, const double* C, double* x, Team& team) {
    constexpr double kAgain = 0.1;
    const std::size_t m = V.size();
    std::vector<double> part((n + kPiece - 1) / kPiece * (m + 1)), c(m + 1);
    double share = 1.0;
    for (int time = 0; time < 3; ++time) {
        detail::pieces(n, team, [&](std::size_t p, std::size_t from, std::size_t count) {
            double heat[kPiece];
            detail::times(count, C + from, x + from, heat);
            for (std::size_t j = 0; j < m; ++j) part[p * (m + 1) + j] = detail::dot(count, V[j] + from, heat);
            part[p * (m + 1) + m] = detail::dot(count, x + from, heat);
        });
        std::fill(c.begin(), c.end(), 0.0);
        for (std::size_t at = 0; at < part.size(); ++at) c[at % (m + 1)] += part[at];
        double inside = 0.0;
        for (std::size_t j = 0; j < m; ++j) inside += c[j] * c[j];
        const double left = c[m] - inside;  // squares of lengths
        if (!(c[m] > 0.0)) return 0.0;
        const bool enough = left > kAgain * kAgain * c[m] || time == 2;
        share *= std::sqrt(std::max(left, 0.0) / c[m]);
        const double scale = enough ? 1.0 / std::sqrt(std::max(left, 0.0)) : 1.0;
        if (!std::isfinite(scale)) return 0.0;
        detail::pieces(n, team, [&](std::size_t, std::size_t from, std::size_t count) {
            for (std::size_t j = 0; j < m; ++j) detail::add(count, -c[j], V[j] + from, x + from);
            for (std::size_t i = from; i < from + count; ++i) x[i] *= scale;
        });
        if (enough) return share;
    }
    return share;
}

// The largest of sum over j of c[j][k] V_j, for each output k, among the cells of each block: block b has the cells
// order[start[b]] .. order[start[b + 1] - 1]. Cells that stand near each other there are looked at in groups: a group whose
// bound is below what was already found is passed over. value and cell are [block][output].
inline void hottest(const Fields& V, std::size_t n_output, const double* c, const std::vector<std::int64_t>& order,
                    const std::vector<std::int64_t>& start, double* value, std::int64_t* cell, Team& team) {
    const std::size_t m = V.size(), n_block = start.size() - 1;
    std::fill_n(value, n_block * n_output, -std::numeric_limits<double>::infinity());
    std::fill_n(cell, n_block * n_output, std::int64_t(-1));
    struct Group {
        const std::int64_t* cells;
        std::size_t count;
        double score;
    };
    const auto gather = [&](const Group& g, double* v, double* low, double* high) {  // the last cell fills the group up
        for (std::size_t j = 0; j < m; ++j) {
            double* row = v + j * kGroup;
            for (std::size_t i = 0; i < kGroup; ++i) row[i] = V[j][g.cells[std::min(i, g.count - 1)]];
            low[j] = *std::min_element(row, row + kGroup);
            high[j] = *std::max_element(row, row + kGroup);
        }
    };
    const std::size_t worker_size = m * (kGroup + 2) + kOutputs;
    std::vector<double> work(worker_size * static_cast<std::size_t>(team.threads()));
    const std::size_t n_chunk = (n_output + kOutputs - 1) / kOutputs;
    for (std::size_t b = 0; b < n_block; ++b) {
        std::vector<Group> groups;
        for (std::int64_t at = start[b]; at < start[b + 1]; at += kGroup)
            groups.push_back({order.data() + at, static_cast<std::size_t>(std::min<std::int64_t>(kGroup, start[b + 1] - at)), 0.0});
        const bool small = groups.size() * kGroup * (n_output + m) < 4 * kSmall;
        const auto count = static_cast<int>(groups.size());
        // First the groups that promise most on average over the outputs: afterwards little else has to be looked at.
        std::vector<double> cold(groups.size() * m * 2);
        team.run(count, small, [&](int at, int worker) {
            double* v = work.data() + worker_size * static_cast<std::size_t>(worker);
            double *low = &cold[static_cast<std::size_t>(at) * 2 * m], *high = low + m;
            Group& g = groups[static_cast<std::size_t>(at)];
            gather(g, v, low, high);
            double* bound = v + m * (kGroup + 2);
            for (std::size_t chunk = 0; chunk < n_chunk; chunk += 4) {  // every fourth chunk says enough
                const std::size_t from = chunk * kOutputs, width = std::min(kOutputs, n_output - from);
                detail::bounds(width, m, c + from, n_output, low, high, bound);
                for (std::size_t k = 0; k < width; ++k) g.score += bound[k];
            }
        });
        std::vector<std::size_t> by_score(groups.size());
        for (std::size_t i = 0; i < by_score.size(); ++i) by_score[i] = i;
        std::stable_sort(by_score.begin(), by_score.end(), [&](std::size_t i, std::size_t j) { return groups[i].score > groups[j].score; });
        team.run(static_cast<int>(n_chunk), small, [&](int chunk, int worker) {
            const std::size_t from = static_cast<std::size_t>(chunk) * kOutputs, width = std::min(kOutputs, n_output - from);
            double* v = work.data() + worker_size * static_cast<std::size_t>(worker);
            double *spare = v + m * kGroup, *bound = v + m * (kGroup + 2), *best = value + b * n_output + from;
            std::int64_t* where = cell + b * n_output + from;
            for (std::size_t at : by_score) {
                const Group& g = groups[at];
                const double *low = &cold[at * 2 * m], *high = low + m;
                detail::bounds(width, m, c + from, n_output, low, high, bound);
                bool gathered = false;
                for (std::size_t k = 0; k < width; ++k) {
                    if (!(bound[k] > best[k])) continue;
                    if (!gathered) gather(g, v, spare, spare + m);
                    gathered = true;
                    double x[kGroup];
                    detail::group(m, v, c + from + k, n_output, x);
                    for (std::size_t i = 0; i < g.count; ++i)
                        if (x[i] > best[k]) {
                            best[k] = x[i];
                            where[k] = g.cells[i];
                        }
                }
            }
        });
    }
}

}  // namespace thermo::subspace
