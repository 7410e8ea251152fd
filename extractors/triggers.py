"""Triggers, the words that betray a relation, compiled to regular expressions over the text between two mentions.

Four kinds of trigger are told by how they are written in a domain pack:

- ``"reduce*"``, a verb: all its forms, active between subject and object, passive with *by* the other way round;
- ``"is linked to"``, words between subject and object; *is* stands for every form of *be*, and may be missing before
  a participle (``fatigue linked to ...``);
- ``"{o} caused by {s}"``, a template with the places of subject and object: words may also come before the first;
- words of no content (``"for"``, ``"{o} with {s}"``), which only count right between the two, but for articles.

Around the words of a trigger a few others may stand: adverbs, auxiliaries, articles, adjectives, *levels of*; never a
preposition, conjunction or punctuation that would start another phrase. A word of negation may, since
:mod:`extractors.assertion` marks it.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass

_BE = ("is", "are", "was", "were", "be", "been", "being")
_DETERMINER = "the|a|an|this|these|those|its|their|both|some|any|all|each|such"
_BLOCKED = (
    "and or but nor whereas while because since although though if when as than for from by with without in on at to "
    "into due owing during after before between among against via per who whom whose which that where"
)
_AUXILIARY = (
    "is are was were be been being has have had do does did may might can could will would should must to not never "
    "also cannot which that shown found known thought believed reported suggested expected likely unlikely able unable "
    "fail fails failed appear appears appeared seem seems seemed tend tends tended help helps helped"
)
_EMPTY = (
    "a an and as at after before by during following for from in of on or than the to using versus via well with such"
)
_OPEN = rf"(?!(?:{'|'.join(_BLOCKED.split())})\b)[\w'’-]+"
_PLACE = rf"(?:\s+(?:in|of|on|at|from|within)\s+(?:{_OPEN}\s+){{1,3}})?"
_LEFT = rf"(?:(?:{'|'.join(_AUXILIARY.split())}|{_OPEN})\s+)"
_TREATMENT = (
    r"(?:treatment|therapy|pretreatment|treating|supplementation|stimulation|combination|patients|people|subjects|those)"
    r"\s+with|exposure\s+to"
)
_RIGHT = rf"(?:(?:(?:in\s+)?part|{_TREATMENT}|{_OPEN})\s+)"
_ARTICLE = rf"(?:(?:{_DETERMINER}|administration\s+of|use\s+of|injection\s+of|infusion\s+of|{_TREATMENT})\s+)"
_ADVERB = r"(?:(?:\w+ly|also|not|never|often|still|now|then)\s+)"
_JOIN = r"(?P<join>\s*,?\s*(?:and|but|or|then|thus|thereby)\s+|\s*,\s+(?!which|that))?"
_RELATIVE = r"(?:\s*,?\s*(?:which|that)\s+)?"
_ROLE = re.compile(r"\{([so])\}")


@dataclass(frozen=True, slots=True)
class Trigger:
    """A compiled trigger: what must stand before, between and after two mentions.

    ``swapped`` says that the object comes first, ``adjacent`` that the trigger has no content of its own.
    """

    between: re.Pattern[str]
    before: re.Pattern[str] | None = None
    after: re.Pattern[str] | None = None
    swapped: bool = False
    adjacent: bool = False

    def match(self, gap: str) -> re.Match[str] | None:
        return self.between.match(gap)

    def fits(self, before: str, after: str) -> bool:
        """Whether the words that must stand before the left and after the right mention are there."""
        led = self.before is None or self.before.search(before) is not None
        return led and (self.after is None or self.after.match(after) is not None)


def compile_triggers(triggers: Iterable[str]) -> Iterator[Trigger]:
    """Compile the triggers of one relation, those of equal shape to one expression."""
    straight: list[str] = []
    past: list[str] = []
    passive: list[str] = []
    for trigger in triggers:
        if "{" in trigger:
            yield _template(trigger)
        elif "*" in trigger:
            present, ed = _verb(trigger)
            straight.append(present)
            past.append(ed)
            if trigger.endswith("*"):
                passive.append(ed)
        elif _is_empty(trigger):
            yield Trigger(_adjacent(trigger), adjacent=True)
        else:
            straight.append(_words(trigger))
    if straight:
        yield Trigger(_open(_either(straight)))
    if past:
        yield Trigger(_open(_either(past), guard=rf"(?!.*\b(?:{'|'.join(_BE)})\b)"))
    if passive:
        yield Trigger(_open(rf"{_either(passive)}\s+{_ADVERB}?by"), swapped=True)


def _template(trigger: str) -> Trigger:
    """``reduction of {o} by {s}``: what stands before, between and after the two places."""
    before, first, between, _, after = _ROLE.split(trigger)
    middle = between.strip()
    return Trigger(
        _adjacent(middle) if _is_empty(middle) else _open(_words(middle), tied=middle[:1] in "-'"),
        before=re.compile(rf"(?<!\w){_words(before)}\s+{_RIGHT}{{0,3}}$", re.I) if before.strip() else None,
        after=re.compile(rf"\s*{_words(after)}(?!\w)", re.I) if after.strip() else None,
        swapped=first == "o",
        adjacent=_is_empty(middle),
    )


def _open(middle: str, *, guard: str = "", tied: bool = False) -> re.Pattern[str]:
    """A trigger with content, and the few words that may stand on either side of it."""
    left = "" if tied else rf"{_JOIN}{_RELATIVE}{_PLACE}\s*{_LEFT}{{0,7}}"
    return re.compile(rf"{guard}{left}(?P<words>{middle})(?!\w)\s*{_RIGHT}{{0,4}}$", re.I)


def _adjacent(words: str) -> re.Pattern[str]:
    return re.compile(rf"\s*,?\s*(?P<words>{_words(words)})\s+{_ARTICLE}{{0,2}}$", re.I)


def _is_empty(words: str) -> bool:
    return set(words.split()) <= set(_EMPTY.split())


def _either(alternatives: list[str]) -> str:
    return f"(?:{'|'.join(sorted(set(alternatives), key=len, reverse=True))})"


def _words(trigger: str) -> str:
    """The words of a trigger with adverbs in between.

    >>> bool(re.fullmatch(_words("is linked to"), "were strongly linked to"))
    True
    """
    words = trigger.split()
    parts = [re.escape(word) for word in words]
    if words[0] in _BE:
        be = rf"(?:{'|'.join(_BE)})"
        parts[0] = be
        if len(words) > 2 and words[1].endswith(("ed", "en", "ound", "ought", "elt", "d")) and words[1] != "and":
            return rf"(?:{be}\s+{_ADVERB}{{0,2}})?" + rf"\s+{_ADVERB}{{0,2}}".join(parts[1:])
    return rf"\s+{_ADVERB}{{0,2}}".join(parts)


def _verb(trigger: str) -> tuple[str, str]:
    """Expressions for the present and for the past forms of a regular verb.

    >>> present, past = _verb("supply*")
    >>> [bool(re.fullmatch(present, form)) for form in ("supply", "supplies", "supplying")], past
    ([True, True, True], 'supplied')
    """
    base, rest = trigger.split("*", 1)
    tail = _words(rest) if rest.strip() else ""
    tail = rf"\s+{_ADVERB}?{tail}" if tail else ""
    stem = re.escape(base)
    double = rf"{base[-1]}?" if re.search(r"[^aeiou][aeiou][bdglmnprt]$", base) else ""
    if re.search(r"[^aeiou]y$", base):
        return rf"(?:{stem}|{stem[:-1]}ies|{stem}ing){tail}", f"{stem[:-1]}ied{tail}"
    if base.endswith("e"):
        return rf"(?:{stem}s?|{stem[:-1]}ing){tail}", f"{stem}d{tail}"
    plural = "es" if base.endswith(("s", "x", "z", "ch", "sh")) else "s"
    return rf"(?:{stem}(?:{plural})?|{stem}{double}ing){tail}", f"{stem}{double}ed{tail}"
