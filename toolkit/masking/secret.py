"""One value that does not show itself."""

from __future__ import annotations

from typing import Any, Final, NoReturn, final

HIDDEN: Final = "[hidden]"
"""The text that stands where a secret was."""


@final
class Secret:
    """A sealed value: it shows itself only when `reveal` is called.

    It has no attributes and no length, is equal to itself alone, has no order and cannot be pickled.

    Parameters
    ----------
    value : Any
        The value to seal.

    Examples
    --------
    >>> secret = Secret("FAKE-not-a-real-value")
    >>> secret
    [hidden]
    >>> f"the token is {secret}"
    'the token is [hidden]'
    >>> secret.reveal()
    'FAKE-not-a-real-value'
    """

    __slots__ = ("_value",)
    _value: Any

    # Made here and not in __init__, so that a second call of __init__ cannot change it.
    def __new__(cls, value: Any) -> Secret:
        """Seal a value."""
        secret = super().__new__(cls)
        object.__setattr__(secret, "_value", value)
        return secret

    def __init_subclass__(cls) -> NoReturn:
        raise TypeError("nothing can inherit from Secret, lest it show the value")

    def reveal(self) -> Any:
        """Return the sealed value.

        Returns
        -------
        Any
            What the secret was made from, the same object.
        """
        return self._value

    def __repr__(self) -> str:
        return HIDDEN

    def __format__(self, spec: str) -> str:
        return format(HIDDEN, spec)

    def __dir__(self) -> list[str]:
        # What looks into objects, as `inspect.getmembers` and debuggers do, begins here.
        return ["reveal"]

    def __setattr__(self, name: str, value: object) -> NoReturn:
        raise AttributeError("a Secret cannot be changed; make a new one")

    def __delattr__(self, name: str) -> NoReturn:
        raise AttributeError("a Secret cannot be changed; make a new one")

    def __getstate__(self) -> NoReturn:
        raise TypeError("a Secret cannot be pickled; call .reveal() where the value is needed")

    def __reduce__(self) -> NoReturn:
        self.__getstate__()

    def __reduce_ex__(self, protocol: object) -> NoReturn:
        self.__getstate__()

    def __copy__(self) -> Secret:
        return self

    def __deepcopy__(self, memo: dict[int, Any]) -> Secret:
        return self
