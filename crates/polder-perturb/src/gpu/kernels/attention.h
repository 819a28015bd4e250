// Causal attention over packed sequences, fused: no [heads, time, time] in memory.
//
// A group of lanes takes sixteen queries of one head at one point. Keys come in tiles of 32, counted from the start of the
// sequence, and the softmax is kept running from tile to tile, as on the CPU.

#define QUERIES 16
#define KEYS 32
#define ATTENTION_LANES 128
#define MOST_DIMS 256

struct AttentionArgs {
    // Groups of queries, rows of a point in the pass and in the stem.
    u64 tiles, rows, stem_rows;
    // Query heads, key heads, the width of a head; how many latest keys a query sees (0: all).
    u32 heads, kv_heads, dims, window;
    u32 by_four;
    f32 scale;
};

// Sixteen queries of a sequence: their first row, how many there are, where the sequence's keys begin among the places, and
// the place of the first query among the keys.
struct QueryTile {
    u32 row, count, keys, at;
};

// Numbers d..d + 4 of a head of `dims` numbers, 0 beyond its end.
FN void four_of(GLOBAL const f32 *row, u32 d, u32 dims, u32 by_four, LOCAL f32 *x) {
    F32 numbers = {(GLOBAL f32 *)row};
    load_inside(numbers, 0, d, 0, dims, by_four, x);
}

// The head's row at a place: places below the stem's rows come before the pass.
FN GLOBAL const f32 *row_at(GLOBAL const f32 *own, GLOBAL const f32 *stem, ARGS(AttentionArgs) a, u64 point, u32 head, u32 place) {
    u64 width = (u64)a.kv_heads * a.dims, from = (u64)head * a.dims;
    if (place < a.stem_rows) return stem + (point * a.stem_rows + place) * width + from;
    return own + (point * a.rows + (place - a.stem_rows)) * width + from;
}

// The products of one key with four queries, which lie `stride` apart in q.
FN void score_four(SHARED const f32 *q, GLOBAL const f32 *key, ARGS(AttentionArgs) a, LOCAL f32 *sums) {
    UNROLL for (u32 i = 0; i < 4; i++) sums[i] = 0.0f;
    for (u32 d = 0; d < a.dims; d += 4) {
        f32 k[4];
        four_of(key, d, a.dims, a.by_four, k);
        UNROLL for (u32 i = 0; i < 4; i++) {
            UNROLL for (u32 j = 0; j < 4; j++) sums[i] = fma_rn(k[j], q[i * MOST_DIMS + d + j], sums[i]);
        }
    }
}

