"""How the model says no."""


class Refused(Exception):
    """The token is refused for *reason*, by its stable name."""

    def __init__(self, reason: str) -> None:
        super().__init__(reason)
        self.reason = reason
