"""The page: what a visitor sees, and the server around it."""

import os

# Gradio reports its start to two hosts unless told not to before it is used. Here, because every
# import of gradio in this project comes after this line.
os.environ["GRADIO_ANALYTICS_ENABLED"] = "False"
