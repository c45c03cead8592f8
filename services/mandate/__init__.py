"""Contracts, consent sessions, mandates and their timers."""
