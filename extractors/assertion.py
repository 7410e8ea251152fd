"""Does the sentence affirm the claim, deny it, or only suppose it? Rules over the words around subject and object.

In the manner of NegEx and ConText (Chapman et al., J Biomed Inform 2001; Harkema et al., 2009) cues have scopes, but
here a cue counts only where it bears on the claim:

- before both arguments, where it governs them (``no effect of A on B``, ``it is unknown whether A ...``), or stands
  directly before the first (``neither A nor B``);
- between them, in the last clause before the second argument (``A did not lower B``);
- after both, where no verb stands between them (``an effect of A on B was not found``).

``but``, ``whereas``, a semicolon and the like end a scope; asides between commas or brackets are not looked at.
Limits: one sentence at a time, no syntax; a claim whose arguments lie in different sentences keeps its marks.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, replace

from pipeline.types import Certainty, Polarity, Reading, Relation, Span, content_id

_VERSION = 1


def _either(cues: str) -> str:
    """Cues parted by slashes or lines, as one group.

    >>> _either("may / might")
    '(?:may|might)'
    """
    found = [cue.strip() for cue in re.split(r" / |\n", cues)]
    return f"(?:{'|'.join(filter(None, found))})"


def _cues(cues: str) -> re.Pattern[str]:
    return re.compile(rf"(?<!\w){_either(cues)}(?!\w)", re.IGNORECASE)


_NOT = r"(?:not|never|n['’]t|cannot|hardly|scarcely)"
_BE = r"(?:is|are|was|were|be|been)"
_REPORT = _either("""
    find / found / show / shown / demonstrate / demonstrated / observe / observed / see / seen / detect / detected
    confirm / confirmed / support / supported / prove / proven / establish / established / report / reported / reveal
    revealed / indicate / replicate / replicated
""")
_RESULT = _either("""
    evidence / indication / proof / signs? / support / data / associations? / relationships? / relation / correlations?
    effects? / influence / impact / changes? / increases? / decreases? / reductions? / differences? / benefits?
    interactions? / links? / role / cases? / improvements? / connection / overlap / gains? / advantage
""")
_DEGREE = _either("""
    significant / clear / convincing / direct / detectable / consistent / apparent / measurable / such / causal
    further / little
""")
_PEOPLE = _either("patients / subjects / those / people / women / men / mice / rats / animals / individuals / controls")

# Words that look like a denial and are none: they are blanked before cues are sought.
_HARMLESS = _cues(rf"""
    not only / not (?:just|merely|simply|solely|exclusively) / no doubt / without (?:a )?doubt / no\. ?\d+
    no (?:longer|more|fewer|less) than / not surprisingly / whether or not / or not / if not / not until / not all
    not least / no (?:lack|absence|failure) of / (?:cannot|can not|could not) be (?:excluded|ruled out)
    (?:no|any) (?:previous|prior) \w+ / {_NOT} (?:been )?(?:previously|yet been|hitherto) (?:been )?{_REPORT}
    {_NOT} (?:been )?{_REPORT} (?:any )?(?:previous|prior|previously|before|so far)
    {_NOT} (?:\w+ly )?(?:fail|failed|fails|lack|lacked|unable|absent|without)(?: to)?
    {_PEOPLE} (?:not|without|with no|lacking|who (?:did|do|were|had|have) (?:not|no)|who never) \w+
""")
# They deny all that follows in their clause.
_DENIES = _cues(rf"""
    (?:no|without|without any|lacks?|lack of|absence of|little|neither) (?:{_DEGREE} )*{_RESULT}
    (?:did|does|do|could|can|have|has|had|{_BE}) ?{_NOT} (?:been |able to |\w+ly )*{_REPORT}
    could {_NOT} / cannot be / {_BE} {_NOT} (?:true|the case|likely) / unlikely / ruled out / excluded
    (?:fail|fails|failed|failure|failing|unable) to {_REPORT}
