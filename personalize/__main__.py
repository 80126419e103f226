"""`python -m personalize`, the same as the command `personalize`."""

from personalize.cli import main

if __name__ == "__main__":
    main()
