"""The archive (PACS) of the settings; `config` reads it."""

from __future__ import annotations

import re

from pydantic import Field, SecretStr, field_validator, model_validator

from wetread.urls import is_private, split_url
from wetread.values import Value


class DicomWebSettings(Value):
    """The archive (PACS) that is used, and how it lets wetread in: with a user and a password, or with a token."""

    url: str | None = Field(default=None, repr=False)
    """Base address of its DICOMweb services. Where it is set, the credentials go to that host alone."""
    user: str | None = Field(default=None, repr=False)
    password: SecretStr | None = None
    token: SecretStr | None = None

    @field_validator("url")
    @classmethod
    def _usable_url(cls, url: str | None) -> str | None:
        if url is not None and split_url(url).query:
            raise ValueError("the URL has a '?' part; give the base address of the DICOMweb services")
        return url

    @field_validator("token")
    @classmethod
    def _token_fits_a_header(cls, token: SecretStr | None) -> SecretStr | None:
        if token is not None and not re.fullmatch(r"[\x21-\x7e]+", token.get_secret_value()):
            raise ValueError("the token is empty or has white space or characters that no token has")
        return token

    @field_validator("user")
    @classmethod
    def _user_fits_a_header(cls, user: str | None) -> str | None:
        if user is not None and (":" in user or not user.isprintable()):
            raise ValueError("the user has a colon or a character that no user name has")
        return user

    @model_validator(mode="after")
    def _one_way_in(self) -> DicomWebSettings:
        if (self.user is None) != (self.password is None):
            raise ValueError("a user needs a password, and a password a user")
        if self.user is not None and self.token is not None:
            raise ValueError("there is a user and a token; give one of them")
        if self.url is not None and (self.user or self.token) and not is_private(split_url(self.url)):
            raise ValueError("the credentials would travel over plain http; use https, or http to this machine alone")
        return self


class DicomWebTable(Value):
    """The table `[dicomweb]` of `wetread.toml`, not yet checked."""

    url: str | None = None
    user: str | None = None
    password: str | None = None
    token: str | None = None
