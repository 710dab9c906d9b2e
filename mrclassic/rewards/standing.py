"""Three strikes: a reward that was at fault in three batches has no say for the rest of the run."""

from __future__ import annotations

STRIKES = 3
SILENCED = f"that is {STRIKES} times, so it abstains from now on"


class Standing:
    """Counts the faults of each reward in `strikes`, a plain mapping that its owner keeps: a resumed run that hands it
    in again keeps every count."""

    def __init__(self, strikes: dict[str, int] | None = None) -> None:
        self.strikes: dict[str, int] = {} if strikes is None else strikes

    def heard(self, name: str) -> bool:
        """Whether the reward still has a say."""
        return self.strikes.get(name, 0) < STRIKES

    @property
    def quarantined(self) -> tuple[str, ...]:
        """The rewards that have none."""
        return tuple(name for name in self.strikes if not self.heard(name))

    def strike(self, name: str) -> str:
        """Count a batch in which `name` was at fault; what to say about it, which is something at the last strike."""
        self.strikes[name] = self.strikes.get(name, 0) + 1
        return "" if self.heard(name) else f"; {SILENCED}"
