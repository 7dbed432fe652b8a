"""What can be wrong with a chat, beside what can be wrong with a store."""

from __future__ import annotations


class ChatError(Exception):
    """The chat cannot go on; the message says the remedy."""


class ContextFull(ChatError):
    """A message does not fit the context; the conversation is as it was."""
