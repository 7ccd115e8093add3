"""From bytes to declared Structs: strict in bodies, converting in query strings, naming the field in refusals."""

from __future__ import annotations

import functools
import re
from types import UnionType
from typing import Annotated, Any, TypeVar, Union, get_args, get_origin, get_type_hints
from urllib.parse import unquote_to_bytes

import msgspec
from flask import request

from app.blueprints.common.errors import BadRequest, NotJson, TooLarge
from app.kernel.errors import FieldError, RuleBroken

MAX_BODY = 64 * 1024
S = TypeVar("S", bound=msgspec.Struct)

_PATH = re.compile(r"^(?P<reason>.*?)(?: - at `(?:key in )?\$?(?P<path>.*)`)?$", re.DOTALL)
_UNKNOWN = re.compile(r"^Object contains unknown field `(?P<name>.*)`$", re.DOTALL)
_MISSING = re.compile(r"^Object missing required field `(?P<name>.*)`$", re.DOTALL)
_CODES = (
    ("length", "LENGTH_INVALID"),
    (">=", "TOO_SMALL"),
    ("<=", "TOO_LARGE"),
    ("matching regex", "FORMAT_INVALID"),
    ("Invalid enum", "VALUE_INVALID"),
    ("Invalid", "FORMAT_INVALID"),
    ("out of range", "TOO_LARGE"),
    ("Expected", "TYPE_INVALID"),
)


def body_of(shape: type[S]) -> S:
    """The request's JSON as `shape`.

    Raises NotJson (415), BadRequest `BODY_INVALID` (400), RuleBroken `VALIDATION_FAILED` naming the fields;
    a body over 64 KiB is TooLarge, here or in werkzeug while it is read.
    """
    if request.mimetype != "application/json" or not _is_utf8(
        request.mimetype_params.get("charset", "utf-8")
    ):
        raise NotJson("Send the body as application/json in UTF-8.")
    data = request.get_data(cache=True)
    if len(data) > MAX_BODY:
        raise TooLarge("The body is larger than 64 KiB.")
    try:
        raw = msgspec.json.decode(data)
    except (msgspec.DecodeError, ValueError, RecursionError):
        raise BadRequest("The body is not well-formed JSON.") from None
    return _converted(raw, shape, strict=True)


def query_of(shape: type[S]) -> S:
    """The query string as `shape`; a field that is a list may be repeated, others may not."""
    _refuse_bad_bytes()
    raw: dict[str, Any] = {}
    errors = []
    repeatable = _repeatable(shape)
    for name, values in request.args.lists():
        if name in repeatable:
            raw[name] = values
        else:
            raw[name] = values[0]
            if len(values) > 1:
                errors.append(FieldError(name, "REPEATED", f"{name} may be given once."))
    if errors:
        raise _refusal(errors)
    return _converted(raw, shape, strict=False)


def refuse_query() -> None:
    """For calls that take no query: every parameter is an unknown one."""
    if request.args:
        raise _refusal([_unknown(name) for name in request.args])


def _converted(raw: Any, shape: type[S], *, strict: bool) -> S:
    nul = _find_nul(raw, "")
    if nul is not None:
        message = f"{nul or 'The body'} holds a character that is not allowed."
        raise _refusal([FieldError(nul, "CHARACTER_INVALID", message)])
    try:
        return msgspec.convert(raw, shape, strict=strict)
    except msgspec.ValidationError as error:
        raise _refusal(_all_errors(raw, shape, strict) or [_field_error(str(error), "")]) from None


def _all_errors(raw: Any, shape: type[msgspec.Struct], strict: bool) -> list[FieldError]:
    """msgspec stops at the first error; people want all of them, so each field is tried by itself."""
    if not isinstance(raw, dict):
        return [FieldError("", "TYPE_INVALID", "The body must be a JSON object.")]
    fields = {field.encode_name: field for field in msgspec.structs.fields(shape)}
    errors = [_unknown(str(name)) for name in raw if name not in fields]
    for name, field in fields.items():
        if name not in raw:
            if field.required:
                errors.append(FieldError(name, "REQUIRED", f"{name} is required."))
            continue
        try:
            msgspec.convert(raw[name], field.type, strict=strict)
        except msgspec.ValidationError as error:
            errors.append(_field_error(str(error), name))
    return errors


def _field_error(text: str, name: str) -> FieldError:
    """msgspec's sentence as a field error: `Expected `int`, got `str` - at `$.lines[0].quantity``."""
    match = _PATH.match(text)
    assert match is not None
    reason, path = match["reason"], f"{name}{match['path'] or ''}".lstrip(".")
    inner = _UNKNOWN.match(reason) or _MISSING.match(reason)
    if inner is not None:
        path = f"{path}.{inner['name']}".lstrip(".")
        if _MISSING.match(reason):
            return FieldError(path, "REQUIRED", f"{path} is required.")
        return _unknown(path)
    code = next((code for words, code in _CODES if words in reason), "INVALID")
    return FieldError(path, code, f"{path}: {reason.replace('`', '')}.".lstrip(": "))


def _unknown(name: str) -> FieldError:
    return FieldError(name[:100], "UNKNOWN_FIELD", f"{name[:100]} is not known here.")


def _refusal(errors: list[FieldError]) -> RuleBroken:
    message = errors[0].message if len(errors) == 1 else f"{len(errors)} fields are not right."
    return RuleBroken(message, code="VALIDATION_FAILED", errors=tuple(errors))


def _find_nul(value: Any, path: str) -> str | None:
    """Where a NUL is: PostgreSQL's text cannot hold one. None when there is none."""
    if isinstance(value, str):
        return path if "\x00" in value else None
    if isinstance(value, dict):
        pairs = [(f"{path}.{key}".lstrip("."), inner) for key, inner in value.items()]
        found = (key if "\x00" in key else _find_nul(inner, key) for key, inner in pairs)
        return next((where.replace("\x00", "") for where in found if where is not None), None)
    if isinstance(value, list):
        inner_paths = (_find_nul(inner, f"{path}[{index}]") for index, inner in enumerate(value))
        return next((where for where in inner_paths if where is not None), None)
    return None


def _refuse_bad_bytes() -> None:
    """werkzeug replaces what is not UTF-8; we refuse it, so that nobody searches for replacement signs."""
    for part in request.query_string.split(b"&"):
        name = part.partition(b"=")[0]
        try:
            unquote_to_bytes(part).decode("utf-8")
        except UnicodeDecodeError:
            field = name.decode("ascii", "replace")[:100]
            message = f"{field} is not valid UTF-8."
            raise _refusal([FieldError(field, "CHARACTER_INVALID", message)]) from None


def _is_utf8(charset: str) -> bool:
    return charset.lower().replace("_", "-") in {"utf-8", "utf8"}


@functools.cache
def _repeatable(shape: type[msgspec.Struct]) -> frozenset[str]:
    hints = get_type_hints(shape)
    return frozenset(name for name, hint in hints.items() if _has_list(hint))


def _has_list(hint: Any) -> bool:
    origin = get_origin(hint)
    if origin in (Union, UnionType, Annotated):
        return any(_has_list(inner) for inner in get_args(hint))
    return origin is list or hint is list
