"""Models from elsewhere: what is read of a folder or of the hub, and what is refused before anything is kept.

Nothing of a repository is run but its chat template, and that in a sandbox: weights come from safetensors only, the
tokenizer from `tokenizer.json`, the network from what `config.json` says about families known here.
"""
