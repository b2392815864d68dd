"""The routes of the admin API, and what stands between HTTP and `auth_jwt.provisioning`.

Start with `resolver`, which puts the routes together; each resource has a module of routes.
"""
