# The training rows that a seed draws, computed apart: ChaCha8 (8 rounds, zero nonce), Lemire's bounded draw, Fisher-Yates from the end.
import struct
def rot(x, n): return ((x << n) | (x >> (32 - n))) & 0xffffffff
def block(key, counter):
    s = list(struct.unpack("<4I", b"expand 32-byte k") + struct.unpack("<8I", key)) + [counter, 0, 0, 0]
    w = s[:]
    def q(a, b, c, d):
        for x, y, z, n in ((a, b, d, 16), (c, d, b, 12), (a, b, d, 8), (c, d, b, 7)):
            w[x] = (w[x] + w[y]) & 0xffffffff; w[z] = rot(w[z] ^ w[x], n)
    for _ in range(4):
        for i in range(4): q(i, 4 + i, 8 + i, 12 + i)
        for i in range(4): q(i, 4 + (i + 1) % 4, 8 + (i + 2) % 4, 12 + (i + 3) % 4)
    return [(a + b) & 0xffffffff for a, b in zip(w, s)]
def words(key):
    for c in range(1 << 20): yield from block(key, c)
def permutation(n, seed, purpose):
    w = words(struct.pack("<Q", seed) + purpose + bytes(16)); order = list(range(n))
    for last in range(n - 1, 0, -1):
        bound = last + 1
        while True:
            m = (next(w) | next(w) << 32) * bound
            if m % 2**64 >= (2**64 - bound) % bound: break
        other = m >> 64; order[last], order[other] = order[other], order[last]
    return order
print(permutation(300, 7, b"train   ")[:6])
