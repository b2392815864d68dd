"""Logs of the functions, read from where an operator sits: CloudWatch Logs, or a file of lines.

Start reading at `auth_jwt_cli.logs.lines`. Nothing here shows more of a line than the fields that it names.
"""
