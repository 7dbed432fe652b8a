// What this machine does at most: reading memory, multiplying and adding.
#ifndef CLIMITS_H
#define CLIMITS_H

#include <stddef.h>
#include <stdint.h>

// Reads all bytes, as fast as this processor's vectors do. The result keeps the compiler from leaving it out.
uint64_t limits_read(const void *bytes, size_t count);

// f32 multiply-adds on registers alone. Returns how many floating-point operations were done.
double limits_multiply_add(size_t rounds);

#endif
