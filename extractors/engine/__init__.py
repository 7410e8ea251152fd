"""Fast reading on a processor: a token classifier as an ONNX graph of int8 products, run without loading torch.

:mod:`~extractors.engine.graph` turns weights into a model, :mod:`~extractors.engine.cache` keeps it as a file,
:mod:`~extractors.engine.session` runs it over rows of pieces.
"""
