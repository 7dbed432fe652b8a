/* What one conversation computed is there for the next: prefixes, cache without sessions, checkpoints. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "drive.h"

enum { PLANES = 60, ROW_BYTES = 384 };

void drive_prefixes(const char *samples, const char *work) {
  file_bytes sample = read_file(samples, "smollm2-135m_512tok_f16_fa.v4.ggsq");
  char path[4096];
  snprintf(path, sizeof path, "%s/prefixes", work);
  kvpager_store store;
  kvpager_state state;
  kvpager_space space;
  kvpager_prefix prefix;
  kvpager_session first, second;
  OK(kvpager_store_open(path, "{\"durability\": \"lastCommitMayBeLost\"}", &store));
  OK(kvpager_state_open(sample.bytes, sample.size, NULL, 0, &state));
  int32_t tokens[512];
  int64_t count, size;
  OK(kvpager_state_tokens(state, tokens, 512, &count));
  OK(kvpager_state_space(state, store, "{\"model\": \"smollm2-135m\"}", &space));

  OK(kvpager_prefix_find(space, tokens, 512, &prefix, &count));
  CHECK(count == 0);
  OK(kvpager_prefix_close(prefix));
  GIVES(KVPAGER_INVALID_HANDLE, kvpager_prefix_prefetch(prefix));

  /* As cache, without a session; durable, and found after a restart. */
  OK(kvpager_space_insert_state(space, state, KVPAGER_BY_CONTENT));
  OK(kvpager_store_write_back(store));
  char *json;
  OK(kvpager_store_statistics(store, &json));
  CHECK(strstr(json, "\"sessions\":0") != NULL && strstr(json, "\"unique\":8") != NULL);
  CHECK(tells(json, "\"writtenBackBlocks\":8"));
  OK(kvpager_store_close(store));
  OK(kvpager_store_open(path, "{\"quotaBytes\": 1073741824, \"writeBatchBytes\": 1048576}", &store));
  OK(kvpager_store_spaces(store, &json));
  CHECK(tells(json, "\"id\":1"));
  OK(kvpager_space_open_id(store, 1, &space));
  GIVES(KVPAGER_NOT_FOUND, kvpager_space_open_id(store, 2, &space));

  /* A prompt that goes on otherwise inside the third block. */
  tokens[150] = 1;
  OK(kvpager_prefix_find(space, tokens, 512, &prefix, &count));
  CHECK(count == 150);
  OK(kvpager_prefix_describe(prefix, &json));
  CHECK(tells(json, "\"fullBlocks\":2,\"memoryBlocks\":0,\"partialTokens\":22,\"tokens\":150"));
  OK(kvpager_prefix_prefetch(prefix));
  OK(kvpager_prefix_export(prefix, -1, "{\"format\": \"llama-blob\", \"version\": 3}", NULL, 0, &size));
  uint8_t *blob = fresh(size);
  OK(kvpager_prefix_export(prefix, -1, "{\"format\": \"llama-blob\", \"version\": 3}", blob, size, &size));
  GIVES(KVPAGER_INVALID_ARGUMENT, kvpager_prefix_export(prefix, 151, NULL, NULL, 0, &size));

  /* The blob is a state of 150 tokens, whose rows are the sample's. */
  kvpager_state again;
  OK(kvpager_state_open(blob, size, tokens, 150, &again));
  OK(kvpager_state_describe(again, &json));
  CHECK(tells(json, "\"format\":\"llama-blob\""));
  OK(kvpager_state_tokens(again, NULL, 0, &count));
  CHECK(count == 150);
  kvpager_rows planes[PLANES] = {{NULL, 0, 0, 0}};
  uint8_t *keys = fresh(150 * ROW_BYTES);
  planes[0] = (kvpager_rows){keys, ROW_BYTES, 0, 0};
  OK(kvpager_prefix_read(prefix, 0, 150, planes, PLANES, &count));
  CHECK(count == 150);
  bool is_in_blob = false;
  for (int64_t at = 0; at + 150 * ROW_BYTES <= size && !is_in_blob; at++) {
    is_in_blob = memcmp(blob + at, keys, 150 * ROW_BYTES) == 0;
  }
  CHECK(is_in_blob);

  /* A session that begins with it. */
  GIVES(KVPAGER_INVALID_ARGUMENT, kvpager_session_create(space, "first", prefix, tokens + 1, 511, &first));
  OK(kvpager_session_create(space, "first", prefix, tokens, 512, &first));
  OK(kvpager_session_create(space, "second", prefix, NULL, 0, &second));
  OK(kvpager_session_tokens(second, NULL, 0, &count));
  CHECK(count == 150);
  OK(kvpager_session_commit(first));
  OK(kvpager_prefix_close(prefix));

  /* Of sessions with checkpoints, the longest that begins the prompt. */
  char *name;
  OK(kvpager_space_longest_checkpoint(space, tokens, 512, &name));
  CHECK(name == NULL);
  OK(kvpager_session_truncate(second, 100));
  OK(kvpager_session_set_checkpoint(first, "150 tokens", 10));
  OK(kvpager_session_set_checkpoint(second, "100 tokens", 10));
  OK(kvpager_session_commit(first));
  OK(kvpager_session_commit(second));
  OK(kvpager_space_longest_checkpoint(space, tokens, 512, &name));
  CHECK(tells(name, "first"));
  OK(kvpager_space_longest_checkpoint(space, tokens, 149, &name));
  CHECK(tells(name, "second"));
  OK(kvpager_space_delete_session(space, "second"));
  GIVES(KVPAGER_NOT_FOUND, kvpager_space_resume(space, "second", &second));
  OK(kvpager_space_resume(space, "first", &second));
  OK(kvpager_space_close(space));
  GIVES(KVPAGER_INVALID_HANDLE, kvpager_space_close(space));
  OK(kvpager_session_prefetch(second));
  OK(kvpager_state_close(again));
  OK(kvpager_state_close(state));
  OK(kvpager_store_close(store));
  free(keys);
  free(blob);
  free(sample.bytes);
}
