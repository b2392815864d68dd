"""Fetches what issuers publish: discovery documents and key sets. No login loads this room."""
