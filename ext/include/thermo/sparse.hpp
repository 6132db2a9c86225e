// Sparse LU of one pattern for many servers side by side, bordered by nodes that all servers share.
//
//     [ A_v   F_v ] [x_v]   [r_v]        one A_v for each server v, all of one pattern: one symbolic elimination
//     [ E_v    D  ] [ z ] = [ s ]        D: shared nodes, closed by the Schur complement D - sum_v E_v A_v^-1 F_v
//
// A thermal network's matrix is an M-matrix, so no pivoting. Minimum degree; a tree gives no fill.
#pragma once
#include <algorithm>
#include <cstddef>
#include <vector>

#include "thermo/lanes.hpp"

namespace thermo {

class BorderedLU {
  public:
    struct BorderEntry {
        int row, column;  // of the border
        std::size_t at;
    };
    // `pattern`: (row, column) of the off-diagonal entries among n local nodes (0..n-1) and n_border shared nodes
    // (n..n+n_border-1); the pattern is made symmetric. Nodes that are `late` are eliminated after the others, so that what
    // moves their rows alone leaves the factors of the others.
    BorderedLU(int n_local, int n_border, const std::vector<std::pair<int, int>>& pattern, const std::vector<char>& late = {})
        : n(n_local), nb(n_border), n_late(static_cast<int>(std::count(late.begin(), late.end(), 1))) {
        order_nodes(pattern, late);
    }

    std::size_t entries() const { return columns.size(); }
    // Where entry (row, column), in the caller's numbering, stands among the values of a server.
    std::size_t entry(int row, int column) const {
        const int r = place[static_cast<std::size_t>(row)], c = place[static_cast<std::size_t>(column)];
        const auto b = columns.begin() + static_cast<std::ptrdiff_t>(start[r]), e = columns.begin() + static_cast<std::ptrdiff_t>(start[r + 1]);
        return static_cast<std::size_t>(std::lower_bound(b, e, c) - columns.begin());
    }
    int position(int node) const { return place[static_cast<std::size_t>(node)]; }

    // In place LU of values[entry][kWidth]; the border's rows end as their Schur contributions.
    THERMO_CLONES void factor(double* values, double* work) const {
        constexpr int W = kWidth;
        const int N = n + nb;
        for (int i = 0; i < N; ++i) {
            const std::size_t b = start[i], e = start[i + 1];
            for (std::size_t p = b; p < e; ++p)
                for (int w = 0; w < W; ++w) work[static_cast<std::size_t>(columns[p]) * W + w] = values[p * W + w];
            for (std::size_t p = b; p < e && columns[p] < std::min(i, n); ++p) {
                const int k = columns[p];
                double l[W];
                double* x = work + static_cast<std::size_t>(k) * W;
                const double* pivot = values + diagonal[k] * W;  // holds the inverse
                for (int w = 0; w < W; ++w) l[w] = x[w] * pivot[w], x[w] = l[w];
                for (std::size_t q = diagonal[k] + 1; q < start[k + 1]; ++q) {
                    double* to = work + static_cast<std::size_t>(columns[q]) * W;
                    for (int w = 0; w < W; ++w) to[w] -= l[w] * values[q * W + w];
                }
            }
            for (std::size_t p = b; p < e; ++p)
                for (int w = 0; w < W; ++w) values[p * W + w] = work[static_cast<std::size_t>(columns[p]) * W + w];
            if (i < n)
                for (int w = 0; w < W; ++w) values[diagonal[i] * W + w] = 1.0 / values[diagonal[i] * W + w];
        }
    }
    // Forward substitution of right-hand sides x[position][kWidth]; the border's rows end as what they give the border.
    THERMO_CLONES void forward(const double* values, double* x) const {
        constexpr int W = kWidth;
        for (int i = 0; i < n + nb; ++i) {
            double sum[W];
            double* own = x + static_cast<std::size_t>(i) * W;
            for (int w = 0; w < W; ++w) sum[w] = own[w];
            for (std::size_t p = start[i]; p < start[i + 1] && columns[p] < std::min(i, n); ++p)
                for (int w = 0; w < W; ++w) sum[w] -= values[p * W + w] * x[static_cast<std::size_t>(columns[p]) * W + w];
            for (int w = 0; w < W; ++w) own[w] = sum[w];
        }
    }
    // Back substitution; the border's values are in x[n..][kWidth] already.
    THERMO_CLONES void backward(const double* values, double* x) const {
        constexpr int W = kWidth;
        for (int i = n - 1; i >= 0; --i) {
            double sum[W];
            double* own = x + static_cast<std::size_t>(i) * W;
            for (int w = 0; w < W; ++w) sum[w] = own[w];
            for (std::size_t p = diagonal[i] + 1; p < start[i + 1]; ++p)
                for (int w = 0; w < W; ++w) sum[w] -= values[p * W + w] * x[static_cast<std::size_t>(columns[p]) * W + w];
            for (int w = 0; w < W; ++w) own[w] = sum[w] * values[diagonal[i] * W + w];
        }
    }
    // y = values x, with values not factored. Border rows end as this server's part.
    THERMO_CLONES void multiply(const double* values, const double* x, double* y) const {
        constexpr int W = kWidth;
        for (int i = 0; i < n + nb; ++i) {
            double sum[W];
            for (int w = 0; w < W; ++w) sum[w] = 0;
            for (std::size_t p = start[i]; p < start[i + 1]; ++p)
                for (int w = 0; w < W; ++w) sum[w] += values[p * W + w] * x[static_cast<std::size_t>(columns[p]) * W + w];
            for (int w = 0; w < W; ++w) y[static_cast<std::size_t>(i) * W + w] = sum[w];
        }
    }
    // The entries among border rows and columns: Schur contributions after `factor`.
    const std::vector<BorderEntry>& border_entries() const { return of_border; }
    std::size_t border_diagonal(int b) const { return diagonal[static_cast<std::size_t>(n + b)]; }
    int n_local() const { return n; }
    int n_border() const { return nb; }
    int first_late() const { return n - n_late; }  // position
    // The pattern of L + U by position: columns[start[i]..start[i + 1]) of row i rise, below[i] is where those of L end.
    const std::vector<std::size_t>& row_starts() const { return start; }
    const std::vector<std::size_t>& row_diagonals() const { return diagonal; }
    const std::vector<std::size_t>& lower_ends() const { return below; }
    const std::vector<int>& row_columns() const { return columns; }

