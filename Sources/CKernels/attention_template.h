// The inner loops of attention, once for each instruction set: KV_W floats to a vector. attention.c includes it.
//
// A tile is KV_TILE tokens of one query token, KV_WIDE_TILE of many. Scores are in powers of two: queries come scaled
// by log2(e), so that exp2 is softmax's exp.

typedef float KV_(vf) __attribute__((vector_size(4 * KV_W), aligned(4)));
typedef int32_t KV_(vi) __attribute__((vector_size(4 * KV_W), aligned(4)));
typedef uint32_t KV_(vu) __attribute__((vector_size(4 * KV_W), aligned(4)));
typedef uint16_t KV_(vh) __attribute__((vector_size(2 * KV_W), aligned(2)));

#define VF KV_(vf)
#define VI KV_(vi)
#define VU KV_(vu)
#define VH KV_(vh)

static KV_INLINE VF KV_(splat)(float x) { return x - (VF){}; }

static KV_INLINE VF KV_(fma)(VF a, VF b, VF c) {
#if KV_HAS_FMA
  return __builtin_elementwise_fma(a, b, c);
#else
  return a * b + c;
#endif
}

static KV_INLINE VF KV_(select)(VI mask, VF a, VF b) { return (VF)((mask & (VI)a) | (~mask & (VI)b)); }

static KV_INLINE VF KV_(max)(VF a, VF b) { return KV_(select)(a > b, a, b); }

static KV_INLINE int KV_(any)(VI mask) {
  kv_lane_mask lanes[KV_W / 4];
  memcpy(lanes, &mask, sizeof mask);
  kv_lane_mask all = lanes[0];
  for (int i = 1; i < KV_W / 4; i++) all |= lanes[i];
  return (all[0] | all[1] | all[2] | all[3]) != 0;
}

// KV_W elements from index `at` on, as f32. `element` is a constant wherever this is inlined.
static KV_INLINE VF KV_(load)(int element, const uint8_t *row, size_t at) {
  if (element == KV_ELEMENT_F32) return *(const VF *)(row + 4 * at);
  VH half = *(const VH *)(row + 2 * at);
  if (element == KV_ELEMENT_BF16) return (VF)(__builtin_convertvector(half, VU) << 16);
#if KV_HAS_F16
  typedef KV_HALF KV_(half) __attribute__((vector_size(2 * KV_W), aligned(2)));
  return __builtin_convertvector((KV_(half))half, VF);
#else
  VU bits = __builtin_convertvector(half, VU);
  VU magnitude = (bits & 0x7fff) << 13;
  // 2^112 moves the exponent's bias, subnormals included; infinities and NaN get the exponent that says so.
  VU value = (VU)((VF)magnitude * KV_(splat)(0x1p112f));
  VU special = (VU)(magnitude >= 0x0f800000u) & 0x7f800000u;
  return (VF)(value | special | (bits & 0x8000) << 16);
#endif
}

// 2^x for x <= 0; 0 below 2^-126. Error under 2 units of the last place.
static KV_INLINE VF KV_(exp2)(VF x) {
  VF low = KV_(splat)(-126.0f);
  VF clamped = KV_(max)(x, low);
  VF shifted = clamped + 12582912.0f;
  VF f = clamped - (shifted - 12582912.0f);
  VF p = KV_(splat)(1.5353362e-4f);
  p = KV_(fma)(p, f, KV_(splat)(1.3398874e-3f));
  p = KV_(fma)(p, f, KV_(splat)(9.6184373e-3f));
  p = KV_(fma)(p, f, KV_(splat)(5.5503324e-2f));
  p = KV_(fma)(p, f, KV_(splat)(2.4022647e-1f));
  p = KV_(fma)(p, f, KV_(splat)(6.9314720e-1f));
  p = KV_(fma)(p, f, KV_(splat)(1.0f));
  VI scaled = (VI)p + ((VI)shifted << 23);
  // NaN stays NaN: it is neither below nor above.
  VF result = (VF)scaled;
  result = KV_(select)(x < low, KV_(splat)(0.0f), result);
  return KV_(select)(x != x, x, result);
}

