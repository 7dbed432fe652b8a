/* An engine's state goes in, the store is closed and opened again, and the very bytes come out. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "drive.h"

void drive_library(void) {
  CHECK(kvpager_abi_version() == KVPAGER_ABI_VERSION);
  CHECK(strlen(kvpager_version()) > 0);
  CHECK(strcmp(kvpager_last_error(), "") == 0);
  for (int status = KVPAGER_OK; status <= KVPAGER_BUFFER_TOO_SMALL; status++) {
    CHECK(strcmp(kvpager_status_name(status), "unknown") != 0);
    for (int other = 0; other < status; other++) {
      CHECK(strcmp(kvpager_status_name(status), kvpager_status_name(other)) != 0);
    }
  }
  CHECK(strcmp(kvpager_status_name(-1), "unknown") == 0);
  CHECK(strcmp(kvpager_status_name(KVPAGER_QUOTA_FULL), "quotaFull") == 0);
  kvpager_tune_malloc();
  kvpager_free(NULL);
}

/* Takes a sample into a store of its own and gets it out again, through memory and through a file. */
static void round_trip(const char *samples, const char *work, const char *name, bool through_file) {
  file_bytes sample = read_file(samples, name);
  char path[4096], sample_path[4096], exported[4096];
  snprintf(path, sizeof path, "%s/round-trip-%s", work, name);
  snprintf(sample_path, sizeof sample_path, "%s/%s", samples, name);

  kvpager_store store;
  OK(kvpager_store_open(path, "{\"memoryBytes\": 16777216, \"loadThreads\": 1}", &store));
  kvpager_state state;
  if (through_file) {
    OK(kvpager_state_open_file(sample_path, NULL, 0, &state));
  } else {
    OK(kvpager_state_open(sample.bytes, sample.size, NULL, 0, &state));
  }
  char *json;
  OK(kvpager_state_describe(state, &json));
  CHECK(tells(json, "\"tokensKnown\":true"));
  int64_t token_count;
  OK(kvpager_state_tokens(state, NULL, 0, &token_count));
  CHECK(token_count > 0);

  kvpager_space space;
  OK(kvpager_state_space(state, store, "{\"model\": \"smollm2-135m\", \"blockTokens\": 32}", &space));
  OK(kvpager_space_describe(space, &json));
  CHECK(tells(json, "\"blockTokens\":32"));
  kvpager_session session;
  OK(kvpager_session_create(space, "monday", 0, NULL, 0, &session));
  OK(kvpager_session_take_state(session, state, through_file ? KVPAGER_BY_CONTENT : KVPAGER_BY_IDENTITY));
  OK(kvpager_session_commit(session));
  OK(kvpager_state_close(state));
  OK(kvpager_store_close(store));
  GIVES(KVPAGER_INVALID_HANDLE, kvpager_session_commit(session));
  GIVES(KVPAGER_INVALID_HANDLE, kvpager_space_describe(space, &json));

  OK(kvpager_store_open(path, "{\"access\": \"read\"}", &store));
  OK(kvpager_session_resume(store, "monday", &session));
  int64_t count, size;
  OK(kvpager_session_tokens(session, NULL, 0, &count));
  CHECK(count == token_count);
  OK(kvpager_session_export(session, -1, NULL, NULL, 0, &size));
  CHECK(size == sample.size);
  uint8_t *bytes = fresh(size);
  GIVES(KVPAGER_BUFFER_TOO_SMALL, kvpager_session_export(session, -1, NULL, bytes, size - 1, &size));
  CHECK(size == sample.size && bytes[0] == 0xa5);
  OK(kvpager_session_export(session, -1, NULL, bytes, size, &size));
  CHECK(memcmp(bytes, sample.bytes, (size_t)size) == 0);

  snprintf(exported, sizeof exported, "%s/exported", work);
  OK(kvpager_session_export_file(session, -1, NULL, exported, &size));
  file_bytes file = read_file(work, "exported");
  CHECK(file.size == sample.size && memcmp(file.bytes, sample.bytes, (size_t)size) == 0);
  OK(kvpager_session_export_file(session, 5, "{\"format\": \"llama-blob\"}", exported, NULL));
  GIVES(KVPAGER_READ_ONLY, kvpager_session_commit(session));
  OK(kvpager_store_close(store));
  free(file.bytes);
  free(bytes);
  free(sample.bytes);
}

void drive_round_trip(const char *samples, const char *work) {
  round_trip(samples, work, "smollm2-135m_512tok_f16_fa.v4.ggsq", false);
  round_trip(samples, work, "smollm2-135m_48tok_f16_nofa_vtrans.v4.ggsq", false);
  round_trip(samples, work, "smollm2-135m_48tok_q8_0_fa.v4.ggsq", true);
  round_trip(samples, work, "smollm2-135m_48tok_bf16_fa.v4.ggsq", false);
  round_trip(samples, work, "smollm2-135m_512tok_f16.safetensors", true);
}
