"""Fetches what issuers publish: discovery documents and key sets. No login loads this room.

`IssuerClient.fetch` gets a document; `read_discovery` and `read_key_set` read it. A key set that equals the stored one
has not changed, in whatever order its keys came.
"""
