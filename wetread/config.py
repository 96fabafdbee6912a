"""Settings: `wetread.toml` of the workspace and the environment; the environment wins. Secrets never show.

    model = "openai:gpt-4.1"                  # protocol | openai:NAME | azure:DEPLOYMENT | compatible:NAME
    library = "cases.db"

    [endpoints.cxrreportgen]
    url = "https://my-cxr.westus3.inference.ml.azure.com/score"
    deployment = "blue"                        # key, timeout_s, max_in_flight, max_payload_mb

    [dicomweb]
    url = "https://pacs.example.org/dicom-web" # user and password, or token

Every value can also be set by a variable, listed in `VARIABLES`. An endpoint without a key is called with an Entra ID
token. A key never travels over plain http, but to this machine itself.
"""

from __future__ import annotations

import os
import re
import tomllib
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Literal, TypeVar, get_args

import orjson
from pydantic import Field, SecretStr, TypeAdapter, ValidationError, field_validator, model_validator

from wetread.dicomweb_settings import DicomWebSettings as DicomWebSettings
from wetread.dicomweb_settings import DicomWebTable
from wetread.errors import ConfigError
from wetread.urls import is_loopback as is_loopback
from wetread.urls import is_private, shown_host
from wetread.urls import split_url as split_url
from wetread.values import Value
from wetread.yamlfile import nearest

STORE_FILE = Path(".wetread") / "store.db"
"""Where a workspace's store is, from the workspace."""

FILE_NAME = "wetread.toml"
MAX_FILE_BYTES = 1_000_000

EndpointName = Literal["cxrreportgen", "medimageparse", "medimageinsight"]
ENDPOINT_NAMES: tuple[EndpointName, ...] = get_args(EndpointName)

MAX_IN_FLIGHT: dict[EndpointName, int] = {"cxrreportgen": 2, "medimageparse": 16, "medimageinsight": 12}
"""Requests that the default deployments take at once before they answer 429."""

ValueT = TypeVar("ValueT", bound=Value)

MODEL_KINDS = ("protocol", "openai", "azure", "compatible")


class EndpointSettings(Value):
    """How one model endpoint is called."""

    url: str = Field(repr=False)
    """The scoring address. It may hold a secret in its query, so it is not shown; `host` may be."""
    key: SecretStr | None = None
    deployment: str | None = None
    """Pins one deployment by the header azureml-model-deployment; needed where its share of the traffic is 0 %."""
    timeout_s: float = Field(default=120.0, gt=0, le=3600)
    """For one call, waiting for a free place and all retries included."""
    max_in_flight: int = Field(default=2, ge=1, le=1000)
    max_payload_mb: float = Field(default=10.0, gt=0, le=1000)
    """Requests larger than this are refused before they are sent, in megabytes of 1,000,000 bytes."""

    @field_validator("url")
    @classmethod
    def _usable_url(cls, url: str) -> str:
        split_url(url)
        return url

    @field_validator("deployment")
    @classmethod
    def _header_safe(cls, deployment: str | None) -> str | None:
        if deployment is not None and not re.fullmatch(r"[A-Za-z0-9._-]{1,64}", deployment):
            raise ValueError("a deployment's name has letters, digits, '.', '_' and '-' only")
        return deployment

    @field_validator("key")
    @classmethod
    def _key_fits_a_header(cls, key: SecretStr | None) -> SecretStr | None:
        if key is not None and not re.fullmatch(r"[\x21-\x7e]+", key.get_secret_value()):
            raise ValueError("the key is empty or has white space or characters that no key has")
        return key

    @model_validator(mode="after")
    def _key_is_kept_safe(self) -> EndpointSettings:
        if self.key is not None and not self.is_private:
            raise ValueError("the key would travel over plain http; use https, or http to this machine alone")
        return self

    @property
    def host(self) -> str:
        """Host and port, to be shown to people."""
        return shown_host(split_url(self.url))

    @property
    def is_private(self) -> bool:
        """Whether nobody on the way can read what is sent: https, or this machine."""
        return is_private(split_url(self.url))

    @property
    def auth(self) -> Literal["key", "entra", "none"]:
        """How calls are authenticated. Without a key, https means Entra ID and plain http means not at all."""
        if self.key is not None:
            return "key"
        return "entra" if split_url(self.url).scheme == "https" else "none"


