// XXH3 for each level. The library as distributions build it knows SSE2 only, which is half as fast.
#include "CKernels.h"

#include "checksum_levels.h"

#define XXH_INLINE_ALL
#include <xxhash.h>

uint64_t kv_checksum(int level, const void *bytes, size_t count) {
#if defined(__x86_64__)
  if (level == KV_LEVEL_AVX512) return kv_checksum_avx512(bytes, count);
  if (level == KV_LEVEL_AVX2) return kv_checksum_avx2(bytes, count);
#endif
  (void)level;
  return XXH3_64bits(bytes, count);
}
