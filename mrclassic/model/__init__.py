"""The network: shapes, decoder, tokenizer, generation engine, checkpoints.

`model.manifest` and `model.shapes` are free of torch; everything else here stands on it.
"""
