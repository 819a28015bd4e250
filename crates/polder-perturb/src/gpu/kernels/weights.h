// Weights at points, and weights changed.

// coeff·u(seed) of one or two points.
struct Term {
    u64 seed;
    f32 c0, c1;
};

struct ShiftArgs {
    u64 key, start, len;
    // Where element `start` lies among the stored ones.
    u64 from;
    // From one point's numbers to the next one's.
    u64 stride;
    // The seed of the bits by which 16-bit numbers are rounded, where `how` is stochastic.
    u64 dither;
    u32 law, terms, variants, how, by_four, unused;
};

// A quarter of a tile of w + Σ coeff·u, of the elements start..end; element `start` lies at place `from` and goes to `to`.
template <class W, class O>
FN void shift_quarter(W w, O out, GLOBAL const Term *terms, ARGS(ShiftArgs) a, u64 start, u64 end, u64 from, u64 to, u64 tile, u32 quarter) {
    f32 x[16], y[16], u[16];
    u32 r[16];
    u64 first = tile * 64 + quarter * 4;
    UNROLL for (u32 k = 0; k < 4; k++) load_inside(w, from, first + 16 * k, start, end, a.by_four, x + 4 * k);
    UNROLL for (u32 i = 0; i < 16; i++) y[i] = x[i], r[i] = 0;
    for (u32 t = 0; t < a.terms; t++) {
        direction(a.law, terms[t].seed, a.key, tile, quarter, u);
        f32 c0 = terms[t].c0, c1 = terms[t].c1;
        UNROLL for (u32 i = 0; i < 16; i++) x[i] = fma_rn(c0, u[i], x[i]);
        if (a.variants == 2) {
            UNROLL for (u32 i = 0; i < 16; i++) y[i] = fma_rn(c1, u[i], y[i]);
        }
    }
    if (a.how == STOCHASTIC) random_bits(a.dither, a.key, tile, quarter, r);
    UNROLL for (u32 k = 0; k < 4; k++) {
        u64 e = first + 16 * k;
        store_inside(out, to, e, start, end, a.by_four, x + 4 * k, a.how, r + 4 * k);
        if (a.variants == 2) store_inside(out, to + a.stride, e, start, end, a.by_four, y + 4 * k, a.how, r + 4 * k);
    }
}

// Consecutive elements start..start + len.
template <class W, class O>
FN void shift(W w, O out, GLOBAL const Term *terms, ARGS(ShiftArgs) a, u32 thread_index, u32 threads) {
    u64 end = a.start + a.len, first = a.start / 64, quarters = ((end + 63) / 64 - first) * 4;
    for (u64 n = thread_index; n < quarters; n += threads) {
        shift_quarter(w, out, terms, a, a.start, end, a.from, 0, first + n / 4, (u32)(n % 4));
    }
}

struct RowsArgs {
    ShiftArgs shift;
    u64 rows, width;
    // Quarters of tiles that a row may reach into.
    u64 quarters;
};

// Rows ids[0], ids[1], … of a table, under one another.
template <class W>
FN void rows(W w, F32 out, GLOBAL const u32 *ids, GLOBAL const Term *terms, ARGS(RowsArgs) a, u32 thread_index, u32 threads) {
    for (u64 n = thread_index; n < a.rows * a.quarters; n += threads) {
        u64 row = n / a.quarters, quarter = n % a.quarters, start = ids[row] * a.width;
        u64 tile = start / 64 + quarter / 4;
        if (tile * 64 >= start + a.width) continue;
        shift_quarter(w, out, terms, a.shift, start, start + a.width, start, row * a.width, tile, (u32)(quarter % 4));
    }
}

#define SGD 0u
#define ADD 1u
#define MOMENTUM 2u
#define ADAM 3u
#define SIGN 4u
#define STATE_F32 1u
#define STATE_BF16 2u

struct UpdateArgs {
    u64 key, len, rounding_seed;
    // The keys of the bits by which 16-bit state is rounded.
    u64 m_key, v_key;
    u32 law, terms, rule, how, by_four, state;
    f32 decay, lr, beta1, rest1, beta2, rest2, scale, eps;
};

// What becomes of a weight x with its state m and v.
FN f32 changed(ARGS(UpdateArgs) a, f32 x, f32 g, LOCAL f32 &m, LOCAL f32 &v) {
    if (a.rule == ADD) return add_rn(x, g);
    if (a.rule == SGD) return add_rn(x, sub_rn(g, mul_rn(a.decay, x)));
    f32 step;
    if (a.rule == MOMENTUM) {
        m = add_rn(mul_rn(a.beta1, m), g);
        step = mul_rn(-a.lr, m);
    } else if (a.rule == ADAM) {
        m = add_rn(mul_rn(a.beta1, m), mul_rn(a.rest1, g));
        v = add_rn(mul_rn(a.beta2, v), mul_rn(a.rest2, mul_rn(g, g)));
        step = div_rn(-mul_rn(a.lr, m), add_rn(sqrt_rn(mul_rn(v, a.scale)), a.eps));
    } else {
        f32 sign = g == 0.0f ? 0.0f : float_of(0x3f800000u | (bits_of(g) & 0x80000000u));
        step = mul_rn(-a.lr, sign);
    }
    return add_rn(x, sub_rn(step, mul_rn(a.decay, x)));
}

