"""`flask rewards verify | seal | prove | check | expire`: the books recomputed, sealed, certified and cleaned up."""

from __future__ import annotations

import json
import re
import sys
import uuid
from collections.abc import Iterator, Mapping
from dataclasses import asdict
from datetime import UTC, datetime, timedelta
from typing import Any, TextIO

import click

from app.accounts.queries import find_customer_by_email
from app.audit import verification
from app.audit.verification import CheckResult, Verification
from app.blueprints.common.damaged import Damaged
from app.blueprints.common.expiring import expire_next
from app.blueprints.ops.commands_rewards import group
from app.checkout.verification import SHOP
from app.kernel.actor import system
from app.kernel.database import end_reading, transaction
from app.kernel.errors import ShopError
from app.rewards import certificate
from app.rewards.service import expiry
from app.rewards.service.proof import prove
from app.rewards.service.seals import SEALS, seal
from app.rewards.service.verify import LEDGER

PROBES = (*LEDGER, SEALS, *SHOP, verification.AUDIT)


@group.command("verify")
@click.option("--json", "as_json", is_flag=True, help="One JSON document instead of the table.")
def verify_command(as_json: bool) -> None:
    """Check balances, lots, holds, chains, orders, money, stock and audit log. Exit code 1 when anything differs."""
    with transaction():
        report = verification.run(PROBES, progress=None if as_json else _show)
    if as_json:
        click.echo(json.dumps(_as_data(report), indent=2))
    else:
        count = len(report.differences)
        verdict = (
            "all clean" if report.ok else f"{count} {'check differs' if count == 1 else 'checks differ'}"
        )
        click.echo(f"{len(report.checks)} checks in {report.seconds:.1f} s: {verdict}.")
    if not report.ok:
        sys.exit(1)


def _show(check: CheckResult) -> None:
    mark = "ok  " if not check.found else "DIFF"
    click.echo(f"{mark} {check.name:<24} {check.found:>9,} of {check.examined:>12,}   {check.what}")
    for sample in check.samples:
        click.echo(f"       {sample}")


def _as_data(report: Verification) -> dict[str, object]:
    return {
        "at": report.at.isoformat(),
        "ok": report.ok,
        "seconds": round(report.seconds, 3),
        "checks": [asdict(check) for check in report.checks],
    }


@group.command("seal")
def seal_command() -> None:
    """Put one hash over all chains as they stand. Keep the line that it prints somewhere else."""
    try:
        with transaction():
            made = seal()
    except ShopError as error:
        raise click.ClickException(error.message) from None
    click.echo(
        f"seal {made['seq']}: {made['hash']} over {made['accounts']:,} accounts with {made['transactions']:,} "
        f"transactions and {made['audit_rows']:,} audit rows, {made['sealed_at']:%Y-%m-%d %H:%M} UTC"
    )


@group.command("prove")
@click.argument("customer")
def prove_command(customer: str) -> None:
    """Print the balance certificate of CUSTOMER (e-mail address or id) as JSON."""
    customer_id = _customer(customer)
    end_reading()
    try:
        with transaction():
            document = prove(customer_id=customer_id)
    except ShopError as error:
        raise click.ClickException(error.message) from None
    click.echo(json.dumps(document, indent=1, ensure_ascii=False))


def _seal_hash(_context: click.Context, _option: click.Parameter, typed: str | None) -> str | None:
    """As it was printed, lower case. Raises BadParameter."""
    if typed is None:
        return None
    if re.fullmatch("[0-9a-fA-F]{64}", typed.strip()) is None:
        raise click.BadParameter("a seal's hash is 64 hexadecimal digits.")
    return typed.strip().lower()


