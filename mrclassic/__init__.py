"""Mr. Classic: a small language model that belongs to one person."""

__version__ = "0.1.0"
