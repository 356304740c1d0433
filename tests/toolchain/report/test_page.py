"""What stands in the page, the card and the JSON, as text."""

import html
import json
import re
from collections import Counter
from dataclasses import replace
from html.parser import HTMLParser
from importlib import resources
from pathlib import Path

import pytest

from runtime_py.embedder import Embedder
from toolchain.cli import main
from toolchain.commands.base import Result
from toolchain.data.faces import Faces
from toolchain.data.png import png
from toolchain.report import console, plots
from toolchain.report.page import cosine, model_card, page, settings, write_report
from toolchain.report.report import Report, recorded
from toolchain.sensitivity.sensitivity import Damage, FormDamage, Sensitivity


class Elements(HTMLParser):
    """Every element's tag and attributes, in order."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.found: list[tuple[str, dict[str, str | None]]] = []
        self.feed(text)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.found.append((tag, dict(attrs)))

    def of(self, tag: str) -> list[dict[str, str | None]]:
        return [attributes for name, attributes in self.found if name == tag]


@pytest.fixture(scope="module")
def text(full: Report) -> str:
    return page(full, {})


def test_the_page_asks_for_nothing_from_elsewhere_and_runs_nothing(text: str) -> None:
    elements = Elements(text)
    assert not elements.of("script") and not elements.of("iframe") and not elements.of("img")
    assert [item["href"] for item in elements.of("link")] == ["data:,"]
    assert all((item.get("href") or "").startswith("#") for item in elements.of("a") + elements.of("use"))
    assert "@import" not in text and not re.search(r"url\((?!#)", text)


def test_every_id_is_there_once_and_every_reference_finds_one(text: str) -> None:
    elements = Elements(text)
    ids = [item["id"] for _, item in elements.found if "id" in item]
    assert [name for name, count in Counter(ids).items() if count > 1] == []
    references = set(re.findall(r"url\(#([^)]+)\)", text)) | {
        item["href"][1:] for item in elements.of("use") + elements.of("a") if item["href"]
    }
    assert references <= set(ids)


def test_tables_have_headers_with_a_scope_and_plots_say_what_they_show(text: str) -> None:
    elements = Elements(text)
    assert elements.of("table") and all(item.get("scope") in ("col", "row", "colgroup") for item in elements.of("th"))
    plotted = [item for item in elements.of("svg") if item.get("role") == "img"]
    # Size, parity, ROC, DET and layers; a histogram a variant; a cloud for each variant but the reference.
    assert len(plotted) == 5 + len(("float", "int8", "packed")) + 2
    assert all(item.get("aria-label") for item in plotted)


def test_plots_take_their_colours_from_the_page(text: str) -> None:
    in_plots = re.findall(r"<svg role=\"img\".*?</svg>", text, re.DOTALL)
    named = {colour for svg in in_plots for colour in re.findall(r"(?:stroke|fill): ([^;\"]+)", svg)}
    assert named <= {"none", "currentColor", "var(--muted)", "var(--grid)"} | {
        f"var(--series-{number + 1})" for number in range(plots.SERIES)
    }


def test_the_same_figures_give_the_same_page(full: Report, text: str) -> None:
    assert page(full, {}) == text


def test_what_was_not_measured_is_named_with_the_command_that_measures_it(bare: Report) -> None:
    text = page(bare, {})
    for what, command in (
        ("Accuracy", "report"),
        ("Face terms", "evaluate"),
        ("ROC, DET", "report"),
        ("Sensitivity by layer", "report"),
    ):
        assert re.search(rf"{what}[^<]*: not measured\. <code>toolchain {command} faces\.pface", text), what
    assert not re.search(r"<svg role=\"img\"", text), "no plot without figures"
    assert "nan" not in text.lower().split() and "None" not in re.sub(r"<code>.*?</code>", "", text)


def test_missed_gates_and_what_was_not_run_stand_at_the_top(text: str) -> None:
    top = text[: text.index('id="variants"')]
    assert "the gate asks for 98 %" in top and "arm64: not run" in top and "binary: Binarize needs face images" in top


def test_what_was_checked_on_arm64_stands_beside_the_host(full: Report, text: str, bare: Report) -> None:
    assert [item.arm64_cosine for item in full.variants] == [0.9876] * 3 and text.count("on arm64 cortex-a53") == 3
    assert "<td>0.9876</td>" in text and "<td>not run</td>" in page(bare, {})


def test_anchors_stand_only_beside_figures_of_their_protocol(full: Report, text: str) -> None:
    assert "arXiv:1804.07573" in text
    other = tuple(
        replace(item, accuracy=tuple(replace(row, protocol="mine, 5 folds of 20 + 20 pairs: accuracy") for row in item.accuracy))
        for item in full.variants
    )
    assert "arXiv:1804.07573" not in page(replace(full, variants=other), {})


def test_faces_are_shown_only_where_they_are_given(full: Report, drawn: Faces) -> None:
    shown = Elements(page(full, {drawn.names[0]: drawn.images[0]})).of("img")
    assert [item["alt"] for item in shown] == [drawn.names[0]] and (shown[0]["src"] or "").startswith("data:image/png;base64,")


def test_names_that_look_like_markup_are_shown_as_they_are(full: Report) -> None:
    text = page(replace(full, name="<script>alert(1)</script>"), {})
    assert "<script>" not in text and "&lt;script&gt;" in text


@pytest.mark.parametrize("layer", ["a$1$b", r"a$\frac$", r"a\q", "a#00001f", 'id="q"', "url(#x)", "<b>"])
def test_layers_of_any_name_stand_in_the_plot_as_they_are(layer: str) -> None:
    found = FormDamage("int8", (Damage(layer, 3, 0.1), Damage("other", 3, 0.05)))
    svg = plots.sensitivity(Sensitivity(4, True, None, (found,)))
    shown = [html.unescape(text) for text in re.findall(r"<text[^>]*>([^<]*)</text>", svg)]
    assert layer in shown
    assert f"int8: {layer} 0.1" in str(Elements(svg).of("svg")[0]["aria-label"])


def test_a_bundle_of_any_name_stands_on_the_console_as_it_is(full: Report) -> None:
    named = replace(full, bundle="net[v2] [/b].pface")
    assert "net[v2] [/b].pface: " in Result({}, (console.table(named),)).text()


def test_the_json_reads_back_as_the_same_report(full: Report, tmp_path: Path) -> None:
    write_report(tmp_path / "out", full)
    assert sorted(path.name for path in (tmp_path / "out").iterdir()) == ["model-card.md", "report.html", "report.json"]
    assert json.loads((tmp_path / "out" / "report.json").read_text()) == json.loads(json.dumps(full.describe()))
    read = recorded(tmp_path / "out", full.sha256)
    assert read is not None and read.describe() == full.describe()
    assert recorded(tmp_path / "out", "0" * 64) is None, "the record of another bundle is none of this one's"


@pytest.mark.parametrize("out", [".", "mine"])
def test_a_report_leaves_what_else_is_in_the_folder(face_bundle: Path, tmp_path: Path, out: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    (tmp_path / out / "photographs").mkdir(parents=True)
    (tmp_path / out / "thesis.txt").write_text("mine")
    (tmp_path / out / "report.html").write_text("an older one")
    assert main(["report", str(face_bundle), "--out", out, "--quiet"]) == 0
    found = {path.name for path in (tmp_path / out).iterdir()} - {"cache"}
    assert found == {"model-card.md", "photographs", "report.html", "report.json", "thesis.txt"}
    assert (tmp_path / out / "thesis.txt").read_text() == "mine"
    assert (tmp_path / out / "report.html").read_text().startswith("<!")


def test_embeddings_are_kept_for_the_next_report(face_bundle: Path, drawn: Faces, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    for name, image in zip(drawn.names, drawn.images, strict=True):
        path = tmp_path / "faces" / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(png(image))
    arguments = ["report", str(face_bundle), "--images", str(tmp_path / "faces"), "--cache", str(tmp_path / "cache"), "--quiet"]
    assert main([*arguments, "--out", str(tmp_path / "first")]) == 0
    monkeypatch.delattr(Embedder, "embed")
    assert main([*arguments, "--out", str(tmp_path / "again")]) == 0
    assert (tmp_path / "again" / "report.json").read_bytes() == (tmp_path / "first" / "report.json").read_bytes()


def test_the_card_keeps_what_the_weights_say_and_adds_what_was_measured(full: Report, bare: Report) -> None:
    card = model_card(full, b"# Model card: mine\n\nNot for surveillance.\n")
    assert card.startswith("# Model card: mine\n\nNot for surveillance.") and "| `int8` |" in card and "98.10 ± 0.70 %" in card
    assert "was not stated by whoever brought them in" in model_card(bare, None)


@pytest.mark.parametrize(
    ("value", "shown"),
    [(1.0, "1.0000"), (1 - 1e-9, "0.999999"), (0.9999, "0.9999"), (0.98698, "0.98698"), (-0.25, "-0.2500"), (None, "not measured")],
)
def test_cosines_are_rounded_down_so_that_only_an_exact_one_reads_as_one(value: float | None, shown: str) -> None:
    assert cosine(value) == shown


def test_a_stage_is_written_as_in_a_recipe() -> None:
    described = {"type": "Calibrate", "faces": 200, "method": "mse", "phases": [{"type": "Phase", "rate": 0.002}]}
    assert settings(described) == "Calibrate(faces=200, method=mse, phases=[Phase(rate=0.002)])"


def luminance(colour: str) -> float:
    """Relative luminance of `#rrggbb` (WCAG 2.2)."""
    parts = [int(colour[place : place + 2], 16) / 255 for place in (1, 3, 5)]
    red, green, blue = (part / 12.92 if part <= 0.04045 else ((part + 0.055) / 1.055) ** 2.4 for part in parts)
    return 0.2126 * red + 0.7152 * green + 0.0722 * blue


@pytest.mark.parametrize("scheme", [0, 1, 2], ids=["light", "dark", "print"])
def test_text_and_lines_stand_out_from_their_ground(scheme: int) -> None:
    style = resources.files("toolchain.report").joinpath("templates/report.css").read_text()
    variables = [dict(re.findall(r"--([a-z0-9-]+): (#[0-9a-f]{6})", block)) for block in re.findall(r":root \{(.*?)\}", style, re.DOTALL)][
        scheme
    ]

    def contrast(first: str, second: str) -> float:
        high, low = sorted((luminance(variables[first]), luminance(variables[second])), reverse=True)
        return (high + 0.05) / (low + 0.05)

    # WCAG 2.2: 4.5 for text (1.4.3), 3 for what a plot draws (1.4.11).
    grounds = (("ink", "paper"), ("muted", "paper"), ("accent", "paper"), ("muted", "panel"), ("warn", "warn-panel"), ("bad", "bad-panel"))
    assert {pair: contrast(*pair) for pair in grounds if contrast(*pair) < 4.5} == {}
    assert {number: contrast(f"series-{number}", "paper") for number in range(1, 9) if contrast(f"series-{number}", "paper") < 3} == {}
