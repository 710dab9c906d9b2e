"""Conversations and preferences in the forms that others write and read.

- `forms` what a row of each form says, and how one is written; `transcripts` those of HH-RLHF
- `taking_in` files into the store; `giving_out` the store into a file
"""
