#include "CKernels.h"

static int find_best_level(void) {
#if defined(__x86_64__)
  __builtin_cpu_init();
  if (!__builtin_cpu_supports("avx2") || !__builtin_cpu_supports("popcnt") || !__builtin_cpu_supports("fma")
      || !__builtin_cpu_supports("f16c"))
    return KV_LEVEL_PORTABLE;
  if (__builtin_cpu_supports("avx512f") && __builtin_cpu_supports("avx512dq") && __builtin_cpu_supports("avx512bw")
      && __builtin_cpu_supports("avx512vl") && __builtin_cpu_supports("avx512vbmi")
      && __builtin_cpu_supports("avx512vbmi2"))
    return KV_LEVEL_AVX512;
  return KV_LEVEL_AVX2;
#else
  return KV_LEVEL_PORTABLE;
#endif
}

int kv_best_level(void) {
  static int best = -1;  // every thread finds the same value
  int level = __atomic_load_n(&best, __ATOMIC_RELAXED);
  if (level < 0) {
    level = find_best_level();
    __atomic_store_n(&best, level, __ATOMIC_RELAXED);
  }
  return level;
}
