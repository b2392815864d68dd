"""`python -m auth_jwt_cli`, where the command is not installed."""

from auth_jwt_cli.main import main

main()
