"""Issuers: OpenID providers and others that publish their keys. Loaded only where the setting `ISSUERS` names one."""
