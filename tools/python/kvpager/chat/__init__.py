"""A chat in the terminal that a kill does not end: `kvpager-chat`, or `python -m kvpager.chat`.

It runs a GGUF model with llama.cpp, from whichever Python package brings that (xllamacpp, llama-cpp-python), and keeps
its conversations in a store. Started again, a conversation is back in the context without being computed again.
"""

from .command import main

__all__ = ["main"]
