"""Certificates of an authority of the test's own: good ones, and each kind that a client has to refuse."""

import datetime
import ipaddress
import os
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import NamedTuple

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import ExtendedKeyUsageOID, NameOID

LOCAL_NAMES = ("localhost", "127.0.0.1")
_DAY = datetime.timedelta(days=1)
_DIGITAL_SIGNATURE = ("digital_signature",)
_AUTHORITY = ("key_cert_sign", "crl_sign")
_KEY_USAGES = (
    "digital_signature",
    "content_commitment",
    "key_encipherment",
    "data_encipherment",
    "key_agreement",
    "key_cert_sign",
    "crl_sign",
    "encipher_only",
    "decipher_only",
)


class Identity(NamedTuple):
    """A certificate and its private key, in PEM files."""

    certificate: Path
    key: Path


class Authority:
    """A certificate authority with its files in `directory`; `certificate` is what clients have to trust."""

    def __init__(self, directory: Path, name: str = "Authority of these tests") -> None:
        directory.mkdir(parents=True, exist_ok=True)
        self._directory = directory
        self._key = ec.generate_private_key(ec.SECP256R1())
        self._name = _name(name)
        template = _template(self._name, _days(-1, 3650)).issuer_name(self._name).public_key(self._key.public_key())
        template = template.add_extension(x509.BasicConstraints(ca=True, path_length=0), critical=True)
        template = template.add_extension(_key_usage(_AUTHORITY), critical=True)
        template = template.add_extension(
            x509.SubjectKeyIdentifier.from_public_key(self._key.public_key()), critical=False
        )
        self.certificate = directory / "ca.pem"
        self.certificate.write_bytes(_pem(template.sign(self._key, hashes.SHA256())))

    def server(self, names: Sequence[str] = LOCAL_NAMES, file_name: str = "server") -> Identity:
        """A good one for these host names and addresses."""
        return self._issue(file_name, names, _days(-1, 30))

    def expired(self, names: Sequence[str] = LOCAL_NAMES) -> Identity:
        """One that was good until yesterday."""
        return self._issue("expired", names, _days(-30, -1))

    def not_yet_valid(self, names: Sequence[str] = LOCAL_NAMES) -> Identity:
        """One that will be good from tomorrow."""
        return self._issue("not-yet-valid", names, _days(1, 30))

    def for_another_name(self) -> Identity:
        """A good one, for a host that is not this."""
        return self._issue("another-name", ("another.example.com",), _days(-1, 30))

    def client(self, user: str) -> Identity:
        """One that says who a client is, in its common name."""
        return self._issue(f"client-{user}", (), _days(-1, 30), common_name=user, usage=ExtendedKeyUsageOID.CLIENT_AUTH)

    def _issue(
        self,
        file_name: str,
        names: Sequence[str],
        validity: tuple[datetime.datetime, datetime.datetime],
        *,
        common_name: str = "",
        usage: x509.ObjectIdentifier = ExtendedKeyUsageOID.SERVER_AUTH,
    ) -> Identity:
        key = ec.generate_private_key(ec.SECP256R1())
        template = _template(_name(common_name or names[0]), validity).issuer_name(self._name)
        template = _for_an_end(template.public_key(key.public_key()), names, usage)
        template = template.add_extension(
            x509.AuthorityKeyIdentifier.from_issuer_public_key(self._key.public_key()), critical=False
        )
        certificate = template.sign(self._key, hashes.SHA256())
        return _written(self._directory, file_name, certificate, key)


def self_signed(directory: Path, names: Sequence[str] = LOCAL_NAMES) -> Identity:
    """One that nobody but its owner vouches for."""
    directory.mkdir(parents=True, exist_ok=True)
    key = ec.generate_private_key(ec.SECP256R1())
    name = _name(names[0])
    template = _template(name, _days(-1, 30)).issuer_name(name).public_key(key.public_key())
    template = _for_an_end(template, names, ExtendedKeyUsageOID.SERVER_AUTH)
    return _written(directory, "self-signed", template.sign(key, hashes.SHA256()), key)


def _days(begin: int, end: int) -> tuple[datetime.datetime, datetime.datetime]:
    # Half a day more, so that `end` whole days are left however long the test takes, and if the clock is set meanwhile.
    now = datetime.datetime.now(datetime.UTC)
    return now + begin * _DAY, now + end * _DAY + _DAY / 2


def _name(common_name: str) -> x509.Name:
    return x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, common_name)])


def _template(subject: x509.Name, validity: tuple[datetime.datetime, datetime.datetime]) -> x509.CertificateBuilder:
    begin, end = validity
    template = x509.CertificateBuilder().subject_name(subject).serial_number(x509.random_serial_number())
    return template.not_valid_before(begin).not_valid_after(end)


def _for_an_end(
    template: x509.CertificateBuilder, names: Sequence[str], usage: x509.ObjectIdentifier
) -> x509.CertificateBuilder:
    template = template.add_extension(x509.BasicConstraints(ca=False, path_length=None), critical=True)
    template = template.add_extension(_key_usage(_DIGITAL_SIGNATURE), critical=True)
    template = template.add_extension(x509.ExtendedKeyUsage([usage]), critical=False)
    if names:
        template = template.add_extension(x509.SubjectAlternativeName(list(map(_general_name, names))), critical=False)
    return template


def _general_name(name: str) -> x509.GeneralName:
    try:
        return x509.IPAddress(ipaddress.ip_address(name))
    except ValueError:
        return x509.DNSName(name)


def _key_usage(usages: Iterable[str]) -> x509.KeyUsage:
    return x509.KeyUsage(**{usage: usage in usages for usage in _KEY_USAGES})


def _written(
    directory: Path, file_name: str, certificate: x509.Certificate, key: ec.EllipticCurvePrivateKey
) -> Identity:
    identity = Identity(directory / f"{file_name}.pem", directory / f"{file_name}.key")
    identity.certificate.write_bytes(_pem(certificate))
    private = key.private_bytes(
        serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
    )
    # libpq refuses a key that others may read.
    with os.fdopen(os.open(identity.key, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600), "wb") as file:
        file.write(private)
    return identity


def _pem(certificate: x509.Certificate) -> bytes:
    return certificate.public_bytes(serialization.Encoding.PEM)
