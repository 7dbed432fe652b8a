"""What a request's body asks for: where its prompt is, whether it may be sent to a slot, whether the slot is storable.

A body that is not understood here is not touched: llama-server answers it as it would without this program.
"""

from __future__ import annotations

import json
from dataclasses import dataclass
from typing import Any, Optional

from .upstream import Upstream

#: Paths that generate text from a prompt, and how the prompt is found in their bodies.
GENERATING = {
    "/completion": "prompt", "/completions": "prompt", "/v1/completions": "prompt",
    "/chat/completions": "chat", "/v1/chat/completions": "chat",
    "/responses": "responses", "/v1/responses": "responses",
    "/v1/messages": "messages", "/infill": "infill",
}  # fmt: skip

#: POST paths that take no slot.
_WITHOUT_SLOT = frozenset((
    "/tokenize", "/detokenize", "/apply-template", "/props", "/lora-adapters", "/v1/chat/completions/control",
    "/chat/completions/input_tokens", "/v1/chat/completions/input_tokens", "/responses/input_tokens",
    "/v1/responses/input_tokens", "/v1/messages/count_tokens", "/v1/streams/lookup", "/models", "/models/load",
    "/models/unload", "/tools", "/cors-proxy",
))  # fmt: skip


@dataclass(frozen=True)
class Generation:
    """A generating request.

    prompt: a text or a list of tokens and texts, as /tokenize takes it; template: a body for /apply-template; where
    both are None the tokens cannot be known. wished_slot: the one that the client names. single: it runs in one slot.
    pinnable: `id_slot` in its body has an effect. storable: its slot then holds what its tokens compute. reuses: it
    wants what is computed already.
    """

    raw: bytes
    prompt: Any = None
    template: Optional[dict[str, Any]] = None
    wished_slot: Optional[int] = None
    single: bool = True
    pinnable: bool = True
    storable: bool = True
    reuses: bool = True

    async def tokens(self, upstream: Upstream, fields: list[tuple[str, str]]) -> Optional[list[int]]:
        """The prompt's tokens, as the server itself will find them; None where they cannot be known.

        fields: the client's, so that who may not ask the server may not ask it through this program.
        """
        prompt = self.prompt
        if self.template is not None:
            answer = await upstream.call("POST", "/apply-template", self.template, fields=fields)
            prompt = answer.get("prompt") if isinstance(answer, dict) else None
        if prompt is None:
            return None
        if isinstance(prompt, list) and all(isinstance(part, int) for part in prompt):
            return list(prompt)
        question = {"content": prompt, "add_special": True, "parse_special": True}
        answer = await upstream.call("POST", "/tokenize", question, fields=fields)
        tokens = answer.get("tokens") if isinstance(answer, dict) else None
        if not isinstance(tokens, list) or not all(isinstance(token, int) for token in tokens):
            return None
        return tokens

    def body_for(self, slot: int) -> bytes:
        """The body with the slot named in it, every other byte as the client sent it."""
        if not self.pinnable or self.wished_slot is not None:
            return self.raw
        start = self.raw.index(b"{") + 1
        return self.raw[:start] + b'"id_slot":%d,' % slot + self.raw[start:]


def takes_slot(path: str) -> bool:
    """Whether a POST to a path that is not generating may use a slot (embeddings, rerank, what is not known here)."""
    return path not in _WITHOUT_SLOT and not path.startswith("/slots/")


def read_generation(path: str, raw: bytes) -> Optional[Generation]:
    """What a request to a generating path asks for; None where its body is not one that can be understood."""
    body = _json_object(raw)
    if body is None:
        return None
    wished = body.get("id_slot", -1)
    if not _is_integer(wished):
        return None
    count = body.get("n", 1), body.get("n_cmpl", 1), body.get("best_of", 1)
    prompt, template = _prompt(GENERATING[path], body)
    several = GENERATING[path] == "prompt" and _is_several(body.get("prompt"))
    shift = body.get("n_cache_reuse", 0)
    return Generation(
        raw,
        prompt=prompt,
        template=template,
        wished_slot=wished if wished >= 0 else None,
        single=not several and all(value in (1, None) for value in count),
        pinnable="id_slot" not in body and GENERATING[path] != "messages" and bool(body),
        storable=not body.get("lora") and shift in (0, None) and "grp_attn_n" not in body,
        reuses=body.get("cache_prompt", True) is not False,
    )


