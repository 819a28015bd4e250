// Operations on each row alone: norms, activations, rotary embedding, biases.

#define LANES 256

// The sum of every lane's part, in one order: lanes 16 apart one after the other, then those sums.
FN f32 group_sum(SHARED f32 *s, f32 part, u32 lane) {
    s[lane] = part;
    BARRIER();
    if (lane < 16) {
        f32 sum = s[lane];
        for (u32 i = 1; i < LANES / 16; i++) sum = add_rn(sum, s[lane + 16 * i]);
        s[LANES + lane] = sum;
    }
    BARRIER();
    f32 sum = s[LANES];
    for (u32 i = 1; i < 16; i++) sum = add_rn(sum, s[LANES + i]);
    BARRIER();
    return sum;
}

struct NormArgs {
    // Normalised groups of one point, and their width.
    u64 groups, width;
    // Whether the mean is taken off; whether there are weights and biases, `width` a point.
    u32 centred, weight, bias;
    f32 eps;
};

// (x − mean) / √(variance + eps) · weight + bias, a group of lanes a norm.
GROUPS(normalise, (BUFFER(0, f32), BUFFER(1, const f32), BUFFER(2, const f32), BUFFER(3, const f32)), 4, NormArgs,
       SHARED_ARRAY(f32, s, LANES + 16);
       GLOBAL const f32 *x = b1 + group * a.width;
       GLOBAL f32 *out = b0 + group * a.width;
       u64 vector = group / a.groups * a.width;
       f32 n = (f32)a.width, mean = 0.0f, part = 0.0f;
       if (a.centred) {
           for (u64 i = lane; i < a.width; i += LANES) part = add_rn(part, x[i]);
           mean = div_rn(group_sum(s, part, lane), n);
       }
       part = 0.0f;
       for (u64 i = lane; i < a.width; i += LANES) {
           f32 d = sub_rn(x[i], mean);
           part = fma_rn(d, d, part);
       }
       f32 variance = div_rn(group_sum(s, part, lane), n);
       f32 scale = div_rn(1.0f, sqrt_rn(add_rn(variance, a.eps)));
       for (u64 i = lane; i < a.width; i += LANES) {
           f32 y = mul_rn(sub_rn(x[i], mean), scale);
           if (a.weight) y = mul_rn(y, b2[vector + i]);
           if (a.bias) y = add_rn(y, b3[vector + i]);
           out[i] = y;
       })

// e^x, as the CPU backend has it: 0 below −87.3, infinite above 88.7, NaN for NaN.
FN f32 exp_f32(f32 x) {
    f32 c = x < -87.3f ? -87.3f : x > 88.7f ? 88.7f : x;
    f32 n = sub_rn(fma_rn(c, 1.44269504088896340736f, 12582912.0f), 12582912.0f);
    f32 r = fma_rn(n, 2.121944400e-4f, fma_rn(n, -0.693359375f, c));
    f32 p = 1.0f / 5040.0f;
    p = fma_rn(p, r, 1.0f / 720.0f);
    p = fma_rn(p, r, 1.0f / 120.0f);
    p = fma_rn(p, r, 1.0f / 24.0f);
    p = fma_rn(p, r, 1.0f / 6.0f);
    p = fma_rn(p, r, 0.5f);
    p = fma_rn(p, r, 1.0f);
    p = fma_rn(p, r, 1.0f);
    // What is no number becomes none at the end, whatever integer it was here.
    i32 whole = x == x ? (i32)n : 0;
    i32 part = whole >> 1;
    f32 y = mul_rn(mul_rn(p, float_of((u32)(part + 127) << 23)), float_of((u32)(whole - part + 127) << 23));
    y = x < -87.3f ? 0.0f : y;
    y = x > 88.7f ? float_of(0x7f800000u) : y;
    return x == x ? y : x;
}

FN f32 sigmoid_f32(f32 x) { return div_rn(1.0f, add_rn(1.0f, exp_f32(-x))); }

