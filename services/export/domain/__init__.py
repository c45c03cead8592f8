"""What leaves and what is written about it: series, day and month values, the ledger. Pure."""
