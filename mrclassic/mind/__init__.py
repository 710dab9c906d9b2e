"""The running model: one process holds the weights and speaks OpenAI's API on a socket only its owner can open.

`client`, `process`, `sockets` and `protocol` are what other programs import; they are free of torch and starlette.
"""
