// The inner loops of attention, once for each instruction set: KV_W floats to a vector. attention.c includes it.
//
// A tile is KV_TILE tokens. Scores are in powers of two: queries come scaled by log2(e), so that exp2 is softmax's exp.

typedef float KV_(vf) __attribute__((vector_size(4 * KV_W), aligned(4)));
typedef int32_t KV_(vi) __attribute__((vector_size(4 * KV_W), aligned(4)));
typedef uint32_t KV_(vu) __attribute__((vector_size(4 * KV_W), aligned(4)));
typedef uint16_t KV_(vh) __attribute__((vector_size(2 * KV_W), aligned(2)));

#define VF KV_(vf)
#define VI KV_(vi)
#define VU KV_(vu)
#define VH KV_(vh)

static KV_INLINE VF KV_(splat)(float x) { return (VF){} + x; }

static KV_INLINE VF KV_(fma)(VF a, VF b, VF c) {
#if KV_HAS_FMA
  return __builtin_elementwise_fma(a, b, c);
#else
  return a * b + c;
#endif
}

static KV_INLINE VF KV_(select)(VI mask, VF a, VF b) { return (VF)((mask & (VI)a) | (~mask & (VI)b)); }

static KV_INLINE VF KV_(max)(VF a, VF b) { return KV_(select)(a > b, a, b); }

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

static KV_INLINE float KV_(sum)(VF x) {
  float total = 0;
  for (int i = 0; i < KV_W; i++) total += x[i];
  return total;
}

// Four sums of KV_W lanes each.
static KV_INLINE void KV_(sum4)(VF a, VF b, VF c, VF d, float *out) {
  // Lane by lane of four: [a b a b], then [a b c d].
  VF ab = KV_UNPACK_LOW(a, b) + KV_UNPACK_HIGH(a, b);
  VF cd = KV_UNPACK_LOW(c, d) + KV_UNPACK_HIGH(c, d);
  VF all = KV_PAIR_LOW(ab, cd) + KV_PAIR_HIGH(ab, cd);
  for (int i = 0; i < 4; i++) {
    float total = all[i];
    for (int lane = 4; lane < KV_W; lane += 4) total += all[lane + i];
    out[i] = total;
  }
}

// Products of `queries` query heads with 4 keys: scores[query * KV_TILE + token].
static KV_INLINE void KV_(scores)(
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
    KV_(sum4)(sums[q][0], sums[q][1], sums[q][2], sums[q][3], scores + q * KV_TILE);
}

// Adds `queries` rows of weights times the tile's values to the outputs, KV_DV vectors of a row at once.
static KV_INLINE void KV_(weigh)(
    int element, int queries, size_t head_size, const float *weights, const uint8_t *const *values, size_t offset,
    float *output) {
  for (size_t d = 0; d < head_size; d += KV_DV * KV_W) {
    VF sums[4][KV_DV];
    // A head of 16 has one part of a row only.
    size_t count = (head_size - d) / KV_W < KV_DV ? (head_size - d) / KV_W : KV_DV;
    if (count == KV_DV) {
      for (int q = 0; q < queries; q++)
        for (int v = 0; v < KV_DV; v++) sums[q][v] = *(const VF *)(output + q * head_size + d + v * KV_W);
      for (int t = 0; t < KV_TILE; t++) {
        VF value[KV_DV];
        for (int v = 0; v < KV_DV; v++) value[v] = KV_(load)(element, values[t] + offset, d + v * KV_W);
        for (int q = 0; q < queries; q++) {
          VF weight = KV_(splat)(weights[q * KV_TILE + t]);
          for (int v = 0; v < KV_DV; v++) sums[q][v] = KV_(fma)(weight, value[v], sums[q][v]);
        }
      }
      for (int q = 0; q < queries; q++)
        for (int v = 0; v < KV_DV; v++) *(VF *)(output + q * head_size + d + v * KV_W) = sums[q][v];
    } else {
      for (size_t v = 0; v < count; v++) {
        for (int q = 0; q < queries; q++) {
          VF sum = *(const VF *)(output + q * head_size + d + v * KV_W);
          for (int t = 0; t < KV_TILE; t++)
            sum = KV_(fma)(
                KV_(splat)(weights[q * KV_TILE + t]), KV_(load)(element, values[t] + offset, d + v * KV_W), sum);
          *(VF *)(output + q * head_size + d + v * KV_W) = sum;
        }
      }
    }
  }
}

