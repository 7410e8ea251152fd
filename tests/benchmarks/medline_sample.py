"""MEDLINE files of any size, made of a seed: records as rich as the real ones, 6 to 8 KB each."""

from __future__ import annotations

import random
from collections.abc import Iterator
from itertools import count
from pathlib import Path

from measure import generated_text, sample_words

KINDS = 1_000  # records that differ in more than their number and title

_HEAD = """<?xml version="1.0" encoding="utf-8"?>
<!DOCTYPE PubmedArticleSet SYSTEM "http://dtd.example.org/pubmed.dtd">
<PubmedArticleSet>
"""
_RECORD = """<PubmedArticle><MedlineCitation Status="MEDLINE" Owner="NLM"><PMID Version="1">{{pmid}}</PMID>
<DateCompleted><Year>2021</Year><Month>03</Month><Day>04</Day></DateCompleted>
<DateRevised><Year>2022</Year><Month>04</Month><Day>{day:02}</Day></DateRevised><Article PubModel="Print-Electronic">
<Journal><ISSN IssnType="Electronic">1533-4406</ISSN><JournalIssue CitedMedium="Internet"><Volume>{day}</Volume>
<Issue>2</Issue><PubDate><Year>{year}</Year><Month>Apr</Month><Day>{day}</Day></PubDate></JournalIssue>
<Title>The Journal of {journal}</Title><ISOAbbreviation>J {journal}</ISOAbbreviation></Journal>
<ArticleTitle>{title} Cohort {{pmid}}.</ArticleTitle><Pagination><MedlinePgn>179-91</MedlinePgn></Pagination>
<ELocationID EIdType="doi" ValidYN="Y">10.1000/jos.{{pmid}}</ELocationID><Abstract>{abstract}</Abstract>
<AuthorList CompleteYN="Y">{authors}</AuthorList><Language>eng</Language><GrantList CompleteYN="Y">{grants}</GrantList>
<PublicationTypeList><PublicationType UI="D016428">Journal Article</PublicationType></PublicationTypeList>
<ArticleDate DateType="Electronic"><Year>{year}</Year><Month>03</Month><Day>{day:02}</Day></ArticleDate></Article>
<MedlineJournalInfo><Country>Utopia</Country><MedlineTA>J {journal}</MedlineTA><NlmUniqueID>{day}</NlmUniqueID>
</MedlineJournalInfo><CitationSubset>IM</CitationSubset><MeshHeadingList>{headings}</MeshHeadingList>
</MedlineCitation><PubmedData><History>{history}</History><PublicationStatus>ppublish</PublicationStatus>
<ArticleIdList><ArticleId IdType="pubmed">{{pmid}}</ArticleId><ArticleId IdType="doi">10.1000/jos.{{pmid}}</ArticleId>
<ArticleId IdType="pmc">PMC{{pmid}}</ArticleId></ArticleIdList><ReferenceList>{references}</ReferenceList></PubmedData>
</PubmedArticle>
"""
_AUTHOR = """<Author ValidYN="Y"><LastName>{}</LastName><ForeName>{} B</ForeName><Initials>{}B</Initials>
<AffiliationInfo><Affiliation>Department of {}, University of {}, {}.</Affiliation></AffiliationInfo></Author>"""
_GRANT = "<Grant><GrantID>R01 {}</GrantID><Acronym>{}</Acronym><Agency>{} HHS</Agency><Country>Utopia</Country></Grant>"
_HEADING = """<MeshHeading><DescriptorName UI="D{}" MajorTopicYN="N">{}</DescriptorName>
<QualifierName UI="Q000187" MajorTopicYN="Y">{}</QualifierName></MeshHeading>"""
_HISTORY = """<PubMedPubDate PubStatus="{}"><Year>2020</Year><Month>4</Month><Day>2</Day><Hour>6</Hour>
<Minute>0</Minute></PubMedPubDate>"""
_REFERENCE = """<Reference><Citation>{} {}. 2009;1:1-9</Citation><ArticleIdList>
<ArticleId IdType="pubmed">{}</ArticleId></ArticleIdList></Reference>"""


def write(path: Path, *, size: int, seed: int = 1) -> int:
    """Write records until the file has ``size`` bytes; return their number."""
    random_ = random.Random(seed)
    kinds = [_record(random_) for _ in range(KINDS)]
    written = 0
    with path.open("w", encoding="utf-8") as file:
        left = size - file.write(_HEAD)
        for pmid in count(10_000_000 * seed):
            left -= file.write(random_.choice(kinds).format(pmid=pmid))
            written += 1
            if left <= 0:
                break
        file.write("</PubmedArticleSet>\n")
    return written


def _record(random_: random.Random) -> str:
    return _RECORD.format(
        title=generated_text(random_, 1),
        abstract="".join(_abstract(random_)),
        journal=_word(random_),
        year=random_.randint(1960, 2025),
        day=random_.randint(1, 28),
        authors="".join(_author(random_) for _ in range(random_.randint(2, 9))),
        grants="".join(_GRANT.format(_number(random_), "HG", _word(random_)) for _ in range(random_.randint(0, 3))),
        headings="".join(
            _HEADING.format(_number(random_), _word(random_), _word(random_).lower())
            for _ in range(random_.randint(6, 14))
        ),
        history="".join(map(_HISTORY.format, ("received", "accepted", "entrez", "pubmed", "medline"))),
        references="".join(
            _REFERENCE.format(_word(random_), generated_text(random_, 1)[:60], _number(random_))
            for _ in range(random_.choice((0, 0, 0, 12, 24)))
        ),
    )


def _abstract(random_: random.Random) -> Iterator[str]:
    """In parts with labels for every other record; now and then with a superscript, as the real ones."""
    if random_.random() < 0.5:
        yield f"<AbstractText>{generated_text(random_, 11)}</AbstractText>"
        return
    for label in ("BACKGROUND", "METHODS", "RESULTS", "CONCLUSIONS"):
        marked = " at 10<sup>-3</sup> &lt; mol." if random_.random() < 0.2 else ""
        text = generated_text(random_, 3) + marked
        yield f'<AbstractText Label="{label}" NlmCategory="{label}">{text}</AbstractText>\n'


def _author(random_: random.Random) -> str:
    given = _word(random_)
    return _AUTHOR.format(_word(random_), given, given[0], *(_word(random_) for _ in range(3)))


def _word(random_: random.Random) -> str:
    return random_.choice(sample_words()).capitalize()


def _number(random_: random.Random) -> int:
    return random_.randint(100_000, 30_000_000)
