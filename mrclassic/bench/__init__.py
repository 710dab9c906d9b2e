"""Speed, measured: rollouts, GRPO updates and book updates, against the matrix product and against a peer."""
