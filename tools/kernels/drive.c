// Every kernel at every level that this processor has, on drawn inputs: the same bytes at each level, whose digest is
// printed, and attention beside its definition in double precision. Exit 1 where one differs.
#include "CKernels.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static uint64_t state = 88172645463325252ull;

static uint64_t draw(void) {
  state ^= state << 13;
  state ^= state >> 7;
  state ^= state << 17;
  return state;
}

static uint64_t fold(uint64_t digest, const void *bytes, size_t count) {
  for (size_t i = 0; i < count; i++) digest = (digest ^ ((const uint8_t *)bytes)[i]) * 0x100000001b3ull;
  return digest;
}

static void *memory(size_t count) {
  void *bytes = calloc(1, count + 128);
  if (!bytes) exit(2);
  return bytes;
}

// Bit planes and sparse planes there and back, counts and checksums. Returns a digest of all that came out.
static uint64_t codec(int level) {
  uint64_t digest = 0xcbf29ce484222325ull;
  state = 1;
  for (int round = 0; round < 60; round++) {
    int element = round % 5;
    kv_rows rows = {1 + draw() % 40, 1 + draw() % 300, 0};
    size_t width = kv_element_byte_count(element);
    rows.row_stride = rows.element_count * width + width * (draw() % 3);
    size_t count = rows.row_count * rows.row_stride;
    uint8_t *source = memory(count), *back = memory(count);
    for (size_t i = 0; i < count; i++) source[i] = draw() % 4 ? (uint8_t)(draw() & 3) : (uint8_t)draw();
    size_t plane_count = 8 * width, size = kv_plane_byte_count(rows), rest_size = kv_rest_byte_count(rows, element);
    uint8_t *planes = memory(plane_count * size), *rest = memory(rest_size);
    kv_bit_planes_split(level, element, rows, source, planes, size, rest);
    digest = fold(fold(digest, planes, plane_count * size), rest, rest_size);
    const uint8_t *each[32];
    for (size_t p = 0; p < plane_count; p++) each[p] = planes + p * size;
    kv_bit_planes_join(level, element, rows, each, rest, back);
    for (size_t r = 0; r < rows.row_count; r++) {
      if (memcmp(source + r * rows.row_stride, back + r * rows.row_stride, rows.element_count * width)) {
        printf("level %d: planes of element %d do not come back\n", level, element);
        exit(1);
      }
    }
    size_t all = plane_count * size;
    uint8_t *bitmap = memory(all / 8 + 1), *values = memory(all), *unpacked = memory(all);
    size_t packed = kv_sparse_pack(level, planes, all, bitmap, values);
    kv_sparse_unpack(level, bitmap, values, packed, unpacked, all);
    if (packed != kv_count_nonzero(level, planes, all) || memcmp(planes, unpacked, all)) {
      printf("level %d: a sparse plane does not come back\n", level);
      exit(1);
    }
    uint64_t numbers[] = {packed, kv_count_bits(level, planes, all), kv_checksum(level, source, count)};
    digest = fold(fold(fold(digest, bitmap, (all + 7) / 8), values, packed), numbers, sizeof numbers);
    free(source), free(back), free(planes), free(rest), free(bitmap), free(values), free(unpacked);
  }
  return digest;
}

static float drawn_float(void) { return ((float)(draw() & 0xffff) / 65536 - 0.5f) * 4; }

static double stored(int element, uint8_t *at, float value) {
  if (element == KV_ELEMENT_F32) {
    memcpy(at, &value, 4);
    return value;
  }
  uint32_t bits;
  memcpy(&bits, &value, 4);
  if (element == KV_ELEMENT_BF16) {
    bits &= 0xffff0000;
    uint16_t half = (uint16_t)(bits >> 16);
    memcpy(at, &half, 2);
    memcpy(&value, &bits, 4);
    return value;
  }
  // f16 of 11 bits at most and of an exponent that it has: exact. Small ones become subnormals.
  value = (float)((int)(value * 256)) / (draw() % 8 ? 256 : 256 * 65536);
  int exponent;
  double fraction = frexp(fabs(value), &exponent);
  int shift = exponent < -13 ? exponent + 24 : 11;
  uint16_t half = (uint16_t)(value == 0 ? 0 : exponent < -13 ? (int)ldexp(fraction, shift)
                             : ((exponent + 14) << 10) | ((int)ldexp(fraction, 11) & 0x3ff));
  if (value < 0) half |= 0x8000;
  memcpy(at, &half, 2);
  return value;
}

