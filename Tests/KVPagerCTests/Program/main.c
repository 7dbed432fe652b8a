/* Drives every function of kvpager.h on real data: main SAMPLES WORK. Prints how much was checked. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "drive.h"

int check_count = 0;

void fail(const char *file, int line, const char *what) {
  fprintf(stderr, "%s:%d: %s\n  last error: %s\n", file, line, what, kvpager_last_error());
  exit(1);
}

void expect(const char *file, int line, const char *call, kvpager_status wanted, kvpager_status given) {
  check_count++;
  if (given == wanted) {
    if (given != KVPAGER_OK && strlen(kvpager_last_error()) == 0) fail(file, line, "an error without a message");
    return;
  }
  fprintf(stderr, "%s instead of %s: ", kvpager_status_name(given), kvpager_status_name(wanted));
  fail(file, line, call);
}

bool tells(char *json, const char *part) {
  bool found = strstr(json, part) != NULL;
  if (!found) fprintf(stderr, "no %s in %s\n", part, json);
  kvpager_free(json);
  return found;
}

file_bytes read_file(const char *folder, const char *name) {
  char path[4096];
  snprintf(path, sizeof path, "%s/%s", folder, name);
  FILE *file = fopen(path, "rb");
  if (file == NULL) fail(path, 0, "cannot be opened");
  fseek(file, 0, SEEK_END);
  long size = ftell(file);
  rewind(file);
  file_bytes result = {malloc((size_t)size), size};
  if (fread(result.bytes, 1, (size_t)size, file) != (size_t)size) fail(path, 0, "cannot be read");
  fclose(file);
  return result;
}

uint8_t *fresh(int64_t size) {
  uint8_t *bytes = malloc((size_t)size);
  if (bytes == NULL) fail(__FILE__, __LINE__, "no memory");
  memset(bytes, 0xa5, (size_t)size);
  return bytes;
}

int main(int argc, char **argv) {
  if (argc != 3) {
    fprintf(stderr, "usage: %s SAMPLES WORK\n", argv[0]);
    return 2;
  }
  drive_library();
  drive_round_trip(argv[1], argv[2]);
  drive_strided_rows(argv[1], argv[2]);
  drive_prefixes(argv[1], argv[2]);
  drive_session_life(argv[1], argv[2]);
  drive_handles(argv[1], argv[2]);
  printf("%d checks passed\n", check_count);
  return 0;
}
