#include "CKernels.h"

#include <string.h>

#if defined(__x86_64__)
#include <immintrin.h>
#endif

static uint64_t load64(const uint8_t *from) {
  uint64_t v;
  memcpy(&v, from, 8);
  return v;
}

// MARK: Portable

// 0x01 in each byte of v that is not zero.
static uint64_t nonzero_bytes(uint64_t v) {
  const uint64_t low7 = 0x7f7f7f7f7f7f7f7f;
  return (((v & low7) + low7) | v) >> 7 & 0x0101010101010101;
}

static size_t portable_count_nonzero(const uint8_t *bytes, size_t count) {
  size_t total = 0, i = 0;
  for (; i + 8 <= count; i += 8) total += (size_t)((nonzero_bytes(load64(bytes + i)) * 0x0101010101010101) >> 56);
  for (; i < count; i++) total += bytes[i] != 0;
  return total;
}

static size_t portable_count_bits(const uint8_t *bytes, size_t count) {
  size_t total = 0, i = 0;
  for (; i + 8 <= count; i += 8) total += (size_t)__builtin_popcountll(load64(bytes + i));
  for (; i < count; i++) total += (size_t)__builtin_popcount(bytes[i]);
  return total;
}

static size_t portable_pack(const uint8_t *bytes, size_t count, uint8_t *bitmap, uint8_t *values) {
  uint8_t *end = values;
  for (size_t i = 0; i < count; i += 8) {
    size_t part = count - i < 8 ? count - i : 8;
    unsigned mask = 0;
    for (size_t j = 0; j < part; j++) {
      uint8_t byte = bytes[i + j];
      *end = byte;
      end += byte != 0;
      mask |= (unsigned)(byte != 0) << j;
    }
    bitmap[i / 8] = (uint8_t)mask;
  }
  return (size_t)(end - values);
}

static void portable_unpack(
    const uint8_t *bitmap, const uint8_t *values, size_t readable_count, uint8_t *bytes, size_t count) {
  const uint8_t *end = values + readable_count;
  for (size_t i = 0; i < count; i += 8) {
    size_t part = count - i < 8 ? count - i : 8;
    unsigned mask = bitmap[i / 8];
    for (size_t j = 0; j < part; j++) {
      uint8_t byte = 0;
      if ((mask >> j & 1) && values < end) byte = *values++;
      bytes[i + j] = byte;
    }
  }
}

#if defined(__x86_64__)

// MARK: AVX2

// For each mask of 8 bits: where its set bits are (pack), and how many set bits stand before each bit (unpack; 0x80
// where the bit itself is clear, which pshufb makes a zero).
static uint8_t pack_order[256][8], unpack_order[256][8];

__attribute__((constructor)) static void fill_orders(void) {
  for (int mask = 0; mask < 256; mask++) {
    int n = 0;
    for (int bit = 0; bit < 8; bit++) {
      unpack_order[mask][bit] = mask >> bit & 1 ? (uint8_t)n : 0x80;
      if (mask >> bit & 1) pack_order[mask][n++] = (uint8_t)bit;
    }
    for (; n < 8; n++) pack_order[mask][n] = 0x80;
  }
}

__attribute__((target("avx2"))) static size_t avx2_count_nonzero(const uint8_t *bytes, size_t count) {
  size_t i = 0;
  __m256i zero = _mm256_setzero_si256(), total = zero;
  while (i + 32 <= count) {
    // A byte lane counts to at most 255 before it is summed.
    size_t stop = count - i < 255 * 32 ? count : i + 255 * 32;
    __m256i lanes = zero;
    for (; i + 32 <= stop; i += 32)
      lanes = _mm256_sub_epi8(lanes, _mm256_cmpeq_epi8(_mm256_loadu_si256((const __m256i *)(bytes + i)), zero));
    total = _mm256_add_epi64(total, _mm256_sad_epu8(lanes, zero));
  }
  size_t zeros = (size_t)(_mm256_extract_epi64(total, 0) + _mm256_extract_epi64(total, 1)
                          + _mm256_extract_epi64(total, 2) + _mm256_extract_epi64(total, 3));
  return i - zeros + portable_count_nonzero(bytes + i, count - i);
}

__attribute__((target("popcnt"))) static size_t popcnt_count_bits(const uint8_t *bytes, size_t count) {
  size_t total = 0, i = 0;
  for (; i + 8 <= count; i += 8) total += (size_t)__builtin_popcountll(load64(bytes + i));
  for (; i < count; i++) total += (size_t)__builtin_popcount(bytes[i]);
  return total;
}