// The sum of the vector's lanes of four floats.
static KV_INLINE kv_lane KV_(sum_lanes)(VF x) {
  kv_lane lanes[KV_W / 4];
  memcpy(lanes, &x, sizeof x);
  kv_lane sum = lanes[0];
  for (int i = 1; i < KV_W / 4; i++) sum += lanes[i];
  return sum;
}

static KV_INLINE float KV_(sum)(VF x) {
  kv_lane lane = KV_(sum_lanes)(x);
  return (lane[0] + lane[2]) + (lane[1] + lane[3]);
}

static KV_INLINE float KV_(maximum)(VF x) {
  kv_lane lanes[KV_W / 4];
  memcpy(lanes, &x, sizeof x);
  kv_lane best = lanes[0];
  for (int i = 1; i < KV_W / 4; i++) {
    kv_lane_mask mask = lanes[i] > best;
    best = (kv_lane)((mask & (kv_lane_mask)lanes[i]) | (~mask & (kv_lane_mask)best));
  }
  float low = best[0] > best[1] ? best[0] : best[1], high = best[2] > best[3] ? best[2] : best[3];
  return low > high ? low : high;
}

// Four sums of KV_W lanes each.
static KV_INLINE kv_lane KV_(sum4)(VF a, VF b, VF c, VF d) {
  // Lane by lane of four: [a b a b], then [a b c d].
  VF ab = KV_UNPACK_LOW(a, b) + KV_UNPACK_HIGH(a, b);
  VF cd = KV_UNPACK_LOW(c, d) + KV_UNPACK_HIGH(c, d);
  return KV_(sum_lanes)(KV_PAIR_LOW(ab, cd) + KV_PAIR_HIGH(ab, cd));
}

// Products of `queries` query heads with 4 keys: four scores for each query.
static KV_INLINE void KV_(score)(
    int element, int queries, size_t head_size, const float *query, const uint8_t *const *keys, size_t offset,
    float *scores) {
  VF sums[4][4];
  for (int q = 0; q < queries; q++)
    for (int t = 0; t < 4; t++) sums[q][t] = KV_(splat)(0);
  for (size_t d = 0; d < head_size; d += KV_W) {
    VF key[4];
    for (int t = 0; t < 4; t++) key[t] = KV_(load)(element, keys[t] + offset, d);
    for (int q = 0; q < queries; q++) {
      VF x = *(const VF *)(query + q * head_size + d);
      for (int t = 0; t < 4; t++) sums[q][t] = KV_(fma)(x, key[t], sums[q][t]);
    }
  }
  for (int q = 0; q < queries; q++)
    *(kv_lane *)(scores + 4 * q) = KV_(sum4)(sums[q][0], sums[q][1], sums[q][2], sums[q][3]);
}

// Adds weights times `count` rows of values to the outputs of `queries` query heads, `vectors` vectors of a row at
// once.
static KV_INLINE void KV_(weigh_part)(
    int element, int queries, int count, int vectors, size_t head_size, const float *weights, size_t stride,
    const uint8_t *const *values, size_t offset, size_t d, float *output) {
  // Weights stay in memory: kept from part to part they would fill the registers, and be put back into memory.
  __asm__ volatile("" ::: "memory");
  VF sums[4][KV_DV];
  for (int q = 0; q < queries; q++)
    for (int v = 0; v < vectors; v++) sums[q][v] = *(const VF *)(output + q * head_size + d + v * KV_W);
  for (int t = 0; t < count; t++) {
    VF value[KV_DV];
    for (int v = 0; v < vectors; v++) value[v] = KV_(load)(element, values[t] + offset, d + v * KV_W);
    for (int q = 0; q < queries; q++) {
      VF weight = KV_(splat)(weights[t / 4 * stride + 4 * q + t % 4]);
      for (int v = 0; v < vectors; v++) sums[q][v] = KV_(fma)(weight, value[v], sums[q][v]);
    }
  }
  for (int q = 0; q < queries; q++)
    for (int v = 0; v < vectors; v++) *(VF *)(output + q * head_size + d + v * KV_W) = sums[q][v];
}

