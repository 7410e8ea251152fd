"""Prefect set up to stay at home: no telemetry, no page of its own, logs that leave stdout alone.

These are defaults: what an operator has set in the environment or in a Prefect profile with an API stays. They must be
in the environment before Prefect is imported, and the ephemeral server that a build without a server starts inherits
them.
"""

from __future__ import annotations

from collections.abc import MutableMapping

DEFAULTS = {
    "DO_NOT_TRACK": "1",
    "PREFECT_SERVER_ANALYTICS_ENABLED": "false",
    "PREFECT_SERVER_UI_ENABLED": "false",
    "PREFECT_SERVER_UI_V2_ENABLED": "false",
    "PREFECT_SERVER_EPHEMERAL_STARTUP_TIMEOUT_SECONDS": "120",
    "PREFECT_LOGGING_LEVEL": "CRITICAL",  # an error ends the command, which tells it once and in a line
    "PREFECT_LOGGING_TO_API_ENABLED": "false",
    "PREFECT_CLI_PROMPT": "false",
}


def at_home(environ: MutableMapping[str, str]) -> None:
    """Set what is not set."""
    for name, value in DEFAULTS.items():
        environ.setdefault(name, value)
