"""kvpager-llama-server: a stock llama-server whose conversations survive a restart.

It stands before a llama-server, which it starts or attaches to, and passes its whole API through, streaming included.
Before a request goes in, it finds the request's prompt tokens with the server's own template and tokenizer, picks a
slot, and where the store knows a longer beginning of the prompt than the slot holds, puts that into the slot, so that
only the rest is computed. When a slot has been idle for a moment, its state goes into the store.

What is stored, and how it leaves. A plain cache is stored as *cache* (`Space.insert_state`): blocks shared by all
conversations that begin alike, no session holds them, and so a quota lets those leave that were not used for the
longest time, tails first, without an error. States that cannot be cut at a token (sliding windows, recurrent) cannot be
shared by blocks: each conversation is one *session* named `llama-server/...`, resumed only whole. Sessions never leave
by themselves, so this program deletes its own oldest ones where the quota is full, and no others.

Which states are stored. Only those whose tokens begin as the prompt that was computed: a server that shifts its context
holds rows which its tokens did not compute. Requests that ask for such rows (`n_cache_reuse`, `lora`) are passed on,
and their slots are not stored. A sliding-window state is stored only with the context checkpoints that newer
llama-servers append to a slot's file: without them the server computes the prompt again whatever is restored.

The store is never in the way: where it fails, is slow, full or damaged, the request is computed, and the log says so.

    slots.py      what each slot holds, and which one a prompt should go to: no I/O
    keeper.py     saves and restores slots around requests
    shelf.py      the store's side: slot files in, slot files out
    appendix.py   the context checkpoints at a slot file's end
    prompts.py    what a request's body asks for
    frontend.py   the proxy; http.py its wire format, upstream.py the way to llama-server
    child.py      finds and runs llama-server; host.py is the process in which it runs
"""
