"""PostgreSQL and Redis from wheels: what they keep, and what they are not fooled by."""

from __future__ import annotations

import os
import signal
import socket
import subprocess
import sys
import threading
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import psycopg
import pytest
import redis

from embedded import services, shelter
from embedded.errors import CannotStart
from embedded.postgres import Postgres
from embedded.processes import gone
from embedded.redis import Redis
from embedded.services import Endpoints
from embedded.state import State

NO_SERVERS: dict[str, str] = {}


def _query(url: str, statement: str) -> list[tuple[object, ...]]:
    with psycopg.connect(url.replace("+psycopg", ""), autocommit=True) as connection:
        cursor = connection.execute(statement)
        return cursor.fetchall() if cursor.description else []


def _start(base: Path) -> Endpoints:
    return services.start(base, profile="test", environ=NO_SERVERS)


def _occupy(port: int) -> socket.socket:
    stranger = socket.socket()
    stranger.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    stranger.bind(("127.0.0.1", port))
    stranger.listen()
    return stranger


def test_second_start_finds_the_same_servers(base: Path) -> None:
    with ThreadPoolExecutor(2) as pool:
        first, second = pool.map(_start, [base, base])
    pids = Postgres(base, "test").postmaster_pid(), Redis(base, "test").pid()
    third = _start(base)
    assert first == second == third
    assert pids == (Postgres(base, "test").postmaster_pid(), Redis(base, "test").pid())
    assert None not in pids


def test_kill_9_loses_nothing_that_was_committed(base: Path) -> None:
    ends = services.start(base, profile="run", environ=NO_SERVERS)
    _query(ends.database_owner_url, "CREATE TABLE kept AS SELECT 42 AS answer")
    redis.Redis.from_url(ends.redis_url).set("kept", "42")
    Postgres(base).kill()
    Redis(base).kill()
    again = services.start(base, profile="run", environ=NO_SERVERS)
    assert again == ends
    assert _query(again.database_owner_url, "SELECT answer FROM kept") == [(42,)]
    assert redis.Redis.from_url(again.redis_url).get("kept") == b"42"


def test_stopped_servers_come_back_with_their_data(base: Path) -> None:
    ends = _start(base)
    _query(ends.database_owner_url, "CREATE TABLE kept AS SELECT 7 AS answer")
    assert services.stop(base, profile="test") == ["Redis", "PostgreSQL"]
    assert services.status(base, profile="test") == {"PostgreSQL": False, "Redis": False}
    assert services.stop(base, profile="test") == []
    assert _query(_start(base).database_owner_url, "SELECT answer FROM kept") == [(7,)]


def test_a_stranger_on_the_port_is_not_taken_for_ours(base: Path) -> None:
    ends = _start(base)
    services.stop(base, profile="test")
    state = State(base)
    with _occupy(state.port("postgres")), _occupy(state.port("redis")):
        moved = _start(base)
    assert moved.database_url != ends.database_url
    assert moved.redis_url != ends.redis_url
    assert _query(moved.database_url, "SELECT 1") == [(1,)]
    assert redis.Redis.from_url(moved.redis_url).ping() is True


def test_redis_of_another_shop_on_our_port_is_not_ours(base: Path, tmp_path: Path) -> None:
    other = tmp_path / "other"
    Redis(base, "test").start()
    url = Redis(base, "test").url
    try:
        # the same port and password, but another directory
        (other / "redis").mkdir(parents=True)
        (other / "state.json").write_text((base / "state.json").read_text())
        assert not Redis(other, "test").answers()
        Redis(other, "test").start()
        assert Redis(other, "test").url != url
        assert Redis(base, "test").answers()
    finally:
        Redis(other, "test").stop()


def test_a_pid_file_that_names_somebody_else_does_not_stop_the_start(base: Path) -> None:
    ends = _start(base)
    postgres = Postgres(base, "test")
    pid_file = postgres.data / "postmaster.pid"
    left_behind = pid_file.read_text().splitlines()
    services.stop(base, profile="test")
    bystander = subprocess.Popen(["sleep", "60"], **shelter.account())
    try:
        pid_file.write_text("\n".join([str(bystander.pid), *left_behind[1:]]) + "\n")
        shelter.give(pid_file, shelter.account())
        assert _start(base) == ends
        assert bystander.poll() is None
    finally:
        bystander.kill()
        bystander.wait()


