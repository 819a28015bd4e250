// Directions and random bits: the definitions of DIRECTIONS.md.

// What a block of random bits is for.
#define GAUSSIAN 0u
#define RADEMACHER 1u
#define ROUNDING 2u

struct Words {
    u32 w[4];
};

// Philox4x32-10 at a block of a domain, under a parameter's key and a seed.
FN Words philox(u32 domain, u64 block, u64 key, u64 seed) {
    u32 c0 = (u32)block, c1 = ((u32)(block >> 32) & 0x00ffffffu) | (domain << 24);
    u32 c2 = (u32)key, c3 = (u32)(key >> 32);
    u32 k0 = (u32)seed, k1 = (u32)(seed >> 32);
    UNROLL for (u32 round = 0; round < 10; round++) {
        u32 high0 = mul_high(0xd2511f53u, c0), low0 = 0xd2511f53u * c0;
        u32 high1 = mul_high(0xcd9e8d57u, c2), low1 = 0xcd9e8d57u * c2;
        c0 = high1 ^ c1 ^ k0;
        c1 = low1;
        c2 = high0 ^ c3 ^ k1;
        c3 = low0;
        k0 += 0x9e3779b9u;
        k1 += 0xbb67ae85u;
    }
    Words out;
    out.w[0] = c0;
    out.w[1] = c1;
    out.w[2] = c2;
    out.w[3] = c3;
    return out;
}

// A polynomial's next coefficient, as the bits of a float.
FN f32 horner(f32 sum, f32 at, u32 coefficient) { return fma_rn(sum, at, float_of(coefficient)); }

// The standard normal number of a random word.
FN f32 gaussian(u32 word) {
    f32 t = fma_rn(float_of_int((i32)(word & 0x7fffffffu)), float_of(0x30000000u), float_of(0x2f800000u));
    f32 x = sub_rn(1.0f, t);
    u32 v = bits_of(mul_rn(t, sub_rn(2.0f, t)));
    u32 e = (v - 0x3f2aaaabu) & 0xff800000u;
    f32 f = sub_rn(float_of(v - e), 1.0f);
    f32 q = float_of(0x3e4fb556u);
    q = horner(q, f, 0xbe6cc5bcu);
    q = horner(q, f, 0x3e7ce212u);
    q = horner(q, f, 0xbea9be7au);
    q = horner(q, f, 0x3f000575u);
    q = horner(q, f, 0xbf8000d6u);
    q = horner(q, f, 0xb4c98baau);
    f32 l = fma_rn(float_of_int((i32)e), float_of(0xb3b17218u), q);
    f32 r;
    if (l < 6.25f) {
        r = float_of(0x34f7247au);
        r = horner(r, l, 0xb7510d63u);
        r = horner(r, l, 0x38fcee48u);
        r = horner(r, l, 0xb99541a1u);
        r = horner(r, l, 0xbb51c624u);
        r = horner(r, l, 0x3c857321u);
        r = horner(r, l, 0x3ea7ff6fu);
        r = horner(r, l, 0x3fa06c9du);
    } else {
        f32 s = sub_rn(sqrt_rn(l), 3.5f);
        r = float_of(0xb98e9157u);
        r = horner(r, s, 0x3a4bec66u);
        r = horner(r, s, 0xba858f01u);
        r = horner(r, s, 0x3abd931fu);
        r = horner(r, s, 0xbb3e1918u);
        r = horner(r, s, 0x3b988be6u);
        r = horner(r, s, 0x3fb65a6bu);
        r = horner(r, s, 0x4096f263u);
    }
    return float_of(bits_of(mul_rn(x, r)) ^ (word & 0x80000000u));
}

// A thread makes a quarter of a tile of 64 elements: elements 16·w + 4·quarter + j, for w and j below 4, at u[4·w + j].
FN void direction(u32 law, u64 seed, u64 key, u64 tile, u32 quarter, LOCAL f32 *u) {
    if (law == GAUSSIAN) {
        UNROLL for (u32 j = 0; j < 4; j++) {
            Words words = philox(GAUSSIAN, tile * 16 + quarter * 4 + j, key, seed);
            UNROLL for (u32 w = 0; w < 4; w++) u[4 * w + j] = gaussian(words.w[w]);
        }
    } else {
        Words words = philox(RADEMACHER, tile / 2, key, seed);
        UNROLL for (u32 w = 0; w < 4; w++) {
            u32 half_word = w < 2 ? 0 : 1;
            u32 word = tile % 2 == 0 ? words.w[half_word] : words.w[2 + half_word];
            word >>= 16 * (w % 2) + 4 * quarter;
            UNROLL for (u32 j = 0; j < 4; j++) u[4 * w + j] = (word >> j & 1u) != 0 ? -1.0f : 1.0f;
        }
    }
}

// The 16 random bits by which each of the same elements is rounded.
FN void random_bits(u64 seed, u64 key, u64 tile, u32 quarter, LOCAL u32 *r) {
    UNROLL for (u32 n = 0; n < 4; n++) {
        // Blocks of elements 4·quarter + 0, 2 and 16 + 4·quarter + 0, 2 of the tile's halves.
        u32 w = n / 2, j = 2 * (n % 2);
        Words words = philox(ROUNDING, tile / 2 * 16 + w * 8 + quarter * 2 + n % 2, key, seed);
        u32 first = tile % 2 == 0 ? words.w[0] : words.w[2];
        u32 second = tile % 2 == 0 ? words.w[1] : words.w[3];
        r[4 * w + j] = first & 0xffffu;
        r[4 * w + j + 1] = first >> 16;
        r[8 + 4 * w + j] = second & 0xffffu;
        r[8 + 4 * w + j + 1] = second >> 16;
    }
}
