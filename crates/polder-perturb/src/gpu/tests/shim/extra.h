// Kernels for tests alone.
struct EachArgs {
    u64 len;
    u32 how, unused;
};
THREADS(each_gaussian, (BUFFER(0, f32), BUFFER(1, const u32)), 2, EachArgs,
        for (u64 i = thread_index; i < a.len; i += threads) b0[i] = gaussian(b1[i]))
// An f32 and 16 random bits, to bf16, f16, and bf16 with a byte.
THREADS(each_rounding, (BUFFER(0, u32), BUFFER(1, const f32), BUFFER(2, const u32)), 3, EachArgs,
        for (u64 i = thread_index; i < a.len; i += threads) {
            b0[3 * i] = bf16_of(b1[i], a.how, b2[i]);
            b0[3 * i + 1] = f16_of(b1[i], a.how, b2[i]);
            b0[3 * i + 2] = Carried::split(b1[i], a.how, b2[i]);
        })
THREADS(each_widening, (BUFFER(0, f32), BUFFER(1, const u32)), 2, EachArgs,
        for (u64 i = thread_index; i < a.len; i += threads) {
            b0[2 * i] = f16_widened(b1[i] & 0xffffu);
            b0[2 * i + 1] = Carried::join(b1[i] & 0xffffu, b1[i] >> 16);
        })
