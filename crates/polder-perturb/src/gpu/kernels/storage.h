// How weights are stored: reading widens to f32 exactly, writing rounds.

#define NEAREST 0u
#define STOCHASTIC 1u

FN u32 sign_of(f32 x) { return bits_of(x) >> 16 & 0x8000u; }
FN u32 magnitude_of(f32 x) { return bits_of(x) & 0x7fffffffu; }
FN u32 smaller(u32 a, u32 b) { return a < b ? a : b; }

FN u32 bf16_of(f32 x, u32 how, u32 random) {
    u32 magnitude = magnitude_of(x);
    u32 special = magnitude >> 16 | (magnitude > 0x7f800000u ? 0x40u : 0u);
    u32 nearest = (magnitude + 0x7fffu + (magnitude >> 16 & 1u)) >> 16;
    u32 stochastic = smaller((magnitude + random) >> 16, 0x7f7fu);
    u32 finite = how == STOCHASTIC ? stochastic : nearest;
    return sign_of(x) | (magnitude >= 0x7f800000u ? special : finite);
}

FN u32 f16_of(f32 x, u32 how, u32 random) {
    u32 magnitude = magnitude_of(x);
    u32 finite;
    if (how == STOCHASTIC) {
        u32 normal = smaller((magnitude - (112u << 23) + (random >> 3)) >> 13, 0x7bffu);
        u32 exponent = smaller(magnitude >> 23, 112u);
        u32 fixed = (((magnitude & 0x7fffffu) | 0x800000u) << 2) >> smaller(112u - exponent, 31u);
        finite = magnitude < (113u << 23) ? (fixed + random) >> 16 : normal;
    } else {
        u32 normal = (magnitude - (112u << 23) + 0xfffu + (magnitude >> 13 & 1u)) >> 13;
        // Beside 1/2 the last bit is worth 2^-24, as in a subnormal f16.
        u32 small = bits_of(add_rn(float_of(magnitude), 0.5f)) - 0x3f000000u;
        finite = magnitude < (113u << 23) ? small : smaller(normal, 0x7c00u);
    }
    u32 special = 0x7c00u | (magnitude > 0x7f800000u ? 0x200u | (magnitude >> 13 & 0x3ffu) : 0u);
    return sign_of(x) | (magnitude >= 0x7f800000u ? special : finite);
}

FN f32 f16_widened(u32 h) {
    u32 sign = (h & 0x8000u) << 16, magnitude = h & 0x7fffu;
    f32 small = mul_rn(float_of_int((i32)magnitude), float_of(0x33800000u));
    u32 normal = (magnitude << 13) + (112u << 23);
    u32 special = 0x7f800000u | (magnitude & 0x3ffu) << 13 | (magnitude > 0x7c00u ? 0x400000u : 0u);
    u32 finite = magnitude < 0x400u ? bits_of(small) : normal;
    return float_of(sign | (magnitude >= 0x7c00u ? special : finite));
}

struct F32 {
    GLOBAL f32 *p;
    METHOD f32 load(u64 i) const { return p[i]; }
    METHOD void load4(u64 i, LOCAL f32 *x) const {
        f32x4 v = *(GLOBAL const f32x4 *)(p + i);
        x[0] = v.x, x[1] = v.y, x[2] = v.z, x[3] = v.w;
    }
    METHOD void store(u64 i, f32 x, u32, u32) const { p[i] = x; }
    METHOD void store4(u64 i, LOCAL const f32 *x, u32, LOCAL const u32 *) const {
        f32x4 v;
        v.x = x[0], v.y = x[1], v.z = x[2], v.w = x[3];
        *(GLOBAL f32x4 *)(p + i) = v;
    }
};

struct Bf16 {
    GLOBAL u16 *p;
    METHOD f32 load(u64 i) const { return float_of((u32)p[i] << 16); }
    METHOD void load4(u64 i, LOCAL f32 *x) const {
        u16x4 v = *(GLOBAL const u16x4 *)(p + i);
        x[0] = float_of((u32)v.x << 16), x[1] = float_of((u32)v.y << 16);
        x[2] = float_of((u32)v.z << 16), x[3] = float_of((u32)v.w << 16);
    }
    METHOD void store(u64 i, f32 x, u32 how, u32 random) const { p[i] = (u16)bf16_of(x, how, random); }
    METHOD void store4(u64 i, LOCAL const f32 *x, u32 how, LOCAL const u32 *random) const {
        u16x4 v;
        v.x = (u16)bf16_of(x[0], how, random[0]), v.y = (u16)bf16_of(x[1], how, random[1]);
        v.z = (u16)bf16_of(x[2], how, random[2]), v.w = (u16)bf16_of(x[3], how, random[3]);
        *(GLOBAL u16x4 *)(p + i) = v;
    }
};

