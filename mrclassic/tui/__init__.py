"""The terminal app: a chat with five candidate answers, and the owner's picks.

It stands on the store and on the client of the running model only, and never imports torch. `app.run` is the one entry.
`keys.py` is the table of all keys, `commands.py` that of the slash commands, `practice.py` what is asked in an
evening's practice, `desk.py` everything that is asked of the store, `mind_link.py` everything that is asked of the
model, `screens/` and `widgets/` what is seen.
"""
