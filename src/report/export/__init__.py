"""The findings elsewhere: CSV, Markdown, LaTeX, the terminal and a W&B dashboard."""
