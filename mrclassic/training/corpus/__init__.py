"""A corpus: files of conversations and text, read as a stream, written down once as token ids, drawn by weight.

- `documents` what a row of a file says; `files` which files there are, and reading them row by row
- `seen` exact duplicates; `vocabulary` a tokenizer learned from a sample
- `packing` the pass over the files that writes the token ids; `packed` what it wrote, opened
- `order` which of it every update learns, and `steered` where a curriculum decides
- `rectangles` how an update is laid out for the device
"""
