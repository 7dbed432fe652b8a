"""A drop-in for llama-cpp-python's LlamaRAMCache and LlamaDiskCache.

Those keep a whole copy of the context for each conversation, LlamaDiskCache gives each copy out once, and neither knows
which model it came from. Here conversations share the blocks of what they have in common, a hit stays in the store, and
another model, type of cache or adapter is another cache.
"""

from __future__ import annotations

import ctypes
import hashlib
import logging
import os
import threading
from collections.abc import Mapping, Sequence
from datetime import datetime, timezone
from typing import TYPE_CHECKING, Any

import kvpager

from .context import token_list
from .llama_cpp_python import LlamaCppEngine, sees_images
from .pager import SessionPager

if TYPE_CHECKING:
    from llama_cpp import Llama, LlamaState
    from llama_cpp.llama_cache import BaseLlamaCache as _Base
else:
    try:
        from llama_cpp.llama_cache import BaseLlamaCache as _Base
    except ImportError:  # the rest of kvpager.llama serves other bindings
        _Base = object

_log = logging.getLogger("kvpager.llama")

# Sessions of models whose states are resumed whole. The quota never deletes sessions, so that the cache does.
_RESERVED = "kvpager-llama-cache/"
_NEVER = datetime.min.replace(tzinfo=timezone.utc)


class KVPagerCache(_Base):  # type: ignore[misc]  # llama-cpp-python may be absent
    """Conversations of one `Llama` in a store, for `llm.set_cache(KVPagerCache(llm, "folder"))`.

    A look-up puts what the store has straight into the context of `llm`, without the copies that a LlamaState makes,
    and the completion goes on from there. What completions leave is stored in the background as cache: the least
    recently used leaves where `capacity_bytes` is reached. `flush()` waits until all of it is on disk.

    A store that fails is a miss, and says so in the log "kvpager.llama"; no completion fails because of it. Nothing is
    cached for a `Llama` whose chat handler sees images: token ids do not tell one picture from another.
    """

    def __init__(
        self, llm: Llama, store: kvpager.Store | str | os.PathLike[str] = ".cache/kvpager",
        capacity_bytes: int = 2 << 30, *, memory: int | str = "256MiB", salt: str = "",
        settings: Mapping[str, str] | None = None, block_tokens: int = 64, model: str | None = None,
    ) -> None:  # fmt: skip
        """
        store: a folder, or an open store, whose own quota then counts and which stays the caller's.
        capacity_bytes: most bytes on disk; in a caller's store, most bytes of what is kept whole (models with sliding
        windows or recurrent memories). memory: budget for decoded blocks, for a folder.
        salt, settings, block_tokens, model: as in `SessionPager`.
        """
        self.capacity_bytes = capacity_bytes
        self._owns_store = not isinstance(store, kvpager.Store)
        if not isinstance(store, kvpager.Store):
            store = kvpager.Store(store, memory=memory, quota=capacity_bytes)
        self.store: kvpager.Store = store
        self.llm = llm
        try:
            self.pager = SessionPager(
                self.store, LlamaCppEngine(llm, model=model), salt=salt, settings=settings, block_tokens=block_tokens)
        except BaseException:
            if self._owns_store:
                self.store.close()
            raise
        self._used: dict[str, datetime] = {}  # sessions of whole states, when this process took them last
        self._writer = _BackgroundWriter(self.store)

    @property
    def cache_size(self) -> int:
        """Bytes of the store on disk."""
        try:
            return int(self.store.statistics()["bytes"]["disk"])
        except kvpager.Error as error:
            _log.warning("the store does not tell its size: %s", error)
            return 0

    # What Llama asks

    def __getitem__(self, key: Sequence[int]) -> LlamaState:
        """Puts the longest stored prefix of `key` into the context, and returns it. Raises KeyError on a miss."""
        prompt = token_list(key)
        try:
            count = self._warm(prompt)
        except Exception as error:  # no completion fails because of its cache
            _log.warning("the cache cannot be used, the prompt is computed: %s", error, exc_info=True)
            self._forget()
            raise KeyError("Key not found") from None
        if count == 0:
            raise KeyError("Key not found")
        return stored_state(self, prompt[:count])

    def __contains__(self, key: Sequence[int]) -> bool:
        prompt = token_list(key)
        try:
            found = self.pager.spaces.find(prompt[: max(0, len(prompt) - 1)])
        except kvpager.Error as error:
            _log.warning("the store cannot be asked: %s", error)
            return False
        for hit in found:
            hit.close()
        return bool(found)

    def __setitem__(self, key: Sequence[int], value: LlamaState) -> None:
        """Stores what the context holds, as cache. `value` is what `Llama.save_state` gave."""
        try:
            self._store(value)
        except Exception as error:
            _log.warning("the conversation is not cached: %s", error, exc_info=not isinstance(error, kvpager.Error))

    # How

    def _warm(self, prompt: list[int]) -> int:
        if sees_images(self.llm):
            return 0
        if self.llm._logits_all and self.llm.draft_model is None:
            # Whoever asked for every token's logits would get another prompt's for those that are not computed.
            _log.warning("a Llama with logits_all=True computes its prompts: what is cached has no logits")
            return 0
        if not getattr(self.llm, "_requires_eval", True) and self.pager.states.held == prompt:
            return len(prompt)  # computed a moment ago, logits and all: Llama samples at once
        count = self.pager.warm(prompt)
        if self.pager.last.session is not None:
            self._used[self.pager.last.session] = datetime.now(timezone.utc)
        return count

    def _forget(self) -> None:
        """Leaves the context empty, since nobody knows what it holds."""
        try:
            self.pager.states.clear()
        except Exception:
            _log.exception("the context cannot be cleared")

    def _store(self, value: LlamaState) -> None:
        tokens = token_list(value.input_ids[: value.n_tokens])
        if not tokens or sees_images(self.llm):
            return
        states = self.pager.states
        if self.pager.states.held != tokens:
            raise kvpager.InvalidArgument("the context holds something else than the state to be cached")
        if states.can_be_cut():
            self.pager.remember()
        else:
            self._store_whole(tokens)
        self._writer.ask()

    def _store_whole(self, tokens: list[int]) -> None:
        """A session each; they share the blocks of their rows, and the oldest leave where there is no room."""
        digest = hashlib.sha256(" ".join(map(str, tokens)).encode()).hexdigest()[:32]
        name = _RESERVED + digest
        while True:
            self._trim(name)
            try:
                self.pager.save(name)
                return
            except kvpager.QuotaFull:
                if not self._delete_oldest(name):
                    raise

    def _sessions(self) -> list[kvpager.SessionInfo]:
        return [info for info in self.store.sessions() if info.name.startswith(_RESERVED)]

    def _trim(self, keep: str) -> None:
        while self._whole_bytes() > self.capacity_bytes and self._delete_oldest(keep):
            self.store.write_back()
            self.store.collect_garbage()

    def _whole_bytes(self) -> int:
        """What counts against the capacity. In a caller's store that is not what others keep there."""
        if self._owns_store:
            return self.cache_size
        token_bytes = {one["id"]: int(one["tokenBytes"]) for one in self.store.spaces()}
        return sum(
            info.checkpoint_bytes + info.token_count * token_bytes[info.space_id] for info in self._sessions())

    def _delete_oldest(self, keep: str) -> bool:
        sessions = [info for info in self._sessions() if info.name != keep]
        if not sessions:
            return False
        oldest = min(sessions, key=lambda info: max(info.updated or _NEVER, self._used.get(info.name, _NEVER)))
        with self.store.space_by_id(oldest.space_id) as space:  # another model may have one of the same tokens
            space.delete(oldest.name)
        return True

    # The end

    def flush(self) -> None:
        """Returns when all that was cached is on disk. Raises kvpager.Error where that fails."""
        self.store.write_back()

    def close(self) -> None:
        """Writes what is not on disk yet, and closes the store where it was opened here."""
        self._writer.close()
        self.pager.close()
        if self._owns_store:
            self.store.close()
        elif not self.store.closed:  # a store that was closed has written everything
            self.flush()

    def __enter__(self) -> KVPagerCache:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()