class Settings(Value):
    """All that a session is set up with. `endpoints` holds those that are configured."""

    endpoints: dict[EndpointName, EndpointSettings] = Field(default_factory=dict)
    model: str = "protocol"
    model_base_url: str | None = Field(default=None, repr=False)
    model_api_key: SecretStr | None = None
    model_api_version: str | None = None
    """For `azure:` alone."""
    library: Path | None = None
    """The case library for retrieval."""
    store: str | None = Field(default=None, repr=False)
    """Where reports are kept: a file, or a URL, which may hold a password."""
    dicomweb: DicomWebSettings = DicomWebSettings()
    reader: str | None = Field(default=None, max_length=120)
    """The name of the person who reads, as it stands on what they change and sign."""

    @field_validator("model")
    @classmethod
    def _known_model(cls, model: str) -> str:
        kind, colon, name = model.partition(":")
        if kind not in MODEL_KINDS:
            raise ValueError(f"'{_short(kind)}' is no kind of chat model. {nearest(kind, MODEL_KINDS)}")
        if (kind == "protocol") == bool(colon) or (colon and not name.strip()):
            raise ValueError("write protocol, openai:NAME, azure:DEPLOYMENT or compatible:NAME")
        return model

    @field_validator("model_base_url")
    @classmethod
    def _usable_url(cls, url: str | None) -> str | None:
        if url is not None:
            split_url(url)
        return url

    @model_validator(mode="after")
    def _key_is_kept_safe(self) -> Settings:
        url = self.model_base_url
        if self.model_api_key is not None and url is not None and not is_private(split_url(url)):
            raise ValueError("the key would travel over plain http; use https, or http to this machine alone")
        return self

    @property
    def model_kind(self) -> str:
        """`protocol`, `openai`, `azure` or `compatible`."""
        return self.model.partition(":")[0]

    @property
    def model_name(self) -> str:
        """The model's or deployment's name behind the kind; empty for the protocol."""
        return self.model.partition(":")[2]


_FIELDS = ("url", "key", "deployment", "timeout_s", "max_in_flight", "max_payload_mb")
_TOOLKIT_VARIABLES: dict[EndpointName, str] = {
    "cxrreportgen": "CXRREPORTGEN_MODEL_ENDPOINT",
    "medimageparse": "MIP_MODEL_ENDPOINT",
    "medimageinsight": "MI2_MODEL_ENDPOINT",
}
_ALL_ENDPOINTS_VARIABLE = "HLS_MODEL_ENDPOINTS"
_ALL_ENDPOINTS_KEYS: dict[EndpointName, str] = {
    "cxrreportgen": "cxr_report_gen",
    "medimageparse": "med_image_parse",
    "medimageinsight": "med_image_insight",
}
_MODEL_VARIABLES: dict[str, dict[str, str]] = {
    "model_base_url": {"": "WETREAD_MODEL_BASE_URL", "azure": "AZURE_OPENAI_ENDPOINT"},
    "model_api_key": {"": "WETREAD_MODEL_API_KEY", "openai": "OPENAI_API_KEY", "azure": "AZURE_OPENAI_API_KEY"},
    "model_api_version": {"": "WETREAD_MODEL_API_VERSION", "azure": "OPENAI_API_VERSION"},
}


_DICOMWEB_VARIABLES = {name: f"WETREAD_DICOMWEB_{name}".upper() for name in ("url", "user", "password", "token")}


def variable(endpoint: EndpointName, field: str) -> str:
    """The environment variable of one endpoint setting, such as `WETREAD_CXRREPORTGEN_URL`."""
    return f"WETREAD_{endpoint}_{field}".upper()


