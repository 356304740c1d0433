"""Proofs without a phone that what is in the APK does what it must; docs/android.md says what they do not prove."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class Proof:
    """Whether a proof ran, and what it found or why it did not run. One that fails is an error, not a Proof."""

    name: str
    ran: bool
    found: str