""")
_NEGATES = _cues(rf"""
    {_NOT} / \w+n['’]t / no / without / fail(?:s|ed|ing|ure)? to / unable to / inability / absence of / lack of
    lack(?:s|ed|ing)? / rather than / instead of / neither / nor / unlikely / free of / unrelated / unaffected
    unchanged / ineffective / no longer
""")
_DIRECTLY = re.compile(
    r"(?<!\w)(?:not|no|neither|nor|none of|but not|unlike|contrary to)\s+"
    r"(?:(?:the|a|an|any|of|both|either|these|\w+ly)\s+){0,2}$",
    re.IGNORECASE,
)
_DENIED_AFTER = re.compile(
    rf"^[^,;:]{{0,60}}?(?<!\w)(?:{_BE}|did|does|do|has|have|had|could|can|remains?)(?: been)? ?"
    rf"(?:{_NOT}|absent|lacking|excluded|unlikely|ruled out|unproven|nonsignificant|disproved|refuted)(?!\w)"
    r"(?! (?:be )?(?:known|clear|only|understood|certain))",
    re.IGNORECASE,
)
# Denials that only express doubt.
_DOUBTS = _cues(rf"{_NOT} (?:yet )?(?:been )?(?:known|clear|established|certain|understood|necessarily|always)")

_MODALS = "may / might / could(?! not) / appear(?:s|ed)? / seem(?:s|ed)? / likely / unlikely"
_DOUBTFUL = rf"""
    suggest(?:s|ed|ing|ive)? / propos(?:e|es|ed|ing|al) / hypothes\w+ / possib(?:le|ly|ility|ilities) / whether
    potential(?:ly)? / probabl[ey] / presum\w+ / perhaps / putative(?:ly)? / conceivabl[ey] / plausibl[ey]
    remain(?:s|ed)? to be / speculat\w+ / postulat\w+ / conjectur\w+ / suspect(?:s|ed)?
    un(?:clear|certain|known|proven)
    (?:thought|believed|considered|suspected|expected|predicted|assumed|postulated|likely|said) to / if
    {_NOT} (?:yet )?(?:been )?(?:known|clear|established|certain|understood|proven) / {_NOT} (?:necessarily|always)
    controversial / questionable / not yet / ha(?:s|ve) yet to / candidate / raises? the (?:possibility|question)
    argued? / (?:cannot|could not) be (?:excluded|ruled out)
"""
_SUPPOSED = f"{_MODALS} / {_DOUBTFUL}"
_MODAL = _cues(_MODALS)
_SPECULATES = _cues(_SUPPOSED)
_EXAMINES = _either("""
    test(?:ed|s)? / investigat(?:e|ed|es|ing) / determined? / examin(?:e|ed|es|ing) / assess(?:ed|es|ing)?
    evaluat(?:e|ed|es|ing) / stud(?:y|ied|ies|ying) / explor(?:e|ed|es|ing) / ask(?:ed)? / clarify / address(?:ed)?
    compared? / measured?
""")
_QUESTION = _either("""
    effects? / influence / role / associations? / relationships? / relation / impact / links? / ability / efficacy
    potential / possibility / hypothesis / involvement / contribution / correlations? / interactions?
""")
_GOVERNS = _cues(rf"""
    {_DOUBTFUL}
    {_EXAMINES} (?:\w+ ){{0,4}}(?:{_QUESTION}) / aims? of / aimed to / purpose of
    (?:may|might|could) (?:be|have|exist|reflect|explain) / it (?:appears|seems|is likely|is unlikely) that
""")
_SUPPOSED_AFTER = re.compile(
    rf"^[^,;:]{{0,60}}?(?<!\w)(?:{_either(_SUPPOSED)}|"
    r"investigated|examined|studied|tested|assessed|evaluated)(?!\w)",
    re.IGNORECASE,
)

# Claims that a noun phrase takes for granted: what the sentence says of the phrase is said of something else.
_GRANTED = re.compile(
    r"[\s-]*(?:induced|related|associated|caused|evoked|provoked)(?: by| with)?(?:\s+[\w-]+){0,3}\s*", re.I
)
_ABSENT_AFTER = re.compile(
    rf"^(?:\s+\w+){{0,3}}? (?:(?:{_BE}|has been|have been) {_NOT} {_REPORT}|did {_NOT} (?:occur|develop|appear)|"
    rf"{_BE} absent)\b",
    re.IGNORECASE,
)
_DENIED_DIRECTLY = re.compile(rf"{_DENIES.pattern}\s+(?:(?:of|for|the|any|that|a|an)\s+){{0,3}}$", re.IGNORECASE)
_SUPPOSED_DIRECTLY = re.compile(
    r"(?<!\w)(?:possible|probable|suspected|presumed|putative|potential|alleged)\s+$", re.IGNORECASE
)

_TURN = r"(?:but|whereas|while|although|though|however|because|since)"
_CLAUSE = re.compile(
    rf";|:(?=\s)|\.\s|,? (?:{_TURN}|yet|except|despite|unless)(?!\w)(?! not)|, (?:and|so) ", re.IGNORECASE
)
_CLAUSE_END = re.compile(rf";|,? {_TURN}(?!\w)|, ", re.IGNORECASE)
_SUBORDINATE = re.compile(
    r"^\s*(?:even )?(?:although|though|while|whereas|because|since|despite|in spite of|unlike|in contrast to|if|when)\b"
    r"[^,]*,",
    re.IGNORECASE,
)
_ASIDE = re.compile(
    r"\([^()]*\)|\[[^\[\]]*\]|"
    r",\s*(?:which|who|whose|but not|unlike|rather than|although|though|even if)\b[^,;]*,",
    re.IGNORECASE,
)
_VERBLESS = re.compile(
    r"[\s,]*(?:-|(?:and|with|on|to|of|in|or|versus|for|by|from|between|the|a|an|upon|toward|levels?|concentrations?|risk|"
    r"incidence|development|effects?|induced|patients|\w+ic|\w+al|\w+ive)\b[\s,]*)*",
    re.IGNORECASE,
)


_RULES = (
    _HARMLESS,
    _DENIES,
    _NEGATES,
    _DIRECTLY,
    _DENIED_AFTER,
    _DOUBTS,
    _MODAL,
    _SPECULATES,
    _GOVERNS,
    _SUPPOSED_DIRECTLY,
)
_SCOPES = (
    _SUPPOSED_AFTER,
    _CLAUSE,
    _CLAUSE_END,
    _SUBORDINATE,
    _ASIDE,
    _VERBLESS,
    _GRANTED,
    _ABSENT_AFTER,
    _DENIED_DIRECTLY,
)


@dataclass(frozen=True, slots=True)
class _Parts:
    """A sentence cut at the two arguments of a claim, asides blanked."""

    before: str
    between: str
    after: str

    @property
    def verbless(self) -> bool:
        return _VERBLESS.fullmatch(self.between) is not None

    @property
    def granted(self) -> bool:
        return _GRANTED.fullmatch(self.between) is not None


def assert_claim(text: str, subject: Span, object_: Span) -> tuple[Polarity, Certainty]:
    """What a sentence says of the claim that joins two spans of it.

    >>> text = "Aspirin did not reduce pain, but may reduce fever."
    >>> assert_claim(text, Span(0, 7), Span(23, 27))
    ('negative', 'certain')
    >>> assert_claim(text, Span(0, 7), Span(44, 49))
    ('positive', 'speculative')
    """
    first, second = sorted((subject, object_))
    parts = _cut(text, first, second)
    denied = _denied(parts)
    supposed = _supposed(parts) or text.rstrip().endswith("?")
    return ("negative" if denied else "positive", "speculative" if supposed else "certain")


class Assertions:
    """An extractor that marks relations that their sentence denies or only supposes; it never takes a mark away."""

    def __init__(self) -> None:
        self.fingerprint = (
            f"assertions@{content_id(_VERSION, [rule.pattern for rule in (*_RULES, *_SCOPES)], length=8)}"
        )

    def __call__(self, readings: Iterable[Reading]) -> Iterator[Reading]:
        for reading in readings:
            yield replace(reading, relations=tuple(_marked(relation, reading) for relation in reading.relations))


def _marked(relation: Relation, reading: Reading) -> Relation:
    subject, object_ = relation.subject, relation.object
    start, end = min(subject.start, object_.start), max(subject.end, object_.end)
    covering = (s for s in reading.sentences if s.start <= start and end <= s.end)
    sentence = next(covering, None)
    if sentence is None:
        return relation
    shifted = [Span(mention.start - sentence.start, mention.end - sentence.start) for mention in (subject, object_)]
    polarity, certainty = assert_claim(sentence.of(reading.document.text), *shifted)
    return replace(
        relation,
        polarity="negative" if "negative" in (polarity, relation.polarity) else "positive",
        certainty="speculative" if "speculative" in (certainty, relation.certainty) else "certain",
    )


def _cut(text: str, first: Span, second: Span) -> _Parts:
    """The clause around two spans in text order."""
    subordinate = _SUBORDINATE.match(text)
    start = subordinate.end() if subordinate and subordinate.end() <= first.start else 0
    before = _last_clause(_blank(text[start : first.start]))
    between = _blank(text[min(first.end, second.start) : second.start])
    after = _blank(text[max(first.end, second.end) :])
    end = _CLAUSE_END.search(after)
    return _Parts(before, between, after[: end.start()] if end else after)


def _blank(text: str) -> str:
    """Asides as spaces; lengths do not matter once the text is cut."""
    return _ASIDE.sub(" ", text)


def _denied(parts: _Parts) -> bool:
    """Two denials of different kinds (``no evidence that A does not ...``) cancel out."""
    before, between, after = (_HARMLESS.sub(" ", part) for part in (parts.before, parts.between, parts.after))
    if parts.granted:
        return any((_DIRECTLY.search(before), _DENIED_DIRECTLY.search(before), _ABSENT_AFTER.match(after)))
    governed = _DENIES.search(before[before.rfind(",") + 1 :]) is not None
    inside = _NEGATES.search(_DOUBTS.sub(" ", _last_clause(between))) is not None
    trailing = parts.verbless and _DENIED_AFTER.match(after) is not None
    return governed != inside or _DIRECTLY.search(before) is not None or trailing


def _supposed(parts: _Parts) -> bool:
    if parts.granted:
        return _SUPPOSED_DIRECTLY.search(parts.before) is not None
    if _GOVERNS.search(parts.before) or _SPECULATES.search(_last_clause(parts.between)):
        return True
    if parts.verbless:
        return bool(_MODAL.search(parts.before) or _SUPPOSED_AFTER.match(parts.after))
    return False


def _last_clause(text: str) -> str:
    return text[max((match.end() for match in _CLAUSE.finditer(text)), default=0) :]
