"""Refreshes the keys of issuers: what is due, what is fetched, and what is written into the tables."""
