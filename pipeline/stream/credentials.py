"""How Faust names what `pipeline.kafka.security` holds."""

from __future__ import annotations

from faust.auth import Credentials, SASLCredentials, SSLCredentials

from pipeline.kafka.security import Security


def credentials(security: Security) -> Credentials | None:
    """None for a Kafka that asks for nothing."""
    if security.is_sasl:
        return SASLCredentials(
            username=security.username,
            password=security.password,
            ssl_context=security.context,
            mechanism=security.mechanism,
        )
    return None if security.context is None else SSLCredentials(security.context)