VARIABLES: tuple[str, ...] = (
    *(variable(name, field) for name in ENDPOINT_NAMES for field in _FIELDS),
    "WETREAD_MODEL",
    "WETREAD_LIBRARY",
    "WETREAD_STORE",
    "WETREAD_READER",
    "WETREAD_FHIR_TOKEN",
    *_DICOMWEB_VARIABLES.values(),
    *(names[""] for names in _MODEL_VARIABLES.values()),
)
"""The variables of wetread's own; the vendor's (`HLS_MODEL_ENDPOINTS`, `OPENAI_API_KEY`, ...) are read besides."""


class _EndpointTable(Value):
    url: str | None = None
    key: str | None = None
    deployment: str | None = None
    timeout_s: float | None = None
    max_in_flight: int | None = None
    max_payload_mb: float | None = None


class _EndpointTables(Value):
    cxrreportgen: _EndpointTable = _EndpointTable()
    medimageparse: _EndpointTable = _EndpointTable()
    medimageinsight: _EndpointTable = _EndpointTable()


class _File(Value):
    endpoints: _EndpointTables = _EndpointTables()
    model: str | None = None
    model_base_url: str | None = None
    model_api_key: str | None = None
    model_api_version: str | None = None
    library: str | None = None
    store: str | None = None
    dicomweb: DicomWebTable = DicomWebTable()
    reader: str | None = None


def load_settings(folder: Path | None = None, environ: Mapping[str, str] = os.environ) -> Settings:
    """The settings of a workspace.

    Variables that are set and empty count as not set. A variable that moves an endpoint to another host leaves the
    file's key and deployment for it behind: they belong to the old one. The vendors' variables for chat models
    (`OPENAI_API_KEY`, ...) fill in what neither the file nor a variable of wetread's own says.

    Args:
        folder: Where `wetread.toml` may lie; the current folder by default. The file need not exist.
        environ: The environment.

    Raises:
        ConfigError: `WET-CONFIG-FILE` (cannot be read), `WET-CONFIG-TOML` (not TOML, unknown key, wrong type) with file
            and line, `WET-CONFIG-VALUE` (a value that cannot be) with file and line or the variable's name.
    """
    folder = Path() if folder is None else folder
    env = {name: value.strip() for name, value in environ.items() if value.strip()}
    file, text = _read_file(folder / FILE_NAME)
    endpoints = {}
    for name in ENDPOINT_NAMES:
        settings = _endpoint(name, getattr(file.endpoints, name), text, env)
        if settings is not None:
            endpoints[name] = settings
    found: dict[str, tuple[Any, str]] = {}
    for field in ("model", "library", "store", "reader", *_MODEL_VARIABLES):
        value = getattr(file, field)
        if value is not None:
            if field == "library" or (field == "store" and "://" not in value):
                value = folder / value
            found[field] = (str(value) if field == "store" else value, _at(text, field))
    if "WETREAD_MODEL" in env:
        found["model"] = (env["WETREAD_MODEL"], "WETREAD_MODEL")
    if "WETREAD_LIBRARY" in env:
        found["library"] = (Path(env["WETREAD_LIBRARY"]), "WETREAD_LIBRARY")
    if "WETREAD_STORE" in env:
        found["store"] = (env["WETREAD_STORE"], "WETREAD_STORE")
    if "WETREAD_READER" in env:
        found["reader"] = (env["WETREAD_READER"], "WETREAD_READER")
    kind = str(found.get("model", ("protocol", ""))[0]).partition(":")[0]
    for field, names in _MODEL_VARIABLES.items():
        own, vendors = names[""], names.get(kind, "")
        if own in env:
            if field == "model_base_url" and field in found and _host_of(found[field][0]) != _host_of(env[own]):
                found.pop("model_api_key", None)
            found[field] = (env[own], own)
        elif vendors in env and field not in found:
            found[field] = (env[vendors], vendors)
    dicomweb = _dicomweb(file.dicomweb, text, env)
    return _build(Settings, found, endpoints=endpoints, dicomweb=dicomweb, first="model_base_url")


