// The checksum's other levels, each in a file of its own, since the library's header can be included once only.
#include <stddef.h>
#include <stdint.h>

#if defined(__x86_64__)
uint64_t kv_checksum_avx2(const void *bytes, size_t count);
uint64_t kv_checksum_avx512(const void *bytes, size_t count);
#endif
