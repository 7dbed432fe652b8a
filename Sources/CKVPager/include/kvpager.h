/*
 * kvpager.h - a persistent KV-cache store for LLM inference.
 *
 * A store keeps attention keys and values in blocks of a fixed number of tokens: hot ones in RAM, cold ones compressed
 * on disk, each with a checksum. A cache space is everything under one model, layout and salt. A session is a named
 * sequence of tokens that survives a restart. A prefix is what a store holds of a token list, whoever stored it.
 *
 * ERRORS. Every function that can fail returns a kvpager_status: KVPAGER_OK, or what went wrong. Then
 * kvpager_last_error() says in words what it was and what helps, for the calling thread. After any error reads still
 * work and nothing committed is lost. A miss is no error. No argument crashes the process: null where something must
 * stand, negative counts, handles that are closed or of another kind are answered with an error and change nothing.
 * (Memory that a caller names must be there: a pointer's target is the one thing that cannot be checked.)
 *
 * HANDLES are numbers, never 0, and never used twice: a closed one stays invalid for ever. Each is the caller's to
 * close; closing a store closes what was opened under it. Closing 0 does nothing.
 *
 * THREADS. Every function may be called from any thread, on any handle, at any time. Changes of one session wait for
 * each other. A close is seen by later calls, which get KVPAGER_INVALID_HANDLE; those under way end well.
 * kvpager_store_close and kvpager_state_close wait for them, other closes wait for nothing.
 *
 * FORK. After fork() the child must not use the parent's handles (KVPAGER_FORKED); it opens the store anew.
 *
 * TEXT is UTF-8 and ends in 0. Texts that a function hands out through `char **` are the caller's: give them to
 * kvpager_free. Texts that it returns as `const char *` are the library's. JSON given may hold unknown members only
 * where that is said; an unknown member is otherwise KVPAGER_INVALID_ARGUMENT, and one given as null counts as left
 * out. Names and paths have at most 4096 bytes (a session's name 255), other texts 16 MiB.
 *
 * SIZES are bytes and counts are int64_t, so that a negative one can be refused. Buffers are the caller's. A function
 * that fills one stores the size needed in any case: NULL and 0 ask for it, and are answered with KVPAGER_OK; for a
 * buffer that is too small the answer is KVPAGER_BUFFER_TOO_SMALL.
 *
 * A chat that goes on after a restart, errors left out:
 *
 *   kvpager_store_open("kv", "{\"memoryBytes\": 67108864}", &store);
 *   kvpager_state_open(bytes, size, tokens, token_count, &state);     what the engine gave
 *   kvpager_state_space(state, store, "{\"model\": \"llama-3.2-1b\"}", &space);
 *   kvpager_session_create(space, "monday", 0, NULL, 0, &session);
 *   kvpager_session_take_state(session, state, KVPAGER_BY_IDENTITY);
 *   kvpager_session_commit(session);                                  on disk, synced
 *
 *   kvpager_session_resume(store, "monday", &session);                in another process
 *   kvpager_session_export(session, -1, NULL, NULL, 0, &size);        how large it is
 *   kvpager_session_export(session, -1, NULL, buffer, size, &size);   what the engine takes
 */
#ifndef KVPAGER_H
#define KVPAGER_H

#include <stdint.h>