// The largest error of decode and prefill beside double precision, over the largest output.
static double attention(int level) {
  double worst = 0;
  state = 2;
  for (int round = 0; round < 24; round++) {
    int element = round % 3;
    size_t sizes[] = {16, 32, 80, 128}, groups[] = {1, 2, 3, 4, 7};
    kv_attention_shape shape = {element, sizes[draw() % 4], 1 + draw() % 3, groups[draw() % 5]};
    size_t n = 1 + draw() % 300, width = kv_element_byte_count(element), heads = shape.kv_head_count;
    size_t size = shape.head_size, queries = heads * shape.group_count, row = heads * size * width;
    uint8_t *bytes = memory(2 * n * row);
    double *exact = memory(2 * n * heads * size * sizeof(double));
    const uint8_t **keys = memory(n * sizeof *keys), **values = memory(n * sizeof *values);
    for (size_t i = 0; i < 2 * n * heads * size; i++) exact[i] = stored(element, bytes + i * width, drawn_float());
    for (size_t t = 0; t < n; t++) keys[t] = bytes + 2 * t * row, values[t] = bytes + (2 * t + 1) * row;
    size_t padded = kv_attention_padded_head_count(shape);
    float *query = memory(4 * queries * size), *maxima = memory(16 * padded), *totals = memory(16 * padded);
    float *outputs = memory(4 * queries * size), *scratch = memory(4 * kv_attention_decode_scratch_count(shape));
    for (size_t i = 0; i < queries * size; i++) query[i] = drawn_float() * 0.3f;
    for (size_t i = 0; i < 4 * padded; i++) maxima[i] = -INFINITY;
    size_t half = n / 2;
    size_t next = n - half < KV_ATTENTION_AHEAD ? n - half : KV_ATTENTION_AHEAD;
    if (half)
      kv_attention_decode(level, shape, query, keys, values, half, next, maxima, totals, outputs, scratch);
    kv_attention_decode(level, shape, query, keys + half, values + half, n - half, 0, maxima, totals, outputs, scratch);
    // The queries of head 0 once more, as many.
    size_t count = shape.group_count, rows = kv_attention_padded_count(count);
    float *many = memory(4 * rows * size), *sums = memory(4 * rows * size), *tops = memory(4 * rows);
    float *weights = memory(4 * rows), *space = memory(4 * kv_attention_scratch_count(count, size));
    intptr_t *firsts = memory(count * sizeof *firsts), *ends = memory(count * sizeof *ends);
    memcpy(many, query, 4 * count * size);
    for (size_t i = 0; i < rows; i++) tops[i] = -INFINITY;
    for (size_t i = 0; i < count; i++) ends[i] = (intptr_t)n;
    kv_attention_queries batch = {element, size, 0, count, many, firsts, ends, tops, weights, sums};
    kv_attention_prefill(level, batch, keys, values, 0, n, 0, space);
    double largest = 1e-6, error = 0;
    double *scores = memory(n * sizeof(double));
    for (size_t q = 0; q < queries; q++) {
      size_t head = q / shape.group_count;
      double top = -INFINITY, total = 0;
      for (size_t t = 0; t < n; t++) {
        scores[t] = 0;
        for (size_t d = 0; d < size; d++)
          scores[t] += query[q * size + d] * exact[(2 * t * heads + head) * size + d];
        if (scores[t] > top) top = scores[t];
      }
      for (size_t t = 0; t < n; t++) total += scores[t] = exp2(scores[t] - top);
      float *lanes = totals + 4 * q, found = (lanes[0] + lanes[2]) + (lanes[1] + lanes[3]);
      for (size_t d = 0; d < size; d++) {
        double wanted = 0;
        for (size_t t = 0; t < n; t++) wanted += scores[t] * exact[((2 * t + 1) * heads + head) * size + d];
        wanted /= total;
        if (fabs(wanted) > largest) largest = fabs(wanted);
        double one = fabs(outputs[q * size + d] / found - wanted);
        double other = q < count ? fabs(sums[q * size + d] / weights[q] - wanted) : 0;
        if (!(one <= error)) error = one;
        if (!(other <= error)) error = other;
      }
    }
    if (!(error / largest <= worst)) worst = error / largest;
    free(bytes), free(exact), free(keys), free(values), free(query), free(maxima), free(totals), free(outputs);
    free(scratch), free(many), free(sums), free(tops), free(weights), free(space), free(firsts), free(ends);
    free(scores);
  }
  return worst;
}

int main(void) {
  uint64_t digest = codec(KV_LEVEL_PORTABLE);
  for (int level = KV_LEVEL_PORTABLE; level <= kv_best_level(); level++) {
    if (codec(level) != digest) {
      printf("level %d: other bytes than the portable kernels'\n", level);
      return 1;
    }
    double error = attention(level);
    fprintf(stderr, "level %d: attention's largest error %.2g\n", level, error);
    if (!(error < 1e-5)) {
      printf("level %d: attention is %g away from double precision\n", level, error);
      return 1;
    }
  }
  printf("%016llx\n", (unsigned long long)digest);
  return 0;
}
