"""Everything that leaves: cut by permission, written in the ledger."""
