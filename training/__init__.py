"""The recipe, the trainer, the exact merge, and an adapter's way to GGUF. Shares `chat` only."""
