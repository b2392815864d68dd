"""The routes of the admin API: they translate between HTTP and `auth_jwt.provisioning`.

Start with `resolver`, which combines the routes. Each resource has its own module of routes.
"""
