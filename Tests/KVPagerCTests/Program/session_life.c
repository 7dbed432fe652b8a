/* A session's life: metadata, fork, cut, rename, checkpoint, expiry, deletion, conflict. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "drive.h"

static void drive_checkpoint(kvpager_session session) {
  char bytes[8] = "???????";
  int64_t size;
  OK(kvpager_session_checkpoint(session, NULL, 0, &size));
  CHECK(size == 0);
  OK(kvpager_session_set_checkpoint(session, "window", 6));
  GIVES(KVPAGER_BUFFER_TOO_SMALL, kvpager_session_checkpoint(session, bytes, 5, &size));
  CHECK(size == 6 && bytes[0] == '?');
  OK(kvpager_session_checkpoint(session, bytes, 8, &size));
  CHECK(size == 6 && memcmp(bytes, "window?", 7) == 0);
  GIVES(KVPAGER_INVALID_ARGUMENT, kvpager_session_truncate(session, 1));
  OK(kvpager_session_set_checkpoint(session, NULL, 0));
  OK(kvpager_session_checkpoint(session, NULL, 0, &size));
  CHECK(size == 0);
}

void drive_session_life(const char *samples, const char *work) {
  char path[4096], sample[4096];
  snprintf(path, sizeof path, "%s/sessions", work);
  snprintf(sample, sizeof sample, "%s/smollm2-135m_48tok_f16_fa.v3.ggsq", samples);
  kvpager_store store;
  kvpager_state state;
  kvpager_space space, same;
  kvpager_session session, fork, other;
  char *json;
  int64_t count;
  GIVES(KVPAGER_NOT_FOUND, kvpager_store_open(path, "{\"access\": \"write\"}", &store));
  OK(kvpager_store_open(path, "{\"access\": \"create\", \"mapBytes\": 1073741824}", &store));
  GIVES(KVPAGER_BUSY, kvpager_store_open(path, NULL, &other));
  OK(kvpager_state_open_file(sample, NULL, 0, &state));
  OK(kvpager_state_space(state, store, "{\"model\": \"smollm2-135m\", \"blockTokens\": 16, \"salt\": \"a\"}", &space));
  OK(kvpager_session_create(space, "monday", 0, NULL, 0, &session));
  OK(kvpager_session_take_state(session, state, KVPAGER_BY_IDENTITY));
  OK(kvpager_session_set_metadata(session, "title", "caf\xc3\xa9 \"x\""));
  OK(kvpager_session_set_metadata(session, "gone", "soon"));
  OK(kvpager_session_set_metadata(session, "gone", NULL));
  OK(kvpager_session_describe(session, &json));
  CHECK(tells(json, "\"committed\":false"));
  OK(kvpager_session_commit(session));
  OK(kvpager_session_describe(session, &json));
  CHECK(strstr(json, "\"metadata\":{\"title\":\"caf\xc3\xa9 \\\"x\\\"\"}") != NULL);
  CHECK(strstr(json, "\"expires\":null") != NULL);
  CHECK(tells(json, "\"blocks\":3,\"checkpointBytes\":0,\"committed\":true"));

  /* A fork shares blocks; a cut inside a block does not disturb the whole. */
  OK(kvpager_session_fork(session, "branch", 40, &fork));
  GIVES(KVPAGER_ALREADY_EXISTS, kvpager_session_fork(session, "monday", -1, &other));
  OK(kvpager_session_commit(fork));
  OK(kvpager_session_truncate(fork, 20));
  OK(kvpager_session_rename(fork, "twig"));
  OK(kvpager_session_commit(fork));
  OK(kvpager_session_tokens(fork, NULL, 0, &count));
  CHECK(count == 20);
  OK(kvpager_session_tokens(session, NULL, 0, &count));
  CHECK(count == 48);
  /* Taken again, the state brings back what was cut. */
  OK(kvpager_session_take_state(fork, state, KVPAGER_BY_IDENTITY));
  OK(kvpager_session_tokens(fork, NULL, 0, &count));
  CHECK(count == 48);
  OK(kvpager_store_sessions(store, &json));
  CHECK(strstr(json, "\"name\":\"monday\"") != NULL && strstr(json, "\"name\":\"branch\"") == NULL);
  CHECK(tells(json, "\"name\":\"twig\""));
  OK(kvpager_session_space(fork, &same));
  OK(kvpager_space_describe(same, &json));
  CHECK(tells(json, "\"salt\":\"a\""));
  drive_checkpoint(fork);

  /* Two handles on one name: who commits second is told. */
  OK(kvpager_session_resume(store, "monday", &other));
  OK(kvpager_session_commit(other));
  GIVES(KVPAGER_CONFLICT, kvpager_session_commit(session));

  /* Expired long ago, and deleted by request. */
  OK(kvpager_session_set_expiry(other, 1));
  OK(kvpager_session_commit(other));
  OK(kvpager_store_collect_garbage(store, &json));
  CHECK(tells(json, "\"expiredSessions\":1"));
  GIVES(KVPAGER_NOT_FOUND, kvpager_session_resume(store, "monday", &session));
  OK(kvpager_store_delete_session(store, "twig"));
  GIVES(KVPAGER_NOT_FOUND, kvpager_store_delete_session(store, "twig"));
  OK(kvpager_store_collect_garbage(store, NULL));
  OK(kvpager_store_sessions(store, &json));
  CHECK(tells(json, "[]"));
  OK(kvpager_session_close(fork));
  OK(kvpager_session_close(0));
  GIVES(KVPAGER_INVALID_HANDLE, kvpager_session_close(fork));
  OK(kvpager_state_close(state));
  OK(kvpager_store_close(store));
}
