"""From the bytes of a PDF to the parts of a paper.

:mod:`~pipeline.pdf.characters` takes the characters from the file, :mod:`~pipeline.pdf.layout` puts them into lines
in reading order, :mod:`~pipeline.pdf.structure` tells title, headings, captions and references from running text, and
:mod:`~pipeline.pdf.worker` does all that in a process of its own, under limits. Kept apart from the readers, so that
such a process starts fast.
"""