static KV_INLINE void KV_(weigh)(
    int element, int queries, int count, size_t head_size, const float *weights, size_t stride,
    const uint8_t *const *values, size_t offset, float *output) {
  size_t d = 0;
  for (; d + KV_DV * KV_W <= head_size; d += KV_DV * KV_W)
    KV_(weigh_part)(element, queries, count, KV_DV, head_size, weights, stride, values, offset, d, output);
  // A head of 16 is one vector.
  for (; d < head_size; d += KV_W)
    KV_(weigh_part)(element, queries, count, 1, head_size, weights, stride, values, offset, d, output);
}

// Adds weights times `count` rows to the outputs of all query heads.
static KV_INLINE void KV_(weigh_heads)(
    int element, kv_attention_shape shape, int count, const float *scores, size_t stride, const uint8_t *const *values,
    size_t head, float *outputs) {
  size_t head_size = shape.head_size, group = shape.group_count;
  size_t offset = head * head_size * (element == KV_ELEMENT_F32 ? 4 : 2);
  const float *weights = scores + head * group * 4;
  float *output = outputs + head * group * head_size;
  size_t done = 0;
  for (; done + 4 <= group; done += 4)
    KV_(weigh)(
        element, 4, count, head_size, weights + done * 4, stride, values, offset, output + done * head_size);
  for (; done + 2 <= group; done += 2)
    KV_(weigh)(
        element, 2, count, head_size, weights + done * 4, stride, values, offset, output + done * head_size);
  for (; done < group; done++)
    KV_(weigh)(
        element, 1, count, head_size, weights + done * 4, stride, values, offset, output + done * head_size);
}

// Four keys' scores of all query heads that the head serves.
static KV_INLINE void KV_(score_heads)(
    int element, kv_attention_shape shape, const float *query, const uint8_t *const *keys, size_t head,
    float *scores) {
  size_t head_size = shape.head_size, group = shape.group_count;
  size_t offset = head * head_size * (element == KV_ELEMENT_F32 ? 4 : 2);
  const float *q = query + head * group * head_size;
  float *s = scores + head * group * 4;
  size_t done = 0;
  for (; done + KV_QUERIES <= group; done += KV_QUERIES)
    KV_(score)(element, KV_QUERIES, head_size, q + done * head_size, keys, offset, s + done * 4);
  for (; done + 2 <= group; done += 2)
    KV_(score)(element, 2, head_size, q + done * head_size, keys, offset, s + done * 4);
  for (; done < group; done++) KV_(score)(element, 1, head_size, q + done * head_size, keys, offset, s + done * 4);
}

// What a score weighs beside the largest. Minus infinity weighs nothing, though there be nothing larger.
static KV_INLINE VF KV_(weight)(VF score, VF maximum) {
  return KV_(select)(score == KV_(splat)(-__builtin_inff()), KV_(splat)(0), KV_(exp2)(score - maximum));
}

// Scores of one query head become weights; its maximum and sum go on; where the maximum grows, what was summed up
// before it shrinks.
static KV_INLINE void KV_(soften)(
    int tile, size_t head_size, float *scores, float *maximum, float *total, float *output) {
  VF best = *(const VF *)scores;
  for (int t = KV_W; t < tile; t += KV_W) best = KV_(max)(best, *(const VF *)(scores + t));
  float tile_maximum = KV_(maximum)(best);
  if (tile_maximum > *maximum) {
    // From minus infinity there is nothing to shrink.
    VF factor = KV_(exp2)(KV_(splat)(*maximum - tile_maximum));
    *maximum = tile_maximum;
    *total *= factor[0];
    for (size_t d = 0; d < head_size; d += KV_W) *(VF *)(output + d) *= factor;
  }
  VF sum = KV_(splat)(0);
  for (int t = 0; t < tile; t += KV_W) {
    VF weight = KV_(weight)(*(const VF *)(scores + t), KV_(splat)(*maximum));
    *(VF *)(scores + t) = weight;
    sum += weight;
  }
  *total += KV_(sum)(sum);
}

