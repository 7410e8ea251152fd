"""The light side of an encoder: how it cuts a text into pieces, and which of them are special. Needs no torch."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from tokenizers import Tokenizer

from extractors.encoders import CONFIG, SETTINGS, TOKENIZER, read_json
from pipeline.errors import InputError

SPECIAL = {
    "cls": ("[CLS]", "<s>"),
    "sep": ("[SEP]", "</s>"),
    "pad": ("[PAD]", "<pad>"),
    "mask": ("[MASK]", "<mask>", "[UNK]", "<unk>"),
}


@dataclass(frozen=True, slots=True)
class Tokens:
    """A tokenizer, the ids of its special pieces, and how many others its encoder sees at once (``size``).

    The tokenizer neither truncates nor pads, and reads ``[SEP]`` in a paper as five characters.
    """

    tokenizer: Tokenizer
    size: int
    cls_id: int
    sep_id: int
    pad_id: int
    mask_id: int


def load_tokens(folder: Path) -> Tokens:
    """Read them from an encoder's folder; raises InputError where its tokenizer lacks a special piece."""
    config = read_json(folder / CONFIG)
    settings = read_json(folder / SETTINGS) if (folder / SETTINGS).is_file() else {}
    tokenizer = _plain(Tokenizer.from_file(str(folder / TOKENIZER)))
    size = min(settings.get("model_max_length", 512), config.get("max_position_embeddings", 512)) - 2
    return Tokens(tokenizer, size, **{f"{role}_id": _special(tokenizer, names) for role, names in SPECIAL.items()})


def _plain(tokenizer: Tokenizer) -> Tokenizer:
    """Take back what the tokenizer's file presets: sentence encoders cut at 128 pieces and pad to as many."""
    tokenizer.no_truncation()
    tokenizer.no_padding()
    tokenizer.encode_special_tokens = True
    return tokenizer


def _special(tokenizer: Tokenizer, tokens: tuple[str, ...]) -> int:
    for token in tokens:
        found = tokenizer.token_to_id(token)
        if found is not None:
            return int(found)
    raise InputError(f"its tokenizer has none of {', '.join(tokens)}")
