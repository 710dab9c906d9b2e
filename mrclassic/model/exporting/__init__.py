"""A model for other programs: a Hugging Face folder, a GGUF file, a folder for Ollama, each with a model card."""
