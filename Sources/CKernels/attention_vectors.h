// Vectors of KV_W floats: loads of all element types, exp2, sums, and softmax's step. A part of attention_template.h.

typedef float KV_(vf) __attribute__((vector_size(4 * KV_W), aligned(4)));
typedef int32_t KV_(vi) __attribute__((vector_size(4 * KV_W), aligned(4)));
typedef uint32_t KV_(vu) __attribute__((vector_size(4 * KV_W), aligned(4)));
typedef uint16_t KV_(vh) __attribute__((vector_size(2 * KV_W), aligned(2)));

#define VF KV_(vf)
#define VI KV_(vi)
#define VU KV_(vu)
#define VH KV_(vh)

static KV_INLINE VF KV_(splat)(float x) { return x - (VF){}; }

static KV_INLINE VF KV_(fma)(VF a, VF b, VF c) {
#if KV_HAS_FMA
  return __builtin_elementwise_fma(a, b, c);
#else
  return a * b + c;
#endif
}

static KV_INLINE VF KV_(select)(VI mask, VF a, VF b) { return (VF)((mask & (VI)a) | (~mask & (VI)b)); }

static KV_INLINE VF KV_(max)(VF a, VF b) { return KV_(select)(a > b, a, b); }

static KV_INLINE int KV_(any)(VI mask) {
  kv_lane_mask lanes[KV_W / 4];
  memcpy(lanes, &mask, sizeof mask);
  kv_lane_mask all = lanes[0];
  for (int i = 1; i < KV_W / 4; i++) all |= lanes[i];
  return (all[0] | all[1] | all[2] | all[3]) != 0;
}

// KV_W elements from index `at` on, as f32. `element` is a constant wherever this is inlined.
static KV_INLINE VF KV_(load)(int element, const uint8_t *row, size_t at) {
  if (element == KV_ELEMENT_F32) return *(const VF *)(row + 4 * at);
  VH half = *(const VH *)(row + 2 * at);
  if (element == KV_ELEMENT_BF16) return (VF)(__builtin_convertvector(half, VU) << 16);
#if KV_HAS_F16
  typedef KV_HALF KV_(half) __attribute__((vector_size(2 * KV_W), aligned(2)));
  return __builtin_convertvector((KV_(half))half, VF);
#else
  VU bits = __builtin_convertvector(half, VU);
  VU magnitude = (bits & 0x7fff) << 13;
  // 2^112 moves the exponent's bias, subnormals included; infinities and NaN get the exponent that says so.
  VU value = (VU)((VF)magnitude * KV_(splat)(0x1p112f));
  VU special = (VU)(magnitude >= 0x0f800000u) & 0x7f800000u;
  return (VF)(value | special | (bits & 0x8000) << 16);
#endif
}

// 2^x for x <= 0; 0 below 2^-126. Error under 2 units of the last place.
static KV_INLINE VF KV_(exp2)(VF x) {
  VF low = KV_(splat)(-126.0f);
  VF clamped = KV_(max)(x, low);
  VF shifted = clamped + 12582912.0f;
  VF f = clamped - (shifted - 12582912.0f);
  VF p = KV_(splat)(1.5353362e-4f);
  p = KV_(fma)(p, f, KV_(splat)(1.3398874e-3f));
  p = KV_(fma)(p, f, KV_(splat)(9.6184373e-3f));
  p = KV_(fma)(p, f, KV_(splat)(5.5503324e-2f));
  p = KV_(fma)(p, f, KV_(splat)(2.4022647e-1f));
  p = KV_(fma)(p, f, KV_(splat)(6.9314720e-1f));
  p = KV_(fma)(p, f, KV_(splat)(1.0f));
  VI scaled = (VI)p + ((VI)shifted << 23);
  // NaN stays NaN: it is neither below nor above.
  VF result = (VF)scaled;
  result = KV_(select)(x < low, KV_(splat)(0.0f), result);
  return KV_(select)(x != x, x, result);
}

// The sum of the vector's lanes of four floats.
static KV_INLINE kv_lane KV_(sum_lanes)(VF x) {
  kv_lane lanes[KV_W / 4];
  memcpy(lanes, &x, sizeof x);
  kv_lane sum = lanes[0];
  for (int i = 1; i < KV_W / 4; i++) sum += lanes[i];
  return sum;
}

static KV_INLINE float KV_(sum)(VF x) {
  kv_lane lane = KV_(sum_lanes)(x);
  return (lane[0] + lane[2]) + (lane[1] + lane[3]);
}

static KV_INLINE float KV_(maximum)(VF x) {
  kv_lane lanes[KV_W / 4];
  memcpy(lanes, &x, sizeof x);
  kv_lane best = lanes[0];
  for (int i = 1; i < KV_W / 4; i++) {
    kv_lane_mask mask = lanes[i] > best;
    best = (kv_lane)((mask & (kv_lane_mask)lanes[i]) | (~mask & (kv_lane_mask)best));
  }
  float low = best[0] > best[1] ? best[0] : best[1], high = best[2] > best[3] ? best[2] : best[3];
  return low > high ? low : high;
}

// Four sums of KV_W lanes each.
static KV_INLINE kv_lane KV_(sum4)(VF a, VF b, VF c, VF d) {
  // Lane by lane of four: [a b a b], then [a b c d].
  VF ab = KV_UNPACK_LOW(a, b) + KV_UNPACK_HIGH(a, b);
  VF cd = KV_UNPACK_LOW(c, d) + KV_UNPACK_HIGH(c, d);
  return KV_(sum_lanes)(KV_PAIR_LOW(ab, cd) + KV_PAIR_HIGH(ab, cd));
}

// What a score weighs beside the largest. Minus infinity weighs nothing, though there be nothing larger.
static KV_INLINE VF KV_(weight)(VF score, VF maximum) {
  return KV_(select)(score == KV_(splat)(-__builtin_inff()), KV_(splat)(0), KV_(exp2)(score - maximum));
}

// Scores of one query head become weights; its maximum and sum go on; where the maximum grows, what was summed up
// before it shrinks.
static KV_INLINE void KV_(soften)(
    int tile, size_t head_size, float *scores, float *maximum, float *total, float *output) {
  VF best = *(const VF *)scores;
  for (int t = KV_W; t < tile; t += KV_W) best = KV_(max)(best, *(const VF *)(scores + t));
  float tile_maximum = KV_(maximum)(best);
  if (tile_maximum > *maximum) {
    // From minus infinity there is nothing to shrink.
    VF factor = KV_(exp2)(KV_(splat)(*maximum - tile_maximum));
    *maximum = tile_maximum;
    *total *= factor[0];
    for (size_t d = 0; d < head_size; d += KV_W) *(VF *)(output + d) *= factor;
  }
  VF sum = KV_(splat)(0);
  for (int t = 0; t < tile; t += KV_W) {
    VF weight = KV_(weight)(*(const VF *)(scores + t), KV_(splat)(*maximum));
    *(VF *)(scores + t) = weight;
    sum += weight;
  }
  *total += KV_(sum)(sum);
}