// The largest of each lane's four floats, in all four.
static KV_INLINE VF KV_(lane_maximum)(VF x) {
  x = KV_(max)(x, KV_SWAP_PAIRS(x));
  return KV_(max)(x, KV_SWAP_HALVES(x));
}

// As `soften`, for KV_W / 4 query heads side by side: four scores of each in a vector, KV_TILE / 4 vectors `stride`
// floats apart. Each head has four maxima, all the same, and four totals, yet to be added up.
static KV_INLINE void KV_(soften_heads)(
    size_t stride, size_t head_size, size_t head_count, float *scores, float *maxima, float *totals, float *outputs) {
  VF best = *(const VF *)scores;
  for (size_t i = 1; i < KV_TILE / 4; i++) best = KV_(max)(best, *(const VF *)(scores + i * stride));
  VF old = *(const VF *)maxima, total = *(const VF *)totals;
  VF maximum = KV_(max)(KV_(lane_maximum)(best), old);
  VI grown = maximum > old;
  if (KV_(any)(grown)) {
    VF factor = KV_(select)(grown, KV_(exp2)(old - maximum), KV_(splat)(1));
    *(VF *)maxima = maximum;
    total *= factor;
    for (size_t q = 0; q < head_count; q++)
      for (size_t d = 0; d < head_size; d += KV_W) *(VF *)(outputs + q * head_size + d) *= KV_(splat)(factor[4 * q]);
  }
  for (size_t i = 0; i < KV_TILE / 4; i++) {
    VF weight = KV_(weight)(*(const VF *)(scores + i * stride), maximum);
    *(VF *)(scores + i * stride) = weight;
    total += weight;
  }
  *(VF *)totals = total;
}

// Asks for the next `byte_count` bytes of rows that follow one another; `at` is where in the first of them.
static KV_INLINE void KV_(prefetch)(const uint8_t *const **rows, size_t *at, size_t row_byte_count, size_t byte_count) {
  while (byte_count > 0) {
    size_t part = row_byte_count - *at < byte_count ? row_byte_count - *at : byte_count;
    const uint8_t *first = **rows + *at;
    for (size_t line = 0; line < part; line += 64) __builtin_prefetch(first + line, 0, 3);
    byte_count -= part;
    *at += part;
    if (*at == row_byte_count) {
      *at = 0;
      *rows += 1;
    }
  }
}

static KV_INLINE void KV_(decode_of)(
    int element, kv_attention_shape shape, const float *query, const uint8_t *const *keys,
    const uint8_t *const *values, size_t row_count, size_t next_count, float *maxima, float *totals, float *outputs,
    float *scores) {
  size_t head_size = shape.head_size, head_count = shape.kv_head_count * shape.group_count;
  size_t known_count = row_count + next_count;
  size_t head_byte_count = head_size * (element == KV_ELEMENT_F32 ? 4 : 2);
  size_t row_byte_count = shape.kv_head_count * head_byte_count;
  // Four tokens' scores of all query heads, then those of the next four.
  size_t stride = 4 * kv_attention_padded_head_count(shape);
  // Rows in the order in which they are read: a tile's keys, its values, and the next tile's first keys. Each row is
  // read from its beginning to its end, as the processor's own prefetching likes it.
  const uint8_t *rows[2 * KV_TILE + KV_ATTENTION_AHEAD];
  for (size_t start = 0; start < row_count; start += KV_TILE) {
    size_t count = row_count - start < KV_TILE ? row_count - start : KV_TILE;
    for (size_t t = 0; t < KV_TILE; t++) {
      // A short tile reads its last row again; what comes of it does not count.
      size_t row = start + (t < count ? t : count - 1);
      rows[t] = keys[row];
      rows[KV_TILE + t] = values[row];
    }
    for (size_t t = 0; t < KV_ATTENTION_AHEAD; t++) {
      size_t next = start + KV_TILE + t;
      rows[2 * KV_TILE + t] = keys[next < known_count ? next : known_count - 1];
    }
    const uint8_t *const *ahead = rows + KV_ATTENTION_AHEAD;
    size_t ahead_at = 0;
    for (size_t t = 0; t < KV_TILE; t += 4) {
      for (size_t head = 0; head < shape.kv_head_count; head++) {
        KV_(prefetch)(&ahead, &ahead_at, row_byte_count, 4 * head_byte_count);
        KV_(score_heads)(element, shape, query, rows + t, head, scores + t / 4 * stride);
      }
    }
    for (size_t t = count; t < KV_TILE; t++)
      for (size_t q = 0; q < head_count; q++) scores[t / 4 * stride + 4 * q + t % 4] = -__builtin_inff();
    for (size_t q = 0; q < head_count; q += KV_W / 4)
      KV_(soften_heads)(
          stride, head_size, head_count - q < KV_W / 4 ? head_count - q : KV_W / 4, scores + 4 * q, maxima + 4 * q,
          totals + 4 * q, outputs + q * head_size);
    const uint8_t *const *value_rows = rows + KV_TILE;
    size_t t = 0;
    for (; t + KV_VALUES <= count; t += KV_VALUES) {
      for (size_t head = 0; head < shape.kv_head_count; head++) {
        KV_(prefetch)(&ahead, &ahead_at, row_byte_count, KV_VALUES * head_byte_count);
        KV_(weigh_heads)(element, shape, KV_VALUES, scores + t / 4 * stride, stride, value_rows + t, head, outputs);
      }
    }
    for (; t < count; t++)
      for (size_t head = 0; head < shape.kv_head_count; head++)
        KV_(weigh_heads)(
            element, shape, 1, scores + t / 4 * stride + t % 4, stride, value_rows + t, head, outputs);
  }
}

