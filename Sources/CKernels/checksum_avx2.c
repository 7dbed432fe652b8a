#include "checksum_levels.h"

#if defined(__x86_64__)
// All that xxhash.h includes comes first, so that the attribute touches its own functions only.
#include <immintrin.h>
#include <limits.h>
#include <stdlib.h>
#include <string.h>

#pragma clang attribute push(__attribute__((target("avx2"))), apply_to = function)
#define XXH_INLINE_ALL
#define XXH_VECTOR XXH_AVX2
#include <xxhash.h>

uint64_t kv_checksum_avx2(const void *bytes, size_t count) { return XXH3_64bits(bytes, count); }
#pragma clang attribute pop
#endif
