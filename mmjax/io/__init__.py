"""The system: files, JSON, text for the terminal, and memory."""
