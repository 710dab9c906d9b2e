"""Tasks of several turns: games with a beginning, answers to what is said, and an end that a machine can judge.

- `base` the contract of an environment, and the task that a game becomes
- `keyturn` one of ten turns decides; `guessing` a number; `mastermind` a code; `twenty` a thing, by yes and no
"""
