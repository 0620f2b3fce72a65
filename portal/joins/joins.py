"""Who may say that two ids are one human, or that they are not: one asks, another approves, and all of it stays."""

from portal.joins import store
from portal.joins.store import Join
from portal.store import Connection, append_audit
from portal.vault.store import was_erased
from schemas.errors import Conflict, NotFound


def ask_to_join(conn: Connection, one: str, other: str, *, who: str, reason: str) -> int:
    """Record the wish to join two person ids; return its number.

    Raises:
        Conflict: they are one id, or joined, or somebody asked for it already.
    """
    if one == other:
        raise Conflict("both identifiers stand for one id already")
    join_id = store.add(conn, one, other, who=who, reason=reason)
    append_audit(conn, who, "join asked for", f"join {join_id}", reason)
    return join_id


def ask_to_part(conn: Connection, one: str, other: str, *, who: str, reason: str) -> Join:
    """Record the wish to undo a join; one that nobody has approved yet is undone at once.

    Raises:
        NotFound: these two are not joined.
        Conflict: somebody asked for it already.
    """
    join = store.standing(conn, one, other)
    if join is None:
        raise NotFound("these two are not joined")
    if join.undo_asked_at:
        raise Conflict(f"somebody asked for that already: `jejak vault approve {join.join_id}`")
    store.set_undo_asked(conn, join.join_id, who, reason)
    append_audit(conn, who, "undoing a join asked for", f"join {join.join_id}", reason)
    if not join.approved_at:
        store.set_undone(conn, join.join_id, who)
    return _found(conn, join.join_id)


def approve(conn: Connection, join_id: int, *, who: str) -> Join:
    """Approve what was asked for: the join, or undoing it. The traces that it touches are run again.

    Raises:
        NotFound: there is no such record.
        Conflict: nothing waits for approval, the one who approves is the one who asked, or one of the two was erased
            since: a join would lead from what is left of him to somebody.
    """
    join = _found(conn, join_id)
    if join.state not in {"asked", "undo asked"}:
        raise Conflict("nothing waits for approval here")
    if who == (join.undo_asked_by if join.undo_asked_at else join.asked_by):
        raise Conflict("whoever asked cannot approve: it takes a second person")
    if not join.undo_asked_at and any(was_erased(conn, one) for one in (join.person_a, join.person_b)):
        raise Conflict("one of the two was erased since it was asked for")
    if join.undo_asked_at:
        store.run_again(conn, join_id)  # while the view still says who else belongs to them
        store.set_undone(conn, join_id, who)
    else:
        store.set_approved(conn, join_id, who)
        store.run_again(conn, join_id)
    append_audit(conn, who, "join undone" if join.undo_asked_at else "ids joined", f"join {join_id}")
    return _found(conn, join_id)


def _found(conn: Connection, join_id: int) -> Join:
    join = store.find(conn, join_id)
    if join is None:
        raise NotFound("no join of that number")
    return join
