"""Fast reading on a processor: a token classifier as an ONNX graph of int8 products, run without loading torch.

:mod:`~extractors.engine.graph` turns weights into the model of one of the :mod:`~extractors.engine.parts`,
:mod:`~extractors.engine.cache` keeps it as a file, :mod:`~extractors.engine.session` runs it over rows of pieces.
"""
