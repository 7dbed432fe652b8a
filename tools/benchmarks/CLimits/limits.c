#include "CLimits.h"

#include <string.h>

typedef uint64_t words __attribute__((vector_size(64), aligned(8)));
typedef float floats __attribute__((vector_size(64)));

static volatile float sink;

#define LIMITS(name)                                                                                       \
  static uint64_t name##_read(const void *bytes, size_t count) {                                           \
    const words *w = bytes;                                                                                \
    words a = {}, b = {}, c = {}, d = {};                                                                  \
    for (size_t i = 0; i + 4 <= count / sizeof(words); i += 4) {                                           \
      a ^= w[i];                                                                                           \
      b ^= w[i + 1];                                                                                       \
      c ^= w[i + 2];                                                                                       \
      d ^= w[i + 3];                                                                                       \
    }                                                                                                      \
    a ^= b ^ c ^ d;                                                                                        \
    uint64_t x = 0;                                                                                        \
    for (int i = 0; i < 8; i++) x ^= a[i];                                                                 \
    return x;                                                                                              \
  }                                                                                                        \
  static void name##_multiply_add(size_t rounds) {                                                         \
    floats sums[10];                                                                                       \
    floats a = (floats){} + 0.999f, b = (floats){} + 0.001f;                                               \
    for (int i = 0; i < 10; i++) sums[i] = (floats){} + (float)i;                                          \
    for (size_t r = 0; r < rounds; r++)                                                                    \
      for (int i = 0; i < 10; i++) sums[i] = sums[i] * a + b;                                              \
    for (int i = 1; i < 10; i++) sums[0] += sums[i];                                                       \
    sink = sums[0][0];                                                                                     \
  }

#pragma clang fp contract(fast)

LIMITS(plain)

#if defined(__x86_64__)
#pragma clang attribute push(__attribute__((target("avx2,fma"))), apply_to = function)
LIMITS(avx2)
#pragma clang attribute pop
#pragma clang attribute push(__attribute__((target("avx512f,fma"))), apply_to = function)
LIMITS(avx512)
#pragma clang attribute pop
#endif

uint64_t limits_read(const void *bytes, size_t count) {
#if defined(__x86_64__)
  if (__builtin_cpu_supports("avx512f")) return avx512_read(bytes, count);
  if (__builtin_cpu_supports("avx2")) return avx2_read(bytes, count);
#endif
  return plain_read(bytes, count);
}

double limits_multiply_add(size_t rounds) {
#if defined(__x86_64__)
  if (__builtin_cpu_supports("avx512f")) avx512_multiply_add(rounds);
  else if (__builtin_cpu_supports("fma")) avx2_multiply_add(rounds);
  else plain_multiply_add(rounds);
#else
  plain_multiply_add(rounds);
#endif
  return 2.0 * 16 * 10 * (double)rounds;
}
