"""What is remembered of the tables: within bounds, with one read for a burst, and stale rows during an outage."""
