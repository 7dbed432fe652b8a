// Included once per level, with KV_W (bytes of a vector), KV_(name) and the sequences of bit_planes.c defined.
// Not a header of its own.

typedef uint8_t KV_(vec) __attribute__((vector_size(KV_W)));
typedef uint64_t KV_(vec64) __attribute__((vector_size(KV_W)));
#define VEC KV_(vec)
#define VEC64 KV_(vec64)

static KV_INLINE VEC KV_(load)(const uint8_t *from) {
  VEC v;
  memcpy(&v, from, KV_W);
  return v;
}

static KV_INLINE void KV_(store)(uint8_t *to, VEC v) { memcpy(to, &v, KV_W); }

// Exchanges the bits `mask << shift` of *low with the bits `mask` of *high, in every byte.
static KV_INLINE void KV_(exchange)(VEC *low, VEC *high, int shift, uint64_t mask) {
  VEC64 a = (VEC64)*low, b = (VEC64)*high;
  VEC64 t = ((a >> shift) ^ b) & mask;
  *high = (VEC)(b ^ t);
  *low = (VEC)(a ^ (t << shift));
}

// 8 x 8 bits transposed at each byte place: bit k of vector i becomes bit i of vector k. Its own inverse.
static KV_INLINE void KV_(transpose)(VEC v[8]) {
  for (int i = 0; i < 4; i++) KV_(exchange)(&v[i], &v[i + 4], 4, 0x0f0f0f0f0f0f0f0f);
  for (int i = 0; i < 8; i += 4) {
    KV_(exchange)(&v[i], &v[i + 2], 2, 0x3333333333333333);
    KV_(exchange)(&v[i + 1], &v[i + 3], 2, 0x3333333333333333);
  }
  for (int i = 0; i < 8; i += 2) KV_(exchange)(&v[i], &v[i + 1], 1, 0x5555555555555555);
}

// `width` vectors of elements to `width` vectors of bytes, the least significant first; and back.
static KV_INLINE void KV_(part)(VEC v[4], int width) {
  if (width == 1) return;
  if (width == 2) {
    VEC even = __builtin_shufflevector(v[0], v[1], KV_EVERY(0, 2));
    VEC odd = __builtin_shufflevector(v[0], v[1], KV_EVERY(1, 2));
    v[0] = even;
    v[1] = odd;
    return;
  }
  VEC even0 = __builtin_shufflevector(v[0], v[1], KV_EVERY(0, 2));
  VEC odd0 = __builtin_shufflevector(v[0], v[1], KV_EVERY(1, 2));
  VEC even1 = __builtin_shufflevector(v[2], v[3], KV_EVERY(0, 2));
  VEC odd1 = __builtin_shufflevector(v[2], v[3], KV_EVERY(1, 2));
  v[0] = __builtin_shufflevector(even0, even1, KV_EVERY(0, 2));
  v[1] = __builtin_shufflevector(odd0, odd1, KV_EVERY(0, 2));
  v[2] = __builtin_shufflevector(even0, even1, KV_EVERY(1, 2));
  v[3] = __builtin_shufflevector(odd0, odd1, KV_EVERY(1, 2));
}

static KV_INLINE void KV_(merge)(VEC v[4], int width) {
  if (width == 1) return;
  if (width == 2) {
    VEC low = __builtin_shufflevector(v[0], v[1], KV_ZIP(0));
    VEC high = __builtin_shufflevector(v[0], v[1], KV_ZIP(KV_W / 2));
    v[0] = low;
    v[1] = high;
    return;
  }
  VEC low0 = __builtin_shufflevector(v[0], v[2], KV_ZIP(0));
  VEC high0 = __builtin_shufflevector(v[0], v[2], KV_ZIP(KV_W / 2));
  VEC low1 = __builtin_shufflevector(v[1], v[3], KV_ZIP(0));
  VEC high1 = __builtin_shufflevector(v[1], v[3], KV_ZIP(KV_W / 2));
  v[0] = __builtin_shufflevector(low0, low1, KV_ZIP(0));
  v[1] = __builtin_shufflevector(low0, low1, KV_ZIP(KV_W / 2));
  v[2] = __builtin_shufflevector(high0, high1, KV_ZIP(0));
  v[3] = __builtin_shufflevector(high0, high1, KV_ZIP(KV_W / 2));
}

