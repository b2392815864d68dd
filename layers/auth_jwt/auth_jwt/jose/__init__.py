"""Reads unverified tokens and the keys in secrets, and verifies signatures. Knows neither rows nor settings."""