def test_the_web_role_owns_nothing_and_gets_its_rights_from_the_group(
    running: tuple[Path, Endpoints],
) -> None:
    ends = running[1]
    _query(ends.database_owner_url, "CREATE TABLE ledger AS SELECT 1 AS points")
    with pytest.raises(psycopg.errors.InsufficientPrivilege):
        _query(ends.database_url, "SELECT points FROM ledger")
    with pytest.raises(psycopg.errors.InsufficientPrivilege):
        _query(ends.database_url, "CREATE TABLE mine (id int)")
    _query(ends.database_owner_url, "GRANT SELECT ON ledger TO shop_app")
    assert _query(ends.database_url, "SELECT points FROM ledger") == [(1,)]
    with pytest.raises(psycopg.errors.InsufficientPrivilege):
        _query(ends.database_url, "DELETE FROM ledger")
    rights = "SELECT rolsuper, rolcreaterole, rolcreatedb FROM pg_roles WHERE rolname = "
    assert _query(ends.database_url, rights + "'shop_web'") == [(False, False, False)]
    assert _query(ends.database_url, rights + "'shop_owner'") == [(False, True, True)]


def test_passwords_are_for_their_owner_only(running: tuple[Path, Endpoints]) -> None:
    base, ends = running
    for file in (base / "state.json", base / "redis" / "redis.conf"):
        assert file.stat().st_mode & 0o077 == 0
    with pytest.raises(psycopg.OperationalError, match="password authentication failed"):
        _query(ends.database_url.replace("shop_web:", "shop_web:not-"), "SELECT 1")
    anonymous = redis.Redis.from_url("redis://" + ends.redis_url.partition("@")[2])
    with pytest.raises(redis.AuthenticationError):
        anonymous.ping()


def test_a_directory_that_postgres_may_not_enter_is_left_as_it_is(base: Path) -> None:
    if os.geteuid() == 0:
        assert not shelter.reachable(base, shelter.account())
    before = [(path, path.stat().st_mode) for path in (base, *base.parents)]
    assert _query(_start(base).database_url, "SELECT 1") == [(1,)]
    assert [(path, path.stat().st_mode) for path in (base, *base.parents)] == before


def test_binaries_that_postgres_may_not_read_are_copied_whole(tmp_path: Path) -> None:
    package = tmp_path / "site"
    (package / "bin").mkdir(parents=True)
    (package / "bin" / "tool").write_text("#!/bin/sh\necho works\n")
    (package / "bin" / "tool").chmod(0o700)
    try:
        copy = shelter.readable_copy(package, ("bin", "absent.libs"))
        answer = subprocess.run([copy / "bin" / "tool"], capture_output=True, cwd="/", **shelter.account())
        assert answer.stdout == b"works\n"
        assert shelter.readable_copy(package, ("bin",)) == copy
    finally:
        shelter.discard(package)


def test_a_place_that_is_not_ours_is_refused(tmp_path: Path) -> None:
    place = shelter.place_for(tmp_path)
    place.symlink_to(tmp_path)
    try:
        with pytest.raises(CannotStart, match="belongs to somebody else"):
            shelter.open_place(tmp_path)
    finally:
        place.unlink()


def test_servers_of_ones_own_are_used_and_nothing_is_started(base: Path) -> None:
    own = {"DATABASE_URL": "postgresql://db.example/shop", "REDIS_URL": "redis://cache.example/0"}
    ends = services.start(base, profile="test", environ=own)
    assert ends.database_url == ends.database_owner_url == own["DATABASE_URL"]
    assert ends.redis_url == own["REDIS_URL"]
    assert services.stop(base, profile="test") == []
    with_owner = services.start(
        base, profile="test", environ={**own, "DATABASE_OWNER_URL": "postgresql://o@db/x"}
    )
    assert with_owner.database_owner_url == "postgresql://o@db/x"


def test_the_command_line_says_in_one_sentence_what_is_in_the_way(tmp_path: Path) -> None:
    in_the_way = tmp_path / "file"
    in_the_way.write_text("")
    command = [sys.executable, "-m", "embedded.services", "start", "--base", str(in_the_way / "var")]
    done = subprocess.run(command, capture_output=True, text=True, cwd=services.ROOT)
    assert done.returncode == 1
    assert done.stderr.count("\n") == 1
    assert done.stderr.startswith(f"Cannot write to {in_the_way}")


def test_a_stop_waits_for_redis_to_be_gone(base: Path) -> None:
    server = Redis(base, "test")
    server.start()
    pid = server.pid()
    assert pid is not None
    assert server.stop() is True
    assert gone(pid)


def test_a_redis_that_is_slow_to_answer_is_waited_for_and_not_doubled(base: Path) -> None:
    server = Redis(base, "test")
    server.start()
    url, pid = server.url, server.pid()
    assert pid is not None
    os.kill(pid, signal.SIGSTOP)
    # longer than a question to it may take
    wake = threading.Timer(3, os.kill, (pid, signal.SIGCONT))
    wake.start()
    server.start()
    wake.join()
    assert (server.url, server.pid()) == (url, pid)


def test_data_whose_passwords_are_lost_is_one_sentence_at_once_and_can_still_be_stopped(base: Path) -> None:
    _start(base)
    Redis(base, "test").stop()
    (base / "state.json").unlink()
    with pytest.raises(CannotStart, match=r"The passwords of .* are lost: `make reset` starts over"):
        _start(base)
    assert services.stop(base, profile="test") == ["PostgreSQL"]