struct F16 {
    GLOBAL u16 *p;
    METHOD f32 load(u64 i) const { return f16_widened(p[i]); }
    METHOD void load4(u64 i, LOCAL f32 *x) const {
        u16x4 v = *(GLOBAL const u16x4 *)(p + i);
        x[0] = f16_widened(v.x), x[1] = f16_widened(v.y), x[2] = f16_widened(v.z), x[3] = f16_widened(v.w);
    }
    METHOD void store(u64 i, f32 x, u32 how, u32 random) const { p[i] = (u16)f16_of(x, how, random); }
    METHOD void store4(u64 i, LOCAL const f32 *x, u32 how, LOCAL const u32 *random) const {
        u16x4 v;
        v.x = (u16)f16_of(x[0], how, random[0]), v.y = (u16)f16_of(x[1], how, random[1]);
        v.z = (u16)f16_of(x[2], how, random[2]), v.w = (u16)f16_of(x[3], how, random[3]);
        *(GLOBAL u16x4 *)(p + i) = v;
    }
};

// The upper 24 bits of an f32: a bf16 and a signed byte beside it.
struct Carried {
    GLOBAL u16 *p;
    GLOBAL u8 *low;

    static METHOD f32 join(u32 high, u32 low) {
        // The byte's sign fills the bits above it.
        u32 steps = ((low ^ 0x80u) - 0x80u) << 8;
        return float_of((high << 16) + steps);
    }
    // The bf16 in the lower half, the byte above it.
    static METHOD u32 split(f32 x, u32 how, u32 random) {
        u32 magnitude = magnitude_of(x), sign = sign_of(x);
        if (magnitude >= 0x7f800000u) return sign | magnitude >> 16 | (magnitude > 0x7f800000u ? 0x40u : 0u);
        u32 kept = smaller((magnitude + (random >> 8)) >> 8, 0x7f7f7fu);
        if (how != STOCHASTIC) {
            kept = (magnitude + 0x7fu + (magnitude >> 8 & 1u)) >> 8;
            kept = kept > 0x7f7f7fu ? 0x7f8000u : kept;
        }
        u32 high = (kept + 0x80u) >> 8;
        return sign | high | ((kept - (high << 8)) & 0xffu) << 16;
    }
    METHOD f32 load(u64 i) const { return join(p[i], low[i]); }
    METHOD void load4(u64 i, LOCAL f32 *x) const {
        u16x4 v = *(GLOBAL const u16x4 *)(p + i);
        u8x4 l = *(GLOBAL const u8x4 *)(low + i);
        x[0] = join(v.x, l.x), x[1] = join(v.y, l.y), x[2] = join(v.z, l.z), x[3] = join(v.w, l.w);
    }
    METHOD void store(u64 i, f32 x, u32 how, u32 random) const {
        u32 both = split(x, how, random);
        p[i] = (u16)both;
        low[i] = (u8)(both >> 16);
    }
    METHOD void store4(u64 i, LOCAL const f32 *x, u32 how, LOCAL const u32 *random) const {
        UNROLL for (u32 j = 0; j < 4; j++) store(i + j, x[j], how, random[j]);
    }
};

// Four neighbours from element `e` on, of those in start..end; others are 0. Element `start` lies at place `from`.
// `by_four`: memory is aligned for four at once.
template <class W>
FN void load_inside(W w, u64 from, u64 e, u64 start, u64 end, u32 by_four, LOCAL f32 *x) {
    if (by_four && e >= start && e + 4 <= end) {
        w.load4(from + (e - start), x);
        return;
    }
    UNROLL for (u32 j = 0; j < 4; j++) x[j] = e + j >= start && e + j < end ? w.load(from + (e + j - start)) : 0.0f;
}

// The same, written; element `start` goes to place `to`.
template <class W>
FN void store_inside(W w, u64 to, u64 e, u64 start, u64 end, u32 by_four, LOCAL const f32 *x, u32 how, LOCAL const u32 *r) {
    if (by_four && e >= start && e + 4 <= end) {
        w.store4(to + (e - start), x, how, r);
        return;
    }
    UNROLL for (u32 j = 0; j < 4; j++) {
        if (e + j >= start && e + j < end) w.store(to + (e + j - start), x[j], how, r[j]);
    }
}