GROUPS(attention, (BUFFER(0, f32), BUFFER(1, const f32), BUFFER(2, const f32), BUFFER(3, const f32), BUFFER(4, const f32),
       BUFFER(5, const f32), BUFFER(6, const QueryTile), BUFFER(7, const u32)), 8, AttentionArgs,
       SHARED_ARRAY(f32, q, QUERIES * MOST_DIMS);
       // Scores by query, weights by key; of each query parts of a maximum and of a sum, the maximum, the sum, a factor.
       SHARED_ARRAY(f32, scores, QUERIES * KEYS);
       SHARED_ARRAY(f32, weights, KEYS * QUERIES);
       SHARED_ARRAY(f32, parts, 2 * QUERIES * 8);
       SHARED_ARRAY(f32, most, QUERIES);
       SHARED_ARRAY(f32, sums, QUERIES);
       SHARED_ARRAY(f32, factors, QUERIES);
       const f32 none = float_of(0xff800000u);
       u64 tile = group % a.tiles;
       u32 head = (u32)(group / a.tiles % a.heads);
       u64 point = group / a.tiles / a.heads;
       u32 kv_head = (u32)((u64)head * a.kv_heads / a.heads);
       QueryTile t = b6[tile];
       GLOBAL const u32 *places = b7 + t.keys;
       u64 width = (u64)a.heads * a.dims;
       u64 q_at = (point * a.rows + t.row) * width + (u64)head * a.dims;
       for (u32 i = lane; i < QUERIES * MOST_DIMS; i += ATTENTION_LANES) {
           u32 query = i / MOST_DIMS, d = i % MOST_DIMS;
           q[i] = query < t.count && d < a.dims ? mul_rn(b1[q_at + query * width + d], a.scale) : 0.0f;
       }
       if (lane < QUERIES) most[lane] = none, sums[lane] = 0.0f;
       // A lane sums value column `column`, and the next one `columns` further on, for `mine` queries from `mine_from` on.
       u32 columns = a.dims > 64 ? 128 : a.dims > 32 ? 64 : 32;
       u32 column = lane % columns, mine = QUERIES * columns / ATTENTION_LANES, mine_from = lane / columns * mine;
       f32 sum0[QUERIES], sum1[QUERIES];
       UNROLL for (u32 i = 0; i < QUERIES; i++) sum0[i] = 0.0f, sum1[i] = 0.0f;
       BARRIER();
       u32 keys = t.at + t.count;
       u32 begin = a.window != 0 && t.at + 1 > a.window ? (t.at + 1 - a.window) / KEYS * KEYS : 0;
       // In the softmax eight lanes share a query, four keys each.
       u32 query = lane / 8, part = lane % 8;
       for (u32 start = begin; start < keys; start += KEYS) {
           u32 len = smaller(keys - start, KEYS);
           u32 key = start + lane % KEYS, quad = lane / KEYS * 4;
           if (lane % KEYS < len) {
               f32 products[4];
               score_four(q + quad * MOST_DIMS, row_at(b2, b4, a, point, kv_head, places[key]), a, products);
               UNROLL for (u32 i = 0; i < 4; i++) {
                   u32 self = t.at + quad + i;
                   bool seen = key <= self && (a.window == 0 || key + a.window > self);
                   scores[(quad + i) * KEYS + lane % KEYS] = seen ? products[i] : none;
               }
           } else {
               UNROLL for (u32 i = 0; i < 4; i++) scores[(quad + i) * KEYS + lane % KEYS] = none;
           }
           BARRIER();
           f32 largest = none;
           UNROLL for (u32 j = 0; j < 4; j++) {
               f32 y = scores[query * KEYS + part * 4 + j];
               if (y > largest || y != y) largest = y;
           }
           parts[query * 8 + part] = largest;
           BARRIER();
           f32 before = most[query];
           largest = before;
           for (u32 i = 0; i < 8; i++) {
               f32 y = parts[query * 8 + i];
               if (y > largest || y != y) largest = y;
           }
           f32 sum = 0.0f;
           UNROLL for (u32 j = 0; j < 4; j++) {
               f32 y = scores[query * KEYS + part * 4 + j];
               // A query that has seen no key yet has nothing to weigh (and −∞ − −∞ is not a number).
               f32 weight = y == none ? 0.0f : exp_f32(sub_rn(y, largest));
               weights[(part * 4 + j) * QUERIES + query] = weight;
               sum = add_rn(sum, weight);
           }
           parts[QUERIES * 8 + query * 8 + part] = sum;
           if (part == 0) factors[query] = before == largest ? 1.0f : exp_f32(sub_rn(before, largest));
           BARRIER();
           if (part == 0) {
               f32 total = mul_rn(sums[query], factors[query]);
               for (u32 i = 0; i < 8; i++) total = add_rn(total, parts[QUERIES * 8 + query * 8 + i]);
               sums[query] = total;
               most[query] = largest;
           }
           UNROLL for (u32 i = 0; i < QUERIES; i++) {
               if (i < mine) {
                   sum0[i] = mul_rn(sum0[i], factors[mine_from + i]);
                   sum1[i] = mul_rn(sum1[i], factors[mine_from + i]);
               }
           }
           for (u32 j = 0; j < len; j++) {
               GLOBAL const f32 *value = row_at(b3, b5, a, point, kv_head, places[start + j]);
               f32 v0 = column < a.dims ? value[column] : 0.0f;
               f32 v1 = column + columns < a.dims ? value[column + columns] : 0.0f;
               UNROLL for (u32 i = 0; i < QUERIES; i++) {
                   if (i < mine) {
                       f32 weight = weights[j * QUERIES + mine_from + i];
                       sum0[i] = fma_rn(v0, weight, sum0[i]);
                       sum1[i] = fma_rn(v1, weight, sum1[i]);
                   }
               }
           }
           BARRIER();
       }
       UNROLL for (u32 i = 0; i < QUERIES; i++) {
           if (i < mine && mine_from + i < t.count) {
               u64 at = q_at + (mine_from + i) * width;
               if (column < a.dims) b0[at + column] = div_rn(sum0[i], sums[mine_from + i]);
               if (column + columns < a.dims) b0[at + column + columns] = div_rn(sum1[i], sums[mine_from + i]);
           }
       })