def unknown_variables(environ: Mapping[str, str] = os.environ) -> list[tuple[str, str]]:
    """Variables that begin with `WETREAD_` and mean nothing, each with a sentence naming the nearest right one."""
    unknown = sorted(name for name in environ if name.startswith("WETREAD_") and name not in VARIABLES)
    return [(name, nearest(name, VARIABLES)) for name in unknown]


def _endpoint(name: EndpointName, table: _EndpointTable, text: str, env: Mapping[str, str]) -> EndpointSettings | None:
    found: dict[str, tuple[Any, str]] = {}
    for field in _FIELDS:
        value = getattr(table, field)
        if value is not None:
            found[field] = (value, _at(text, "endpoints", name, field))
    moved = _url_from(name, env)
    if moved is not None:
        if "url" in found and _host_of(found["url"][0]) != _host_of(moved[0]):
            found.pop("key", None)
            found.pop("deployment", None)
        found["url"] = moved
    for field in _FIELDS[1:]:
        source = variable(name, field)
        if source in env:
            found[field] = (_number(env[source], source) if "_" in field else env[source], source)
    if not found:
        return None
    if "url" not in found:
        _, source = next(iter(found.values()))
        raise ConfigError(
            "WET-CONFIG-VALUE",
            f"{source} says something of {name}, which has no address.",
            f"Set {variable(name, 'url')}, or url in [endpoints.{name}] of {FILE_NAME}.",
        )
    return _build(EndpointSettings, {"max_in_flight": (MAX_IN_FLIGHT[name], ""), **found}, first="url")


def _dicomweb(table: DicomWebTable, text: str, env: Mapping[str, str]) -> DicomWebSettings:
    found: dict[str, tuple[Any, str]] = {}
    if any(_DICOMWEB_VARIABLES[field] in env for field in ("user", "password", "token")):
        table = DicomWebTable(url=table.url)  # another way in takes the place of the file's
    for field, source in _DICOMWEB_VARIABLES.items():
        value = getattr(table, field)
        if value is not None:
            found[field] = (value, _at(text, "dicomweb", field))
        if source in env:
            if field == "url" and value is not None and _host_of(value) != _host_of(env[source]):
                table = DicomWebTable()  # the file's credentials belong to the old host
            found[field] = (env[source], source)
    ways = [field for field in ("token", "user") if field in found]
    first = ways[0] if ways else next(iter(found), "url")
    return _build(DicomWebSettings, found, first=first)


def _url_from(name: EndpointName, env: Mapping[str, str]) -> tuple[str, str] | None:
    for source in (variable(name, "url"), _TOOLKIT_VARIABLES[name]):
        if source in env:
            return env[source], source
    if _ALL_ENDPOINTS_VARIABLE not in env:
        return None
    try:
        urls = orjson.loads(env[_ALL_ENDPOINTS_VARIABLE])
    except ValueError:
        urls = None
    if not isinstance(urls, dict) or not all(isinstance(url, str) for url in urls.values()):
        raise ConfigError(
            "WET-CONFIG-VALUE",
            f"{_ALL_ENDPOINTS_VARIABLE} is not a JSON object of texts.",
            'Write {"cxr_report_gen": "https://...", "med_image_parse": "...", "med_image_insight": "..."}.',
        )
    url = urls.get(_ALL_ENDPOINTS_KEYS[name], "").strip()
    return (url, _ALL_ENDPOINTS_VARIABLE) if url else None


def _host_of(url: str) -> str | None:
    try:
        return split_url(url).netloc.lower()
    except ValueError:
        return None


def _number(text: str, source: str) -> float:
    try:
        return TypeAdapter(float).validate_python(text)
    except ValidationError:
        raise ConfigError("WET-CONFIG-VALUE", f"{source} is not a number.") from None