// Scores of one query head become weights; its maximum and sum go on; where the maximum grows, what was summed up
// before it shrinks.
static KV_INLINE void KV_(soften)(
    int tile, size_t head_size, float *scores, float *maximum, float *total, float *output) {
  VF best = *(const VF *)scores;
  for (int t = KV_W; t < tile; t += KV_W) best = KV_(max)(best, *(const VF *)(scores + t));
  float tile_maximum = best[0];
  for (int i = 1; i < KV_W; i++) tile_maximum = best[i] > tile_maximum ? best[i] : tile_maximum;
  if (tile_maximum > *maximum) {
    // From minus infinity there is nothing to shrink.
    VF factor = KV_(exp2)(KV_(splat)(*maximum - tile_maximum));
    *maximum = tile_maximum;
    *total *= factor[0];
    for (size_t d = 0; d < head_size; d += KV_W) *(VF *)(output + d) *= factor;
  }
  VF sum = KV_(splat)(0);
  for (int t = 0; t < tile; t += KV_W) {
    VF weight = KV_(exp2)(*(const VF *)(scores + t) - KV_(splat)(*maximum));
    *(VF *)(scores + t) = weight;
    sum += weight;
  }
  *total += KV_(sum)(sum);
}

static KV_INLINE void KV_(prefetch)(const uint8_t *const *rows, size_t offset, size_t byte_count) {
  for (int t = 0; t < KV_TILE; t++)
    for (size_t line = 0; line < byte_count; line += 64) __builtin_prefetch(rows[t] + offset + line, 0, 2);
}

static KV_INLINE void KV_(decode_of)(
    int element, kv_attention_shape shape, const float *query, const uint8_t *const *keys,
    const uint8_t *const *values, size_t row_count, size_t next_count, float *maxima, float *totals, float *outputs) {
  size_t head_size = shape.head_size, group = shape.group_count;
  size_t known_count = row_count + next_count;
  size_t head_byte_count = head_size * (element == KV_ELEMENT_F32 ? 4 : 2);
  float scores[KV_GROUP_LIMIT * KV_TILE] __attribute__((aligned(64)));
  const uint8_t *tile_keys[KV_TILE], *tile_values[KV_TILE], *next_keys[KV_TILE], *next_values[KV_TILE];
  for (size_t start = 0; start < row_count; start += KV_TILE) {
    size_t count = row_count - start < KV_TILE ? row_count - start : KV_TILE;
    for (size_t t = 0; t < KV_TILE; t++) {
      // A short tile reads its last row again, with a weight of zero.
      size_t row = start + (t < count ? t : count - 1);
      tile_keys[t] = keys[row];
      tile_values[t] = values[row];
      size_t next = start + KV_TILE + t < known_count ? start + KV_TILE + t : known_count - 1;
      next_keys[t] = keys[next];
      next_values[t] = values[next];
    }
    for (size_t head = 0; head < shape.kv_head_count; head++) {
      size_t offset = head * head_byte_count, first = head * group;
      const float *q = query + first * head_size;
      KV_(prefetch)(next_keys, offset, head_byte_count);
      for (size_t t = 0; t < KV_TILE; t += 4) {
        size_t done = 0;
        for (; done + 4 <= group; done += 4)
          KV_(scores)(element, 4, head_size, q + done * head_size, tile_keys + t, offset, scores + done * KV_TILE + t);
        for (; done + 2 <= group; done += 2)
          KV_(scores)(element, 2, head_size, q + done * head_size, tile_keys + t, offset, scores + done * KV_TILE + t);
        for (; done < group; done++)
          KV_(scores)(element, 1, head_size, q + done * head_size, tile_keys + t, offset, scores + done * KV_TILE + t);
      }
      for (size_t g = 0; g < group; g++) {
        for (size_t t = count; t < KV_TILE; t++) scores[g * KV_TILE + t] = -__builtin_inff();
        KV_(soften)(
            KV_TILE, head_size, scores + g * KV_TILE, maxima + first + g, totals + first + g,
            outputs + (first + g) * head_size);
      }
      KV_(prefetch)(next_values, offset, head_byte_count);
      float *output = outputs + first * head_size;
      size_t done = 0;
      for (; done + 4 <= group; done += 4)
        KV_(weigh)(
            element, 4, head_size, scores + done * KV_TILE, tile_values, offset, output + done * head_size);
      for (; done + 2 <= group; done += 2)
        KV_(weigh)(
            element, 2, head_size, scores + done * KV_TILE, tile_values, offset, output + done * head_size);
      for (; done < group; done++)
        KV_(weigh)(
            element, 1, head_size, scores + done * KV_TILE, tile_values, offset, output + done * head_size);
    }
  }
}

