"""Jars out of Maven repositories by the user's own ``mvn``, which knows the repositories, mirrors and proxies."""

from __future__ import annotations

import shutil
import subprocess
import time
from pathlib import Path

from pipeline.errors import ServiceError

PAUSES = (10, 30, 60)  # public repositories answer 429 in bursts


def fetch_jar(artifact: str, folder: Path) -> Path:
    """Copy an artifact's jar, named as ``group:name:version``, into a folder.

    Raises ServiceError where there is no Maven, or it cannot fetch the artifact.
    """
    maven = shutil.which("mvn")
    if maven is None:
        raise ServiceError(f"{artifact} comes by Maven, and no `mvn` was found: install it (Debian: maven)")
    command = [maven, "-q", "-B", "dependency:copy", f"-Dartifact={artifact}", f"-DoutputDirectory={folder}"]
    for pause in (*PAUSES, 0):
        # started in the folder, so that no project's pom.xml is read
        done = subprocess.run(command, cwd=folder, capture_output=True, text=True, check=False)
        if "429" not in done.stdout:
            break
        time.sleep(pause)
    jars = list(folder.glob("*.jar"))
    if done.returncode != 0 or len(jars) != 1:
        told = next((line for line in done.stdout.splitlines() if "ERROR" in line), f"exit code {done.returncode}")
        raise ServiceError(f"Maven could not fetch {artifact}: {told[:400]}")
    return jars[0]
