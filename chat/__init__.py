"""The vocabulary of the project. Imports nothing of ours, no gradio, no torch."""
