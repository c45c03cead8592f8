"""Everything that leaves: cut by permission, written in the ledger.

Reads `mandate-events`, `register-events` and the marks of freshness; writes `export-events`; keeps the ledgers, what is
known of mandates and points, and credentials of holders' clients.
"""
