"""What of the settings for TLS and SASL is refused, before any Kafka is asked."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from certificates import Authority
from pydantic import SecretStr

from pipeline.config import Settings
from pipeline.kafka.errors import KafkaUnusableError
from pipeline.kafka.security import security

SECRET = "open-sesame"


def given(**values: Any) -> Settings:
    return Settings(_env_file=None, **{f"kafka_{name}": value for name, value in values.items()})


def refused(**values: Any) -> str:
    with pytest.raises(KafkaUnusableError) as told:
        security(given(**values))
    line = str(told.value)
    assert "\n" not in line
    assert SECRET not in line
    return line


SASL = {"security_protocol": "SASL_PLAINTEXT", "sasl_username": "me"}
TLS = {"security_protocol": "SSL"}


def test_nothing_is_asked_for_by_default() -> None:
    found = security(given())
    assert found.for_librdkafka() == {"security.protocol": "PLAINTEXT"}
    assert found.for_python() == {"security_protocol": "PLAINTEXT", "ssl_context": None}


@pytest.mark.parametrize(
    ("protocol", "name", "value"),
    [
        ("PLAINTEXT", "sasl_username", "me"),
        ("SSL", "sasl_password", SecretStr(SECRET)),
        ("SSL", "sasl_password_file", Path("x")),
        ("SASL_PLAINTEXT", "ssl_ca", Path("x")),
        ("PLAINTEXT", "ssl_certificate", Path("x")),
        ("PLAINTEXT", "ssl_key", Path("x")),
    ],
)
def test_a_setting_that_would_protect_nothing_is_refused(
    protocol: str, name: str, value: object
) -> None:
    line = refused(security_protocol=protocol, **{name: value})
    assert line.startswith(f"PIPELINE_KAFKA_{name.upper()} has no effect while ")


def test_a_user_and_one_password_are_needed(tmp_path: Path) -> None:
    assert "PIPELINE_KAFKA_SASL_USERNAME" in refused(security_protocol="SASL_SSL")
    assert "PIPELINE_KAFKA_SASL_PASSWORD" in refused(**SASL)
    file = tmp_path / "password"
    file.write_text("\n")
    assert f"{file} is empty" in refused(**SASL, sasl_password_file=file)
    file.write_text(SECRET)
    assert "not both" in refused(**SASL, sasl_password=SecretStr(SECRET), sasl_password_file=file)
    missing = tmp_path / "missing"
    assert f"{missing} cannot be used: No such" in refused(**SASL, sasl_password_file=missing)


def test_a_password_from_a_file_ends_before_its_line_end(tmp_path: Path) -> None:
    file = tmp_path / "password"
    file.write_bytes(b" \xc3\xa4 b \r\n")
    assert security(given(**SASL, sasl_password_file=file)).password == " \u00e4 b "


def test_files_that_are_none_of_theirs_are_refused(tmp_path: Path) -> None:
    authority = Authority.made(tmp_path / "ca")
    certificate, key = authority.sign("localhost")
    other = Authority.made(tmp_path / "other").sign("localhost")[1]
    text = tmp_path / "text"
    text.write_text("hello\n")
    locked = tmp_path / "locked.key"
    authority.lock(key, locked)
    assert f"PIPELINE_KAFKA_SSL_CA={text} cannot be used" in refused(**TLS, ssl_ca=text)
    missing = tmp_path / "missing"
    assert f"{missing} cannot be used: No such file" in refused(**TLS, ssl_ca=missing)
    assert "or neither" in refused(**TLS, ssl_certificate=certificate)
    assert "or neither" in refused(**TLS, ssl_key=key)
    for wrong in (other, locked, text):
        line = refused(**TLS, ssl_certificate=certificate, ssl_key=wrong)
        assert f"PIPELINE_KAFKA_SSL_KEY={wrong} cannot be used" in line
    words = security(
        given(**TLS, ssl_ca=authority.ca, ssl_certificate=certificate, ssl_key=key)
    ).for_librdkafka()
    assert words["ssl.key.location"] == str(key)


def test_host_names_are_checked_by_every_client() -> None:
    found = security(given(**TLS))
    assert found.for_librdkafka()["ssl.endpoint.identification.algorithm"] == "https"
    assert found.for_python()["ssl_context"].check_hostname


def test_the_password_is_in_no_repr_and_reaches_a_child() -> None:
    settings = given(**SASL, sasl_password=SecretStr(SECRET))
    found = security(settings)
    for text in (
        repr(settings),
        str(settings),
        repr(found),
        str(found),
        settings.model_dump_json(),
    ):
        assert SECRET not in text
    assert settings.environment()["PIPELINE_KAFKA_SASL_PASSWORD"] == SECRET
    assert found.for_librdkafka()["sasl.password"] == SECRET
    assert found.for_python()["sasl_plain_password"] == SECRET
