"""How a model learns: one method a file, on a small shared core. Knows no database, screen or schedule."""
