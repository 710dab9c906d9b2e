"""One night: plan, stages, gate, report."""
