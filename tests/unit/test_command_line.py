from __future__ import annotations

import subprocess
import sys
from pathlib import Path
from typing import Any, TypeVar

import pytest

from ufd_ray.command_line import read_settings, run_job
from ufd_ray.errors import AccountsError, SettingsError, StorageError
from ufd_ray.outcome import Outcome
from ufd_ray.settings import (
    BuildBankSettings,
    DemoSettings,
    FitProbeSettings,
    JobSettings,
    ScoreSettings,
)

ROOT = Path(__file__).parents[2]
JOBS = [BuildBankSettings, ScoreSettings, FitProbeSettings, DemoSettings]
NEEDED = ["--input", "/photos", "--output", "/out", "--probe", "/probe"]

S = TypeVar("S", bound=JobSettings)


def read(*argv: str) -> ScoreSettings:
    return read_settings(ScoreSettings, [*NEEDED, *argv])


def faults(argv: list[str], job: type[JobSettings] = ScoreSettings) -> list[str]:
    with pytest.raises(SettingsError) as caught:
        read_settings(job, argv)
    return str(caught.value).splitlines()


# Flags


def test_flags_have_their_defaults() -> None:
    settings = read()
    assert settings == ScoreSettings(input=["/photos"], output="/out", probe="/probe")


def test_flags_of_every_kind() -> None:
    settings = read(
        *("--k", "3", "--max-error-rate=0.25", "--keep-embeddings", "--no-dry-run"),
        *("--include", "*.jpg", "--include", "*.png", "--decide-by", "probe", "--limit", "7"),
    )
    assert (settings.k, settings.max_error_rate, settings.limit) == (3, 0.25, 7)
    assert (settings.keep_embeddings, settings.dry_run) == (True, False)
    assert settings.include == ["*.jpg", "*.png"]
    assert settings.decide_by == "probe"


@pytest.mark.parametrize(
    "name", ["a,b.jpg", "[x", '["a"]', "{a: b}", "a b", "ü\n", "null", "true", "1", "*", "\udcff"]
)
def test_a_name_is_one_name_as_it_stands(name: str) -> None:
    argv = ["--output", "/out", "--probe", "/p", "--input", name, "--input", "b"]
    assert read_settings(ScoreSettings, argv).input == [name, "b"]


def test_a_name_that_begins_with_a_dash() -> None:
    assert read("--include=-x*").include == ["-x*"]


def test_import_is_a_flag_in_spite_of_python() -> None:
    argv = ["--bank", "/b", "--output", "/p", "--import", "fc.pth"]
    assert read_settings(FitProbeSettings, argv).import_ == "fc.pth"


@pytest.mark.parametrize(
    ("flag", "said"),
    [
        ("--inptu", "unknown argument '--inptu'; did you mean --input?"),
        (
            "--max-error-rat=1",
            "unknown argument '--max-error-rat=1'; did you mean --max-error-rate?",
        ),
        ("--keep_embeddings", "did you mean --keep-embeddings?"),
        ("--qqq", "unknown argument '--qqq' (--help lists the flags)"),
        ("stray", "unknown argument 'stray'"),
        ("--in", "unknown argument '--in'"),  # no abbreviations
    ],
)
def test_an_unknown_flag_is_refused_with_a_suggestion(flag: str, said: str) -> None:
    (line,) = faults([*NEEDED, flag])
    assert said in line


def test_a_flag_without_its_value_is_refused() -> None:
    (line,) = faults([*NEEDED, "--k"])
    assert line == "argument --k: expected one argument (--help lists the flags)"


def test_every_fault_is_one_line_with_flag_range_and_value() -> None:
    lines = faults(["--k", "0", "--max-error-rate", "often", "--run-id", "a/b", "--device", "tpu"])
    assert len(lines) == 5
    assert "--output is required" in lines
    assert "--k: Input should be greater than or equal to 1, got '0'" in lines
    assert any(line.startswith("--max-error-rate: ") and "'often'" in line for line in lines)
    assert any(line.startswith("--run-id: ") and "'a/b'" in line for line in lines)
    assert any(
        line.startswith("--device: ") and "'cuda'" in line and "'tpu'" in line for line in lines
    )


def test_a_fault_of_several_settings_together_is_one_line() -> None:
    argv = ["--output", "/out", "--bank", "/bank"]
    assert faults(argv) == ["--input is required (or --embeddings, --from-run, or --retry-failed)"]
    argv = ["--input", "/photos", "--output", "/out"]
    assert faults(argv) == ["neither --bank nor --probe is given: at least one has to decide"]


