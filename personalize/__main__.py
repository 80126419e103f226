"""`python -m personalize`, the same as the command `personalize`."""

import sys

from personalize import health


def main() -> None:
    """Run a command. The health check goes before all that the others need, which takes a second to import."""
    if sys.argv[1:2] == ["health"]:
        sys.exit(health.main(sys.argv[2:]))
    from personalize.cli import main as run  # noqa: PLC0415 -- a health check must not wait for all that the commands import

    run()


if __name__ == "__main__":
    main()