// KV_W elements of 8 rows. In a chain each row stands above the next, and only `above[0]` is read; else each row has
// its
// own `above`. Null where there is none.
static KV_INLINE void KV_(split_tile)(
    const uint8_t *const row[8], const uint8_t *const above[8], int is_chain, size_t offset, uint8_t *planes,
    size_t plane_stride, int width, uint32_t gray) {
  VEC bits[4][8], last[4];
  for (int i = 0; i < 8; i++) {
    VEC v[4];
    for (int u = 0; u < width; u++) {
      VEC here = KV_(load)(row[i] + offset + (size_t)u * KV_W);
      v[u] = here;
      if (is_chain && i > 0) v[u] ^= last[u];
      else if (above[i]) v[u] ^= KV_(load)(above[i] + offset + (size_t)u * KV_W);
      last[u] = here;
    }
    KV_(part)(v, width);
    for (int u = 0; u < width; u++) bits[u][i] = v[u];
  }
  for (int u = 0; u < width; u++) KV_(transpose)(bits[u]);
  for (int b = 0; b < 8 * width; b++) {
    VEC v = bits[b / 8][b % 8];
    if (gray >> b & 1) v ^= bits[(b + 1) / 8][(b + 1) % 8];
    KV_(store)(planes + (size_t)(8 * width - 1 - b) * plane_stride, v);
  }
}

static KV_INLINE void KV_(join_tile)(
    const uint8_t *const *planes, size_t place, uint8_t *const row[8], const uint8_t *const above[8], int is_chain,
    size_t offset, int width, uint32_t gray) {
  VEC bits[4][8], last[4];
  for (int b = 8 * width - 1; b >= 0; b--) {
    VEC v = KV_(load)(planes[8 * width - 1 - b] + place);
    if (gray >> b & 1) v ^= bits[(b + 1) / 8][(b + 1) % 8];
    bits[b / 8][b % 8] = v;
  }
  for (int u = 0; u < width; u++) KV_(transpose)(bits[u]);
  for (int i = 0; i < 8; i++) {
    VEC v[4];
    for (int u = 0; u < width; u++) v[u] = bits[u][i];
    KV_(merge)(v, width);
    for (int u = 0; u < width; u++) {
      if (is_chain && i > 0) v[u] ^= last[u];
      else if (above[i]) v[u] ^= KV_(load)(above[i] + offset + (size_t)u * KV_W);
      last[u] = v[u];
      KV_(store)(row[i] + offset + (size_t)u * KV_W, v[u]);
    }
  }
}

// `count` elements of 8 rows; the last, partial tile goes through padded copies.
static KV_INLINE void KV_(split_group)(
    const uint8_t *const row[8], const uint8_t *const above[8], int is_chain, size_t count, uint8_t *planes,
    size_t plane_stride, int width, uint32_t gray) {
  size_t done = 0;
  for (; done + KV_W <= count; done += KV_W)
    KV_(split_tile)(row, above, is_chain, done * (size_t)width, planes + done, plane_stride, width, gray);
  if (done == count) return;
  uint8_t rows_copy[8][4 * KV_W] = {{0}}, above_copy[8][4 * KV_W] = {{0}}, planes_copy[32][KV_W];
  const uint8_t *row_pointers[8], *above_pointers[8];
  size_t bytes = (count - done) * (size_t)width, start = done * (size_t)width;
  for (int i = 0; i < 8; i++) {
    memcpy(rows_copy[i], row[i] + start, bytes);
    if (above[i]) memcpy(above_copy[i], above[i] + start, bytes);
    row_pointers[i] = rows_copy[i];
    above_pointers[i] = above_copy[i];
  }
  KV_(split_tile)(row_pointers, above_pointers, 0, 0, planes_copy[0], KV_W, width, gray);
  for (int b = 0; b < 8 * width; b++) memcpy(planes + (size_t)b * plane_stride + done, planes_copy[b], count - done);
}

static KV_INLINE void KV_(join_group)(
    const uint8_t *const *planes, size_t place, uint8_t *const row[8], const uint8_t *const above[8], int is_chain,
    size_t count, int width, uint32_t gray) {
  size_t done = 0;
  for (; done + KV_W <= count; done += KV_W)
    KV_(join_tile)(planes, place + done, row, above, is_chain, done * (size_t)width, width, gray);
  if (done == count) return;
  uint8_t rows_copy[8][4 * KV_W], planes_copy[32][KV_W] = {{0}};
  const uint8_t *plane_pointers[32], *none[8] = {0};
  uint8_t *row_pointers[8];
  size_t bytes = (count - done) * (size_t)width, start = done * (size_t)width;
  for (int b = 0; b < 8 * width; b++) {
    memcpy(planes_copy[b], planes[b] + place + done, count - done);
    plane_pointers[b] = planes_copy[b];
  }
  for (int i = 0; i < 8; i++) row_pointers[i] = rows_copy[i];
  KV_(join_tile)(plane_pointers, 0, row_pointers, none, 0, 0, width, gray);
  for (int i = 0; i < 8; i++)
    for (size_t j = 0; j < bytes; j++)
      row[i][start + j] = rows_copy[i][j] ^ (above[i] ? above[i][start + j] : 0);
}