static void KV_(decode)(
    kv_attention_shape shape, const float *query, const uint8_t *const *keys, const uint8_t *const *values,
    size_t row_count, size_t next_count, float *maxima, float *totals, float *outputs, float *scratch) {
#define KV_DECODE(element) \
  KV_(decode_of)(element, shape, query, keys, values, row_count, next_count, maxima, totals, outputs, scratch)
  switch (shape.element) {
    case KV_ELEMENT_F16: KV_DECODE(KV_ELEMENT_F16); return;
    case KV_ELEMENT_BF16: KV_DECODE(KV_ELEMENT_BF16); return;
    default: KV_DECODE(KV_ELEMENT_F32);
  }
#undef KV_DECODE
}

// MARK: Many queries

// A tile of KV_WIDE_TILE rows as f32: keys with the tokens of one dimension side by side, values as they lie. Returns
// whether all values are finite.
static KV_INLINE int KV_(unpack)(
    int element, size_t head_size, const uint8_t *const *keys, const uint8_t *const *values, size_t offset,
    float *wide_keys, float *wide_values) {
  VI other = {};
  for (size_t t = 0; t < KV_WIDE_TILE; t++) {
    const uint8_t *row = values[t] + offset;
    for (size_t d = 0; d < head_size; d += KV_W) {
      VF value = KV_(load)(element, row, d);
      *(VF *)(wide_values + t * head_size + d) = value;
      other |= ((VI)value & 0x7f800000) == 0x7f800000;
    }
  }
  for (size_t t = 0; t < KV_WIDE_TILE; t += 4) {
    const uint8_t *rows[4];
    for (int i = 0; i < 4; i++) rows[i] = keys[t + i] + offset;
    for (size_t d = 0; d < head_size; d += KV_W) {
      VF a = KV_(load)(element, rows[0], d), b = KV_(load)(element, rows[1], d);
      VF c = KV_(load)(element, rows[2], d), e = KV_(load)(element, rows[3], d);
      // Four by four, lane by lane of four.
      VF ac_low = KV_UNPACK_LOW(a, c), ac_high = KV_UNPACK_HIGH(a, c);
      VF be_low = KV_UNPACK_LOW(b, e), be_high = KV_UNPACK_HIGH(b, e);
      VF columns[4] = {
          KV_UNPACK_LOW(ac_low, be_low), KV_UNPACK_HIGH(ac_low, be_low), KV_UNPACK_LOW(ac_high, be_high),
          KV_UNPACK_HIGH(ac_high, be_high)};
      for (int lane = 0; lane < KV_W; lane += 4)
        for (int i = 0; i < 4; i++)
          memcpy(wide_keys + (d + lane + i) * KV_WIDE_TILE + t, (const float *)&columns[i] + lane, 16);
    }
  }
  return !KV_(any)(other);
}

