"""The pointers that a call invalidates: to an object that it releases, or all pointers into a packet.

Afterwards the verifier knows such a pointer only as a number, and kernels don't always say so in the state.
"""

from __future__ import annotations

import re

from ebpftop.verifier.values import Value, value

# Each releases the object in R1.
_RELEASES = re.compile(r"bpf_ringbuf_(?:submit|discard)$|\w+_(?:release|put|drop|drop_impl)$")
# Those of bpf_helper_changes_pkt_data in net/core/filter.c, but for tail calls, which older kernels don't count.
_CHANGES_PACKET = re.compile(
    r"""bpf_(?:clone_redirect | l[34]_csum_replace | lwt_push_encap | lwt_seg6_(?:action|adjust_srh|store_bytes)
    | msg_(?:pop|pull|push)_data | skb_(?:adjust_room|change_(?:head|proto|tail)|pull_data|store_bytes)
    | skb_vlan_(?:pop|push) | store_hdr_opt | xdp_adjust_(?:head|meta|tail))$""",
    re.VERBOSE,
)


def of_packet(held: str) -> bool:
    """Whether the value of a register, in the verifier's words, is a pointer into a packet."""
    return value(held).kind in ("pkt", "pkt_meta", "pkt_end")


def can_be_taken(held: str) -> bool:
    """Whether a call can invalidate the value of a register."""
    return of_packet(held) or bool(_reference(value(held)))


def takes(function: str, held: str, given: str) -> bool:
    """Whether a call of `function` invalidates the register's previous value. given: the value of R1, "" if unknown."""
    if of_packet(held):
        return _CHANGES_PACKET.match(function) is not None
    reference = _reference(value(held))
    return bool(reference and _RELEASES.match(function)) and (not given or _reference(value(given)) == reference)


def _reference(held: Value) -> str:
    """The number of the object that must be released, "" if there is none."""
    return held.fields.get("ref_obj_id", "")
