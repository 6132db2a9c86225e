"""Twin of `thermo._kernels.conduction`: the same cells and coolant as one sparse matrix, written face by face, solved directly."""
import numpy as np
import scipy.sparse as sparse
from scipy.sparse.linalg import spsolve

FACES = ((2, 0, 0), (2, 0, -1), (1, 1, 0), (1, 1, -1), (0, 2, 0), (0, 2, -1))  # axis of the arrays, of k, end


class Entries:
    """Rows, columns and values of a matrix under construction."""

    def __init__(self):
        self.parts = []

    def add(self, row, column, value):
        self.parts.append([np.ravel(a) for a in np.broadcast_arrays(row, column, value)])

    def matrix(self, n):
        row, column, value = (np.concatenate(a) for a in zip(*self.parts, strict=True))
        return sparse.coo_matrix((value, (row, column)), shape=(n, n)).tocsr()


def solid(dx, dy, dz, material, conductivity, contact, film):
    """Entries of K [W/K], and of each face its cells and the conductances of its films."""
    cell = np.arange(material.size).reshape(material.shape)
    size = {2: dx[None, None, :], 1: dy[None, :, None], 0: dz[:, None, None]}
    volume = np.broadcast_to(size[0] * size[1] * size[2], material.shape)
    K, faces = Entries(), []
    with np.errstate(divide="ignore"):
        for axis, k_axis in ((2, 0), (1, 1), (0, 2)):
            d = np.broadcast_to(size[axis], material.shape)
            half, area = d / (2 * conductivity[material, k_axis]), volume / d
            low = tuple(slice(None, -1) if a == axis else slice(None) for a in range(3))
            high = tuple(slice(1, None) if a == axis else slice(None) for a in range(3))
            G = area[low] / (half[low] + (contact[:, None, None] if axis == 0 else 0.0) + half[high])
            for a, b in ((cell[low], cell[high]), (cell[high], cell[low])):
                K.add(a, a, G)
                K.add(a, b, -G)
        for (axis, k_axis, end), h in zip(FACES, film, strict=True):
            d = np.take(np.broadcast_to(size[axis], material.shape), end, axis=axis)
            k = conductivity[np.take(material, end, axis=axis), k_axis]
            at, G = np.take(cell, end, axis=axis), np.take(volume, end, axis=axis) / d / (1 / h + d / (2 * k))
            K.add(at, at, G)
            faces.append((at, G))
    return K, faces


def matrix(*description):
    """K [W/K] of cells without coolant."""
    K, _ = solid(*description)
    return K.matrix(description[3].size)


def steady(dx, dy, dz, material, conductivity, contact, film, power, film_temperature, channels=None, inlet=None):
    """Temperatures [nz, ny, nx] (NaN in voids), the coolant's means [channel, station] and outlets [channel]."""
    K, faces = solid(dx, dy, dz, material, conductivity, contact, film)
    q = [power.astype(float).ravel().copy()]
    for (at, G), T_film in zip(faces, film_temperature, strict=True):
        np.add.at(q[0], at.ravel(), (G * T_film).ravel())
    n = material.size
    mean, leaves = [], []
    if channels is not None:  # two more unknowns a station: what the walls see, and what goes on to the next station
        axis, boxes, h, w, _ = channels
        for c, (l0, l1, k0, k1) in enumerate(boxes):
            n_station = h.shape[1]
            order = range(n_station) if w[c] > 0 else range(n_station - 1, -1, -1)
            before = None
            mean.append(n + np.arange(n_station))
            leaves.append(n + n_station + np.arange(n_station))
            extra = np.zeros(2 * n_station)
            for s in order:
                walls = []
                for k in range(k0, k1):
                    walls += [(m, k, True) for m in (l0 - 1, l1)]
                for m in range(l0, l1):
                    walls += [(m, k, False) for k in (k0 - 1, k1)]
                wet = []
                for m, k, side in walls:
                    i, j = (s, m) if axis == 0 else (m, s)
                    if not (0 <= i < dx.size and 0 <= j < dy.size and 0 <= k < dz.size) or material[k, j, i] == 0 or h[c, s] == 0:
                        continue
                    along, across = (dx[s], dy[m]) if axis == 0 else (dy[s], dx[m])
                    d, width = (across, dz[k]) if side else (dz[k], across)
                    conducts = conductivity[material[k, j, i], (1 - axis) if side else 2]
                    wet.append(((k * dy.size + j) * dx.size + i, along * width / (1 / h[c, s] + d / (2 * conducts))))
                G = sum(g for _, g in wet)
                N = G / abs(w[c])
                kept, seen = np.exp(-N), -np.expm1(-N) / N if N > 0 else 1.0
                for row, share in ((mean[c][s], seen), (leaves[c][s], kept)):
                    K.add(row, row, 1.0)
                    for at, g in wet:
                        K.add(row, at, -(1 - share) * g / G)
                    if before is None:
                        extra[row - n] = share * inlet[c]
                    else:
                        K.add(row, before, -share)
                for at, g in wet:
                    K.add(at, at, g)
                    K.add(at, mean[c][s], -g)
                before = leaves[c][s]
            leaves[c] = before
            q.append(extra)
            n += 2 * n_station
    q = np.concatenate(q)
    known = np.concatenate([material.ravel() > 0, np.ones(n - material.size, bool)])
    T = np.full(n, np.nan)
    T[known] = spsolve(K.matrix(n)[known][:, known].tocsc(), q[known])
    return T[: material.size].reshape(material.shape), np.array([T[m] for m in mean]), np.array([T[o] for o in leaves])