static void KV_(decode)(
    kv_attention_shape shape, const float *query, const uint8_t *const *keys, const uint8_t *const *values,
    size_t row_count, size_t next_count, float *maxima, float *totals, float *outputs) {
  switch (shape.element) {
    case KV_ELEMENT_F16:
      KV_(decode_of)(KV_ELEMENT_F16, shape, query, keys, values, row_count, next_count, maxima, totals, outputs);
      return;
    case KV_ELEMENT_BF16:
      KV_(decode_of)(KV_ELEMENT_BF16, shape, query, keys, values, row_count, next_count, maxima, totals, outputs);
      return;
    default: KV_(decode_of)(KV_ELEMENT_F32, shape, query, keys, values, row_count, next_count, maxima, totals, outputs);
  }
}

// MARK: Many queries

// A tile of KV_WIDE_TILE rows as f32: keys with the tokens of one dimension side by side, values as they lie.
static KV_INLINE void KV_(unpack)(
    int element, size_t head_size, const uint8_t *const *keys, const uint8_t *const *values, size_t offset,
    float *wide_keys, float *wide_values) {
  for (size_t t = 0; t < KV_WIDE_TILE; t++) {
    const uint8_t *row = values[t] + offset;
    for (size_t d = 0; d < head_size; d += KV_W)
      *(VF *)(wide_values + t * head_size + d) = KV_(load)(element, row, d);
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

static KV_INLINE void KV_(prefill_of)(
    int element, kv_attention_queries queries, const uint8_t *const *keys, const uint8_t *const *values,
    intptr_t first_row, size_t row_count, float *scratch) {
  size_t head_size = queries.head_size;
  size_t padded = kv_attention_padded_count(queries.count);
  float *wide_keys = scratch, *wide_values = wide_keys + KV_WIDE_TILE * head_size;
  float *scores = wide_values + KV_WIDE_TILE * head_size;
  const uint8_t *tile_keys[KV_WIDE_TILE], *tile_values[KV_WIDE_TILE];
  for (size_t start = 0; start < row_count; start += KV_WIDE_TILE) {
    size_t count = row_count - start < KV_WIDE_TILE ? row_count - start : KV_WIDE_TILE;
    for (size_t t = 0; t < KV_WIDE_TILE; t++) {
      size_t row = start + (t < count ? t : count - 1);
      tile_keys[t] = keys[row];
      tile_values[t] = values[row];
    }
    KV_(unpack)(element, head_size, tile_keys, tile_values, queries.offset, wide_keys, wide_values);
    for (size_t r = 0; r < padded; r += KV_ROWS)
      for (size_t t = 0; t < KV_WIDE_TILE; t += KV_COLUMNS * KV_W)
        KV_(multiply)(
            queries.rows + r * head_size, head_size, wide_keys + t, KV_WIDE_TILE, head_size,
            scores + r * KV_WIDE_TILE + t, KV_WIDE_TILE, KV_COLUMNS, 1);
    intptr_t tile_first = first_row + (intptr_t)start;
    for (size_t r = 0; r < padded; r++) {
      intptr_t first = 0, end = 0;
      if (r < queries.count) {
        first = queries.firsts[r] > tile_first ? queries.firsts[r] - tile_first : 0;
        end = queries.ends[r] - tile_first < (intptr_t)count ? queries.ends[r] - tile_first : (intptr_t)count;
      }
      KV_(soften_wide)(
          head_size, scores + r * KV_WIDE_TILE, first, end, queries.maxima + r, queries.totals + r,
          queries.outputs + r * head_size);
    }
    for (size_t r = 0; r < padded; r += KV_ROWS) {
      size_t d = 0;
      for (; d + KV_COLUMNS * KV_W <= head_size; d += KV_COLUMNS * KV_W)
        KV_(multiply)(
            scores + r * KV_WIDE_TILE, KV_WIDE_TILE, wide_values + d, head_size, KV_WIDE_TILE,
            queries.outputs + r * head_size + d, head_size, KV_COLUMNS, 0);
      for (; d < head_size; d += KV_W)
        KV_(multiply)(
            scores + r * KV_WIDE_TILE, KV_WIDE_TILE, wide_values + d, head_size, KV_WIDE_TILE,
            queries.outputs + r * head_size + d, head_size, 1, 0);
    }
  }
}

static void KV_(prefill)(
    kv_attention_queries queries, const uint8_t *const *keys, const uint8_t *const *values, intptr_t first_row,
    size_t row_count, float *scratch) {
  switch (queries.element) {
    case KV_ELEMENT_F16: KV_(prefill_of)(KV_ELEMENT_F16, queries, keys, values, first_row, row_count, scratch); return;
    case KV_ELEMENT_BF16:
      KV_(prefill_of)(KV_ELEMENT_BF16, queries, keys, values, first_row, row_count, scratch);
      return;
    default: KV_(prefill_of)(KV_ELEMENT_F32, queries, keys, values, first_row, row_count, scratch);
  }
}

#undef VF
#undef VI
#undef VU
#undef VH