FN f32 tanh_f32(f32 x) { return sub_rn(1.0f, div_rn(2.0f, add_rn(exp_f32(mul_rn(2.0f, x)), 1.0f))); }

// Abramowitz and Stegun 7.1.26.
FN f32 erf_f32(f32 x) {
    f32 m = float_of(bits_of(x) & 0x7fffffffu);
    f32 t = div_rn(1.0f, fma_rn(m, 0.3275911f, 1.0f));
    f32 p = 1.0614054f;
    p = fma_rn(p, t, -1.453152f);
    p = fma_rn(p, t, 1.4214137f);
    p = fma_rn(p, t, -0.28449674f);
    p = fma_rn(p, t, 0.2548296f);
    f32 y = sub_rn(1.0f, mul_rn(mul_rn(p, t), exp_f32(mul_rn(-m, m))));
    return float_of((bits_of(y) & 0x7fffffffu) | (bits_of(x) & 0x80000000u));
}

#define RELU 0u
#define GELU 1u
#define GELU_TANH 2u
#define SILU 3u

FN f32 activation(u32 kind, f32 x) {
    // Not a maximum, which would turn a NaN into 0 and hide a diverged run.
    if (kind == RELU) return x < 0.0f ? 0.0f : x;
    if (kind == SILU) return mul_rn(x, sigmoid_f32(x));
    f32 half_x = mul_rn(0.5f, x);
    if (kind == GELU) return mul_rn(half_x, add_rn(1.0f, erf_f32(mul_rn(x, 0.70710678118654752440f))));
    f32 inner = mul_rn(0.7978846f, fma_rn(mul_rn(mul_rn(0.044715f, x), x), x, x));
    return mul_rn(half_x, add_rn(1.0f, tanh_f32(inner)));
}

struct ActivateArgs {
    u64 len;
    // Which activation; whether the result is multiplied by the second input.
    u32 kind, gated;
};

THREADS(activate, (BUFFER(0, f32), BUFFER(1, const f32), BUFFER(2, const f32)), 3, ActivateArgs,
        for (u64 i = thread_index; i < a.len; i += threads) {
            f32 y = activation(a.kind, b1[i]);
            b0[i] = a.gated ? mul_rn(y, b2[i]) : y;
        })

struct RopeArgs {
    // Rows of all points, rows of one point, heads, half the width of a head.
    u64 all, rows, heads, pairs;
};

// (x, y) → (x·cos − y·sin, y·cos + x·sin) for the two halves of each head.
THREADS(rope, (BUFFER(0, f32), BUFFER(1, const f32), BUFFER(2, const f32), BUFFER(3, const f32)), 4, RopeArgs,
        for (u64 n = thread_index; n < a.all * a.heads * a.pairs; n += threads) {
            u64 j = n % a.pairs;
            u64 head = n / a.pairs;
            u64 at = head * 2 * a.pairs + j;
            u64 angle = head / a.heads % a.rows * a.pairs + j;
            f32 x = b1[at];
            f32 y = b1[at + a.pairs];
            f32 cosine = b2[angle];
            f32 sine = b3[angle];
            b0[at] = sub_rn(mul_rn(x, cosine), mul_rn(y, sine));
            b0[at + a.pairs] = add_rn(mul_rn(y, cosine), mul_rn(x, sine));
        })

struct BiasArgs {
    // Rows of all points, rows of one point, the columns that get a bias.
    u64 all, rows, width;
    // The place of the first biased number and from one row to the next; the first bias and from one point to the next.
    u64 first, stride, bias_first, bias_stride;
};

// Adds a point's biases to its rows, in place.
THREADS(add_bias, (BUFFER(0, f32), BUFFER(1, const f32)), 2, BiasArgs,
        for (u64 n = thread_index; n < a.all * a.width; n += threads) {
            u64 row = n / a.width;
            u64 column = n % a.width;
            u64 at = a.first + row * a.stride + column;
            b0[at] = add_rn(b0[at], b1[a.bias_first + row / a.rows * a.bias_stride + column]);
        })