def _build(model: type[ValueT], found: Mapping[str, tuple[Any, str]], *, first: str, **rest: Any) -> ValueT:
    """The model from values, each with where it comes from; `first` is the field that a contradiction is told of."""
    try:
        return model(**{field: value for field, (value, _) in found.items()}, **rest)
    except ValidationError as error:
        mistake = error.errors(include_url=False, include_input=False, include_context=False)[0]
    field = str(mistake["loc"][0]) if mistake["loc"] else first
    message = mistake["msg"].removeprefix("Value error, ")
    end = "" if message.endswith((".", "?")) else "."
    raise ConfigError("WET-CONFIG-VALUE", f"{found[field][1]}: {message[:1].lower()}{message[1:]}{end}")


def _read_file(path: Path) -> tuple[_File, str]:
    try:
        with path.open("rb") as file:
            raw = file.read(MAX_FILE_BYTES + 1)
    except FileNotFoundError:
        return _File(), ""
    except OSError as error:
        raise ConfigError(
            "WET-CONFIG-FILE", f"{path} cannot be read ({error.strerror}).", "Check the path and its rights."
        ) from None
    if len(raw) > MAX_FILE_BYTES:
        raise ConfigError("WET-CONFIG-FILE", f"{path} is larger than {MAX_FILE_BYTES} bytes.")
    try:
        text = raw.decode("utf-8-sig").replace("\r\n", "\n")
        data = tomllib.loads(text)
    except UnicodeDecodeError:
        raise ConfigError("WET-CONFIG-TOML", f"{FILE_NAME} is not UTF-8.", "Save it as UTF-8.") from None
    except (tomllib.TOMLDecodeError, RecursionError) as error:
        at = re.search(r"at line (\d+)", str(error))
        line = at[1] if at else text.rstrip().count("\n") + 1  # otherwise it is wrong "at end of document"
        raise ConfigError("WET-CONFIG-TOML", f"{FILE_NAME}, line {line}: this is not valid TOML.") from None
    try:
        return _File.model_validate(data, strict=True), text
    except ValidationError as error:
        mistake = error.errors(include_url=False, include_input=False)[0]
    *above, key = map(str, mistake["loc"])
    where = f"{_at(text, *above, key)}: "
    inside = f" in [{'.'.join(above)}]" if above else ""
    if mistake["type"] == "extra_forbidden":
        models: tuple[type[Value], ...] = (_File, _EndpointTables, _EndpointTable)
        model = DicomWebTable if above == ["dicomweb"] else models[len(above)]
        hint = nearest(key, sorted(model.model_fields))
        raise ConfigError("WET-CONFIG-TOML", f"{where}unknown key '{_short(key)}'{inside}.", hint)
    message = mistake["msg"].rstrip(".")
    raise ConfigError("WET-CONFIG-TOML", f"{where}{key}{inside}: {message[:1].lower()}{message[1:]}.")


_HEADER = re.compile(r"\s*\[\[?([^\[\]]+)\]")
_KEY = re.compile(r"""\s*((?:[\w-]+|"[^"]*"|'[^']*')(?:\s*\.\s*(?:[\w-]+|"[^"]*"|'[^']*'))*)\s*=""")


def _at(text: str, *path: str) -> str:
    """Where a key stands, as `wetread.toml, line 4`; the nearest key or table above it, if it is in an inline table."""
    best, line = 0, 1
    table: tuple[str, ...] = ()
    for number, content in enumerate(text.split("\n"), 1):
        if header := _HEADER.match(content):
            here = table = _dotted(header[1])
        elif key := _KEY.match(content):
            here = (*table, *_dotted(key[1]))
        else:
            continue
        if here == path[: len(here)] and len(here) > best:
            best, line = len(here), number
    return f"{FILE_NAME}, line {line}"


def _dotted(key: str) -> tuple[str, ...]:
    return tuple(part.strip().strip("\"'") for part in key.split("."))


def _short(word: str) -> str:
    return "".join(c for c in word if c.isprintable())[:40]