def test_a_value_with_line_breaks_is_still_one_line() -> None:
    assert len(faults([*NEEDED, "--k", "1\n2"])) == 1


# Files


def config(folder: Path, text: str) -> list[str]:
    path = folder / "job.yaml"
    path.write_text(text, encoding="utf-8")
    return ["--config", str(path)]


def test_a_file_gives_the_same_settings(tmp_path: Path) -> None:
    text = """
input: [/photos, "a,b.jpg"]
output: /out
probe: /probe
k: 3
max-error-rate: 0.25
keep_embeddings: true
limit: null
"""
    settings = read_settings(ScoreSettings, config(tmp_path, text))
    assert settings == read(
        *("--input", "a,b.jpg", "--k", "3", "--max-error-rate", "0.25", "--keep-embeddings")
    )


def test_flags_win(tmp_path: Path) -> None:
    given = config(tmp_path, "k: 3\nkeep_embeddings: true\ninput: [/a, /b]\nlimit: 5\n")
    settings = read(*given, "--k", "5", "--no-keep-embeddings")
    assert (settings.k, settings.keep_embeddings, settings.limit) == (5, False, 5)
    assert settings.input == ["/photos"]


def test_import_is_a_key_in_spite_of_python(tmp_path: Path) -> None:
    argv = config(tmp_path, "bank: /b\noutput: /p\nimport: fc.pth\n")
    assert read_settings(FitProbeSettings, argv).import_ == "fc.pth"


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("inptu: [a]", "unknown key 'inptu'; did you mean input?"),
        ("max_err_rate: 1", "unknown key 'max_err_rate'; did you mean max_error_rate?"),
        ("zzz: 1", "unknown key 'zzz'; known: allow_http, bank"),
        ("config: other.yaml", "unknown key 'config'"),
        ("", "expected `name: value` lines"),
        ("- a\n- b", "expected `name: value` lines"),
        ("k: [", "no YAML"),
        ("k: !!python/object/apply:os.system ['true']", "no YAML"),
        ("input: {a: b}", "--input: Input should be a valid list, got {'a': 'b'}"),
        ("input: ['']", "--input: empty; expected a path or URI, got ''"),
        ("k: many", "--k: Input should be a valid integer"),
        ("k: null", "--k: Input should be a valid integer"),
    ],
)
def test_a_fault_in_a_file_is_one_line(tmp_path: Path, text: str, said: str) -> None:
    argv = ["--output", "/out", "--probe", "/p", *config(tmp_path, text)]
    if "input: " not in text:
        argv += ["--input", "/photos"]
    (line,) = faults(argv)
    assert said in line


def test_a_file_that_cannot_be_read_is_said(tmp_path: Path) -> None:
    (tmp_path / "latin.yaml").write_bytes(b"input: [\xff]")
    for path in (tmp_path / "nothing.yaml", tmp_path, tmp_path / "latin.yaml"):
        (line,) = faults([*NEEDED, "--config", str(path)])
        assert line.startswith(f"--config {path}: ")


# Help