// KV_ROWS rows of `a` (`depth` floats each) times `b` (`depth` rows of `stride` floats), added to `sums`
// (KV_COLUMNS vectors a row, `sum_stride` floats apart).
static KV_INLINE void KV_(multiply)(
    const float *a, size_t a_stride, const float *b, size_t stride, size_t depth, float *sums, size_t sum_stride,
    int columns, int begins) {
  VF total[KV_ROWS][KV_COLUMNS];
  for (int r = 0; r < KV_ROWS; r++)
    for (int c = 0; c < columns; c++)
      total[r][c] = begins ? KV_(splat)(0) : *(const VF *)(sums + r * sum_stride + c * KV_W);
  for (size_t k = 0; k < depth; k++) {
    VF right[KV_COLUMNS];
    for (int c = 0; c < columns; c++) right[c] = *(const VF *)(b + k * stride + c * KV_W);
    for (int r = 0; r < KV_ROWS; r++) {
      VF left = KV_(splat)(a[r * a_stride + k]);
      for (int c = 0; c < columns; c++) total[r][c] = KV_(fma)(left, right[c], total[r][c]);
    }
  }
  for (int r = 0; r < KV_ROWS; r++)
    for (int c = 0; c < columns; c++) *(VF *)(sums + r * sum_stride + c * KV_W) = total[r][c];
}

// As `soften`, over a wide tile of which `first..<end` count.
static KV_INLINE void KV_(soften_wide)(
    size_t head_size, float *scores, intptr_t first, intptr_t end, float *maximum, float *total, float *output) {
  if (first >= end) {
    memset(scores, 0, KV_WIDE_TILE * sizeof(float));
    return;
  }
  for (intptr_t t = 0; t < first; t++) scores[t] = -__builtin_inff();
  for (intptr_t t = end; t < KV_WIDE_TILE; t++) scores[t] = -__builtin_inff();
  KV_(soften)(KV_WIDE_TILE, head_size, scores, maximum, total, output);
}

// Adds weights times values, for all rows of queries.
static KV_INLINE void KV_(weigh_wide)(
    size_t head_size, size_t padded, const float *weights, const float *wide_values, float *outputs) {
  for (size_t r = 0; r < padded; r += KV_ROWS) {
    size_t d = 0;
    for (; d + KV_COLUMNS * KV_W <= head_size; d += KV_COLUMNS * KV_W)
      KV_(multiply)(
          weights + r * KV_WIDE_TILE, KV_WIDE_TILE, wide_values + d, head_size, KV_WIDE_TILE,
          outputs + r * head_size + d, head_size, KV_COLUMNS, 0);
    for (; d < head_size; d += KV_W)
      KV_(multiply)(
          weights + r * KV_WIDE_TILE, KV_WIDE_TILE, wide_values + d, head_size, KV_WIDE_TILE,
          outputs + r * head_size + d, head_size, 1, 0);
  }
}

// The tokens of a tile that one query sees.
typedef struct {
  intptr_t first, end;
} KV_(span);

static KV_INLINE KV_(span) KV_(seen)(const kv_attention_queries *queries, size_t r, intptr_t tile_first, size_t count) {
  KV_(span) seen = {0, 0};
  if (r >= queries->count) return seen;
  seen.first = queries->firsts[r] > tile_first ? queries->firsts[r] - tile_first : 0;
  seen.end = queries->ends[r] - tile_first < (intptr_t)count ? queries->ends[r] - tile_first : (intptr_t)count;
  return seen;
}

