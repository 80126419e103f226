"""`python -m tests.audit`: ask for known vulnerabilities of what the shipped image is made of.

That is not known on this machine. Where nobody answers who knows, one line says so; it is no reason to stop working.
"""

import json
import subprocess
import sys
from pathlib import Path
from typing import Any

LOCKED = Path(__file__).parents[1] / "deploy" / "requirements.txt"
SECONDS = 60
"""What asking may take."""


def main() -> int:
    """Ask about every locked requirement; return the exit status, which is 1 for what is known to be vulnerable."""
    try:
        told = asked(LOCKED)
    except (subprocess.TimeoutExpired, ValueError):
        print("make check: nobody could be asked about vulnerabilities of deploy/requirements.txt.")  # noqa: T201
        return 0
    unknown = [one for one in told if "skip_reason" in one]
    found = [f"{one['name']} {one['version']}: {bad['id']}" for one in told for bad in one.get("vulns", ())]
    for line in found:
        print(f"make check: {line} is known to be vulnerable; see `make lock`.")  # noqa: T201
    if unknown:
        print(f"make check: nothing could be learnt about {len(unknown)} of {len(told)} locked requirements.")  # noqa: T201
    return 1 if found else 0


def asked(locked: Path) -> list[dict[str, Any]]:
    """Return what pip-audit tells of each requirement.

    Raises:
        subprocess.TimeoutExpired: it takes too long.
        ValueError: it tells nothing, for want of a registry.
    """
    command = [sys.executable, "-m", "pip_audit", "--requirement", str(locked), "--disable-pip", "--require-hashes"]
    quiet = ["--format", "json", "--progress-spinner", "off"]
    ran = subprocess.run([*command, *quiet], capture_output=True, text=True, timeout=SECONDS, check=False)
    dependencies: list[dict[str, Any]] = json.loads(ran.stdout)["dependencies"]
    return dependencies


if __name__ == "__main__":
    sys.exit(main())
