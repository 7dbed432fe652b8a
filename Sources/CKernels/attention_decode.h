// One query token over rows that lie anywhere. A part of attention_template.h.

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