static KV_INLINE void KV_(split_rows)(
    kv_rows rows, const uint8_t *source, uint8_t *planes, size_t plane_stride, uint8_t *rest, int width,
    uint32_t gray) {
  const uint8_t *row[8], *above[8];
  size_t r = 0;
  for (; r + 8 <= rows.row_count; r += 8) {
    for (size_t i = 0; i < 8; i++) {
      row[i] = source + (r + i) * rows.row_stride;
      above[i] = r + i > 0 ? row[i] - rows.row_stride : NULL;
    }
    KV_(split_group)(row, above, 1, rows.element_count, planes, plane_stride, width, gray);
    planes += rows.element_count;
  }
  size_t strip = rows.element_count / 8, rest_bytes = rows.element_count % 8 * (size_t)width;
  for (; r < rows.row_count; r++) {
    const uint8_t *start = source + r * rows.row_stride;
    for (size_t i = 0; i < 8; i++) {
      row[i] = start + i * strip * (size_t)width;
      above[i] = r > 0 ? row[i] - rows.row_stride : NULL;
    }
    KV_(split_group)(row, above, 0, strip, planes, plane_stride, width, gray);
    planes += strip;
    memcpy(rest, start + 8 * strip * (size_t)width, rest_bytes);
    rest += rest_bytes;
  }
}

static KV_INLINE void KV_(join_rows)(
    kv_rows rows, const uint8_t *const *planes, const uint8_t *rest, uint8_t *destination, int width, uint32_t gray) {
  uint8_t *row[8];
  const uint8_t *above[8];
  size_t r = 0, place = 0;
  for (; r + 8 <= rows.row_count; r += 8) {
    for (size_t i = 0; i < 8; i++) {
      row[i] = destination + (r + i) * rows.row_stride;
      above[i] = r + i > 0 ? row[i] - rows.row_stride : NULL;
    }
    KV_(join_group)(planes, place, row, above, 1, rows.element_count, width, gray);
    place += rows.element_count;
  }
  size_t strip = rows.element_count / 8, rest_bytes = rows.element_count % 8 * (size_t)width;
  for (; r < rows.row_count; r++) {
    uint8_t *start = destination + r * rows.row_stride;
    for (size_t i = 0; i < 8; i++) {
      row[i] = start + i * strip * (size_t)width;
      above[i] = r > 0 ? row[i] - rows.row_stride : NULL;
    }
    KV_(join_group)(planes, place, row, above, 0, strip, width, gray);
    place += strip;
    memcpy(start + 8 * strip * (size_t)width, rest, rest_bytes);
    rest += rest_bytes;
  }
}

// One copy of the loops per element type, so that width and Gray code are constants in them.
#define KV_EACH_ELEMENT(X)           \
  X(KV_ELEMENT_F16, 2, 0x3c00)       \
  X(KV_ELEMENT_BF16, 2, 0x3f80)      \
  X(KV_ELEMENT_F32, 4, 0x3f800000)   \
  X(KV_ELEMENT_I8, 1, 0x7f)          \
  X(KV_ELEMENT_NIBBLES, 1, 0x77)

static void KV_(split)(
    int element, kv_rows rows, const uint8_t *source, uint8_t *planes, size_t plane_stride, uint8_t *rest) {
  switch (element) {
#define KV_CASE(name, width, gray)                                            \
  case name:                                                                  \
    KV_(split_rows)(rows, source, planes, plane_stride, rest, width, gray);   \
    break;
    KV_EACH_ELEMENT(KV_CASE)
#undef KV_CASE
  }
}

static void KV_(join)(
    int element, kv_rows rows, const uint8_t *const *planes, const uint8_t *rest, uint8_t *destination) {
  switch (element) {
#define KV_CASE(name, width, gray)                                   \
  case name:                                                         \
    KV_(join_rows)(rows, planes, rest, destination, width, gray);    \
    break;
    KV_EACH_ELEMENT(KV_CASE)
#undef KV_CASE
  }
}

#undef KV_EACH_ELEMENT
#undef VEC
#undef VEC64