  private:
    int n, nb, n_late;
    std::vector<int> place;  // node -> position; the border stays last, in its order
    std::vector<std::size_t> start, diagonal, below;
    std::vector<int> columns;
    std::vector<BorderEntry> of_border;

    void order_nodes(const std::vector<std::pair<int, int>>& pattern, const std::vector<char>& late) {
        const int N = n + nb;
        std::vector<std::vector<char>> linked(N, std::vector<char>(N, 0));
        for (const auto& [r, c] : pattern)
            if (r != c) linked[r][c] = linked[c][r] = 1;
        place.assign(N, -1);
        std::vector<std::vector<int>> rows(N);  // pattern of L+U by position, in node numbers at first
        std::vector<int> node_at(N);
        auto live = linked;
        for (int step = 0; step < n; ++step) {
            int best = -1, degree = 2 * N + 2;
            for (int i = 0; i < n; ++i) {
                if (place[i] >= 0) continue;
                int d = late.empty() || !late[static_cast<std::size_t>(i)] ? 0 : N + 1;
                for (int j = 0; j < N; ++j) d += (j >= n || place[j] < 0) && j != i && live[i][j];
                if (d < degree) degree = d, best = i;
            }
            place[best] = step;
            node_at[step] = best;
            std::vector<int> around;
            for (int j = 0; j < N; ++j)
                if ((j >= n || place[j] < 0) && j != best && live[best][j]) around.push_back(j);
            for (int a : around)
                for (int b : around) live[a][b] = 1;  // fill
        }
        for (int b = 0; b < nb; ++b) place[n + b] = n + b, node_at[n + b] = n + b;
        for (int r = 0; r < N; ++r)
            for (int c = 0; c < N; ++c)
                if (r == c || live[r][c]) rows[place[r]].push_back(place[c]);
        start.assign(1, 0);
        diagonal.resize(N);
        for (int i = 0; i < N; ++i) {
            std::sort(rows[i].begin(), rows[i].end());
            for (int c : rows[i]) {
                if (c == i) diagonal[i] = columns.size();
                columns.push_back(c);
            }
            start.push_back(columns.size());
            below.push_back(start[static_cast<std::size_t>(i)]);
            while (below.back() < columns.size() && columns[below.back()] < std::min(i, n)) ++below.back();
        }
        for (int b = 0; b < nb; ++b)
            for (std::size_t e = start[static_cast<std::size_t>(n + b)]; e < start[static_cast<std::size_t>(n + b) + 1]; ++e)
                if (columns[e] >= n) of_border.push_back({b, columns[e] - n, e});
    }
};

// LU of a small dense matrix without pivoting, and its solve. Row-major, in place.
inline void dense_factor(double* A, int n) noexcept {
    for (int k = 0; k < n; ++k)
        for (int i = k + 1; i < n; ++i) {
            const double l = A[i * n + k] /= A[k * n + k];
            if (l != 0)
                for (int j = k + 1; j < n; ++j) A[i * n + j] -= l * A[k * n + j];
        }
}
inline void dense_solve(const double* A, int n, double* x) noexcept {
    for (int i = 0; i < n; ++i)
        for (int j = 0; j < i; ++j) x[i] -= A[i * n + j] * x[j];
    for (int i = n - 1; i >= 0; --i) {
        for (int j = i + 1; j < n; ++j) x[i] -= A[i * n + j] * x[j];
        x[i] /= A[i * n + i];
    }
}

}  // namespace thermo
