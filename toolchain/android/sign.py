"""Signatures: a user's key, or a debug key that is made once."""

from __future__ import annotations

import os
from dataclasses import dataclass
from pathlib import Path

from toolchain import files
from toolchain.android import tools
from toolchain.android.archive import Entry, archive
from toolchain.errors import PackagingError

_DEBUG_VALIDITY_DAYS = 10_000


@dataclass(frozen=True)
class Key:
    """A key in a keystore. `password` is as apksigner takes it: env:NAME or file:PATH, so that it stands on no command line.
    `alias` is needed only where the keystore holds several keys."""

    keystore: Path
    password: str
    alias: str = ""
    debug: bool = False

    def __post_init__(self) -> None:
        kind, _, place = self.password.partition(":")
        if kind not in ("env", "file") or not place:
            raise PackagingError(f"keystore password: expected env:NAME or file:PATH, got {kind}:…; put it into a variable or a file")
        if kind == "env" and place not in os.environ:
            raise PackagingError(f"keystore password: expected the environment variable {place}, it is not set")
        if kind == "file" and not Path(place).is_file():
            raise PackagingError(f"keystore password: expected a file {place}, not found")
        if not self.keystore.is_file():
            raise PackagingError(f"{self.keystore}: expected a keystore, not found; keytool -genkeypair makes one")


def debug_key(folder: Path) -> Key:
    """The debug key in `folder`, made when there is none: good for one's own phones, refused by every store."""
    keystore, password = folder / "debug.p12", folder / "debug.password"
    if not password.is_file() or not keystore.is_file():
        # The password guards nothing: it lies beside the key, which only its owner can read.
        files.write(password, "android\n")
        with files.partial(keystore) as partial:
            partial.unlink()
            options = ["-storetype", "PKCS12", "-keyalg", "RSA", "-keysize", "2048", "-validity", str(_DEBUG_VALIDITY_DAYS)]
            name = ["-alias", "debug", "-dname", "CN=Debug"]
            command: list[str | Path] = ["keytool", "-genkeypair", "-keystore", partial, "-storepass:file", password, *options, *name]
            tools.run(command, "making a debug key")
        keystore.chmod(0o600)
    return Key(keystore, f"file:{password}", "debug", debug=True)


def try_key(key: Key, work: Path, least_sdk: int) -> None:
    """Signs next to nothing in `work`: a wrong password or alias shows before an app is compiled. Error: PackagingError."""
    unsigned = work / "key.zip"
    unsigned.write_bytes(archive([Entry("empty", b"")]))
    sign(unsigned, work / "key.signed.zip", key, least_sdk)


def sign(unsigned: Path, signed: Path, key: Key, least_sdk: int) -> None:
    """Signs by schemes v2 and v3, which every Android from `least_sdk` (at least 24) on checks."""
    alias = ["--ks-key-alias", key.alias] if key.alias else []
    schemes = ["--v1-signing-enabled=false", "--v2-signing-enabled=true", "--v3-signing-enabled=true", "--v4-signing-enabled=false"]
    command: list[str | Path] = [
        "apksigner",
        "sign",
        "--ks",
        key.keystore,
        "--ks-pass",
        key.password,
        *alias,
        "--min-sdk-version",
        str(least_sdk),
        *schemes,
    ]
    tools.run([*command, "--out", signed, unsigned], f"signing the APK with a key of {key.keystore}")
