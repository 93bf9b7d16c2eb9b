"""KL-Shampoo and KL-SOAP for one parameter: vectors in columns, sorted, and no slots."""

import numpy as np


def kl_in_numpy(
    p, gradients, f, *, soap, lr=1e-2, b1=0.9, b2=0.95, s=0.97, eps=1e-8, wd=0.1, axes=()
):
    """All iterates, the first call's included.

    Args:
        p: the parameter.
        gradients: one a call.
        f: calls between refreshes.
        soap: whether the step is Adam's in the bases; else the momentum over the fitted roots.
        axes: those with a factor.
    """

    def into(x):
        for k in axes:
            x = np.moveaxis(np.tensordot(x, q[k], axes=(k, 0)), -1, k)
        return x

    def out(x):
        for k in axes:
            x = np.moveaxis(np.tensordot(x, q[k], axes=(k, 1)), -1, k)
        return x

    def matrix(g, k, inverses):
        """G_(k) (kron of the other axes' inverses) G_(k)^T over their size."""
        unfolded = np.moveaxis(g, k, 0).reshape(g.shape[k], -1)
        weight = np.eye(1)
        for j, d in enumerate(g.shape):
            if j != k:
                weight = np.kron(weight, inverses.get(j, np.eye(d)))
        return unfolded @ weight @ unfolded.T / unfolded.shape[1]

    start = np.mean(gradients[0] ** 2) ** (1 / len(axes)) if axes else 0.0
    values = {k: np.full(p.shape[k], start) for k in axes}
    inverses = {k: np.eye(p.shape[k]) / start for k in axes}
    factors = {k: (1 - s) * matrix(gradients[0], k, inverses) for k in axes}
    q = {k: np.linalg.eigh(factors[k])[1][:, ::-1] for k in axes}
    p, momentum, second = p.copy(), np.zeros_like(p), np.zeros_like(p)  # momentum: not rotated
    trajectory = [p.copy()]
    for t, g in enumerate(gradients[1:], start=1):
        inverses = {k: q[k] @ np.diag(1 / values[k]) @ q[k].T for k in axes}
        fresh = {k: matrix(g, k, inverses) for k in axes}
        for k in axes:
            factors[k] = s * factors[k] + (1 - s) * fresh[k]
            values[k] = s * values[k] + (1 - s) * np.diag(q[k].T @ fresh[k] @ q[k])
        momentum = b1 * momentum + (1 - b1) * g
        second = b2 * second + (1 - b2) * into(g) ** 2
        if soap or not axes:
            step = np.sqrt(1 - b2**t) / (1 - b1**t) * into(momentum) / (np.sqrt(second) + eps)
        else:
            root = np.ones(())
            for k in range(p.ndim):
                root = np.multiply.outer(root, np.sqrt(values.get(k, np.ones(p.shape[k]))))
            step = into(momentum) / (root + eps)
        p = (p - lr * out(step)) * (1 - lr * wd)
        for k in axes:
            if t % f == 0:
                order = np.argsort(-np.diag(q[k].T @ factors[k] @ q[k]))
                second = np.take(second, order, axis=k)
                values[k] = values[k][order]
                q[k] = np.linalg.qr(factors[k] @ q[k][:, order])[0]
        trajectory.append(p.copy())
    return np.stack(trajectory)
