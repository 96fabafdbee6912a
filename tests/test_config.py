"""Settings: the file, the environment, which wins, and what a mistake is told with."""

from __future__ import annotations

from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from wetread.config import (
    ENDPOINT_NAMES,
    VARIABLES,
    EndpointSettings,
    Settings,
    is_loopback,
    load_settings,
    split_url,
    unknown_variables,
)
from wetread.errors import ConfigError

URL = "https://cxr.westus3.inference.ml.azure.com/score"
SECRET = "s3cr3t-0123456789"


def settings(folder: Path, text: str = "", **environ: str) -> Settings:
    (folder / "wetread.toml").write_text(text, encoding="utf-8")
    return load_settings(folder, environ)


def test_nothing_configured(tmp_path: Path) -> None:
    found = load_settings(tmp_path, {})
    assert found == Settings()
    assert (found.endpoints, found.model, found.library) == ({}, "protocol", None)


def test_file(tmp_path: Path) -> None:
    found = settings(
        tmp_path,
        f'''
        model = "compatible:llama3:70b"
        model_base_url = "http://localhost:11434/v1"
        library = "cases.db"
        [endpoints.cxrreportgen]
        url = "{URL}"
        key = "{SECRET}"
        deployment = "blue"
        timeout_s = 30
        [endpoints.medimageparse]
        url = "http://127.0.0.1:8800/medimageparse/score"
        max_in_flight = 3
        max_payload_mb = 2.5
        ''',
    )
    cxr, parse = found.endpoints["cxrreportgen"], found.endpoints["medimageparse"]
    assert (cxr.url, cxr.deployment, cxr.timeout_s, cxr.max_in_flight, cxr.auth) == (URL, "blue", 30, 2, "key")
    assert cxr.key is not None and cxr.key.get_secret_value() == SECRET
    assert (parse.max_in_flight, parse.max_payload_mb, parse.auth, parse.host) == (3, 2.5, "none", "127.0.0.1:8800")
    assert (found.model_kind, found.model_name) == ("compatible", "llama3:70b")
    assert found.library == tmp_path / "cases.db"


def test_environment_wins(tmp_path: Path) -> None:
    found = settings(
        tmp_path,
        f'model = "openai:a"\n[endpoints.cxrreportgen]\nurl = "{URL}"\nkey = "{SECRET}"\ntimeout_s = 3\n',
        WETREAD_MODEL="azure:b",
        WETREAD_CXRREPORTGEN_TIMEOUT_S="7.5",
        WETREAD_CXRREPORTGEN_DEPLOYMENT="green",
        WETREAD_CXRREPORTGEN_KEY="   ",
    )
    cxr = found.endpoints["cxrreportgen"]
    assert (found.model, cxr.timeout_s, cxr.deployment) == ("azure:b", 7.5, "green")
    assert cxr.key is not None and cxr.key.get_secret_value() == SECRET, "a blank variable counts as not set"


def test_vendor_variables(tmp_path: Path) -> None:
    every = (
        '{"cxr_report_gen": "https://a/score", "med_image_insight": "https://b/score", "gigapath": "https://c/score"}'
    )
    found = load_settings(
        tmp_path,
        {
            "HLS_MODEL_ENDPOINTS": every,
            "MI2_MODEL_ENDPOINT": "https://d/score",
            "MIP_MODEL_ENDPOINT": "https://e/score",
            "WETREAD_MEDIMAGEPARSE_URL": "https://f/score",
        },
    )
    assert {name: endpoint.host for name, endpoint in found.endpoints.items()} == {
        "cxrreportgen": "a",
        "medimageinsight": "d",
        "medimageparse": "f",
    }
    assert [found.endpoints[name].max_in_flight for name in ENDPOINT_NAMES] == [2, 16, 12]
    assert {endpoint.auth for endpoint in found.endpoints.values()} == {"entra"}


@pytest.mark.parametrize(
    ("environ", "expected"),
    [
        ({"WETREAD_MODEL": "openai:m", "OPENAI_API_KEY": "vendor"}, (None, "vendor", None)),
        ({"WETREAD_MODEL": "openai:m", "OPENAI_API_KEY": "v", "WETREAD_MODEL_API_KEY": "own"}, (None, "own", None)),
        ({"WETREAD_MODEL": "protocol", "OPENAI_API_KEY": "vendor"}, (None, None, None)),
        ({"WETREAD_MODEL": "compatible:m", "OPENAI_API_KEY": "vendor"}, (None, None, None)),
        (
            {
                "WETREAD_MODEL": "azure:d",
                "AZURE_OPENAI_ENDPOINT": "https://x",
                "AZURE_OPENAI_API_KEY": "k",
                "OPENAI_API_VERSION": "2024-10-21",
            },
            ("https://x", "k", "2024-10-21"),
        ),
    ],
)
def test_chat_model_variables(
    tmp_path: Path, environ: dict[str, str], expected: tuple[str | None, str | None, str | None]
) -> None:
    found = load_settings(tmp_path, environ)
    key = found.model_api_key.get_secret_value() if found.model_api_key else None
    assert (found.model_base_url, key, found.model_api_version) == expected


