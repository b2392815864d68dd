"""Rows that leave a stack and come into another: `auth-jwt export`, `diff` and `sync`."""
