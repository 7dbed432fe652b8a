// Many query tokens over rows that lie anywhere, as products of matrices. A part of attention_template.h.

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
