"""A private Neo4j server for development and tests, made from Maven's jars: start it, stop it, tell where it is.

``start`` fetches the jars once, keeps all data and a random password under one folder (``.neo4j`` by default),
listens on a free loopback port and returns when Bolt answers; it does nothing where the server already runs.
``env`` prints the connection as shell lines. Needs Java 17 or 21, and Maven for the first start.
"""

from __future__ import annotations

import argparse
import contextlib
import json
import os
import re
import secrets
import shutil
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

POM = Path(__file__).parent / "neo4j" / "pom.xml"
HOME = Path(__file__).parent.parent / ".neo4j"
START_SECONDS = 180
STOP_SECONDS = 60
FETCH_PAUSES = (0, 10, 30, 60)  # public Maven repositories answer 429 in bursts

# Neo4j's launcher would add these; the server class does not read them from neo4j.conf by itself.
JVM_FLAGS = (
    *("-Xms128m", "-XX:+UseG1GC", "-Dfile.encoding=UTF-8", "-Dlog4j2.disable.jmx=true"),
    *("-Dio.netty.tryReflectionSetAccessible=true", "-Djdk.nio.maxCachedBufferSize=1024"),
    *(f"--add-opens=java.base/{name}=ALL-UNNAMED" for name in ("java.nio", "java.io", "sun.nio.ch")),
    "--enable-native-access=ALL-UNNAMED",
)


def main(arguments: list[str] | None = None) -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else None)
    parser.add_argument("command", choices=("start", "stop", "env"))
    parser.add_argument("--home", type=Path, default=HOME, help="folder for data, logs and password")
    parser.add_argument("--lib", type=Path, default=HOME / "lib", help="folder of the jars")
    parser.add_argument("--heap", default="1g", help="largest Java heap")
    options = parser.parse_args(arguments)
    home = options.home.resolve()
    if options.command == "start":
        start(home, options.lib.resolve(), options.heap)
    elif options.command == "stop":
        stop(home)
    else:
        for line in environment(home):
            sys.stdout.write(f"{line}\n")


def start(home: Path, lib: Path, heap: str) -> None:
    """Bring the server up and wait until it answers."""
    if running(home):
        _say(f"Neo4j already runs at {_uri(_state(home)['port'])}")
        return
    java = find_java()
    fetch_jars(lib)
    home.mkdir(parents=True, exist_ok=True)
    set_password(home, lib, java)
    port = free_port(_state(home).get("port", 0))
    write_settings(home, port)
    log = home / "console.log"
    with log.open("wb") as output:
        process = subprocess.Popen(
            [
                *(java, *JVM_FLAGS, f"-Xmx{heap}", "-cp", f"{lib}/*", "org.neo4j.server.CommunityEntryPoint"),
                *("--home-dir", str(home), "--config-dir", str(home / "conf"), "--console-mode"),
            ],
            stdin=subprocess.DEVNULL,
            stdout=output,
            stderr=subprocess.STDOUT,
            start_new_session=True,
        )
    (home / "server.json").write_text(json.dumps({"pid": process.pid, "port": port}))
    wait_until_up(process, port, log)
    _say(f"Neo4j runs at {_uri(port)}; `make neo4j-env` prints how to connect")


def stop(home: Path) -> None:
    """End the server that was started for this folder, and only that."""
    if not running(home):
        _say("Neo4j does not run")
        return
    pid = _state(home)["pid"]
    os.kill(pid, signal.SIGTERM)
    deadline = time.monotonic() + STOP_SECONDS
    while running(home):
        if time.monotonic() > deadline:
            os.kill(pid, signal.SIGKILL)
            break
        time.sleep(0.1)
    _say("Neo4j has stopped")


def environment(home: Path) -> Iterator[str]:
    """Shell lines that name the running server."""
    if not running(home):
        sys.exit("Neo4j does not run: start it with `make neo4j`")
    yield f"export NEO4J_URI={_uri(_state(home)['port'])}"
    yield "export NEO4J_USER=neo4j"
    yield f"export NEO4J_PASSWORD={(home / 'password').read_text().strip()}"


def running(home: Path) -> bool:
    """Whether the process on record lives and is the server of this folder, not a later one with its number."""
    pid = str(_state(home).get("pid", ""))
    if not pid:
        return False
    if Path("/proc/self").exists():
        try:
            command = Path(f"/proc/{pid}/cmdline").read_text("utf-8", errors="replace").replace("\0", " ")
        except OSError:
            return False
    else:
        command = subprocess.run(
            ["ps", "-o", "command=", "-p", pid], capture_output=True, text=True, check=False
        ).stdout
    return f"--home-dir {home} " in command


