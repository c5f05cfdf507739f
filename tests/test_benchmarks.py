"""The benchmarks run; what they print is not for tests to judge."""

import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).parents[1]


def test_phases_prints_its_table():
    """A phase that moved to another module ended it before it began."""
    script = ROOT / "benchmarks" / "phases.py"
    done = subprocess.run(
        [sys.executable, script, "--rows", "200"],
        capture_output=True,
        text=True,
        check=False,
        cwd=ROOT,
    )
    assert done.returncode == 0, done.stderr
    phases = [line.split("|")[1].strip() for line in done.stdout.splitlines()[2:]]
    assert {"learn the encoding", "forward", "backward", "together"} <= set(phases)
