"""The retry budget: retries are a share of the calls, so that they cannot multiply an outage's load."""

PRICE = 5
"""First attempts that one retry costs: retries are at most 20 % of them (Envoy's default)."""

SAVED = 10
"""Retries that may be saved up."""


class RetryBudget:
    """Whole numbers: a first attempt earns a fifth of a retry. There is one to begin with."""

    def __init__(self) -> None:
        self._earned = PRICE

    def earn(self) -> None:
        """Count a first attempt."""
        self._earned = min(self._earned + 1, SAVED * PRICE)

    def spend(self) -> bool:
        """Take one retry; whether there was one."""
        affordable = self._earned >= PRICE
        if affordable:
            self._earned -= PRICE
        return affordable
