"""How an answer is judged: the reward contract, and the rewards that are built in."""
