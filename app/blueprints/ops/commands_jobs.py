"""`flask payments …`, `flask outbox …`, `flask schedule …`: what cron and people at a terminal use."""

from __future__ import annotations

import sys
import uuid
from datetime import datetime, timedelta

import click
from flask import Flask, current_app
from flask.cli import AppGroup

from app.audit import service as audit
from app.gateways.asking import ask_again
from app.gateways.matching import match
from app.gateways.reconcile import reconcile
from app.kernel import clock
from app.kernel.actor import system
from app.kernel.database import transaction
from app.kernel.errors import NotFound
from app.kernel.money import Money
from app.outbox import delivery, runs
from app.payments import disputes, failures, queries

payments = AppGroup("payments", help="What the payment gateway knows, and what we know.")
schedule = AppGroup("schedule", help="What runs again and again, and whether it does.")
outbox = AppGroup("outbox", help="Jobs on their way: counts, the dead ones, another try.")


def register(app: Flask) -> None:
    app.cli.add_command(payments)
    app.cli.add_command(outbox)
    app.cli.add_command(schedule)


@payments.command("reconcile")
def reconcile_command() -> None:
    """Ask about open payments and walk over the gateway's list. Safe to run at any time, and twice."""
    report = reconcile(gateway=current_app.extensions["gateway"], actor=system("flask payments reconcile"))
    click.echo(str(report) if report else "Another run is under way; nothing was done.")
    if report is not None and not report.complete:
        sys.exit(1)


@payments.command("match")
@click.option("--day", type=click.DateTime(["%Y-%m-%d"]), help="A day in UTC; yesterday if not given.")
def match_command(day: datetime | None) -> None:
    """Match the gateway's report of a day with payments, orders, points and stock. Safe to run twice."""
    gateway = current_app.extensions["gateway"]
    chosen = day.date() if day else clock.now().date() - timedelta(days=1)
    run = match(gateway=gateway, day=chosen, actor=system("flask payments match"))
    click.echo(str(run) if run else "Another run is under way; nothing was done.")
    if run is not None and not run.complete:
        sys.exit(1)


@payments.command("ask")
@click.argument("payment_id", type=click.UUID)
def ask_command(payment_id: uuid.UUID) -> None:
    """Ask the gateway about one payment and settle what it says."""
    gateway = current_app.extensions["gateway"]
    try:
        truth, state = ask_again(payment_id=payment_id, gateway=gateway, actor=system("flask payments ask"))
    except NotFound as error:
        raise click.ClickException(error.message) from error
    click.echo(f"gateway: {truth}")
    click.echo(f"payment: {state}")


@payments.command("issues")
def issues_command() -> None:
    """The oldest hundred differences that nobody has settled yet."""
    for issue in queries.list_issues().items:
        click.echo(f"{issue.first_seen_at:%Y-%m-%d %H:%M}  {issue.kind}  {issue.ref}  {issue.suggestion}")


@payments.command("failures")
@click.option("--limit", type=click.IntRange(1, 200), default=50, show_default=True)
def failures_command(limit: int) -> None:
    """Payments that failed or that nobody knows about, newest first."""
    for one in failures.list_failures(limit=limit).items:
        detail = f" ({one.detail})" if one.detail else ""
        click.echo(f"{one.at:%Y-%m-%d %H:%M}  {one.order_number}  {one.amount.display}  {one.reason}{detail}")


@payments.command("disputes")
def disputes_command() -> None:
    """Disputes that the bank has not decided, the oldest first."""
    for row in disputes.list_disputes():
        amount = Money(row.amount, row.currency).display
        click.echo(f"{row.opened_at:%Y-%m-%d %H:%M}  {row.gateway_ref}  {amount}  {row.reason}")


@schedule.command("status")
def schedule_command() -> None:
    """When each task ran and runs next; exit code 1 when one is late."""
    late = {run.name for run in runs.list_late()}
    for run in runs.list_runs():
        last = f"{run.succeeded_at:%Y-%m-%d %H:%M:%S}" if run.succeeded_at else "never"
        word = "LATE" if run.name in late else "on time"
        error = f"  {run.last_error}" if run.last_error else ""
        click.echo(f"{run.name:24} {word:8} last {last}  next {run.next_run_at:%Y-%m-%d %H:%M:%S}{error}")
    if late:
        sys.exit(1)


@outbox.command("status")
def status_command() -> None:
    """How many jobs are due, waiting and dead; the dead ones with their last error."""
    counts = delivery.count_by_state()
    click.echo(", ".join(f"{count} {state}" for state, count in counts.items()))
    for row in delivery.list_dead():
        click.echo(f"{row.id}  {row.topic}  {row.last_error}")


@outbox.command("retry")
@click.argument("job_id", type=click.UUID)
def retry_command(job_id: uuid.UUID) -> None:
    """Try a dead job again."""
    try:
        with transaction():
            delivery.revive(row_id=job_id)
            actor = system("flask outbox retry")
            audit.record(actor=actor, action="job.revived", target_type="job", target_id=str(job_id))
    except NotFound as error:
        raise click.ClickException(error.message) from error


@outbox.command("prune")
def prune_command() -> None:
    """Forget jobs done more than 30 days ago."""
    with transaction():
        click.echo(f"{delivery.prune()} rows deleted")
