"""Makes directions.txt: numbers of DIRECTIONS.md, by exact rational arithmetic and nothing but the standard library.

    python3 make_directions.py > directions.txt

Every f32 operation is done on fractions and rounded once, so this program shares no arithmetic with the crate. The
constants are those that fit_gaussian.py prints.
"""

import struct
from fractions import Fraction as F
from math import isqrt

LN = [0x3E4FB556, 0xBE6CC5BC, 0x3E7CE212, 0xBEA9BE7A, 0x3F000575, 0xBF8000D6, 0xB4C98BAA]
CENTRAL = [0x34F7247A, 0xB7510D63, 0x38FCEE48, 0xB99541A1, 0xBB51C624, 0x3C857321, 0x3EA7FF6F, 0x3FA06C9D]
TAIL = [0xB98E9157, 0x3A4BEC66, 0xBA858F01, 0x3ABD931F, 0xBB3E1918, 0x3B988BE6, 0x3FB65A6B, 0x4096F263]
MINUS_LN2 = 0xB3B17218


def value(bits):
    return F(struct.unpack("<f", struct.pack("<I", bits))[0])


def rounded(x):
    """The f32 nearest to a fraction, ties to even; normal range only."""
    if x == 0:
        return F(0)
    sign, x = (-1 if x < 0 else 1), abs(x)
    e = x.numerator.bit_length() - x.denominator.bit_length()
    if F(2) ** e > x:
        e -= 1
    assert -126 <= e <= 127
    unit = F(2) ** (e - 23)
    q, r = divmod(x, unit)
    q = int(q)
    if 2 * r > unit or (2 * r == unit and q % 2):
        q += 1
    return sign * q * unit


def bits_of(x):
    return struct.unpack("<I", struct.pack("<f", float(x)))[0]


def root(x):
    """The f32 nearest to the root: one of the two beside its floor at 60 bits (a root is never a tie)."""
    scaled = isqrt(int(x * F(2) ** 120))
    return rounded(F(2 * scaled + 1, 2 * 2**60))


def horner(coefficients, at):
    total = value(coefficients[0])
    for c in coefficients[1:]:
        total = rounded(total * at + value(c))
    return total


def gaussian(word):
    m = rounded(F(word & 0x7FFFFFFF))
    t = rounded(m * F(1, 2**31) + F(1, 2**32))
    x = rounded(1 - t)
    v = bits_of(rounded(t * rounded(2 - t)))
    e = (v - 0x3F2AAAAB) & 0xFFFFFFFF & 0xFF800000
    f = rounded(value((v - e) & 0xFFFFFFFF) - 1)
    signed = e - 2**32 if e >= 2**31 else e
    l = rounded(F(signed) * value(MINUS_LN2) + horner(LN, f))
    ratio = horner(CENTRAL, l) if l < F(25, 4) else horner(TAIL, rounded(root(l) - F(7, 2)))
    return bits_of(rounded(x * ratio)) ^ (word & 0x80000000)


def philox(c, k):
    for _ in range(10):
        p0, p1 = 0xD2511F53 * c[0], 0xCD9E8D57 * c[2]
        c = [p1 >> 32 ^ c[1] ^ k[0], p1 & 0xFFFFFFFF, p0 >> 32 ^ c[3] ^ k[1], p0 & 0xFFFFFFFF]
        k = [(k[0] + 0x9E3779B9) & 0xFFFFFFFF, (k[1] + 0xBB67AE85) & 0xFFFFFFFF]
    return c


def words(seed, domain, block, key):
    counter = [block & 0xFFFFFFFF, (block >> 32) & 0xFFFFFF | domain << 24, key & 0xFFFFFFFF, key >> 32]
    return philox(counter, [seed & 0xFFFFFFFF, seed >> 32])


def param_key(name):
    mask, h = 2**64 - 1, 0xCBF29CE484222325
    for byte in name.encode():
        h = (h ^ byte) * 0x100000001B3 & mask
    h = (h ^ h >> 30) * 0xBF58476D1CE4E5B9 & mask
    h = (h ^ h >> 27) * 0x94D049BB133111EB & mask
    return h ^ h >> 31


def element(law, seed, key, e):
    if law == "gaussian":
        return gaussian(words(seed, 0, e // 64 * 16 + e % 16, key)[e % 64 // 16])
    bit = words(seed, 1, e // 128, key)[e % 128 // 32] >> (e % 32) & 1
    return 0xBF800000 if bit else 0x3F800000


def random16(seed, key, e):
    return words(seed, 2, e // 128 * 16 + e % 32 // 2, key)[e % 128 // 32] >> (e % 2 * 16) & 0xFFFF


def derive(seed, step, index):
    w = words(seed, 3, step, index)
    return w[0] | w[1] << 32


def main():
    assert philox([0] * 4, [0, 0]) == [0x6627E8D5, 0xE169C58D, 0xBC57AC4C, 0x9B00DBD8]
    names = ["lm_head.weight", "model.layers.0.self_attn.q_proj.weight", "θ"]
    for name in names:
        print(f"key {name} {param_key(name):016x}")
    for step, index in [(0, 0), (1, 0), (0, 1), (2**40 + 3, 2**33 + 1)]:
        print(f"derive {0x1234567890ABCDEF:016x} {step} {index} {derive(0x1234567890ABCDEF, step, index):016x}")
    edges = [0, 1, 2, 3, 0x7F, 0x80, 0x81, 0x3FFF, 0xFFFF, 0x200000, 0x1FCE00, 0x1FD000, 0x1FD200, 0x3FFFFFFF, 0x40000000,
             0x7FFFFF3F, 0x7FFFFF40, 0x7FFFFFBF, 0x7FFFFFC0, 0x7FFFFFFF]
    edges += [k * 0x01234567 & 0x7FFFFFFF for k in range(1, 200)] + [k * 0x2345 for k in range(1, 200)]
    for word in edges:
        for sign in (0, 0x80000000):
            print(f"word {word | sign:08x} {gaussian(word | sign):08x}")
    for seed in (0, 0x1234567890ABCDEF):
        for name in names:
            for start, n in ((0, 130), (2**36 + 61, 70)):
                for law in ("gaussian", "rademacher"):
                    row = " ".join(f"{element(law, seed, param_key(name), start + i):08x}" for i in range(n))
                    print(f"{law} {seed:016x} {name} {start} {row}")
                row = " ".join(f"{random16(seed, param_key(name), start + i):04x}" for i in range(n))
                print(f"bits {seed:016x} {name} {start} {row}")


main()
