"""Twin of `thermo._kernels.conduction`: the same cells as a sparse matrix, written face by face and solved directly."""
import numpy as np
import scipy.sparse as sparse
from scipy.sparse.linalg import spsolve


def matrix(dx, dy, dz, material, conductivity, contact, film):
    """K [W/K] and the films' conductances [W/K] as (cell, face place, G) of each face, in SciPy's own formats."""
    nz, ny, nx = material.shape
    cell = np.arange(material.size).reshape(material.shape)
    size = {2: dx[None, None, :], 1: dy[None, :, None], 0: dz[:, None, None]}  # by axis of the arrays
    volume = np.broadcast_to(dx[None, None, :] * dy[None, :, None] * dz[:, None, None], material.shape)
    rows, columns, values = [], [], []
    with np.errstate(divide="ignore"):
        for axis, k_axis in ((2, 0), (1, 1), (0, 2)):
            d = np.broadcast_to(size[axis], material.shape)
            half, area = d / (2 * conductivity[material, k_axis]), volume / d
            low = [slice(None)] * 3
            high = [slice(None)] * 3
            low[axis], high[axis] = slice(None, -1), slice(1, None)
            low, high = tuple(low), tuple(high)
            between = contact[:, None, None] if axis == 0 else 0.0
            G = (area[low] / (half[low] + between + half[high])).ravel()
            a, b = cell[low].ravel(), cell[high].ravel()
            rows += [a, b, a, b]
            columns += [a, b, b, a]
            values += [G, G, -G, -G]
        faces = []
        for face, (axis, k_axis, end) in enumerate(((2, 0, 0), (2, 0, -1), (1, 1, 0), (1, 1, -1), (0, 2, 0), (0, 2, -1))):
            d = np.take(np.broadcast_to(size[axis], material.shape), end, axis=axis)
            area = np.take(volume, end, axis=axis) / d
            k = conductivity[np.take(material, end, axis=axis), k_axis]
            G = area / (1 / film[face] + d / (2 * k))
            at = np.take(cell, end, axis=axis)
            faces.append((at, G))
            rows.append(at.ravel())
            columns.append(at.ravel())
            values.append(G.ravel())
    K = sparse.coo_matrix((np.concatenate(values), (np.concatenate(rows), np.concatenate(columns))), shape=(material.size,) * 2)
    return K.tocsr(), faces


def steady(dx, dy, dz, material, conductivity, contact, film, power, film_temperature):
    """Temperatures [nz, ny, nx] by a sparse direct solve; NaN in voids."""
    K, faces = matrix(dx, dy, dz, material, conductivity, contact, film)
    q = power.astype(float).ravel().copy()
    for (at, G), T_film in zip(faces, film_temperature, strict=True):
        np.add.at(q, at.ravel(), (G * T_film).ravel())
    solid = np.flatnonzero(material.ravel() > 0)
    T = np.full(material.size, np.nan)
    T[solid] = spsolve(K[solid][:, solid].tocsc(), q[solid])
    return T.reshape(material.shape)
