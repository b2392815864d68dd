"""The operator's command line, `auth-jwt`."""
