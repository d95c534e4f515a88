"""Flags and `--config FILE.yaml` → settings, and a job's outcome → its exit status.

argparse and pydantic, with no layer between: what turns `a,b.jpg` into two inputs or reads a
leading `[` as JSON (as generators of command lines do) would misread file names.
"""

from __future__ import annotations

import argparse
import difflib
import inspect
import io
import sys
from collections.abc import Callable, Sequence
from datetime import date
from pathlib import Path
from typing import Any, NoReturn, TypeVar, get_args, get_origin

import yaml
from pydantic import ValidationError
from pydantic.fields import FieldInfo

from ufd_ray.errors import SettingsError, UfdError
from ufd_ray.outcome import Outcome
from ufd_ray.redaction import redact
from ufd_ray.settings import JobSettings

S = TypeVar("S", bound=JobSettings)


def run_job(
    settings_class: type[S], job: Callable[[S], Outcome], argv: Sequence[str] | None = None
) -> NoReturn:
    """Read the settings, run the job, exit with its outcome. Errors of ours are one line each."""
    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, io.TextIOWrapper):
            # Line by line into a log file as well; and a stranger's file name never ends a run.
            stream.reconfigure(line_buffering=True, errors="backslashreplace")
    try:
        settings = read_settings(settings_class, sys.argv[1:] if argv is None else argv)
        outcome = job(settings)
    except SettingsError as error:
        print(*(f"error: {line}" for line in str(error).splitlines()), sep="\n", file=sys.stderr)
        outcome = Outcome.UNUSABLE_SETTINGS
    except UfdError as error:
        print(f"error: {error}", file=sys.stderr)
        outcome = Outcome.FAILED
    except KeyboardInterrupt:
        print("error: interrupted; nothing was published", file=sys.stderr)
        outcome = Outcome.FAILED
    sys.exit(outcome)


def read_settings(settings_class: type[S], argv: Sequence[str]) -> S:
    """Settings from a command line; its flags win over those of a `--config` file.

    Raises:
        SettingsError: a line for every fault: unknown flag or key, missing or unusable value.
    """
    given = vars(_parser(settings_class).parse_args(argv))
    config = given.pop("config", None)
    values = _read_config(settings_class, config) if config else {}
    try:
        return settings_class.model_validate(values | given)
    except ValidationError as error:
        raise SettingsError("\n".join(map(_say, error.errors()))) from error


class _Parser(argparse.ArgumentParser):
    def error(self, message: str) -> NoReturn:
        raise SettingsError(f"{message} (--help lists the flags)")

    def parse_args(self, argv: Sequence[str]) -> argparse.Namespace:  # type: ignore[override]
        given, unknown = self.parse_known_args(argv)
        if unknown:
            name = unknown[0].partition("=")[0]
            close = difflib.get_close_matches(name, self._option_string_actions, n=1)
            hint = f"; did you mean {close[0]}?" if close else " (--help lists the flags)"
            raise SettingsError(f"unknown argument {redact(unknown[0])!r}{hint}")
        return given


def _parser(settings_class: type[JobSettings]) -> _Parser:
    parser = _Parser(
        description=inspect.cleandoc(settings_class.__doc__ or ""),
        allow_abbrev=False,
        argument_default=argparse.SUPPRESS,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("--config", metavar="FILE", help="the same settings as YAML; flags win")
    for name, field in settings_class.model_fields.items():
        flag = "--" + _key(name, field).replace("_", "-")
        text = f"{field.description} ({_default(field)})".replace("%", "%%")
        choices = _choices(field.annotation)
        if field.annotation is bool:
            parser.add_argument(
                flag, dest=_key(name, field), action=argparse.BooleanOptionalAction, help=text
            )
        elif get_origin(field.annotation) is list:
            parser.add_argument(
                flag, dest=_key(name, field), action="append", metavar="VALUE", help=text
            )
        else:
            shown = "{" + ",".join(choices) + "}" if choices else "VALUE"
            parser.add_argument(flag, dest=_key(name, field), metavar=shown, help=text)
    return parser


def _read_config(settings_class: type[JobSettings], path: str) -> dict[str, Any]:
    try:
        values = yaml.safe_load(Path(path).read_text(encoding="utf-8"))
    except (OSError, UnicodeDecodeError) as error:
        raise SettingsError(f"--config {path}: cannot be read ({error})") from error
    except yaml.YAMLError as error:
        raise SettingsError(f"--config {path}: no YAML ({' '.join(str(error).split())})") from error
    if not isinstance(values, dict):
        raise SettingsError(f"--config {path}: expected `name: value` lines")
    known = {_key(name, field) for name, field in settings_class.model_fields.items()}
    values = {str(key).replace("-", "_"): value for key, value in values.items()}
    if unknown := sorted(values.keys() - known):
        close = difflib.get_close_matches(unknown[0], known, n=1)
        hint = f"; did you mean {close[0]}?" if close else f"; known: {', '.join(sorted(known))}"
        raise SettingsError(f"--config {path}: unknown key {unknown[0]!r}{hint}")
    # YAML makes dates of words like 2026-11-24, a good name for a run.
    return {k: v.isoformat() if isinstance(v, date) else v for k, v in values.items()}


def _say(error: Any) -> str:
    message = error["msg"].removeprefix("Value error, ")
    if not error["loc"]:
        return str(message)
    flag = "--" + str(error["loc"][0]).replace("_", "-")
    if error["type"] == "missing":
        return f"{flag} is required"
    if flag == "--s3-endpoint":
        return f"{flag}: {message}"  # what was given may hold a secret
    return f"{flag}: {message}, got {redact(repr(error['input']))}"


def _key(name: str, field: FieldInfo) -> str:
    return field.alias or name


def _default(field: FieldInfo) -> str:
    if field.is_required():
        return "required"
    return "default: none" if field.default in (None, []) else f"default: {field.default}"


def _choices(annotation: Any) -> list[str]:
    # Literal[...], Literal[...] | None, or a number beside one
    words = [str(value) for value in get_args(annotation) if isinstance(value, str)] or [
        str(value)
        for part in get_args(annotation)
        for value in get_args(part)
        if isinstance(value, str)
    ]
    return ["NUMBER", *words] if words and float in get_args(annotation) else words