static KV_INLINE void KV_(prefill_of)(
    int element, kv_attention_queries queries, const uint8_t *const *keys, const uint8_t *const *values,
    intptr_t first_row, size_t row_count, size_t next_count, float *scratch) {
  size_t head_size = queries.head_size;
  size_t padded = kv_attention_padded_count(queries.count);
  float *wide_keys = scratch, *wide_values = wide_keys + KV_WIDE_TILE * head_size;
  float *scores = wide_values + KV_WIDE_TILE * head_size;
  size_t head_byte_count = head_size * (element == KV_ELEMENT_F32 ? 4 : 2);
  const uint8_t *tile_keys[KV_WIDE_TILE], *tile_values[KV_WIDE_TILE];
  for (size_t start = 0; start < row_count; start += KV_WIDE_TILE) {
    size_t count = row_count - start < KV_WIDE_TILE ? row_count - start : KV_WIDE_TILE;
    for (size_t t = 0; t < KV_WIDE_TILE; t++) {
      size_t row = start + (t < count ? t : count - 1);
      tile_keys[t] = keys[row];
      tile_values[t] = values[row];
    }
    // The next tile comes while this one is computed with.
    size_t known_count = row_count + next_count;
    size_t next_end = start + 2 * KV_WIDE_TILE < known_count ? start + 2 * KV_WIDE_TILE : known_count;
    for (size_t row = start + KV_WIDE_TILE; row < next_end; row++) {
      for (size_t line = 0; line < head_byte_count; line += 64) {
        __builtin_prefetch(keys[row] + queries.offset + line, 0, 2);
        __builtin_prefetch(values[row] + queries.offset + line, 0, 2);
      }
    }
    int is_finite = KV_(unpack)(element, head_size, tile_keys, tile_values, queries.offset, wide_keys, wide_values);
    for (size_t r = 0; r < padded; r += KV_ROWS)
      for (size_t t = 0; t < KV_WIDE_TILE; t += KV_COLUMNS * KV_W)
        KV_(multiply)(
            queries.rows + r * head_size, head_size, wide_keys + t, KV_WIDE_TILE, head_size,
            scores + r * KV_WIDE_TILE + t, KV_WIDE_TILE, KV_COLUMNS, 1);
    intptr_t tile_first = first_row + (intptr_t)start;
    for (size_t r = 0; r < padded; r++) {
      KV_(span) seen = KV_(seen)(&queries, r, tile_first, count);
      KV_(soften_wide)(
          head_size, scores + r * KV_WIDE_TILE, seen.first, seen.end, queries.maxima + r, queries.totals + r,
          queries.outputs + r * head_size);
    }
    if (is_finite) {
      KV_(weigh_wide)(head_size, padded, scores, wide_values, queries.outputs);
      continue;
    }
    // A weight of zero does not make 0 of a value that is no number: each query has just what it sees.
    for (size_t r = 0; r < queries.count; r++) {
      KV_(span) seen = KV_(seen)(&queries, r, tile_first, count);
      for (intptr_t t = seen.first; t < seen.end; t++) {
        VF weight = KV_(splat)(scores[r * KV_WIDE_TILE + t]);
        for (size_t d = 0; d < head_size; d += KV_W) {
          VF *output = (VF *)(queries.outputs + r * head_size + d);
          *output = KV_(fma)(weight, *(const VF *)(wide_values + t * head_size + d), *output);
        }
      }
    }
  }
}

static void KV_(prefill)(
    kv_attention_queries queries, const uint8_t *const *keys, const uint8_t *const *values, intptr_t first_row,
    size_t row_count, size_t next_count, float *scratch) {
#define KV_PREFILL(element) \
  KV_(prefill_of)(element, queries, keys, values, first_row, row_count, next_count, scratch)
  switch (queries.element) {
    case KV_ELEMENT_F16: KV_PREFILL(KV_ELEMENT_F16); return;
    case KV_ELEMENT_BF16: KV_PREFILL(KV_ELEMENT_BF16); return;
    default: KV_PREFILL(KV_ELEMENT_F32);
  }
#undef KV_PREFILL
}

#undef VF
#undef VI
#undef VU
#undef VH
#undef KV_W
#undef KV_DV
#undef KV_QUERIES
#undef KV_COLUMNS
#undef KV_
#undef KV_SWAP_PAIRS
#undef KV_SWAP_HALVES
#undef KV_UNPACK_LOW
#undef KV_UNPACK_HIGH
#undef KV_PAIR_LOW
#undef KV_PAIR_HIGH