def find_java() -> str:
    """The path of a Java that this Neo4j supports."""
    home = os.environ.get("JAVA_HOME")
    java = f"{home}/bin/java" if home else shutil.which("java")
    if java is None or not Path(java).exists():
        sys.exit("Neo4j needs Java 17 or 21, and no `java` was found: install it (Debian: openjdk-17-jre-headless)")
    told = subprocess.run([java, "-version"], capture_output=True, text=True, check=False).stderr
    version = re.search(r'version "(\d+)', told)
    if version is None or version[1] not in ("17", "21"):
        sys.exit(
            f"Neo4j needs Java 17 or 21, but {java} is {told.splitlines()[0] if told else 'broken'}: set JAVA_HOME"
        )
    return java


def fetch_jars(lib: Path) -> None:
    """Let Maven copy the jars, unless they are there; a half-done copy never takes their place."""
    if lib.is_dir():
        return
    maven = shutil.which("mvn")
    if maven is None:
        sys.exit("Neo4j's jars come by Maven, and no `mvn` was found: install it (Debian: maven)")
    partial = lib.with_name(f"{lib.name}.partial")
    _say("fetching Neo4j's jars (about 120 MB, once)")
    command = [maven, "-q", "-B", "-f", str(POM), "dependency:copy-dependencies"]
    for pause in FETCH_PAUSES:
        time.sleep(pause)
        shutil.rmtree(partial, ignore_errors=True)
        done = subprocess.run(
            [*command, "-DincludeScope=runtime", f"-DoutputDirectory={partial}"],
            stdout=sys.stderr,
            check=False,
        )
        if done.returncode == 0:
            partial.rename(lib)
            return
    sys.exit("Maven could not fetch Neo4j's jars (see above): check the network, then run `make neo4j` again")


def set_password(home: Path, lib: Path, java: str) -> None:
    """Choose the password before the first start; only the owner can read it."""
    path = home / "password"
    if path.exists():
        return
    write_settings(home, 0)
    password = secrets.token_hex(16)
    done = subprocess.run(
        [java, "-cp", f"{lib}/*", "org.neo4j.cli.AdminTool", "dbms", "set-initial-password", password],
        env={**os.environ, "NEO4J_HOME": str(home), "NEO4J_CONF": str(home / "conf")},
        capture_output=True,
        text=True,
        check=False,
    )
    if done.returncode != 0:
        sys.exit(f"Neo4j could not set its first password: {done.stdout}{done.stderr}")
    with os.fdopen(os.open(path, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600), "w") as file:
        file.write(password + "\n")


def write_settings(home: Path, port: int) -> None:
    """Loopback only, no usage report, no file or web access from Cypher, bounded memory and time."""
    folders = {name: home / name for name in ("data", "logs", "run", "plugins", "import")}
    for folder in (*folders.values(), home / "conf"):
        folder.mkdir(parents=True, exist_ok=True)
    settings = {
        "server.bolt.listen_address": f"127.0.0.1:{port}",
        "server.bolt.advertised_address": f"127.0.0.1:{port}",
        "server.http.enabled": "false",
        "server.https.enabled": "false",
        "dbms.usage_report.enabled": "false",
        "dbms.security.allow_csv_import_from_file_urls": "false",
        "server.memory.pagecache.size": "128m",
        "db.lock.acquisition.timeout": "30s",
        "db.tx_log.preallocate": "false",
        **{f"server.directories.{name}": str(folder) for name, folder in folders.items()},
    }
    (home / "conf" / "neo4j.conf").write_text("".join(f"{key}={value}\n" for key, value in settings.items()))


def free_port(wanted: int) -> int:
    """The wanted loopback port where it is free, so that the address lasts, else any free one."""
    for port in (wanted, 0):
        with socket.socket() as probe:
            probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            with contextlib.suppress(OSError):
                probe.bind(("127.0.0.1", port))
                return int(probe.getsockname()[1])
    raise OSError("no free port on 127.0.0.1")


def wait_until_up(process: subprocess.Popen[bytes], port: int, log: Path) -> None:
    """Return when Bolt answers; end with the log's tail where the server does not come up."""
    deadline = time.monotonic() + START_SECONDS
    while not answers(port):
        ended = process.poll() is not None
        if ended or time.monotonic() > deadline:
            process.kill()
            tail = "\n".join(log.read_text("utf-8", errors="replace").splitlines()[-15:])
            state = f"ended with code {process.returncode}" if ended else f"did not answer in {START_SECONDS} s"
            sys.exit(f"Neo4j {state}; the end of {log}:\n{tail}")
        time.sleep(0.2)


def answers(port: int) -> bool:
    """Whether a Bolt server shakes hands on this port: it picks one of four offered versions."""
    offer = bytes.fromhex("6060b017 00080805 00000004 00000000 00000000")
    try:
        with socket.create_connection(("127.0.0.1", port), timeout=2) as connection:
            connection.sendall(offer)
            return any(connection.recv(4))
    except OSError:
        return False


def _state(home: Path) -> dict[str, int]:
    try:
        state: dict[str, int] = json.loads((home / "server.json").read_text())
    except (OSError, ValueError):
        return {}
    return state


def _uri(port: int) -> str:
    return f"bolt://127.0.0.1:{port}"


def _say(message: str) -> None:
    sys.stderr.write(message + "\n")


if __name__ == "__main__":
    main()
