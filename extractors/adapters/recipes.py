"""Of which corpora, over which encoder and how each model that comes with the project is made."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace

from extractors.training.checks import Task
from extractors.training.plan import Plan

SUBJECTS = ("Variant", "Chemical", "Gene", "Disease")
"""In biomedicine the earlier one of two types of entities is the subject."""
BIORED = (
    *("Association", "Bind", "Comparison", "Conversion", "Cotreatment"),
    *("Drug_Interaction", "Negative_Correlation", "Positive_Correlation"),
)


@dataclass(frozen=True, slots=True)
class Source:
    """A corpus: its files below the data folder, what its makers annotated, and on which terms it may be used.

    Without ``types`` that is all that is found in it. Where it has no ``development`` file, ``held`` is the share of
    its papers that is scored instead of learnt. Of a corpus that nobody annotated ``plain`` papers are taken.
    """

    train: str
    development: str = ""
    types: tuple[str, ...] = ()
    relations: tuple[str, ...] = ()
    terms: str = "none stated"
    held: float = 0.0
    plain: int = 0


@dataclass(frozen=True, slots=True)
class Recipe:
    """How a model is made; ``shares`` are how often an epoch sees a corpus (1 where it is not named).

    ``start`` is the model that it begins with, encoder and all where that was tuned as a whole; ``teachers`` are models
    whose say on each word is learnt too; one that is ``averaged`` of others is the mean of their weights and learns no
    more. What of these does not come with the project is made first. ``base`` is the name under which its encoder comes
    with the project, for other adapters to lie over, and ``licence`` that of the encoder that it was made of.
    ``window`` is that of a tagger of relations, where it is not the default, and ``slots`` the number of subjects that
    it marks at once; a tagger of entities is told of the names of ``vocabularies``. ``limits`` are told by its card.
    """

    domain: str
    task: Task
    encoder: str
    corpora: tuple[str, ...]
    plan: Plan
    shares: Mapping[str, float] = field(default_factory=dict)
    start: str = ""
    teachers: tuple[str, ...] = ()
    averaged: tuple[str, ...] = ()
    base: str = ""
    licence: str = ""
    slots: int = 1
    window: int = 0
    vocabularies: tuple[str, ...] = ()
    limits: tuple[str, ...] = ()


CORPORA: Mapping[str, Source] = {
    "bc5cdr": Source(
        "bc5cdr/CDR_TrainingSet.PubTator.txt",
        "bc5cdr/CDR_DevelopmentSet.PubTator.txt",
        ("Chemical", "Disease"),
        ("INDUCES",),
        "released for research by BioCreative and NCBI",
    ),
    "ncbi": Source(
        "ncbi_disease/NCBItrainset_corpus.txt",
        "ncbi_disease/NCBIdevelopset_corpus.txt",
        ("Disease",),
        terms="public domain (US government work)",
    ),
    "biored": Source(
        "biored/Train.PubTator",
        "biored/Dev.PubTator",
        ("Chemical", "Disease", "Gene", "Species", "Variant", "CellLine"),
        BIORED,
        "NCBI data, none stated",
    ),
    "drugprot": Source("drugprot", types=("Chemical", "Gene"), terms="CC BY 4.0 by its official release"),
    "scierc": Source("scierc/train.json", "scierc/dev.json"),
    "wiesp": Source("wiesp_astro_ner/WIESP2022-NER-TRAINING.train80.jsonl.gz", terms="CC BY 4.0", held=0.2),
    "scifact": Source("scifact/corpus.jsonl.gz", terms="ODC-By 1.0", plain=1700),
    "citations": Source("citation_integrity/corpus.jsonl.gz", plain=1000),
}

VOCABULARIES: Mapping[str, tuple[str, ...]] = {
    "mesh": ("vocab/mesh/mesh2024_descriptor_terms.tsv.gz", "vocab/mesh/mesh2024_descriptor_trees.tsv.gz"),
    "mesh-supplementary": ("vocab/mesh/mesh_scr_partial_from_mappings.tsv.gz", "vocab/mesh/mesh_scr_diseases.tsv"),
}
"""The files of each concept index, below the data folder."""

GOLD = ("bc5cdr", "ncbi", "biored")
BIOMEDICAL = (*GOLD, "drugprot")
TAUGHT = (*BIOMEDICAL, "scifact", "citations")
TEACHERS = ("teacher-bge", "teacher-e5", "teacher-gold")
RARELY = {"drugprot": 0.5}
SHARES = {**RARELY, "scifact": 0.7, "citations": 0.7}

ABSTRACTS = "Abstracts, sentence by sentence: full texts, tables and other languages were not tried."
BIOMEDICINE = (
    ABSTRACTS,
    "The corpora draw the borders of Disease differently, and the tagger mixes them.",
    "CellLine and Variant have few examples.",
)
GIVEN = (
    "It is asked of pairs of types that its corpora relate; where the concepts are wrong, so are its claims.",
    "Relations with few examples (Bind, Comparison, Conversion, Cotreatment, Drug_Interaction) are told less well.",
)
SCIERC = (
    "350 abstracts are all that it learnt from, over an encoder that was tuned on biomedicine first.",
    "Tokens of SciERC are set apart by blanks, as papers do not write.",
)
WIESP = (
    "Half of what it learnt are acknowledgements: it is best at telescopes, organisations, persons and grants.",
    "Its encoder was tuned on biomedicine first.",
)
SOUP = "It is the mean of the weights of two models (a soup, Wortsman et al. 2022); the second is what "
AVERAGED = f"{SOUP}two more epochs, with BioRED whole and a third of BC5CDR, made of the first."
LONGER = f"{SOUP}four more epochs at half of the rate made of the first."
PACKED = (
    "It marks two subjects a pass. Five epochs made it of a model that marks one and is the mean of the weights of two "
    "(a soup, Wortsman et al. 2022)."
)
SCALED = (
    "The last epoch of the first of the two was a run of its own, with other papers held out; so scores of INDUCES are "
    "scaled as those of the first, on papers that it had not seen."
)
CLAIMED = ("bc5cdr", "biored")
PARTLY = {"bc5cdr": 0.6}
CLAIMS = Plan(epochs=3, average=0.99, batch_tokens=2048)
HALF = replace(CLAIMS, silent=0.5)
MORE = replace(HALF, epochs=2, rate=2e-4, head_rate=6e-4, masked=0.1, seed=19)
MORE_FAST = replace(MORE, rate=4e-4, head_rate=8e-4)
LESS = {"bc5cdr": 0.35}
SENTENCES = replace(CLAIMS, epochs=4, rate=4e-4, batch_tokens=1024)
SMALL = Plan(epochs=6, rate=2e-3, head_rate=2e-3, average=0.99, batch_tokens=512, adversarial=0.5)
AGAIN = replace(SMALL, epochs=4, rate=1e-3, head_rate=1e-3, masked=0.1, seed=19)
HARDER = Plan(epochs=2, rate=3e-4, head_rate=5e-4, masked=0.1, average=0.995, adversarial=0.5, seed=22)
FIELD = Plan(epochs=3, rate=1e-3)

RECIPES: Mapping[str, Recipe] = {
    "teacher-gold": Recipe("biomed", "ner", "bge-small", GOLD, Plan(tuning="full", epochs=3)),
    "teacher-bge": Recipe(
        "biomed", "ner", "bge-small", BIOMEDICAL, Plan(tuning="full", masked=0.12, seed=10), shares=RARELY
    ),
    "teacher-e5": Recipe(
        "biomed", "ner", "e5-small", BIOMEDICAL, Plan(tuning="full", masked=0.12, seed=11), shares=RARELY
    ),
    "biomed-ner-first": Recipe(
        "biomed",
        "ner",
        "bge-small",
        TAUGHT,
        Plan(tuning="full", epochs=3, rate=2e-4, masked=0.1, seed=21),
        shares=SHARES,
        start="teacher-bge",
        teachers=TEACHERS,
        base="hypograph-best",
        licence="MIT",
        limits=BIOMEDICINE,
    ),
    "biomed-ner-second": Recipe(
        "biomed",
        "ner",
        "hypograph-best",
        GOLD,
        replace(HARDER, epochs=3, rate=5e-4, seed=21),
        start="biomed-ner-first",
        teachers=("biomed-ner-first", "biomed-ner-fast"),
    ),
    "biomed-ner": Recipe(
        "biomed", "ner", "hypograph-best", GOLD, HARDER, start="biomed-ner-second", limits=BIOMEDICINE
    ),
    "biomed-ner-fast": Recipe(
        "biomed",
        "ner",
        "minilm",
        TAUGHT,
        Plan(tuning="full", rate=4e-4, trust=0.7, seed=21),
        shares=SHARES,
        teachers=TEACHERS,
        base="hypograph-fast",
        licence="Apache-2.0",
        limits=BIOMEDICINE,
    ),
    "biomed-cid": Recipe("biomed", "re", "hypograph-best", ("bc5cdr",), replace(CLAIMS, epochs=4)),
    "biomed-re-first": Recipe("biomed", "re", "hypograph-best", CLAIMED, HALF, shares=PARTLY, start="biomed-cid"),
    "biomed-re-second": Recipe("biomed", "re", "hypograph-best", CLAIMED, MORE, shares=LESS, start="biomed-re-first"),
    "biomed-re": Recipe(
        "biomed",
        "re",
        "hypograph-best",
        CLAIMED,
        MORE,
        averaged=("biomed-re-first", "biomed-re-second"),
        limits=(*GIVEN, AVERAGED, SCALED),
    ),
    "biomed-re-fast-first": Recipe(
        "biomed", "re", "minilm", CLAIMED, replace(CLAIMS, rate=5e-4), shares={"biored": 0.3}
    ),
    "biomed-re-fast-second": Recipe(
        "biomed", "re", "minilm", CLAIMED, MORE_FAST, shares=LESS, start="biomed-re-fast-first"
    ),
    "biomed-re-fast-mean": Recipe(
        "biomed", "re", "minilm", CLAIMED, MORE_FAST, averaged=("biomed-re-fast-first", "biomed-re-fast-second")
    ),
    "biomed-re-fast-third": Recipe(
        "biomed",
        "re",
        "minilm",
        CLAIMED,
        replace(MORE_FAST, epochs=3, seed=23),
        shares=PARTLY,
        start="biomed-re-fast-mean",
        slots=2,
    ),
    "biomed-re-fast": Recipe(
        "biomed",
        "re",
        "minilm",
        CLAIMED,
        replace(MORE_FAST, rate=2e-4, head_rate=4e-4, seed=24),
        shares={"biored": 0.7},
        start="biomed-re-fast-third",
        slots=2,
        limits=(*GIVEN, PACKED, "Its encoder is `minilm`: two epochs over `hypograph-fast` told less."),
    ),
    "ai-ner-first": Recipe("ai", "ner", "hypograph-best", ("scierc",), SMALL),
    "ai-ner-second": Recipe("ai", "ner", "hypograph-best", ("scierc",), AGAIN, start="ai-ner-first"),
    "ai-ner": Recipe(
        "ai",
        "ner",
        "hypograph-best",
        ("scierc",),
        AGAIN,
        averaged=("ai-ner-first", "ai-ner-second"),
        limits=(*SCIERC, LONGER),
    ),
    "ai-ner-fast": Recipe("ai", "ner", "hypograph-fast", ("scierc",), replace(SMALL, masked=0.1), limits=SCIERC),
    "ai-re-first": Recipe("ai", "re", "hypograph-best", ("scierc",), SENTENCES, window=80),
    "ai-re": Recipe(
        "ai",
        "re",
        "hypograph-best",
        ("scierc",),
        replace(SENTENCES, epochs=2, rate=2e-4, head_rate=6e-4, masked=0.1, seed=19),
        start="ai-re-first",
        window=80,
        limits=SCIERC,
    ),
    "ai-re-fast-first": Recipe(
        "ai", "re", "hypograph-fast", ("scierc",), replace(SENTENCES, epochs=6, rate=6e-4), window=80
    ),
    "ai-re-fast": Recipe(
        "ai",
        "re",
        "hypograph-fast",
        ("scierc",),
        replace(SENTENCES, epochs=3, head_rate=8e-4, masked=0.1, adversarial=0.5, seed=20),
        start="ai-re-fast-first",
        window=80,
        limits=SCIERC,
    ),
    "astronomy-ner-fast": Recipe("astronomy", "ner", "hypograph-fast", ("wiesp",), FIELD, limits=WIESP),
}
