"""What decides whether a release may serve users: the canary, and the check of a new version.

The function that CodeDeploy asks and `auth-jwt doctor` share it. No login loads it. Start reading at
`auth_jwt.releasing.check`.
"""
