"""Any backend as a service for programs: OpenAI's chat completions, and the legacy contract.

    python -m endpoint --backend embedded --port 8000

Knows no page: imports `chat`, `backend`, `settings`, and of `ui` only what knows no Gradio.
"""