@group.command("check")
@click.argument("file", metavar="CERTIFICATE", type=click.File("r", encoding="utf-8"))
@click.option(
    "--seal", "kept", metavar="HASH", callback=_seal_hash, help="The hash that `seal` printed and you kept."
)
@click.option("--customer", type=click.UUID, metavar="ID", help="Whose certificate it must be.")
def check_command(file: TextIO, kept: str | None, customer: uuid.UUID | None) -> None:
    """Recompute a certificate from what it says, with no database. Exit code 1 when it does not hold.

    Only --seal ties it to the shop's books: without it, a certificate that somebody made up holds as well. Only
    --customer, or a look at the first line, says that it is not another customer's.
    """
    try:
        document = json.load(file)
    except RecursionError as error:
        raise click.ClickException("This is no certificate: it is nested too deeply.") from error
    except ValueError as error:
        raise click.ClickException(f"This is not JSON: {error}.") from error
    found = certificate.problems(document, seal=kept, customer=customer)
    for problem in found:
        click.echo(problem, err=True)
    if found:
        sys.exit(1)
    click.echo(f"This is the certificate of customer {document['customer_id']}.")
    for sentence in _under_the_seal(document) if kept else _by_itself(document):
        click.echo(sentence)


def _under_the_seal(document: Mapping[str, Any]) -> Iterator[str]:
    sealed = document["seal"]
    covered = sealed["leaf_version"]
    yield (
        f"It holds under {_seal_of(sealed)}: {_points(certificate.sealed_balances(document))} "
        f"after {covered:,} transactions."
    )
    if covered < document["version"]:
        later = document["version"] - covered
        yield (
            f"{later:,} more came after the seal, to {_points(document['balances'])}: "
            "the next seal will cover them."
        )


def _by_itself(document: Mapping[str, Any]) -> Iterator[str]:
    yield f"It agrees with itself: {_points(document['balances'])} after {document['version']:,} transactions."
    sealed = document["seal"]
    under = (
        f"It says that it is under {_seal_of(sealed)}, {sealed['hash']}" if sealed else "It is under no seal"
    )
    yield (
        f"{under}. Nothing but the file was asked, and anybody can write one that agrees with itself: "
        "give --seal HASH, as flask rewards seal printed it."
    )


def _seal_of(sealed: Mapping[str, Any]) -> str:
    at = datetime(1970, 1, 1, tzinfo=UTC) + timedelta(microseconds=sealed["sealed_at_us"])
    return f"seal {sealed['seq']} of {at:%Y-%m-%d %H:%M} UTC"


def _points(balances: Mapping[str, int]) -> str:
    return ", ".join(f"{name} {points:,}" for name, points in balances.items())


@group.command("expire")
@click.option(
    "--batch",
    default=expiry.BATCH,
    show_default=True,
    type=click.IntRange(min=1),
    help="Lots in one transaction.",
)
def expire_command(batch: int) -> None:
    """Expire every lot that is due, batch by batch; stop it whenever you like. Goes past accounts that are damaged, and
    exits with 1 then."""
    with transaction():
        due = expiry.count_due()
    lots = points = busy = 0
    after: expiry.Place | None = expiry.start()
    actor, damaged = system("rewards.expire"), Damaged("rewards.expire")
    with click.progressbar(length=due, label="Expiring", file=sys.stderr) as bar:
        while after is not None:
            done = expire_next(after=after, actor=actor, damaged=damaged, limit=batch)
            lots, points, busy = lots + done.lots, points + done.points, busy + done.busy
            after = done.after
            bar.update(done.lots + done.busy)
    if busy:
        damaged.not_all_seen()
    failed = damaged.tell()
    click.echo(
        f"{lots:,} lots with {points:,} points expired; {busy:,} were busy and stay for the next run{failed}."
    )
    for customer_id, error in damaged.errors:
        click.echo(f"failed: {customer_id}: {error}", err=True)
    if failed:
        sys.exit(1)


def _customer(text: str) -> uuid.UUID:
    try:
        return uuid.UUID(text)
    except ValueError:
        person = find_customer_by_email(text)
    if person is None:
        raise click.ClickException(f"There is no customer {text}.")
    return person.id
