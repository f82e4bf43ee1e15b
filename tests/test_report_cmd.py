"""``vtarget report``: what it takes, what it refuses, and what it writes."""

from __future__ import annotations

import json
import re
from html.parser import HTMLParser
from pathlib import Path
from typing import Any

import pytest
from machinelib import PROGRAMS, vtarget
from reportlib import HOSTILE, document, result

from vtarget.data.page import Assets
from vtarget.logic.htmlreport import html_report, json_text, policy
from vtarget.shell.resultfile import saved_of

FFT = PROGRAMS.parent / "examples" / "fft-m4f.elf"
BOARD = "nucleo-l4r5zi"
TEMPLATE = (Path(__file__).parent.parent / "vtarget/shell/reportassets/page.html").read_text(encoding="utf-8")
ASSETS = Assets(TEMPLATE, "body{}", "run()", "library()", "Library 1", ("taken",))
TEXT_FORMATS = ("perfetto", "speedscope", "collapsed", "callgrind", "model-explorer", "autodeploy-csv", "hpx-csv")


class Tags(HTMLParser):
    """Every tag with its attributes, and the text of the scripts."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.tags: list[tuple[str, dict[str, str | None]]] = []
        self.scripts: list[str] = []
        self.feed(text)
        self.close()

    def handle_starttag(self, tag: str, attrs: Any) -> None:
        self.tags.append((tag, dict(attrs)))

    def handle_data(self, data: str) -> None:
        if self.tags and self.tags[-1][0] == "script" and data.strip():
            self.scripts.append(data)


@pytest.fixture
def saved(tmp_path: Path) -> Path:
    path = tmp_path / "result.json"
    path.write_text(json.dumps(document()), encoding="utf-8")
    return path


def refusal(*arguments: str | Path) -> str:
    done = vtarget("report", *arguments)
    assert done.code == 2 and done.out == "" and done.err.count("\n") == 1, done
    return done.err


# The page, as far as it can be judged without a browser


def test_no_timeline_is_drawn_where_nothing_happened() -> None:
    lane = {"kind": "exception", "name": "SysTick", "number": 15, "handler": "tick", "begin_cycles": [5],
            "end_cycles": [9]}  # fmt: skip
    for lanes in ([], [lane]):
        timeline = {"board": "b", "end_cycle": 1000, "known_cycles": 1000, "lanes": lanes,
                    "clocks": [{"cycle": 0, "clock_hz": 1_000_000}]}  # fmt: skip
        page = html_report([saved_of(document() | {"timeline": timeline})], ASSETS)
        assert ("What is too short to be seen is a line" in page) == bool(lanes)


def test_hostile_names_make_no_tags_and_no_attributes() -> None:
    plain, hostile = Tags(html_report([result(10)], ASSETS)), Tags(html_report([result(10, HOSTILE)], ASSETS))
    assert [tag for tag, _ in hostile.tags] == [tag for tag, _ in plain.tags]
    assert [set(attributes) for _, attributes in hostile.tags] == [set(attributes) for _, attributes in plain.tags]
    assert len(hostile.scripts) == 3 and hostile.scripts[1:] == ["library()", "run()"]


def test_figures_are_json_without_markup() -> None:
    page = Tags(html_report([result(10, HOSTILE)], ASSETS))
    figures = json.loads(page.scripts[0])
    assert len(figures) == 12 and not re.search("[<>&]", page.scripts[0])
    assert all(figure["data"] for figure in figures)
    names = json.dumps(figures, ensure_ascii=False)
    assert "<script>" not in names and "&lt;script&gt;" in names
    assert json.loads(json_text("</script>&\u2028")) == "</script>&\u2028"


def test_the_policy_names_the_digests_of_what_may_run() -> None:
    text = policy(scripts=["run()"], styles=[""])
    # printf 'run()' | openssl dgst -sha256 -binary | base64
    assert "script-src 'sha256-AvyuiL0SD1mVY3NNxR+V2uo+lhk6RMFrytWmRt6CrJQ='" in text
    # The digest of nothing, as in FIPS 180-4's examples.
    assert "style-src 'sha256-47DEQpj8HBSa+/TImW+5JCeuQeRkm5NMpJWZG3hSuFU='" in text
    assert text.startswith("default-src 'none'; ") and "unsafe" not in text and "http" not in text
    page = Tags(html_report([result()], ASSETS))
    (sent,) = [a["content"] for _, a in page.tags if a.get("http-equiv") == "Content-Security-Policy"]
    assert sent == policy(scripts=["library()", "run()"], styles=["body{}", ""])


def test_nothing_on_the_page_comes_from_elsewhere() -> None:
    page = Tags(html_report([result(), result()], ASSETS))
    assert {a["href"] for _, a in page.tags if "href" in a} >= {"#content", "#s1-1", "#s3-2"}
    assert all(str(a["href"]).startswith("#") for _, a in page.tags if "href" in a)
    assert not any("src" in a or "style" in a or any(name.startswith("on") for name in a) for _, a in page.tags)
    targets = {a["id"] for _, a in page.tags if "id" in a}
    assert {str(a["href"])[1:] for _, a in page.tags if "href" in a} <= targets


def test_a_result_with_nothing_in_it_is_a_page_too() -> None:
    plain = document(0)
    for name in ("kernels", "contexts", "layers", "spans", "sleep"):
        plain[name] = []
    plain |= {"cycles": 0, "energy_j": None, "validation": None, "quantisation": None, "model": None, "duty": None}
    plain["memory"] |= {"regions": [], "arena": None}
    page = Tags(html_report([saved_of(plain)], ASSETS))
    assert len(json.loads(page.scripts[0])) == 1  # the time


# The command


def test_a_page_of_results_and_records(saved: Path, tmp_path: Path) -> None:
    pytest.importorskip("plotly", reason="plotly is not installed")
    record, out = tmp_path / "run.record", tmp_path / "report.html"
    assert vtarget("run", FFT, "-b", BOARD, "--quiet", "--record", record).code == 0
    done = vtarget("report", saved, "--record", record, "-o", out)
    assert (done.code, done.out, done.err) == (0, "", "")
    text = out.read_text(encoding="utf-8")
    assert "bit_reverse" in text and "m.tflite on plain at 100 MHz, simd" in text
    page = Tags(text)
    assert len(page.scripts) == 3 and len(page.scripts[1]) > 1_000_000


def test_the_same_results_give_the_same_page(saved: Path, tmp_path: Path) -> None:
    pytest.importorskip("plotly", reason="plotly is not installed")
    pages = []
    for name in ("a", "b"):
        assert vtarget("report", saved, "-o", tmp_path / name).code == 0
        pages.append((tmp_path / name).read_bytes())
    assert pages[0] == pages[1]


def test_without_the_charting_library_the_error_says_what_to_install(saved: Path, monkeypatch: Any) -> None:
    monkeypatch.setattr("vtarget.shell.reportfile.LIBRARY", "no_such_package")
    assert "vtarget[report]" in refusal(saved, "-o", "-")


@pytest.mark.parametrize("form", TEXT_FORMATS)
def test_formats_go_to_standard_output(saved: Path, form: str) -> None:
    done = vtarget("report", saved, "--format", form, "-o", "-")
    assert (done.code == 0 and done.err == "" and "plain" in done.out) or "CONV_2D" in done.out


def test_pprof_is_written_as_bytes(saved: Path, tmp_path: Path) -> None:
    assert vtarget("report", saved, "--format", "pprof", "-o", tmp_path / "out.pb.gz").code == 0
    assert (tmp_path / "out.pb.gz").read_bytes()[:3] == b"\x1f\x8b\x08"


def test_a_list_of_results_is_several(tmp_path: Path) -> None:
    path = tmp_path / "several.json"
    path.write_text(json.dumps([document(), document()]), encoding="utf-8")
    assert vtarget("report", path, "--format", "collapsed", "-o", "-").out.count("m.tflite") == 8
    assert "--format hpx-csv takes one result, not 2" in refusal(path, "--format", "hpx-csv", "-o", "-")


def test_a_record_is_priced_for_its_own_board_or_another(tmp_path: Path) -> None:
    record = tmp_path / "run.record"
    vtarget("run", FFT, "-b", BOARD, "--quiet", "--record", record)
    own = json.loads(vtarget("report", "--record", record, "--format", "speedscope", "-o", "-").out)
    other = vtarget("report", "--record", record, "-b", "disco-f407vg", "--format", "speedscope", "-o", "-")
    assert BOARD in own["name"] and "disco-f407vg" in json.loads(other.out)["name"]


@pytest.mark.parametrize(
    ("change", "says"),
    [
        ({"schema": "other"}, "schema"),
        ({"cycles": "many"}, "cycles"),
        ({"kernels": [{}]}, "kernels"),
        ({"contexts": [dict(document()["contexts"][1], parent=5)]}, "a row stands above its parent"),
        ({"board": None}, "board"),
    ],
)
def test_what_is_no_result_is_refused(tmp_path: Path, change: dict[str, Any], says: str) -> None:
    path = tmp_path / "result.json"
    path.write_text(json.dumps(document() | change), encoding="utf-8")
    error = refusal(path, "-o", "-")
    assert "not a usable result" in error and says in error


@pytest.mark.parametrize(
    ("form", "gone", "says"), [("hpx-csv", "layers", "no layers"), ("pprof", "contexts", "no call tree")]
)
def test_a_format_that_needs_more_than_there_is_says_so(tmp_path: Path, form: str, gone: str, says: str) -> None:
    path = tmp_path / "result.json"
    path.write_text(json.dumps(document() | {gone: []}), encoding="utf-8")
    assert says in refusal(path, "--format", form, "-o", "-")


def test_wrong_usage(saved: Path, tmp_path: Path) -> None:
    assert "nothing to report" in refusal("-o", "-")
    assert "--record" in refusal(saved, "-b", BOARD, "-o", "-")
    assert "can't be written" in refusal(saved, "--format", "hpx-csv", "-o", tmp_path / "no" / "where.csv")
    assert "can't be written" in refusal(saved, "--format", "pprof", "-o", tmp_path / "no" / "where.gz")
    assert "No such file" in refusal(tmp_path / "gone.json", "-o", "-")
    assert "--format model-explorer" in refusal(saved, "--metric", "cycles", "-o", "-")


def test_model_explorer_is_given_the_metric_that_is_asked_for(saved: Path) -> None:
    energy = vtarget("report", saved, "--format", "model-explorer", "--metric", "energy-uj", "-o", "-")
    assert json.loads(energy.out)["results"]["t0 plain"]["value"] == pytest.approx(1.0)