class _BackgroundWriter:
    """Writes back soon after it was asked, on a thread of its own, once for many questions."""

    def __init__(self, store: kvpager.Store) -> None:
        self._store = store
        self._wanted = threading.Event()
        self._ended = False
        self._thread: threading.Thread | None = None

    def ask(self) -> None:
        if self._thread is None:
            self._thread = threading.Thread(target=self._run, name="kvpager write back", daemon=True)
            self._thread.start()
        self._wanted.set()

    def _run(self) -> None:
        while True:
            self._wanted.wait()
            self._wanted.clear()
            if self._ended:
                return
            try:
                self._store.write_back()
            except kvpager.Error as error:
                _log.warning("cached conversations cannot be written: %s", error)

    def close(self) -> None:
        self._ended = True
        self._wanted.set()
        if self._thread is not None:
            self._thread.join()
            self._thread = None


def stored_state(cache: KVPagerCache, tokens: list[int]) -> LlamaState:
    """What a look-up returns: a LlamaState whose bytes are made only where somebody asks for them."""
    from llama_cpp import LlamaState

    class StoredState(LlamaState):  # type: ignore[misc]  # llama-cpp-python may be absent
        """The tokens that the look-up has put into the context. `load_state` takes it like any other."""

        def __init__(self) -> None:
            import numpy

            llm = cache.llm
            self.input_ids = numpy.full((llm.n_ctx(),), -1, dtype=numpy.intc)
            self.input_ids[: len(tokens)] = tokens
            self.n_tokens = len(tokens)
            self.seed = llm._seed
            self._bytes: bytes | None = None

        def __reduce__(self) -> tuple[Any, ...]:
            """Copied or pickled, it is a plain LlamaState with its bytes."""
            return LlamaState, (
                self.input_ids, self.scores, self.n_tokens, self.llama_state, self.llama_state_size, self.seed)

        @property
        def scores(self) -> Any:
            import numpy

            rows = min(self.n_tokens, cache.llm.scores.shape[0])
            return numpy.broadcast_to(numpy.float32(0), (rows, cache.llm.n_vocab()))

        @property
        def llama_state(self) -> bytes:
            if self._bytes is None:
                self._bytes = _context_state(cache, tokens)
            return self._bytes

        @property
        def llama_state_size(self) -> int:
            return len(self.llama_state)

    return StoredState()


def _context_state(cache: KVPagerCache, tokens: list[int]) -> bytes:
    """`llama_state_get_data` of the context when it holds exactly `tokens`."""
    import llama_cpp.llama_cpp as api

    if cache.pager.states.held != tokens:
        raise KeyError("the context has gone on since the look-up: look it up again")
    size = int(api.llama_state_get_size(cache.llm.ctx))
    data = (ctypes.c_uint8 * size)()
    written = int(api.llama_state_get_data(cache.llm.ctx, data, size))
    return bytes(memoryview(data)[:written])