// State of f32 or bf16, four at a time.
FN void load_state(GLOBAL u32 *p, u32 kind, u64 e, u64 end, u32 by_four, LOCAL f32 *x) {
    F32 wide = {(GLOBAL f32 *)p};
    Bf16 narrow = {(GLOBAL u16 *)p};
    if (kind == STATE_F32) load_inside(wide, 0, e, 0, end, by_four, x);
    if (kind == STATE_BF16) load_inside(narrow, 0, e, 0, end, by_four, x);
}

FN void store_state(GLOBAL u32 *p, u32 kind, u64 e, u64 end, u32 by_four, LOCAL const f32 *x, LOCAL const u32 *r) {
    F32 wide = {(GLOBAL f32 *)p};
    Bf16 narrow = {(GLOBAL u16 *)p};
    if (kind == STATE_F32) store_inside(wide, 0, e, 0, end, by_four, x, STOCHASTIC, r);
    if (kind == STATE_BF16) store_inside(narrow, 0, e, 0, end, by_four, x, STOCHASTIC, r);
}

template <class W>
FN void update_quarter(W w, GLOBAL u32 *m, GLOBAL u32 *v, GLOBAL const Term *terms, ARGS(UpdateArgs) a, u64 tile, u32 quarter) {
    f32 x[16], g[16], u[16], first_slot[16], second_slot[16];
    u32 r[16];
    u64 first = tile * 64 + quarter * 4;
    bool second = a.rule == ADAM;
    UNROLL for (u32 i = 0; i < 16; i++) g[i] = 0.0f, first_slot[i] = 0.0f, second_slot[i] = 0.0f, r[i] = 0;
    UNROLL for (u32 k = 0; k < 4; k++) {
        u64 e = first + 16 * k;
        load_inside(w, 0, e, 0, a.len, a.by_four, x + 4 * k);
        load_state(m, a.state, e, a.len, a.by_four, first_slot + 4 * k);
        if (second) load_state(v, a.state, e, a.len, a.by_four, second_slot + 4 * k);
    }
    for (u32 t = 0; t < a.terms; t++) {
        direction(a.law, terms[t].seed, a.key, tile, quarter, u);
        f32 c = terms[t].c0;
        UNROLL for (u32 i = 0; i < 16; i++) g[i] = fma_rn(c, u[i], g[i]);
    }
    UNROLL for (u32 i = 0; i < 16; i++) x[i] = changed(a, x[i], g[i], first_slot[i], second_slot[i]);
    if (a.how == STOCHASTIC) random_bits(a.rounding_seed, a.key, tile, quarter, r);
    UNROLL for (u32 k = 0; k < 4; k++) store_inside(w, 0, first + 16 * k, 0, a.len, a.by_four, x + 4 * k, a.how, r + 4 * k);
    if (a.state == 0) return;
    if (a.state == STATE_BF16) random_bits(a.rounding_seed, a.m_key, tile, quarter, r);
    UNROLL for (u32 k = 0; k < 4; k++) store_state(m, a.state, first + 16 * k, a.len, a.by_four, first_slot + 4 * k, r + 4 * k);
    if (!second) return;
    if (a.state == STATE_BF16) random_bits(a.rounding_seed, a.v_key, tile, quarter, r);
    UNROLL for (u32 k = 0; k < 4; k++) store_state(v, a.state, first + 16 * k, a.len, a.by_four, second_slot + 4 * k, r + 4 * k);
}

// x ← rule(x, Σ coeff·u), in place.
template <class W>
FN void update(W w, GLOBAL u32 *m, GLOBAL u32 *v, GLOBAL const Term *terms, ARGS(UpdateArgs) a, u32 thread_index, u32 threads) {
    u64 quarters = (a.len + 63) / 64 * 4;
    for (u64 n = thread_index; n < quarters; n += threads) update_quarter(w, m, v, terms, a, n / 4, (u32)(n % 4));
}

#define WEIGHTS(name, W, stored, ...)                                                                               \
    THREADS(shift_##name##_f32, (BUFFER(0, f32), BUFFER(1, stored), BUFFER(2, u8), BUFFER(3, const Term)), 4,       \
            ShiftArgs, W w = __VA_ARGS__; F32 o = {b0}; shift(w, o, b3, a, thread_index, threads))                  \
    THREADS(shift_##name##_bf16, (BUFFER(0, u16), BUFFER(1, stored), BUFFER(2, u8), BUFFER(3, const Term)), 4,      \
            ShiftArgs, W w = __VA_ARGS__; Bf16 o = {b0}; shift(w, o, b3, a, thread_index, threads))                 \
    THREADS(rows_##name, (BUFFER(0, f32), BUFFER(1, stored), BUFFER(2, u8), BUFFER(3, const u32),                   \
            BUFFER(4, const Term)), 5, RowsArgs,                                                                    \
            W w = __VA_ARGS__; F32 o = {b0}; rows(w, o, b3, b4, a, thread_index, threads))

WEIGHTS(f32, F32, f32, {b1})
WEIGHTS(bf16, Bf16, u16, {b1})
WEIGHTS(f16, F16, u16, {b1})
WEIGHTS(carried, Carried, u16, {b1, b2})

#define UPDATES(name, W, stored, ...)                                                                               \
    THREADS(update_##name, (BUFFER(0, stored), BUFFER(1, u8), BUFFER(2, u32), BUFFER(3, u32),                       \
            BUFFER(4, const Term)), 5, UpdateArgs,                                                                  \
            W w = __VA_ARGS__; update(w, b2, b3, b4, a, thread_index, threads))

UPDATES(f32, F32, f32, {b0})
UPDATES(bf16, Bf16, u16, {b0})
UPDATES(f16, F16, u16, {b0})
UPDATES(carried, Carried, u16, {b0, b1})