def test_a_key_does_not_follow_to_another_host(tmp_path: Path) -> None:
    text = f'[endpoints.cxrreportgen]\nurl = "{URL}"\nkey = "{SECRET}"\ndeployment = "blue"\n'
    moved = settings(tmp_path, text, WETREAD_CXRREPORTGEN_URL="https://elsewhere.example/score")
    assert (moved.endpoints["cxrreportgen"].key, moved.endpoints["cxrreportgen"].deployment) == (None, None)
    same = settings(tmp_path, text, WETREAD_CXRREPORTGEN_URL=f"{URL}?x=1")
    assert same.endpoints["cxrreportgen"].key is not None
    model = 'model = "compatible:m"\nmodel_base_url = "https://a/v1"\nmodel_api_key = "k"\n'
    assert settings(tmp_path, model, WETREAD_MODEL_BASE_URL="https://b/v1").model_api_key is None


@pytest.mark.parametrize(
    ("text", "environ", "code", "words"),
    [
        pytest.param("[endpoints", {}, "TOML", ["line 1", "TOML"], id="not TOML"),
        pytest.param('# first\nmodle = "protocol"', {}, "TOML", ["line 2", "'modle'", "'model'"], id="typo"),
        pytest.param(
            f'[endpoints.cxrreportgen]\nurl = "{URL}"\n\nkye = "{SECRET}"',
            {},
            "TOML",
            ["line 4", "'kye'", "endpoints.cxrreportgen", "'key'"],
            id="typo in a table",
        ),
        pytest.param("[endpoints.cxrreportgenn]", {}, "TOML", ["line 1", "'cxrreportgen'"], id="no such endpoint"),
        pytest.param(
            f'[endpoints]\nmedimageparse = {{ url = "{URL}", timeout_s = "9" }}',
            {},
            "TOML",
            ["line 2", "timeout_s", "number"],
            id="wrong type in an inline table",
        ),
        pytest.param(
            f'endpoints.cxrreportgen.url = "{URL}"\nendpoints.cxrreportgen.timeout_s = -1',
            {},
            "VALUE",
            ["line 2"],
            id="dotted key out of range",
        ),
        pytest.param('model = "openia:gpt"', {}, "VALUE", ["line 1", "'openai'"], id="no such kind of model"),
        pytest.param("", {"WETREAD_MODEL": "openai:"}, "VALUE", ["WETREAD_MODEL"], id="model without a name"),
        pytest.param("", {"WETREAD_MODEL": "protocol:x"}, "VALUE", ["WETREAD_MODEL"], id="protocol with a name"),
        pytest.param("", {"MIP_MODEL_ENDPOINT": "htps://x"}, "VALUE", ["MIP_MODEL_ENDPOINT", "https"], id="bad URL"),
        pytest.param("", {"HLS_MODEL_ENDPOINTS": "[1]"}, "VALUE", ["HLS_MODEL_ENDPOINTS"], id="bad vendor JSON"),
        pytest.param(
            "",
            {"WETREAD_CXRREPORTGEN_URL": f"https://u:{SECRET}@h/score"},
            "VALUE",
            ["WETREAD_CXRREPORTGEN_URL", "password"],
            id="password in the URL",
        ),
        pytest.param(
            "",
            {"WETREAD_CXRREPORTGEN_URL": "http://h/score", "WETREAD_CXRREPORTGEN_KEY": SECRET},
            "VALUE",
            ["WETREAD_CXRREPORTGEN_URL", "plain http"],
            id="key over plain http",
        ),
        pytest.param(
            "",
            {"WETREAD_CXRREPORTGEN_URL": URL, "WETREAD_CXRREPORTGEN_KEY": f"{SECRET}\n{SECRET}"},
            "VALUE",
            ["WETREAD_CXRREPORTGEN_KEY", "white space"],
            id="key in two lines",
        ),
        pytest.param("", {"WETREAD_CXRREPORTGEN_KEY": SECRET}, "VALUE", ["WETREAD_CXRREPORTGEN_URL"], id="key alone"),
        pytest.param(
            "",
            {"WETREAD_CXRREPORTGEN_URL": URL, "WETREAD_CXRREPORTGEN_MAX_IN_FLIGHT": "many"},
            "VALUE",
            ["WETREAD_CXRREPORTGEN_MAX_IN_FLIGHT", "number"],
            id="no number",
        ),
    ],
)
def test_mistakes(tmp_path: Path, text: str, environ: dict[str, str], code: str, words: list[str]) -> None:
    with pytest.raises(ConfigError) as caught:
        settings(tmp_path, text, **environ)
    assert caught.value.code == f"WET-CONFIG-{code}"
    line = caught.value.line()
    assert all(word in line for word in words), line
    assert SECRET not in line and "\n" not in line


