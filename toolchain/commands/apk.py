"""`toolchain apk`: an Android app around a bundle."""

from __future__ import annotations

from argparse import ArgumentParser, Namespace
from pathlib import Path

from toolchain.commands.base import Result, add_cache, cache_of, progress_of, table
from toolchain.errors import PackagingError

SUMMARY = "Make a signed, verified Android app from a bundle."
EXAMPLES = """  toolchain apk face.pface --out demo.apk
  toolchain apk face.pface --out demo.apk --prove
  toolchain apk face.pface --out demo.apk --keystore mine.p12 --keystore-password env:MINE --key-alias me"""


def arguments(parser: ArgumentParser) -> None:
    parser.add_argument("bundle", type=Path, metavar="BUNDLE")
    parser.add_argument(
        "--out", type=Path, required=True, metavar="APK", help="the app to write; its report goes beside it, as .report.json"
    )
    parser.add_argument("--x86-64", action="store_true", help="carry the library for x86_64 emulators too (4 MB more to download)")
    parser.add_argument("--keystore", type=Path, metavar="FILE", help="sign with a key of yours (default: a debug key, made once)")
    parser.add_argument("--keystore-password", metavar="env:NAME|file:PATH", help="where the keystore's password stands")
    parser.add_argument("--key-alias", default="", metavar="NAME", help="which of the keystore's keys (needed where it has several)")
    parser.add_argument("--prove", action="store_true", help="also run the APK's own dex on the JVM and its arm64 library under qemu")
    add_cache(parser)


def run(options: Namespace) -> Result:
    """An APK, and its report beside it."""
    from toolchain.android.apk import ApkOrder, build_apk
    from toolchain.android.sign import Key

    if options.out.suffix != ".apk":
        raise PackagingError(f"{options.out}: expected a name that ends in .apk for the app")
    if (options.keystore is None) != (options.keystore_password is None):
        raise PackagingError("--keystore and --keystore-password: expected both or neither, got one of them")
    key = Key(options.keystore, options.keystore_password, options.key_alias) if options.keystore else None
    abis = ("arm64-v8a", "x86_64") if options.x86_64 else ("arm64-v8a",)
    order = ApkOrder(options.bundle, options.out, abis, key, options.prove, cache_of(options) / "android", progress_of(options))
    report = build_apk(order)
    rows = [(item.name, item.found) for item in report.checks]
    rows += [(proof.name, proof.found if proof.ran else f"not run: {proof.found}") for proof in report.proofs]
    signer = "the debug key: for your own phones only" if report.debug_key else str(options.keystore)
    written = f"{report.apk} ({report.size:,} bytes, sha256 {report.sha256}), signed with {signer}"
    return Result(report.describe(), (table(("checked", "found"), rows), written))
