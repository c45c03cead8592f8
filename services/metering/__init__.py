"""Readings in, the quarter-hour store, and blocks out to export alone."""
