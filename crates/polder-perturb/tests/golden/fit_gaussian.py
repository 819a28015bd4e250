"""Fits the polynomials of the Gaussian map (DIRECTIONS.md) and prints them as exact f32 hex floats.

Needs numpy and scipy. Minimax fits by Lawson's reweighting on Chebyshev nodes, in double precision; the coefficients are
rounded to f32 one at a time from the lowest, each time fitting the rest again.
"""

import numpy as np
from scipy.special import erfcinv


def lawson(basis, target, weight, rounds=3000):
    """Coefficients c that make max |weight * (basis @ c - target)| small."""
    w = np.full(len(target), 1.0 / len(target))
    a, b = basis * weight[:, None], target * weight
    scale = np.abs(a).max(axis=0)
    best, best_err = None, np.inf
    for _ in range(rounds):
        root = np.sqrt(w)[:, None]
        c = np.linalg.lstsq(a / scale * root, b * root[:, 0], rcond=None)[0] / scale
        err = np.abs(a @ c - b)
        if err.max() < best_err:
            best, best_err = c, err.max()
        w = w * (err + 1e-18)
        w /= w.sum()
    return best, best_err


def fit(u, target, weight, degree):
    """A polynomial in u with f32 coefficients, lowest first."""
    powers = np.stack([u**k for k in range(degree + 1)], axis=1)
    fixed = []
    for k in range(degree + 1):
        rest = target - sum((c * powers[:, j] for j, c in enumerate(fixed)), np.zeros_like(target))
        c, err = lawson(powers[:, k:], rest, weight, 400 if k else 2000)
        if k == 0:
            print(f"  # unrounded minimax error {err:.3g}")
        fixed.append(float(np.float32(c[0])))
    return fixed


def nodes(lo, hi, n):
    k = np.arange(n)
    return (lo + hi) / 2 + (hi - lo) / 2 * np.cos(np.pi * (k + 0.5) / n)


def z_over_x(l):
    """sqrt(2)·erfinv(x)/x at −ln(1 − x²) = l."""
    x = np.sqrt(-np.expm1(-l))
    t = np.exp(-l) / (1 + x)  # 1 − x without cancellation
    return np.sqrt(2) * erfcinv(t) / x


def central(threshold, degree):
    l = nodes(0.0, threshold, 600)
    l = np.maximum(l, 1e-7)
    y = z_over_x(l)
    return fit(l, y, 1 / y, degree)


def tail(threshold, degree):
    s = nodes(np.sqrt(threshold) * 0.999, np.sqrt(31 * np.log(2)) * 1.001, 600)
    y = z_over_x(s * s)
    return fit(s - 3.5, y, 1 / y, degree)


def log_mantissa(degree):
    f = nodes(2 / 3 - 1, 4 / 3 - 1, 400)
    return fit(f, -np.log1p(f), np.ones_like(f), degree)


def show(name, coefficients):
    print(name)
    for c in coefficients:
        print(f"  {float(c).hex():>24}  {c!r}  0x{np.float32(c).view(np.uint32):08x}")


if __name__ == "__main__":
    import sys

    if len(sys.argv) > 1:
        for th in (5.0, 5.5, 6.25, 7.0):
            for d in (5, 6, 7, 8, 9):
                print(th, d); central(th, d)
        for d in (3,4, 5, 6, 7):
            print("tail", d); tail(6.25, d)
        for d in (5, 6, 7):
            print("ln", d); log_mantissa(d)
        raise SystemExit
    show("LN", log_mantissa(6))
    show("CENTRAL", central(6.25, 7))
    show("TAIL", tail(6.25, 7))
