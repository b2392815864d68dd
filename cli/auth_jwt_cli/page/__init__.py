"""The admin page on this machine: a server for one browser, which signs what that browser asks of the admin API.

`guard` decides which requests of the browser may be signed, `admin_api` signs and sends them, `server` speaks HTTP.
"""