def _prompt(kind: str, body: dict[str, Any]) -> tuple[Any, Optional[dict[str, Any]]]:
    if kind == "prompt":
        prompt = body.get("prompt")
        known = isinstance(prompt, str) or (isinstance(prompt, list) and not _is_several(prompt) and _is_mixed(prompt))
        return (prompt if known else None), None
    if kind == "chat":
        return None, body if _texts_only(body.get("messages")) else None
    if kind == "responses":
        return None, _from_responses(body)
    if kind == "messages":
        return None, _from_messages(body)
    return None, None


def _json_object(raw: bytes) -> Optional[dict[str, Any]]:
    def no_constant(name: str) -> Any:
        raise ValueError(f"{name} is not JSON")

    try:
        body = json.loads(raw.decode("utf-8"), parse_constant=no_constant)
    except (ValueError, RecursionError):
        return None
    return body if isinstance(body, dict) else None


def _is_integer(value: Any) -> bool:
    return isinstance(value, int) and not isinstance(value, bool)


def _is_mixed(prompt: list[Any]) -> bool:
    return bool(prompt) and all(_is_integer(part) and 0 <= part < 1 << 31 or isinstance(part, str) for part in prompt)


def _is_several(prompt: Any) -> bool:
    """Whether llama-server reads a list as several prompts: it does where no number stands in it."""
    return isinstance(prompt, list) and len(prompt) != 0 and not any(_is_integer(part) for part in prompt)


def _texts_only(messages: Any) -> bool:
    """Whether chat messages hold nothing but texts: to template an image would fetch it."""
    if not isinstance(messages, list) or not messages:
        return False
    for message in messages:
        content = message.get("content") if isinstance(message, dict) else False
        if isinstance(content, list):
            if not all(isinstance(part, dict) and part.get("type") == "text" for part in content):
                return False
        elif content is not None and not isinstance(content, str):
            return False
    return True


def _joined(content: Any, kinds: tuple[str, ...]) -> Optional[str]:
    """A text, or the texts of a list of parts of these kinds; None for anything else."""
    if isinstance(content, str):
        return content
    if not isinstance(content, list) or len(content) != 1:
        return None
    part = content[0]
    known = isinstance(part, dict) and part.get("type") in kinds and isinstance(part.get("text"), str)
    return part["text"] if known else None


def _from_responses(body: dict[str, Any]) -> Optional[dict[str, Any]]:
    """A /v1/responses body as chat messages, where it holds plain texts only."""
    asked = body.get("input")
    items = [{"role": "user", "content": asked}] if isinstance(asked, str) else asked
    system = [{"role": "system", "content": body["instructions"]}] if "instructions" in body else []
    return _as_chat(items, system, ("input_text", "output_text"), body)


def _from_messages(body: dict[str, Any]) -> Optional[dict[str, Any]]:
    """A /v1/messages body as chat messages, where it holds plain texts only."""
    system = []
    if body.get("system") is not None:
        text = _joined(body["system"], ("text",))
        if text is None:
            return None
        system = [{"role": "system", "content": text}]
    return _as_chat(body.get("messages"), system, ("text",), body)


def _as_chat(
    items: Any, system: list[dict[str, Any]], kinds: tuple[str, ...], body: dict[str, Any]
) -> Optional[dict[str, Any]]:
    if not isinstance(items, list) or any(body.get(key) for key in ("tools", "reasoning", "thinking", "text")):
        return None
    messages = list(system)
    for item in items:
        text = _joined(item.get("content"), kinds) if isinstance(item, dict) else None
        if text is None or not isinstance(item.get("role"), str):
            return None
        messages.append({"role": item["role"], "content": text})
    if not messages or not all(isinstance(message["content"], str) for message in messages):
        return None
    chat: dict[str, Any] = {"messages": messages}
    if "chat_template_kwargs" in body:
        chat["chat_template_kwargs"] = body["chat_template_kwargs"]
    return chat
