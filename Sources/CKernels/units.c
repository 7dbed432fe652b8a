#include "CKernels.h"

#include <string.h>

static inline __attribute__((always_inline)) void split_units(
    const uint8_t *source, size_t unit_count, size_t head, size_t body, uint8_t *heads, uint8_t *bodies) {
  for (size_t i = 0; i < unit_count; i++) {
    memcpy(heads + i * head, source + i * (head + body), head);
    memcpy(bodies + i * body, source + i * (head + body) + head, body);
  }
}

static inline __attribute__((always_inline)) void join_units(
    const uint8_t *heads, const uint8_t *bodies, size_t unit_count, size_t head, size_t body, uint8_t *destination) {
  for (size_t i = 0; i < unit_count; i++) {
    memcpy(destination + i * (head + body), heads + i * head, head);
    memcpy(destination + i * (head + body) + head, bodies + i * body, body);
  }
}

// The sizes of the two ggml types are constants here, so that the copies are moves.
void kv_units_split(
    const uint8_t *source, size_t unit_count, size_t head, size_t body, uint8_t *heads, uint8_t *bodies) {
  if (head == 2 && body == 32) split_units(source, unit_count, 2, 32, heads, bodies);
  else if (head == 2 && body == 16) split_units(source, unit_count, 2, 16, heads, bodies);
  else split_units(source, unit_count, head, body, heads, bodies);
}

void kv_units_join(
    const uint8_t *heads, const uint8_t *bodies, size_t unit_count, size_t head, size_t body, uint8_t *destination) {
  if (head == 2 && body == 32) join_units(heads, bodies, unit_count, 2, 32, destination);
  else if (head == 2 && body == 16) join_units(heads, bodies, unit_count, 2, 16, destination);
  else join_units(heads, bodies, unit_count, head, body, destination);
}
