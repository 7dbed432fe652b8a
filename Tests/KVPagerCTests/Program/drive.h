/* What the parts of the program share: checks that end it with the line at fault, and files. */
#ifndef DRIVE_H
#define DRIVE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "kvpager.h"

extern int check_count;

void fail(const char *file, int line, const char *what);

#define CHECK(condition) (check_count++, (condition) ? (void)0 : fail(__FILE__, __LINE__, #condition))

/* A call that must end with this status. */
#define GIVES(status, call) expect(__FILE__, __LINE__, #call, status, call)
#define OK(call) GIVES(KVPAGER_OK, call)

void expect(const char *file, int line, const char *call, kvpager_status wanted, kvpager_status given);

/* Whether a JSON text that the library gave holds `part`; gives the text back. */
bool tells(char *json, const char *part);

typedef struct {
  uint8_t *bytes;
  int64_t size;
} file_bytes;

file_bytes read_file(const char *folder, const char *name);

/* Memory for `size` bytes of something that no row is. */
uint8_t *fresh(int64_t size);

/* The parts of the program. `work` is an empty folder. */
void drive_library(void);
void drive_round_trip(const char *samples, const char *work);
void drive_strided_rows(const char *samples, const char *work);
void drive_prefixes(const char *samples, const char *work);
void drive_session_life(const char *samples, const char *work);
void drive_handles(const char *samples, const char *work);

#endif
