"""The chat in a terminal: `wetread chat`."""
