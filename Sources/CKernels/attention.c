#include "CKernels.h"

#include <string.h>

#define KV_INLINE inline __attribute__((always_inline))
#define KV_TILE 64
#define KV_VALUES 8
#define KV_WIDE_TILE KV_ATTENTION_WIDE_TILE
#define KV_ROWS KV_ATTENTION_ROW_MULTIPLE

// Four floats: the unit in which vectors of all widths are put together.
typedef float kv_lane __attribute__((vector_size(16), aligned(4)));
typedef int32_t kv_lane_mask __attribute__((vector_size(16), aligned(4)));

#define KV_W 4
#define KV_DV 2
#define KV_SWAP_PAIRS(a) __builtin_shufflevector(a, a, 1, 0, 3, 2)
#define KV_SWAP_HALVES(a) __builtin_shufflevector(a, a, 2, 3, 0, 1)
#define KV_COLUMNS 2
#define KV_(name) portable_##name
#define KV_UNPACK_LOW(a, b) __builtin_shufflevector(a, b, 0, 4, 1, 5)
#define KV_UNPACK_HIGH(a, b) __builtin_shufflevector(a, b, 2, 6, 3, 7)
#define KV_PAIR_LOW(a, b) __builtin_shufflevector(a, b, 0, 1, 4, 5)
#define KV_PAIR_HIGH(a, b) __builtin_shufflevector(a, b, 2, 3, 6, 7)
#if defined(__aarch64__)
#define KV_QUERIES 4
#define KV_HAS_FMA 1
#define KV_HAS_F16 1
#define KV_HALF __fp16
#else
#define KV_QUERIES 2
#define KV_HAS_FMA 0
#define KV_HAS_F16 0
#endif
#include "attention_template.h"
#undef KV_HAS_FMA
#undef KV_HAS_F16

#if defined(__x86_64__)
#define KV_HAS_FMA 1
#define KV_HAS_F16 1
#define KV_HALF _Float16

#define KV_W 8
#define KV_DV 2
#define KV_QUERIES 2
#define KV_SWAP_PAIRS(a) __builtin_shufflevector(a, a, 1, 0, 3, 2, 5, 4, 7, 6)
#define KV_SWAP_HALVES(a) __builtin_shufflevector(a, a, 2, 3, 0, 1, 6, 7, 4, 5)
#define KV_COLUMNS 2
#define KV_(name) avx2_##name
#define KV_UNPACK_LOW(a, b) __builtin_shufflevector(a, b, 0, 8, 1, 9, 4, 12, 5, 13)
#define KV_UNPACK_HIGH(a, b) __builtin_shufflevector(a, b, 2, 10, 3, 11, 6, 14, 7, 15)
#define KV_PAIR_LOW(a, b) __builtin_shufflevector(a, b, 0, 1, 8, 9, 4, 5, 12, 13)
#define KV_PAIR_HIGH(a, b) __builtin_shufflevector(a, b, 2, 3, 10, 11, 6, 7, 14, 15)
#pragma clang attribute push(__attribute__((target("avx2,fma,f16c"))), apply_to = function)
#include "attention_template.h"
#pragma clang attribute pop

#define KV_W 16
#define KV_DV 4
#define KV_QUERIES 4
#define KV_SWAP_PAIRS(a) __builtin_shufflevector(a, a, 1, 0, 3, 2, 5, 4, 7, 6, 9, 8, 11, 10, 13, 12, 15, 14)
#define KV_SWAP_HALVES(a) __builtin_shufflevector(a, a, 2, 3, 0, 1, 6, 7, 4, 5, 10, 11, 8, 9, 14, 15, 12, 13)
#define KV_COLUMNS 4
#define KV_(name) avx512_##name
#define KV_UNPACK_LOW(a, b) \
  __builtin_shufflevector(a, b, 0, 16, 1, 17, 4, 20, 5, 21, 8, 24, 9, 25, 12, 28, 13, 29)
#define KV_UNPACK_HIGH(a, b) \
  __builtin_shufflevector(a, b, 2, 18, 3, 19, 6, 22, 7, 23, 10, 26, 11, 27, 14, 30, 15, 31)
#define KV_PAIR_LOW(a, b) \
  __builtin_shufflevector(a, b, 0, 1, 16, 17, 4, 5, 20, 21, 8, 9, 24, 25, 12, 13, 28, 29)
#define KV_PAIR_HIGH(a, b) \
  __builtin_shufflevector(a, b, 2, 3, 18, 19, 6, 7, 22, 23, 10, 11, 26, 27, 14, 15, 30, 31)
#pragma clang attribute push( \
    __attribute__((target("avx512f,avx512bw,avx512vl,avx512dq,fma,f16c"))), apply_to = function)
#include "attention_template.h"
#pragma clang attribute pop
#endif

void kv_attention_decode(
    int level, kv_attention_shape shape, const float *query, const uint8_t *const *keys, const uint8_t *const *values,
    size_t row_count, size_t next_count, float *maxima, float *totals, float *outputs, float *scratch) {
  switch (level) {
#if defined(__x86_64__)
    case KV_LEVEL_AVX512:
      avx512_decode(shape, query, keys, values, row_count, next_count, maxima, totals, outputs, scratch);
      return;
    case KV_LEVEL_AVX2:
      avx2_decode(shape, query, keys, values, row_count, next_count, maxima, totals, outputs, scratch);
      return;
#endif
    default: portable_decode(shape, query, keys, values, row_count, next_count, maxima, totals, outputs, scratch);
  }
}

float kv_exp2(float x) { return portable_exp2(portable_splat(x))[0]; }

size_t kv_attention_padded_head_count(kv_attention_shape shape) {
  return (shape.kv_head_count * shape.group_count + 3) / 4 * 4;
}

size_t kv_attention_decode_scratch_count(kv_attention_shape shape) {
  return KV_TILE * kv_attention_padded_head_count(shape);
}

size_t kv_attention_padded_count(size_t count) { return (count + KV_ROWS - 1) / KV_ROWS * KV_ROWS; }

size_t kv_attention_scratch_count(size_t count, size_t head_size) {
  return KV_WIDE_TILE * (2 * head_size + kv_attention_padded_count(count));
}

void kv_attention_prefill(
    int level, kv_attention_queries queries, const uint8_t *const *keys, const uint8_t *const *values,
    intptr_t first_row, size_t row_count, size_t next_count, float *scratch) {
  switch (level) {
#if defined(__x86_64__)
    case KV_LEVEL_AVX512:
      avx512_prefill(queries, keys, values, first_row, row_count, next_count, scratch);
      return;
    case KV_LEVEL_AVX2: avx2_prefill(queries, keys, values, first_row, row_count, next_count, scratch); return;
#endif
    default: portable_prefill(queries, keys, values, first_row, row_count, next_count, scratch);
  }
}
