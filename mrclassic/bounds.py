"""How long anything may be told to take: bounds that settings, the service and the command line share."""

from __future__ import annotations

SHORTEST = 0.2
"""Minutes of the shortest night."""
LONGEST = 10_000.0
"""Minutes of any night or training: a week."""