def test_files_that_cannot_be_read(tmp_path: Path) -> None:
    (tmp_path / "wetread.toml").mkdir()
    with pytest.raises(ConfigError, match="cannot be read") as caught:
        load_settings(tmp_path, {})
    assert caught.value.code == "WET-CONFIG-FILE"
    other = tmp_path / "other"
    other.mkdir()
    (other / "wetread.toml").write_bytes(b'model = "\xff"')
    with pytest.raises(ConfigError, match="UTF-8"):
        load_settings(other, {})


def test_windows_file(tmp_path: Path) -> None:
    (tmp_path / "wetread.toml").write_bytes(b'\xef\xbb\xbfmodel = "openai:a"\r\n[endpoints]\r\n')
    assert load_settings(tmp_path, {}).model == "openai:a"


def test_secrets_do_not_show(tmp_path: Path) -> None:
    found = settings(
        tmp_path,
        f'[endpoints.cxrreportgen]\nurl = "{URL}?code={SECRET}"\nkey = "{SECRET}"\n',
        WETREAD_MODEL="openai:m",
        OPENAI_API_KEY=SECRET,
    )
    shown = [repr(found), str(found), found.endpoints["cxrreportgen"].host, repr(found.model_dump()["model_api_key"])]
    assert all(SECRET not in text for text in shown)


def test_unknown_variables() -> None:
    found = unknown_variables({"WETREAD_CXRREPORTGN_URL": "x", "PATH": "y", **dict.fromkeys(VARIABLES, "z")})
    assert [name for name, _ in found] == ["WETREAD_CXRREPORTGN_URL"]
    assert "WETREAD_CXRREPORTGEN_URL" in found[0][1]


@pytest.mark.parametrize(
    ("host", "expected"),
    [("localhost", True), ("127.9.9.9", True), ("::1", True), ("a.localhost", True), ("localhost.evil.org", False)],
)
def test_loopback(host: str, expected: bool) -> None:
    assert is_loopback(host) is expected


@given(st.text(max_size=60) | st.text(max_size=40).map(lambda text: f"https://{text}"))
def test_any_url_is_taken_or_refused(url: str) -> None:
    try:
        parts = split_url(url)
    except ValueError as error:
        assert type(error) is ValueError
    else:
        assert parts.hostname and parts.scheme in ("http", "https") and parts.username is None
        assert EndpointSettings(url=url).host


# --- the archive


def test_the_archive_is_set_in_the_file_and_the_environment_wins(tmp_path: Path) -> None:
    (tmp_path / "wetread.toml").write_text(
        '[dicomweb]\nurl = "https://pacs.example/dicom-web"\nuser = "ada"\npassword = "s3cret"\n', "utf-8"
    )
    found = load_settings(tmp_path, {}).dicomweb
    assert (found.url, found.user) == ("https://pacs.example/dicom-web", "ada")
    assert "s3cret" not in repr(found) and "ada" not in repr(found)
    by_token = load_settings(tmp_path, {"WETREAD_DICOMWEB_TOKEN": "t0ken"}).dicomweb
    assert by_token.user is None and by_token.token is not None and by_token.url == found.url
    elsewhere = load_settings(tmp_path, {"WETREAD_DICOMWEB_URL": "https://other.example/dicom-web"}).dicomweb
    assert elsewhere.user is None and elsewhere.password is None, "the file's credentials belong to the old host"


@pytest.mark.parametrize(
    ("environ", "words"),
    [
        ({"URL": "pacs.example"}, "WETREAD_DICOMWEB_URL"),
        ({"URL": "https://pacs.example/?a=b"}, "WETREAD_DICOMWEB_URL"),
        ({"USER": "ada"}, "WETREAD_DICOMWEB_USER: a user needs a password"),
        ({"USER": "a:b", "PASSWORD": "x"}, "WETREAD_DICOMWEB_USER"),
        ({"TOKEN": "s3cret token"}, "WETREAD_DICOMWEB_TOKEN"),
        ({"TOKEN": "s3cret", "USER": "ada", "PASSWORD": "s3cret"}, "give one of them"),
        ({"URL": "http://pacs.example", "TOKEN": "s3cret"}, "plain http"),
    ],
)
def test_an_archive_that_cannot_be_is_told_without_its_secret(
    tmp_path: Path, environ: dict[str, str], words: str
) -> None:
    with pytest.raises(ConfigError) as error:
        load_settings(tmp_path, {f"WETREAD_DICOMWEB_{name}": value for name, value in environ.items()})
    assert words in str(error.value) and "s3cret" not in str(error.value)


def test_a_slip_in_the_archives_table_is_told_with_its_line(tmp_path: Path) -> None:
    (tmp_path / "wetread.toml").write_text('[dicomweb]\nurll = "https://pacs.example"\n', "utf-8")
    with pytest.raises(ConfigError, match=r"line 2: unknown key 'urll'.*Did you mean 'url'"):
        load_settings(tmp_path, {})
