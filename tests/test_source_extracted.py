"""What ``extract`` writes as JSON Lines comes back whole, and what was changed in it is told."""

from __future__ import annotations

import io
import json
from typing import Any

import pytest

from pipeline.annotations import jsonl as written
from pipeline.sources import extracted
from pipeline.sources.shared.stream import Stream
from pipeline.types import Document, Failure, Grounding, Mention, Reading, Relation, Section

TEXT = "Fish oil lowers viscosity."


def reading() -> Reading:
    document = Document("d1", TEXT, (Section(0, len(TEXT), "body"),), "1985")
    ranked = (Grounding("X:1", "oil", 0.9, "exact", "Fish oil"), Grounding("X:2", "eel", 0.5, "exact", "fish oil"))
    oil = Mention(0, 8, "d1", "Fish oil", "Drug", 0.8, "tagger@1", ranked)
    inner = Mention(5, 8, "d1", "oil", "Fluid", 1.0, "dictionary@2")
    thick = Mention(16, 25, "d1", "viscosity", "State", 0.7, "tagger@1", (Grounding("NIL:a", "viscosity", 0, "nil"),))
    claims = (
        Relation(0, 26, "d1", "LOWERS", oil, thick, 0.6, "patterns@3"),
        Relation(0, 26, "d1", "RAISES", inner, thick, 0.5, "patterns@3", "negative", "speculative"),
    )
    return Reading(document, mentions=(oil, inner, thick), relations=claims)


def read(*lines: str) -> list[Reading | Failure]:
    stream = Stream("x", io.BufferedReader(io.BytesIO("".join(lines).encode())))
    assert extracted.sniff(stream.head)
    return list(extracted.read_annotated(stream, "x"))


def test_what_is_written_comes_back() -> None:
    lines = list(written([reading(), reading()]))
    assert read(*lines) == [reading(), reading()]
    stream = Stream("x", io.BufferedReader(io.BytesIO(lines[0].encode())))
    assert list(extracted.read(stream, "x")) == [reading().document]


@pytest.mark.parametrize(
    ("part", "change", "reason"),
    [
        ("mentions", {"text": "Fish eel"}, "says 'Fish eel' where the text at 0 to 8 is 'Fish oil'"),
        ("mentions", {"end": 99}, "says 'Fish oil' where the text at 0 to 99 is"),
        ("mentions", {"start": -1}, "has a start that is no number: -1"),
        ("mentions", {"type": None}, "has a mention without a type"),
        ("mentions", {"score": 3}, "has a score outside of [0, 1]: 3"),
        ("mentions", {"groundings": [{"name": "x"}]}, "has a grounding without a concept"),
        ("relations", {"predicate": ""}, "has a relation without a predicate"),
        ("relations", {"subject": 3}, "has a relation with an argument that is no object: 3"),
        ("relations", {"object": {"start": 0, "end": 8, "concept_id": "X:9"}}, "relates what no mention is"),
    ],
)
def test_a_bad_part_costs_no_other(part: str, change: dict[str, Any], reason: str) -> None:
    (line,) = written([reading()])
    row = json.loads(line)
    row[part][0] |= change
    found, failure, *others = read(json.dumps(row) + "\n", line)
    assert isinstance(found, Reading)
    assert isinstance(failure, Failure)
    assert failure.place == "document d1"
    assert failure.reason.startswith(reason)
    assert len(found.mentions) + len(found.relations) == (3 if part == "mentions" else 4)
    assert others[-1] == reading()


def test_other_json_lines_are_left_alone() -> None:
    assert not extracted.sniff('{"id": 7, "title": "Oil", "text": "It thins."}')
    assert not extracted.sniff('{"id": "7", "text": "It thins.", "year": 1985}')