#ifdef __cplusplus
extern "C" {
#endif

/* Changes when a program compiled against an older header would no longer work. */
#define KVPAGER_ABI_VERSION 1

/* The ABI version of the library that is loaded; compare it with KVPAGER_ABI_VERSION. */
int32_t kvpager_abi_version(void);

/* The library's own version, such as "0.1.0". */
const char *kvpager_version(void);

/* ---- Status ---------------------------------------------------------------------------------------------------- */

typedef int32_t kvpager_status;
enum {
  KVPAGER_OK = 0,
  KVPAGER_INVALID_ARGUMENT = 1,   /* a value that cannot be meant; the message names it */
  KVPAGER_NOT_FOUND = 2,          /* no such session, space or store */
  KVPAGER_ALREADY_EXISTS = 3,     /* a session of that name exists */
  KVPAGER_CONFLICT = 4,           /* the session was changed elsewhere since it was resumed */
  KVPAGER_BUDGET_TOO_SMALL = 5,   /* the RAM budget does not hold one block of the layout */
  KVPAGER_POOL_EXHAUSTED = 6,     /* more blocks are in use at one time than the RAM budget holds */
  KVPAGER_QUOTA_FULL = 7,         /* what sessions hold, and what is to be stored, does not fit the disk quota */
  KVPAGER_DISK_FULL = 8,
  KVPAGER_MAP_FULL = 9,           /* the environment's map is full */
  KVPAGER_PERMISSION_DENIED = 10,
  KVPAGER_READ_ONLY = 11,         /* the store is open for reading only */
  KVPAGER_VERSION_TOO_NEW = 12,   /* a newer kvpager wrote the store */
  KVPAGER_FOREIGN_BYTE_ORDER = 13,
  KVPAGER_DAMAGED = 14,           /* the store's file, or a record in it */
  KVPAGER_NOT_A_STORE = 15,
  KVPAGER_BUSY = 16,              /* the store is open already in this process */
  KVPAGER_BLOCK_LOST = 17,        /* a block that a session needs is gone from both tiers */
  KVPAGER_CLOSED = 18,            /* the store was closed under this handle */
  KVPAGER_FORKED = 19,
  KVPAGER_INPUT_OUTPUT = 20,      /* the operating system reported something else */
  KVPAGER_MALFORMED = 21,         /* an engine's state that is none, or is damaged; the message names the offset */
  KVPAGER_INVALID_HANDLE = 22,    /* closed, of another kind, or never opened */
  KVPAGER_BUFFER_TOO_SMALL = 23   /* the size needed was stored; nothing else was written */
};

/* The name of a status, such as "quotaFull"; "unknown" for a number that is none. */
const char *kvpager_status_name(kvpager_status status);

/* What went wrong in this thread's last call that failed, and the remedy; "" where none failed. Valid until the
 * thread's next call that fails. */
const char *kvpager_last_error(void);

/* Gives back a text that a function handed out. NULL is allowed. */
void kvpager_free(char *text);

/* Raises glibc's malloc thresholds for the whole process, so that writing does not pay for page faults at each commit:
 * for programs that own their process, never for libraries. Does nothing elsewhere. */
void kvpager_tune_malloc(void);

/* ---- Handles --------------------------------------------------------------------------------------------------- */

typedef uint64_t kvpager_store;
typedef uint64_t kvpager_space;
typedef uint64_t kvpager_session;
typedef uint64_t kvpager_prefix;
typedef uint64_t kvpager_state;

/* ---- Rows in the caller's memory ------------------------------------------------------------------------------- */

/* Where the rows of one plane lie in the caller's memory, one row a token.
 *
 * Contiguous rows: {base, rowBytes, 0, 0}. A tensor [heads, tokens, headBytes] has rows in parts:
 * {base, headBytes, headBytes, tokens * headBytes}. Rows of a plane that is not wanted: {NULL, 0, 0, 0}.
 * Strides are not negative, parts divide a row, and no row may overlap another: KVPAGER_INVALID_ARGUMENT. */
typedef struct {
  void *base;           /* the first row's first byte */
  int64_t token_stride; /* bytes from one token's row to the next; 0: the rows follow one another */
  int64_t part_bytes;   /* 0: a row is one piece; else rows are made of parts of this many bytes */
  int64_t part_stride;  /* bytes from one part of a row to the next */
} kvpager_rows;

/* How a block that the store has already (equal tokens, equal parents, equal space) is met. */
typedef int32_t kvpager_sharing;
enum {
  KVPAGER_BY_IDENTITY = 0, /* it is shared; the rows given are not even looked at */
  KVPAGER_BY_CONTENT = 1   /* rows are compared: equal ones are shared, others stored as a variant of their own */
};

/* ---- Store ----------------------------------------------------------------------------------------------------- */

/* Opens the store in folder `path`. `options` is NULL or JSON, all members optional:
 *   "access": "create" (default: made where there is none) | "write" | "read"
 *   "memoryBytes": RAM budget for decoded blocks (default 1 GiB)    "quotaBytes": most bytes on disk (default: none)
 *   "durability": "full" (default) | "lastCommitMayBeLost"          "loadThreads": 0 to 256 (default 2)
 *   "writeBatchBytes": bytes of frames a batch (default 64 MiB)
 *   "mapBytes": address space for the file, 1 MiB to 64 TiB (default 1 TiB)
 * One process opens a store once (KVPAGER_BUSY); any number of processes may have it open. */
kvpager_status kvpager_store_open(const char *path, const char *options, kvpager_store *store);

/* Waits for the calls under way in the store, writes back what is not on disk yet and closes the store and every handle
 * opened under it. The handle is invalid afterwards, also where an error is returned: cached blocks were lost then,
 * committed sessions were not. */
kvpager_status kvpager_store_close(kvpager_store store);

/* Counts and bytes, as `kvpager stats --json` names them, and what this process did: {"sessions", "blocks", "bytes",
 * "memory"}. */
kvpager_status kvpager_store_statistics(kvpager_store store, char **json);

/* The committed sessions, by space and name: an array of what kvpager_session_describe gives. */
kvpager_status kvpager_store_sessions(kvpager_store store, char **json);

/* The cache spaces: an array of what kvpager_space_describe gives. */
kvpager_status kvpager_store_spaces(kvpager_store store, char **json);

/* Makes every cached block durable, sessions' or not. */
kvpager_status kvpager_store_write_back(kvpager_store store);

/* Deletes expired sessions and what the quota says is too much: {"expiredSessions", "deletedBlocks", "freedBytes",
 * "keptExtents"}. `json` may be NULL. */
kvpager_status kvpager_store_collect_garbage(kvpager_store store, char **json);

/* Deletes a committed session, in whichever space it is. Its blocks stay as cache until the quota needs their room. */
kvpager_status kvpager_store_delete_session(kvpager_store store, const char *name);

/* ---- Cache space ----------------------------------------------------------------------------------------------- */

/* Opens a cache space, making it where there is none. `descriptor` is JSON:
 *   {"model": "llama-3.2-1b",        what the weights are: a label, better a digest of their file
 *    "adapter": "",                  a LoRA or the like                                              (optional)
 *    "settings": {"rope": "..."},    engine settings that change values, as texts by name            (optional)
 *    "salt": "",                     keeps tenants apart                                             (optional)
 *    "vllmSeed": null,               a text: block hashes equal vLLM's with that PYTHONHASHSEED      (optional)
 *    "blockTokens": 64,              tokens in a block                                               (optional)
 *    "planes": [{"kind": "keys" | "values", "layer": 0, "type": "f16", "rowBytes": 384}, ...]}
 * Types: raw, f32, f16, bf16, i8, q8_0, q4_0. Planes keep the order given: everywhere else a plane is its index. */
kvpager_status kvpager_space_open(kvpager_store store, const char *descriptor, kvpager_space *space);

/* Opens a space that exists, by the number that kvpager_store_spaces gives. */
kvpager_status kvpager_space_open_id(kvpager_store store, int64_t id, kvpager_space *space);

/* The descriptor, whole, with "id", "root" (hexadecimal) and "tokenBytes" (what one token's rows take). */
kvpager_status kvpager_space_describe(kvpager_space space, char **json);

/* Stores the rows of `tokens` as cache, without a session: later prefixes find them while the quota lets them stay.
 * `planes` as in kvpager_session_append. They are durable after kvpager_store_write_back or a commit of any session. */
kvpager_status kvpager_space_insert(kvpager_space space, const int32_t *tokens, int64_t token_count,
                                    const kvpager_rows *planes, int64_t plane_count, kvpager_sharing sharing);

/* As kvpager_space_insert, with the tokens and rows of an engine's state. Where the state does not tell its tokens, the
 * space must be one that kvpager_state_space opened for such a state. */
kvpager_status kvpager_space_insert_state(kvpager_space space, kvpager_state state, kvpager_sharing sharing);

/* The committed session with a checkpoint whose tokens all stand at the beginning of `tokens`, the longest of them:
 * what a model whose state cannot be cut at a token (sliding windows, recurrent) may be resumed from. `*name` is NULL
 * where there is none. Others may change or delete that session before it is resumed: compare its tokens. */
kvpager_status kvpager_space_longest_checkpoint(kvpager_space space, const int32_t *tokens, int64_t token_count,
                                                char **name);

/* Resumes a committed session of this space. */
kvpager_status kvpager_space_resume(kvpager_space space, const char *name, kvpager_session *session);

/* Deletes a committed session of this space. */
kvpager_status kvpager_space_delete_session(kvpager_space space, const char *name);

kvpager_status kvpager_space_close(kvpager_space space);

/* ---- Prefix ---------------------------------------------------------------------------------------------------- */

/* The longest stored prefix of `tokens`, from any session, process or run. A miss is a prefix of no tokens. While it
 * is open its blocks are not deleted by this process's quota. `found_count` (may be NULL) gets its tokens. */
kvpager_status kvpager_prefix_find(kvpager_space space, const int32_t *tokens, int64_t token_count,
                                   kvpager_prefix *prefix, int64_t *found_count);

/* {"tokens", "fullBlocks", "partialTokens", "memoryBlocks"} */
kvpager_status kvpager_prefix_describe(kvpager_prefix prefix, char **json);

/* Copies the rows of tokens [first, first + count) of every plane whose `base` is not NULL; `plane_count` is the
 * space's. `*read_count` gets the tokens copied from `first` on: fewer than asked for where a block was lost since. */
kvpager_status kvpager_prefix_read(kvpager_prefix prefix, int64_t first, int64_t count, const kvpager_rows *planes,
                                   int64_t plane_count, int64_t *read_count);

/* Starts loading the blocks into free RAM, without waiting. */
kvpager_status kvpager_prefix_prefetch(kvpager_prefix prefix);

/* Writes the prefix's first `token_count` tokens (-1: all) as an engine's state; see kvpager_session_export. */
kvpager_status kvpager_prefix_export(kvpager_prefix prefix, int64_t token_count, const char *options, void *buffer,
                                     int64_t capacity, int64_t *size);

kvpager_status kvpager_prefix_close(kvpager_prefix prefix);

/* ---- Session --------------------------------------------------------------------------------------------------- */

/* Begins a session; it is in the store from its first commit on. With a `prefix` (0: none) the session begins with its
 * tokens, and `tokens`, where they are given, must begin with these too: they are the prompt that it was found with. */
kvpager_status kvpager_session_create(kvpager_space space, const char *name, kvpager_prefix prefix,
                                      const int32_t *tokens, int64_t token_count, kvpager_session *session);

/* Resumes a committed session, in whichever space it is; KVPAGER_INVALID_ARGUMENT where several have the name. */
kvpager_status kvpager_session_resume(kvpager_store store, const char *name, kvpager_session *session);

/* Another handle of the session's space. */
kvpager_status kvpager_session_space(kvpager_session session, kvpager_space *space);

/* {"name", "space", "tokens", "blocks", "committed", "checkpointBytes", "metadata": {}, "created", "updated",
 * "expires"}; times in microseconds since 1970 UTC, null for never. */
kvpager_status kvpager_session_describe(kvpager_session session, char **json);

/* The tokens, `*count` of them; KVPAGER_BUFFER_TOO_SMALL where `capacity` (in tokens) is less; NULL and 0 ask for the
 * count. */
kvpager_status kvpager_session_tokens(kvpager_session session, int32_t *tokens, int64_t capacity, int64_t *count);

/* Appends tokens and their rows: planes[i] holds the `token_count` rows of plane i, `plane_count` is the space's. After
 * an error the session holds the tokens of the blocks that were completed (kvpager_session_describe). */
kvpager_status kvpager_session_append(kvpager_session session, const int32_t *tokens, int64_t token_count,
                                      const kvpager_rows *planes, int64_t plane_count, kvpager_sharing sharing);

/* Makes the session hold what an engine's state holds: the tokens that both have stay, those that the session has
 * beyond them are cut off, and what the state has more is appended with its rows. The checkpoint and the state's
 * own shape (its origin) become the session's. Where the state does not tell its tokens, the session must be in a space
 * that kvpager_state_space opened for such a state; there no tokens are common. After an error the session holds the
 * tokens of the blocks that were completed, and no checkpoint. */
kvpager_status kvpager_session_take_state(kvpager_session session, kvpager_state state, kvpager_sharing sharing);

/* Copies the rows of tokens [first, first + count) of every plane whose `base` is not NULL. */
kvpager_status kvpager_session_read(kvpager_session session, int64_t first, int64_t count, const kvpager_rows *planes,
                                    int64_t plane_count);

/* Starts loading the blocks into free RAM, without waiting. */
kvpager_status kvpager_session_prefetch(kvpager_session session);

/* Returns when the session is in a synced transaction. */
kvpager_status kvpager_session_commit(kvpager_session session);

/* Begins another session with this one's first `token_count` tokens (-1: all). It is in the store from its own commit
 * on. A session with a checkpoint can only be forked whole. */
kvpager_status kvpager_session_fork(kvpager_session session, const char *name, int64_t token_count,
                                    kvpager_session *fork);

/* Cuts the session back to its first `token_count` tokens; stored with the next commit. Not with a checkpoint. */
kvpager_status kvpager_session_truncate(kvpager_session session, int64_t token_count);

/* Gives the session another name, in the store too where it was committed. */
kvpager_status kvpager_session_rename(kvpager_session session, const char *name);

/* Sets a value of the caller's own, or removes it with NULL; stored with the next commit. */
kvpager_status kvpager_session_set_metadata(kvpager_session session, const char *name, const char *value);

/* When kvpager_store_collect_garbage may delete the session, microseconds since 1970 UTC; -1: never. */
kvpager_status kvpager_session_set_expiry(kvpager_session session, int64_t microseconds);

/* Gives the session an opaque engine state that cannot be cut at a token, or takes it away with NULL and 0. */
kvpager_status kvpager_session_set_checkpoint(kvpager_session session, const void *bytes, int64_t size);

/* The checkpoint, `*size` bytes, 0 for none; KVPAGER_BUFFER_TOO_SMALL where `capacity` is less; NULL and 0 ask for the
 * size. KVPAGER_CONFLICT where the session was committed elsewhere since it was resumed, by whichever handle or
 * process: the checkpoint that is stored now belongs to other tokens. */
kvpager_status kvpager_session_checkpoint(kvpager_session session, void *buffer, int64_t capacity, int64_t *size);

/* Writes the session's first `token_count` tokens (-1: all) as an engine's state into `buffer`; `*size` gets its bytes,
 * KVPAGER_BUFFER_TOO_SMALL where `capacity` is less (NULL and 0 ask for the size). `options` is NULL (as imported) or
 * JSON, all members optional and as imported where left out:
 *   "format": "llama-seq" | "llama-session" | "llama-blob" (llama_state_seq_get_data) |
 *             "llama-context" (llama_state_get_data) | "safetensors"
 *   "version": 2 to 4          llama.cpp's sequence version: it reads its own only
 *   "transposed": bool         values channel-major, for a context without flash attention
 *   "streams", "stream":       the context's n_seq_max (1 where its cache is unified), and the one to fill
 *   "sequence": int            every cell becomes this sequence's
 *   "blobHeader": bool         whether a blob begins with its 8-byte header
 *   "rotation": [k, v]         what version 4 records of quantised rows
 *   "arch": "llama"            the model's architecture, which llama-session and llama-context name
 *   "heads": int               KV heads, for safetensors
 * A checkpoint is written only where the session is written whole; KVPAGER_CONFLICT as for kvpager_session_checkpoint.
 */
kvpager_status kvpager_session_export(kvpager_session session, int64_t token_count, const char *options, void *buffer,
                                      int64_t capacity, int64_t *size);

/* As kvpager_session_export, into a file that takes its name only when it is whole; `size` may be NULL. */
kvpager_status kvpager_session_export_file(kvpager_session session, int64_t token_count, const char *options,
                                           const char *path, int64_t *size);

/* Closes the handle; what was not committed is forgotten. */
kvpager_status kvpager_session_close(kvpager_session session);

/* ---- An engine's state ----------------------------------------------------------------------------------------- */

/* Opens a state in memory: what llama_state_seq_get_data or llama_state_get_data gave, a sequence or session file's
 * bytes, safetensors. The bytes are not copied: they must stay, unchanged, until the state is closed. `tokens` are
 * those of its rows, for states that carry none (NULL and 0 otherwise); where one is negative, as engines have it for
 * media, the state does not tell its tokens. */
kvpager_status kvpager_state_open(const void *bytes, int64_t size, const int32_t *tokens, int64_t token_count,
                                  kvpager_state *state);

/* As kvpager_state_open, for a file. */
kvpager_status kvpager_state_open_file(const char *path, const int32_t *tokens, int64_t token_count,
                                       kvpager_state *state);

/* {"format", "tokens", "tokensKnown", "checkpointBytes", "canBeCut", "settings": {}, "planes": [...], "shape": {}}:
 * "planes" as a space's descriptor has them, "settings" what belongs into its settings, "shape" options with which
 * kvpager_prefix_export and kvpager_session_export write a state for the same context. */
kvpager_status kvpager_state_describe(kvpager_state state, char **json);

/* The tokens, as kvpager_session_tokens gives them. */
kvpager_status kvpager_state_tokens(kvpager_state state, int32_t *tokens, int64_t capacity, int64_t *count);

/* Opens the cache space that the state belongs to. `descriptor` as in kvpager_space_open, without "planes"; the
 * state's settings join those given. Where the state does not tell its tokens, its bytes' digest joins the salt. */
kvpager_status kvpager_state_space(kvpager_state state, kvpager_store store, const char *descriptor,
                                   kvpager_space *space);

/* Waits for the calls under way on the state: then the bytes are the caller's again. */
kvpager_status kvpager_state_close(kvpager_state state);

#ifdef __cplusplus
}
#endif

#endif
