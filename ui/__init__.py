"""The page: what a visitor sees, and the server around it."""

import os

# Gradio reports its start to two hosts unless told not to before it is used, and keeps a table
# of past events for its dashboard, summed up anew with pandas after each one. Here, because every
# import of gradio in this project comes after these lines.
os.environ["GRADIO_ANALYTICS_ENABLED"] = "False"
os.environ["GRADIO_ANALYTICS_MAX_EVENTS"] = "100"
os.environ["GRADIO_ANALYTICS_CACHE_FREQUENCY"] = str(2**62)
