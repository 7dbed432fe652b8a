#include <string.h>

#include "CKernels.h"

// Looking at 64 places at a time without leaving early is what compilers turn into vectors.
enum { STEP = 64 };

size_t kv_find_pair(const uint8_t *bytes, size_t count, size_t start, uint8_t first, uint8_t second) {
  if (count < 2) return count;
  size_t last = count - 1;  // The first byte of a pair lies before it.
  size_t place = start;
  for (; place + STEP <= last; place += STEP) {
    const uint8_t *at = bytes + place;
    uint8_t found = 0;
    for (size_t i = 0; i < STEP; i++) found |= (uint8_t)((at[i] == first) & (at[i + 1] == second));
    if (found) break;
  }
  for (; place < last; place++) {
    if (bytes[place] == first && bytes[place + 1] == second) return place;
  }
  return count;
}

size_t kv_find_word(const uint8_t *bytes, size_t count, size_t start, uint16_t a, uint16_t b) {
  size_t place = start;
  for (; place + STEP <= count; place += STEP) {
    uint16_t words[STEP / 2];
    memcpy(words, bytes + place, STEP);
    uint16_t found = 0;
    for (size_t i = 0; i < STEP / 2; i++) found |= (uint16_t)((words[i] == a) | (words[i] == b));
    if (found) break;
  }
  for (; place + 2 <= count; place += 2) {
    uint16_t word;
    memcpy(&word, bytes + place, 2);
    if (word == a || word == b) return place;
  }
  return count;
}
