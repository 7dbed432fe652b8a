/* Real rows through memory of other shapes: token-major, [heads, tokens, head size], rows with gaps. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "drive.h"

enum { HEADS = 3, HEAD_BYTES = 128, ROW_BYTES = HEADS * HEAD_BYTES, PLANES = 60, TOKENS = 100, GAP = 40 };

static const char *descriptor(void) {
  static char text[PLANES * 80];
  size_t used = (size_t)snprintf(text, sizeof text, "{\"model\": \"strided\", \"blockTokens\": 16, \"planes\": [");
  for (int plane = 0; plane < PLANES; plane++) {
    used += (size_t)snprintf(
        text + used, sizeof text - used, "%s{\"kind\": \"%s\", \"layer\": %d, \"type\": \"f16\", \"rowBytes\": %d}",
        plane == 0 ? "" : ", ", plane < 30 ? "keys" : "values", plane % 30, ROW_BYTES);
  }
  snprintf(text + used, sizeof text - used, "]}");
  return text;
}

void drive_strided_rows(const char *samples, const char *work) {
  file_bytes sample = read_file(samples, "smollm2-135m_512tok_f16_fa.v4.ggsq");
  char path[4096];
  snprintf(path, sizeof path, "%s/strided", work);
  kvpager_store store;
  kvpager_state state;
  kvpager_space source, space;
  kvpager_session session;
  OK(kvpager_store_open(path, NULL, &store));
  OK(kvpager_state_open(sample.bytes, sample.size, NULL, 0, &state));
  int32_t tokens[512];
  int64_t count;
  OK(kvpager_state_tokens(state, tokens, 512, &count));
  CHECK(count == 512);
  GIVES(KVPAGER_BUFFER_TOO_SMALL, kvpager_state_tokens(state, tokens, 511, &count));

  /* The state's rows, token-major: planes one after another. */
  OK(kvpager_state_space(state, store, "{\"model\": \"smollm2-135m\"}", &source));
  OK(kvpager_space_insert_state(source, state, KVPAGER_BY_IDENTITY));
  kvpager_prefix prefix;
  OK(kvpager_prefix_find(source, tokens, TOKENS, &prefix, &count));
  CHECK(count == TOKENS);
  const int64_t plane_bytes = TOKENS * ROW_BYTES;
  uint8_t *rows = fresh(PLANES * plane_bytes);
  kvpager_rows contiguous[PLANES], by_head[PLANES], with_gaps[PLANES];
  for (int plane = 0; plane < PLANES; plane++) {
    contiguous[plane] = (kvpager_rows){rows + plane * plane_bytes, ROW_BYTES, 0, 0};
  }
  OK(kvpager_prefix_read(prefix, 0, TOKENS, contiguous, PLANES, &count));
  CHECK(count == TOKENS);
  /* The last keys of the prefix stand in the file too: planes of 512 rows behind 28 bytes of head and the tokens. */
  CHECK(memcmp(rows, rows + plane_bytes, (size_t)plane_bytes) != 0);

  /* In as [heads, tokens, head size]. */
  uint8_t *tensor = fresh(PLANES * plane_bytes);
  for (int plane = 0; plane < PLANES; plane++) {
    uint8_t *base = tensor + plane * plane_bytes;
    by_head[plane] = (kvpager_rows){base, HEAD_BYTES, HEAD_BYTES, TOKENS * HEAD_BYTES};
    for (int token = 0; token < TOKENS; token++) {
      for (int head = 0; head < HEADS; head++) {
        memcpy(base + (head * TOKENS + token) * HEAD_BYTES,
               rows + plane * plane_bytes + token * ROW_BYTES + head * HEAD_BYTES, HEAD_BYTES);
      }
    }
  }
  OK(kvpager_space_open(store, descriptor(), &space));
  OK(kvpager_session_create(space, "by head", 0, NULL, 0, &session));
  OK(kvpager_session_append(session, tokens, TOKENS, by_head, PLANES, KVPAGER_BY_IDENTITY));
  OK(kvpager_session_commit(session));

  /* Out in three shapes. */
  uint8_t *out = fresh(PLANES * plane_bytes);
  for (int plane = 0; plane < PLANES; plane++) contiguous[plane].base = out + plane * plane_bytes;
  OK(kvpager_session_read(session, 0, TOKENS, contiguous, PLANES));
  CHECK(memcmp(out, rows, (size_t)(PLANES * plane_bytes)) == 0);

  uint8_t *copy = fresh(PLANES * plane_bytes);
  for (int plane = 0; plane < PLANES; plane++) by_head[plane].base = copy + plane * plane_bytes;
  OK(kvpager_session_read(session, 0, TOKENS, by_head, PLANES));
  CHECK(memcmp(copy, tensor, (size_t)(PLANES * plane_bytes)) == 0);

  const int64_t gapped_bytes = TOKENS * (ROW_BYTES + GAP);
  uint8_t *gapped = fresh(PLANES * gapped_bytes);
  for (int plane = 0; plane < PLANES; plane++) {
    with_gaps[plane] = (kvpager_rows){plane % 2 ? NULL : gapped + plane * gapped_bytes, ROW_BYTES + GAP, 0, 0};
  }
  OK(kvpager_session_read(session, 33, 50, with_gaps, PLANES));
  for (int plane = 0; plane < PLANES; plane++) {
    for (int token = 0; token < TOKENS; token++) {
      uint8_t *row = gapped + plane * gapped_bytes + token * (ROW_BYTES + GAP);
      bool is_written = plane % 2 == 0 && token < 50;
      if (is_written) CHECK(memcmp(row, rows + plane * plane_bytes + (33 + token) * ROW_BYTES, ROW_BYTES) == 0);
      CHECK(row[is_written ? ROW_BYTES : 0] == 0xa5 && row[ROW_BYTES + GAP - 1] == 0xa5);
    }
  }

  /* The same rows in another shape are the same blocks; others under the same tokens are not. */
  OK(kvpager_space_insert(space, tokens, TOKENS, contiguous, PLANES, KVPAGER_BY_CONTENT));
  char *json;
  OK(kvpager_store_statistics(store, &json));
  CHECK(tells(json, "\"sessions\":1"));
  by_head[7].part_stride = TOKENS * HEAD_BYTES - 1;
  GIVES(KVPAGER_INVALID_ARGUMENT, kvpager_session_read(session, 0, TOKENS, by_head, PLANES));
  OK(kvpager_prefix_close(prefix));
  OK(kvpager_state_close(state));
  OK(kvpager_store_close(store));
  free(gapped);
  free(copy);
  free(out);
  free(tensor);
  free(rows);
  free(sample.bytes);
}