__attribute__((target("avx2,popcnt"))) static size_t avx2_pack(
    const uint8_t *bytes, size_t count, uint8_t *bitmap, uint8_t *values) {
  uint8_t *end = values;
  size_t i = 0;
  for (; i + 32 <= count; i += 32) {
    __m256i v = _mm256_loadu_si256((const __m256i *)(bytes + i));
    uint32_t mask = ~(uint32_t)_mm256_movemask_epi8(_mm256_cmpeq_epi8(v, _mm256_setzero_si256()));
    memcpy(bitmap + i / 8, &mask, 4);
    for (int part = 0; part < 4; part++, mask >>= 8) {
      __m128i source = _mm_loadl_epi64((const __m128i *)(bytes + i + 8 * part));
      __m128i order = _mm_loadl_epi64((const __m128i *)pack_order[mask & 255]);
      _mm_storel_epi64((__m128i *)end, _mm_shuffle_epi8(source, order));
      end += __builtin_popcount(mask & 255);
    }
  }
  return (size_t)(end - values) + portable_pack(bytes + i, count - i, bitmap + i / 8, end);
}

__attribute__((target("avx2,popcnt"))) static void avx2_unpack(
    const uint8_t *bitmap, const uint8_t *values, size_t readable_count, uint8_t *bytes, size_t count) {
  const uint8_t *end = values + readable_count;
  size_t i = 0;
  for (; i + 8 <= count && end - values >= 8; i += 8) {
    unsigned mask = bitmap[i / 8];
    __m128i source = _mm_loadl_epi64((const __m128i *)values);
    __m128i order = _mm_loadl_epi64((const __m128i *)unpack_order[mask]);
    _mm_storel_epi64((__m128i *)(bytes + i), _mm_shuffle_epi8(source, order));
    values += __builtin_popcount(mask);
  }
  portable_unpack(bitmap + i / 8, values, (size_t)(end - values), bytes + i, count - i);
}

// MARK: AVX-512

#define KV_AVX512 __attribute__((target("avx512f,avx512bw,avx512vl,avx512vbmi,avx512vbmi2,popcnt")))

KV_AVX512 static size_t avx512_pack(const uint8_t *bytes, size_t count, uint8_t *bitmap, uint8_t *values) {
  uint8_t *end = values;
  size_t i = 0;
  // `values` has 8 bytes of room past `count`: a whole vector fits while at least 64 bytes are still to come.
  for (; i + 128 <= count; i += 64) {
    __m512i v = _mm512_loadu_si512(bytes + i);
    __mmask64 mask = _mm512_test_epi8_mask(v, v);
    memcpy(bitmap + i / 8, &mask, 8);
    _mm512_storeu_si512(end, _mm512_maskz_compress_epi8(mask, v));
    end += __builtin_popcountll(mask);
  }
  return (size_t)(end - values) + avx2_pack(bytes + i, count - i, bitmap + i / 8, end);
}

KV_AVX512 static void avx512_unpack(
    const uint8_t *bitmap, const uint8_t *values, size_t readable_count, uint8_t *bytes, size_t count) {
  const uint8_t *end = values + readable_count;
  size_t i = 0;
  for (; i + 64 <= count && end - values >= 64; i += 64) {
    uint64_t mask = load64(bitmap + i / 8);
    _mm512_storeu_si512(bytes + i, _mm512_maskz_expand_epi8(mask, _mm512_loadu_si512(values)));
    values += __builtin_popcountll(mask);
  }
  avx2_unpack(bitmap + i / 8, values, (size_t)(end - values), bytes + i, count - i);
}

#endif

// MARK: Dispatch

size_t kv_count_nonzero(int level, const uint8_t *bytes, size_t count) {
#if defined(__x86_64__)
  if (level >= KV_LEVEL_AVX2) return avx2_count_nonzero(bytes, count);
#endif
  (void)level;
  return portable_count_nonzero(bytes, count);
}

size_t kv_count_bits(int level, const uint8_t *bytes, size_t count) {
#if defined(__x86_64__)
  if (level >= KV_LEVEL_AVX2) return popcnt_count_bits(bytes, count);
#endif
  (void)level;
  return portable_count_bits(bytes, count);
}

size_t kv_sparse_pack(int level, const uint8_t *bytes, size_t count, uint8_t *bitmap, uint8_t *values) {
#if defined(__x86_64__)
  if (level == KV_LEVEL_AVX512) return avx512_pack(bytes, count, bitmap, values);
  if (level == KV_LEVEL_AVX2) return avx2_pack(bytes, count, bitmap, values);
#endif
  (void)level;
  return portable_pack(bytes, count, bitmap, values);
}

void kv_sparse_unpack(
    int level, const uint8_t *bitmap, const uint8_t *values, size_t readable_count, uint8_t *bytes, size_t count) {
#if defined(__x86_64__)
  if (level == KV_LEVEL_AVX512) {
    avx512_unpack(bitmap, values, readable_count, bytes, count);
    return;
  }
  if (level == KV_LEVEL_AVX2) {
    avx2_unpack(bitmap, values, readable_count, bytes, count);
    return;
  }
#endif
  (void)level;
  portable_unpack(bitmap, values, readable_count, bytes, count);
}
