"""The order in which `polder train` takes a training file's rows, computed apart: PyTorch then runs the same batches.

polder draws its training rows by a permutation of the file under `task.seed` and takes each epoch's batches from a
permutation of those under `seed`: Fisher and Yates from the end, with numbers of ChaCha8 (8 rounds, nonce zero).
"""

import struct

WORD = 2**32 - 1
QUARTERS = [(i, 4 + i, 8 + i, 12 + i) for i in range(4)]
DIAGONALS = [(i, 4 + (i + 1) % 4, 8 + (i + 2) % 4, 12 + (i + 3) % 4) for i in range(4)]


def rotated(x, bits):
    return (x << bits | x >> (32 - bits)) & WORD


def chacha8(key):
    """The stream's 64-bit numbers."""
    for counter in range(2**32):
        start = [*struct.unpack("<4I", b"expand 32-byte k"), *struct.unpack("<8I", key), counter, 0, 0, 0]
        state = start[:]
        for a, b, c, d in 4 * (QUARTERS + DIAGONALS):
            for into, other, turned, bits in [(a, b, d, 16), (c, d, b, 12), (a, b, d, 8), (c, d, b, 7)]:
                state[into] = (state[into] + state[other]) & WORD
                state[turned] = rotated(state[turned] ^ state[into], bits)
        words = [(x + y) & WORD for x, y in zip(state, start)]
        yield from (low | high << 32 for low, high in zip(words[::2], words[1::2]))


def permutation(count, key):
    """Of 0 to count - 1. Draws that polder would reject for a small bias (fewer than count in 2^64) are kept."""
    numbers, order = chacha8(key), list(range(count))
    for last in range(count - 1, 0, -1):
        other = next(numbers) * (last + 1) >> 64
        order[last], order[other] = order[other], order[last]
    return order


def first_epoch(count, task_seed, seed, rows=None):
    """The training rows of a file of `count` rows (`rows` of them, or all) as the first epoch's batches take them."""
    drawn = permutation(count, struct.pack("<Q8s16x", task_seed, b"train   "))[:rows]
    return [drawn[i] for i in permutation(len(drawn), struct.pack("<QQ16s", seed, 0, b"polder/batches/1"))]
