"""`auth-jwt bulk`: one operation for each tag of a file, some at a time, with a ledger and a report."""
