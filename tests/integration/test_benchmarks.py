"""The benchmark programs, with next to nothing to do: that they still run, not how fast anything is."""

from tests.processes import PYTHON, running


def test_the_sandbox_is_measured() -> None:
    """It prints its table with both numbers."""
    command = [PYTHON, "-m", "tests.bench.sandbox", "--profiles", "20", "--reads", "5"]
    with running(command, environment={"COLUMNS": "100"}) as run:
        run.process.wait(50)
    assert "The sandbox, 20 events of as many people" in run.output
    assert "start with --seed" in run.output
    assert "median of traits?include=" in run.output
