#include "CKernels.h"

#include <string.h>

#define KV_INLINE inline __attribute__((always_inline))

// Constant index lists for shuffles: n numbers from `b` in steps of `s`; n pairs (b + i, b + i + vector size).
#define KV_SEQ4(b, s) (b), (b) + (s), (b) + 2 * (s), (b) + 3 * (s)
#define KV_SEQ16(b, s) KV_SEQ4(b, s), KV_SEQ4((b) + 4 * (s), s), KV_SEQ4((b) + 8 * (s), s), KV_SEQ4((b) + 12 * (s), s)
#define KV_SEQ32(b, s) KV_SEQ16(b, s), KV_SEQ16((b) + 16 * (s), s)
#define KV_SEQ64(b, s) KV_SEQ32(b, s), KV_SEQ32((b) + 32 * (s), s)
#define KV_PAIR4(b) \
  (b), (b) + KV_W, (b) + 1, (b) + 1 + KV_W, (b) + 2, (b) + 2 + KV_W, (b) + 3, (b) + 3 + KV_W
#define KV_PAIR8(b) KV_PAIR4(b), KV_PAIR4((b) + 4)
#define KV_PAIR16(b) KV_PAIR8(b), KV_PAIR8((b) + 8)
#define KV_PAIR32(b) KV_PAIR16(b), KV_PAIR16((b) + 16)

#define KV_W 16
#define KV_(name) portable_##name
#define KV_EVERY(b, s) KV_SEQ16(b, s)
#define KV_ZIP(b) KV_PAIR8(b)
#include "bit_planes_template.h"
#undef KV_W
#undef KV_
#undef KV_EVERY
#undef KV_ZIP

#if defined(__x86_64__)
#define KV_W 32
#define KV_(name) avx2_##name
#define KV_EVERY(b, s) KV_SEQ32(b, s)
#define KV_ZIP(b) KV_PAIR16(b)
#pragma clang attribute push(__attribute__((target("avx2"))), apply_to = function)
#include "bit_planes_template.h"
#pragma clang attribute pop
#undef KV_W
#undef KV_
#undef KV_EVERY
#undef KV_ZIP

#define KV_W 64
#define KV_(name) avx512_##name
#define KV_EVERY(b, s) KV_SEQ64(b, s)
#define KV_ZIP(b) KV_PAIR32(b)
#pragma clang attribute push(__attribute__((target("avx512f,avx512bw,avx512vl,avx512vbmi"))), apply_to = function)
#include "bit_planes_template.h"
#pragma clang attribute pop
#endif

size_t kv_element_byte_count(int element) {
  switch (element) {
    case KV_ELEMENT_F16:
    case KV_ELEMENT_BF16: return 2;
    case KV_ELEMENT_F32: return 4;
    default: return 1;
  }
}

size_t kv_plane_byte_count(kv_rows rows) {
  return rows.row_count / 8 * rows.element_count + rows.row_count % 8 * (rows.element_count / 8);
}

size_t kv_rest_byte_count(kv_rows rows, int element) {
  return rows.row_count % 8 * (rows.element_count % 8) * kv_element_byte_count(element);
}

void kv_bit_planes_split(
    int level, int element, kv_rows rows, const uint8_t *source, uint8_t *planes, size_t plane_stride, uint8_t *rest) {
  switch (level) {
#if defined(__x86_64__)
    case KV_LEVEL_AVX512: avx512_split(element, rows, source, planes, plane_stride, rest); return;
    case KV_LEVEL_AVX2: avx2_split(element, rows, source, planes, plane_stride, rest); return;
#endif
    default: portable_split(element, rows, source, planes, plane_stride, rest);
  }
}

void kv_bit_planes_join(
    int level, int element, kv_rows rows, const uint8_t *const *planes, const uint8_t *rest, uint8_t *destination) {
  switch (level) {
#if defined(__x86_64__)
    case KV_LEVEL_AVX512: avx512_join(element, rows, planes, rest, destination); return;
    case KV_LEVEL_AVX2: avx2_join(element, rows, planes, rest, destination); return;
#endif
    default: portable_join(element, rows, planes, rest, destination);
  }
}
