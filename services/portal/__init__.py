"""Web pages for people; no events of its own."""
