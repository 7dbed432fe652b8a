// The inner loops that C does measurably better than Swift. Every function gives the same bytes at every level, but for
// the last bits of attention's sums.
#ifndef CKERNELS_H
#define CKERNELS_H

#include <stddef.h>
#include <stdint.h>

// The instruction sets that are chosen between at run time.
enum {
  KV_LEVEL_PORTABLE = 0,  // vectors of 16 bytes: SSE2, NEON, or whatever the compiler makes of them
  KV_LEVEL_AVX2 = 1,
  KV_LEVEL_AVX512 = 2,  // BW, VBMI and VBMI2
};

// The best level that this processor runs, found once.
int kv_best_level(void);

// How an element's bits are filtered: its bytes, and the bits that are XORed with the bit above (a Gray code).
enum {
  KV_ELEMENT_F16 = 0,
  KV_ELEMENT_BF16 = 1,
  KV_ELEMENT_F32 = 2,
  KV_ELEMENT_I8 = 3,
  KV_ELEMENT_NIBBLES = 4,  // two values of 4 bits in a byte
};

// Bytes of one element: 1, 2 or 4.
size_t kv_element_byte_count(int element);

// Rows of elements and their bit planes.
//
// Each element is XORed with the one above it (the row before; the first row with zero), then Gray coded, then its bit
// b goes to bit plane b. In a group of 8 whole rows, byte c of the group's part of a plane holds the bit of column c,
// row
// 8g + i in bit i. Each row that is left over is cut into 8 strips of element_count / 8 elements, which then stand for
// the 8 rows. Elements that are left over even then (element_count % 8 of each such row) go to `rest` as they are.
typedef struct {
  size_t row_count;
  size_t element_count;  // of one row
  size_t row_stride;     // bytes from row to row
} kv_rows;

// Bytes of one bit plane, and of the rest.
size_t kv_plane_byte_count(kv_rows rows);
size_t kv_rest_byte_count(kv_rows rows, int element);

// planes: the most significant first, plane_stride bytes apart.
void kv_bit_planes_split(
    int level, int element, kv_rows rows, const uint8_t *source, uint8_t *planes, size_t plane_stride, uint8_t *rest);

// planes[0] is the most significant. All pointers are to kv_plane_byte_count(rows) readable bytes.
void kv_bit_planes_join(
    int level, int element, kv_rows rows, const uint8_t *const *planes, const uint8_t *rest, uint8_t *destination);

// Bytes that are not zero.
size_t kv_count_nonzero(int level, const uint8_t *bytes, size_t count);

// Bits that are set.
size_t kv_count_bits(int level, const uint8_t *bytes, size_t count);

// A sparse plane: bit i of `bitmap` says whether byte i is not zero; `values` holds those bytes. Returns how many they
// are.
// `values` has room for count + 8 bytes, `bitmap` for (count + 7) / 8.
size_t kv_sparse_pack(int level, const uint8_t *bytes, size_t count, uint8_t *bitmap, uint8_t *values);

// Undoes kv_sparse_pack. `readable_count` bytes may be read from `values`: the caller has checked that no more bits of
// `bitmap` are set. Kernels run fast while 64 bytes past the values in hand are readable. Writes just `count` bytes.
void kv_sparse_unpack(
    int level, const uint8_t *bitmap, const uint8_t *values, size_t readable_count, uint8_t *bytes, size_t count);

// XXH3-64 with seed 0.
uint64_t kv_checksum(int level, const void *bytes, size_t count);

// Where `first` and `second` stand side by side, from `start` on; `count` where they do nowhere.
size_t kv_find_pair(const uint8_t *bytes, size_t count, size_t start, uint8_t first, uint8_t second);

// The first offset from `start` on, an even number of bytes from it, at which the machine's own 16-bit word is `a` or
// `b`; `count` where there is none.
size_t kv_find_word(const uint8_t *bytes, size_t count, size_t start, uint16_t a, uint16_t b);

// Units of a quantised type (`head` bytes of scale, `body` bytes of values): all heads of a row, then all bodies.
void kv_units_split(
    const uint8_t *source, size_t unit_count, size_t head, size_t body, uint8_t *heads, uint8_t *bodies);
void kv_units_join(
    const uint8_t *heads, const uint8_t *bodies, size_t unit_count, size_t head, size_t body, uint8_t *destination);

// Attention of queries over rows of keys and values that lie anywhere.
//
// A row is one token's: kv_head_count heads of head_size elements (f32, f16 or bf16), one after the other. Each of
// these heads serves group_count query heads (grouped-query attention).
typedef struct {
  int element;
  size_t head_size;      // a multiple of 16
  size_t kv_head_count;
  size_t group_count;    // at most KV_ATTENTION_GROUP_LIMIT
} kv_attention_shape;

enum { KV_ATTENTION_GROUP_LIMIT = 64, KV_ATTENTION_AHEAD = 16 };

// Query heads, rounded up to what the kernels take at once.
size_t kv_attention_padded_head_count(kv_attention_shape shape);

// Floats of scratch that kv_attention_decode needs.
size_t kv_attention_decode_scratch_count(kv_attention_shape shape);

// One query token. query: kv_head_count * group_count heads of head_size floats, times the scale and log2(e).
// maxima and totals (four floats for each of the padded heads) and outputs (head_size floats for each head) go on from
// what they hold: minus infinity, 0 and zeros at the beginning. A head's four maxima are the same; its outputs over
// the sum of its four totals are the result. After the row_count rows, up to KV_ATTENTION_AHEAD more may be named
// (next_count) that will be asked for next.
void kv_attention_decode(
    int level, kv_attention_shape shape, const float *query, const uint8_t *const *keys, const uint8_t *const *values,
    size_t row_count, size_t next_count, float *maxima, float *totals, float *outputs, float *scratch);

// 2^x for x <= 0, the same at every level.
float kv_exp2(float x);

// Queries of one head of keys and values. All arrays but `firsts` and `ends` have kv_attention_padded_count(count)
// rows; those after `count` are scratch.
typedef struct {
  int element;
  size_t head_size;   // a multiple of 16
  size_t offset;      // of the head in a row, in bytes
  size_t count;
  const float *rows;  // head_size floats each, times the scale and log2(e)
  const intptr_t *firsts, *ends;  // the tokens that each query sees: firsts[i] ..< ends[i]
  float *maxima, *totals, *outputs;  // a float, a float and head_size floats each; as for kv_attention_decode
} kv_attention_queries;

enum { KV_ATTENTION_ROW_MULTIPLE = 6, KV_ATTENTION_WIDE_TILE = 64 };
size_t kv_attention_padded_count(size_t count);

// Floats of scratch that kv_attention_prefill needs.
size_t kv_attention_scratch_count(size_t count, size_t head_size);

// Many queries over rows, the first of which is token `first_row`. After the row_count rows, more may be named
// (next_count) that will be asked for next.
void kv_attention_prefill(
    int level, kv_attention_queries queries, const uint8_t *const *keys, const uint8_t *const *values,
    intptr_t first_row, size_t row_count, size_t next_count, float *scratch);

#endif
