"""What is remembered of the tables: bounded, one read for a burst, stale rows while the tables are away."""
