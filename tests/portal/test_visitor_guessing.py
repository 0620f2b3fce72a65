"""Ten thousand numbers guessed through the visitor's page: the answers end early, and none of them tells anything."""

from datetime import UTC, datetime, timedelta

import httpx

from portal.visitor.limited import MOST
from tests.portal.conftest import Gate
from tests.portal.phone import Phone, claim_of
from tests.portal.visiting import execute, new_phone, registered

GUESSES = 10_000
FIRST = datetime(1950, 1, 1, tzinfo=UTC)


def guess(number: int) -> str:
    """Return the number of somebody who may live: one birth date after the other."""
    born = FIRST + timedelta(days=number)
    return f"367101{born:%d%m%y}0001"


def test_ten_thousand_guesses_learn_nothing_and_end_early(gate: Gate) -> None:
    most, seconds = MOST["claim"]
    known = [guess(number) for number in range(0, most, 3)]
    for nik in known:
        registered(gate, nik, new_phone())
    persons = execute(gate, "select count(*) from vault.person")[0][0]
    phones, answers = [Phone(gate.url) for _ in range(most)], []
    began = datetime.now(UTC)
    with httpx.Client(timeout=30) as client:
        for number in range(GUESSES):
            key = phones[number % most].public_key if number < most else phones[0].public_key
            body = claim_of(guess(number), public_key=key)
            answers.append(client.post(f"{gate.url}/visitor/claim", json=body))
    elapsed_s = (datetime.now(UTC) - began).total_seconds()
    taken = [number for number, answer in enumerate(answers) if answer.status_code == 200]
    assert taken[:most] == list(range(most))
    assert len(taken) <= most * (1 + elapsed_s // seconds)
    assert {answer.status_code for answer in answers} - {409} == {200, 429}  # 409: a key that has claimed before
    assert len({(tuple(answer.headers), len(answer.content)) for answer in answers[:most]}) == 1
    made = execute(gate, "select count(*) from vault.person")[0][0]
    assert made - persons <= len(taken) - len(known)
    told = []
    for phone, answer in zip(phones, answers[:most], strict=True):
        phone.device_id = answer.json()["device_id"]
        told.append((phone.ask("otp"), phone.ask("otp/confirm", "123456", code="123456"), phone.ask("me")))
    for same in zip(*told, strict=True):
        assert len({(answer.status_code, answer.content) for answer in same}) == 1
