// What the head says: log-softmax over a block of the vocabulary, wanted logits, the likeliest token.

struct SoftmaxArgs {
    // The block's tokens, rows in all, from one row of logits to the next, and the place of the first.
    u64 tokens, rows, stride, first;
};

FN bool is_more(f32 y, f32 most) { return y > most || (y != y && most == most); }

// The largest logit of each row of a block, Σ exp(logit − largest) and the first token that has it, at rows·0, 1, 2.
// A NaN counts as the largest: it must reach the loss.
GROUPS(softmax_parts, (BUFFER(0, f32), BUFFER(1, const f32)), 2, SoftmaxArgs,
       SHARED_ARRAY(f32, s, LANES + 16);
       SHARED_ARRAY(u32, firsts, LANES + 16);
       GLOBAL const f32 *logits = b1 + group * a.stride + a.first;
       f32 most = float_of(0xff800000u), sum = 0.0f;
       u32 first = 0xffffffffu;
       for (u64 i = lane; i < a.tokens; i += LANES) {
           f32 y = logits[i];
           if (is_more(y, most)) most = y, first = (u32)i;
       }
       s[lane] = most;
       firsts[lane] = first;
       BARRIER();
       // Lanes 16 apart, then those: the largest, and of equal ones the first.
       for (u32 round = 0; round < 2; round++) {
           u32 from = round == 0 ? 0 : LANES, step = round == 0 ? 16 : 1;
           if (lane < (round == 0 ? 16u : 1u)) {
               most = s[from + lane], first = firsts[from + lane];
               for (u32 i = 1; i < 16; i++) {
                   f32 y = s[from + lane + step * i];
                   u32 token = firsts[from + lane + step * i];
                   bool same = y == most || (y != y && most != most);
                   if (is_more(y, most) || (same && token < first)) most = y, first = token;
               }
           }
           BARRIER();
           if (lane < (round == 0 ? 16u : 1u)) {
               s[round == 0 ? LANES + lane : 0] = most;
               firsts[round == 0 ? LANES + lane : 0] = first;
           }
           BARRIER();
       }
       most = s[0], first = firsts[0];
       BARRIER();
       for (u64 i = lane; i < a.tokens; i += LANES) sum = add_rn(sum, exp_f32(sub_rn(logits[i], most)));
       sum = group_sum(s, sum, lane);
       if (lane == 0) {
           b0[group] = most;
           b0[a.rows + group] = sum;
           b0[2 * a.rows + group] = (f32)(first == 0xffffffffu ? 0 : first);
       })

struct PickArgs {
    // Pairs of one point, points, rows of a point, the block's first token and its tokens.
    u64 pairs, points, rows, first, tokens;
};

// The logits of those wanted (row, token) pairs that lie in a block.
THREADS(pick, (BUFFER(0, f32), BUFFER(1, const f32), BUFFER(2, const u32)), 3, PickArgs,
        for (u64 n = thread_index; n < a.pairs * a.points; n += threads) {
            u64 pair = n % a.pairs;
            u64 token = b2[2 * pair + 1];
            if (token < a.first || token >= a.first + a.tokens) continue;
            u64 row = n / a.pairs * a.rows + b2[2 * pair];
            b0[n] = b1[row * a.tokens + (token - a.first)];
        })
