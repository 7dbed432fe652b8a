/* Handles of another kind, on another thread, in a forked child. */
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include "drive.h"

static void *on_another_thread(void *argument) {
  kvpager_space space = *(kvpager_space *)argument;
  char *json;
  CHECK(strcmp(kvpager_last_error(), "") == 0);
  OK(kvpager_space_describe(space, &json));
  CHECK(tells(json, "\"model\":\"m\""));
  GIVES(KVPAGER_NOT_FOUND, kvpager_space_delete_session(space, "nobody"));
  CHECK(strstr(kvpager_last_error(), "nobody") != NULL);
  return NULL;
}

/* What a forked child may do: be refused, and open the store anew. */
static void in_child(const char *path, kvpager_store store, kvpager_space space, kvpager_state state) {
  char *json;
  int64_t count;
  GIVES(KVPAGER_FORKED, kvpager_store_statistics(store, &json));
  GIVES(KVPAGER_FORKED, kvpager_space_describe(space, &json));
  GIVES(KVPAGER_FORKED, kvpager_state_tokens(state, NULL, 0, &count));
  GIVES(KVPAGER_FORKED, kvpager_store_close(store));
  kvpager_store own;
  OK(kvpager_store_open(path, NULL, &own));
  CHECK(own != store);
  OK(kvpager_store_spaces(own, &json));
  CHECK(tells(json, "\"model\":\"m\""));
  OK(kvpager_store_close(own));
}

static volatile bool is_done = false;

/* Keeps the library's locks busy. */
static void *describing(void *argument) {
  kvpager_space space = *(kvpager_space *)argument;
  while (!is_done) {
    char *json;
    if (kvpager_space_describe(space, &json) == KVPAGER_OK) kvpager_free(json);
  }
  return NULL;
}

/* Children of a process whose other threads are inside the library: none may wait for a lock that nobody gives back. */
static void fork_amid_calls(const char *path, kvpager_store store, kvpager_space space, kvpager_state state) {
  pthread_t threads[2];
  for (int index = 0; index < 2; index++) CHECK(pthread_create(&threads[index], NULL, describing, &space) == 0);
  for (int round = 0; round < 10; round++) {
    fflush(NULL);
    pid_t child = fork();
    CHECK(child >= 0);
    if (child == 0) {
      alarm(60);
      in_child(path, store, space, state);
      _exit(0);
    }
    int status;
    CHECK(waitpid(child, &status, 0) == child);
    CHECK(WIFEXITED(status) && WEXITSTATUS(status) == 0);
  }
  is_done = true;
  for (int index = 0; index < 2; index++) CHECK(pthread_join(threads[index], NULL) == 0);
}

void drive_handles(const char *samples, const char *work) {
  char path[4096];
  snprintf(path, sizeof path, "%s/handles", work);
  file_bytes sample = read_file(samples, "smollm2-135m_48tok_bf16_fa.v4.ggsq");
  kvpager_store store;
  kvpager_state state;
  kvpager_space space;
  char *json;
  OK(kvpager_store_open(path, NULL, &store));
  OK(kvpager_state_open(sample.bytes, sample.size, NULL, 0, &state));
  OK(kvpager_state_space(state, store, "{\"model\": \"m\"}", &space));
  GIVES(KVPAGER_INVALID_HANDLE, kvpager_store_write_back(space));
  CHECK(strstr(kvpager_last_error(), "a store is wanted") != NULL);
  GIVES(KVPAGER_INVALID_HANDLE, kvpager_space_describe(store, &json));
  GIVES(KVPAGER_INVALID_HANDLE, kvpager_prefix_close(12345678));
  sample.bytes[0] ^= 1;
  kvpager_state malformed;
  GIVES(KVPAGER_MALFORMED, kvpager_state_open(sample.bytes, sample.size, NULL, 0, &malformed));
  CHECK(strstr(kvpager_last_error(), "byte") != NULL);
  sample.bytes[0] ^= 1;

  pthread_t thread;
  CHECK(pthread_create(&thread, NULL, on_another_thread, &space) == 0);
  CHECK(pthread_join(thread, NULL) == 0);

  fork_amid_calls(path, store, space, state);

  /* The parent goes on. */
  OK(kvpager_space_describe(space, &json));
  CHECK(tells(json, "\"model\":\"m\""));
  OK(kvpager_state_close(state));
  OK(kvpager_store_close(store));
  free(sample.bytes);
}