@pytest.mark.parametrize("job", JOBS)
def test_help_explains_every_flag(
    job: type[JobSettings],
    capsys: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setenv("COLUMNS", "1000")  # lines are broken at hyphens otherwise
    with pytest.raises(SystemExit) as caught:
        read_settings(job, ["--help"])
    assert caught.value.code == 0
    said = " ".join(capsys.readouterr().out.split())
    for name, field in job.model_fields.items():
        assert f"--{(field.alias or name).replace('_', '-')}" in said
        described = f"{' '.join((field.description or '').split())} ({default_of(field)})"
        assert described in said


def default_of(field: Any) -> str:
    if field.is_required():
        return "required"
    return "default: none" if field.default in (None, []) else f"default: {field.default}"


def test_help_shows_units_and_choices(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("COLUMNS", "200")
    with pytest.raises(SystemExit):
        read_settings(ScoreSettings, ["--help"])
    said = " ".join(capsys.readouterr().out.split())
    assert "one try at an image, in seconds (default: 60.0)" in said
    assert "in bytes; larger ones: error rows (default: 67108864)" in said
    assert "--device {auto,cuda,cpu}" in said
    assert "--decide-by {probe,neighbors,margin}" in said
    assert "--keep-embeddings, --no-keep-embeddings" in said


# Outcomes


def exit_status(job: Any, *argv: str) -> int:
    with pytest.raises(SystemExit) as caught:
        run_job(ScoreSettings, job, [*NEEDED, *argv])
    assert isinstance(caught.value.code, int)
    return int(caught.value.code)


@pytest.mark.parametrize(
    ("outcome", "status", "word"),
    [
        (Outcome.PUBLISHED, 0, "published"),
        (Outcome.FAILED, 1, "failed"),
        (Outcome.UNUSABLE_SETTINGS, 2, "unusable_settings"),
        (Outcome.PUBLISHED_WITH_ERRORS, 3, "published_with_errors"),
    ],
)
def test_an_outcome_is_the_exit_status(outcome: Outcome, status: int, word: str) -> None:
    assert exit_status(lambda _: outcome) == status
    assert outcome.word == word


@pytest.mark.parametrize(
    ("error", "status", "lines"),
    [
        (SettingsError("--k: one\n--bank: two"), 2, ["error: --k: one", "error: --bank: two"]),
        (StorageError("s3://b cannot be listed"), 1, ["error: s3://b cannot be listed"]),
        (AccountsError("2 went in"), 1, ["error: 2 went in"]),
    ],
)
def test_errors_of_ours_are_lines_without_a_traceback(
    error: Exception, status: int, lines: list[str], capsys: pytest.CaptureFixture[str]
) -> None:
    def job(_: ScoreSettings) -> Outcome:
        raise error

    assert exit_status(job) == status
    assert capsys.readouterr().err.splitlines() == lines


def test_a_fault_of_the_settings_starts_nothing(capsys: pytest.CaptureFixture[str]) -> None:
    def job(_: ScoreSettings) -> Outcome:
        raise AssertionError("the job was started")

    assert exit_status(job, "--k", "0", "--limit", "0") == 2
    said = capsys.readouterr()
    assert len(said.err.splitlines()) == 2
    assert all(line.startswith("error: --") for line in said.err.splitlines())
    assert said.out == ""


def test_an_error_of_nobodys_is_not_swallowed() -> None:
    def job(_: ScoreSettings) -> Outcome:
        raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError):
        run_job(ScoreSettings, job, NEEDED)


@pytest.mark.parametrize("name", ["build_bank", "fit_probe", "score"])
def test_a_job_without_settings_ends_with_2_and_help_with_0(name: str) -> None:
    bare = subprocess.run([sys.executable, f"jobs/{name}.py"], cwd=ROOT, capture_output=True)
    assert bare.returncode == 2
    assert b"error: --output is required" in bare.stderr
    assert b"Traceback" not in bare.stderr
    helped = subprocess.run(
        [sys.executable, f"jobs/{name}.py", "--help"], cwd=ROOT, capture_output=True
    )
    assert helped.returncode == 0
    assert b"usage: " in helped.stdout


def test_one_input_in_a_file_is_a_list_of_one(tmp_path: Path) -> None:
    argv = ["--output", "/out", "--probe", "/p", *config(tmp_path, "input: /photos")]
    assert read_settings(ScoreSettings, argv).input == ["/photos"]


@pytest.mark.parametrize("word", ["2026-11-24", "20261124"])
def test_a_date_in_a_file_names_a_run(tmp_path: Path, word: str) -> None:
    argv = ["--output", "/out", "--probe", "/p", "--input", "/photos"]
    settings = read_settings(ScoreSettings, [*argv, *config(tmp_path, f"run_id: {word}")])
    assert settings.run_id == word


@pytest.mark.parametrize(
    ("url", "said"),
    [
        ("nonsense", "no http:// or https:// URL"),
        ("ftp://host", "no http:// or https:// URL"),
        ("http://key:secret@host:1", "credentials in a URL"),
    ],
)
def test_an_endpoint_is_a_url_without_credentials(url: str, said: str) -> None:
    argv = ["--output", "/out", "--probe", "/p", "--input", "/photos", "--s3-endpoint", url]
    (line,) = faults(argv)
    assert said in line


@pytest.mark.parametrize("flag", ["--output", "--probe", "--bank", "--input", "--weights"])
def test_an_unset_shell_variable_is_no_place(flag: str) -> None:
    argv = ["--output", "/out", "--probe", "/p", "--input", "/photos", flag, ""]
    assert any(line.startswith(f"{flag}: empty") for line in faults(argv))
