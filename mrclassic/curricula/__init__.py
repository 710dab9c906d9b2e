"""What to practise next: the curriculum contract, and the curricula that are built in."""
