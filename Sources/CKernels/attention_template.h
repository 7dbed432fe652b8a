// The inner loops of attention, once for each instruction set: KV_W floats to a vector. attention.c includes it.
//
// A tile is KV_TILE tokens of one query token, KV_WIDE_TILE of many. Scores are in powers of two: queries come scaled
// by log2(e), so that exp2 is softmax's exp.

#include "attention_vectors.h"

#include "attention_decode.h"
#include "attention_prefill.h"

#undef VF
#undef VI
#undef VU
#undef VH
#undef KV_W
#undef KV_DV
#undef KV_QUERIES
#undef KV_COLUMNS
#undef KV_
#undef KV_SWAP_PAIRS
#undef KV_SWAP_HALVES
#undef KV_UNPACK_LOW
#undef KV_UNPACK_HIGH
#undef KV_PAIR_LOW
#undef KV_PAIR_HIGH
