"""`auth-jwt doctor`: examines a deployed stack from outside, as its frontends and its operators meet it.

Start reading at `auth_jwt_cli.doctor.examination`.
"""
