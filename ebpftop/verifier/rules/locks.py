"""Sections with restrictions: spin locks, RCU, preemption off, interrupts off; and programs that may sleep."""

import re

from ebpftop.verifier.rules.model import Held, rule

_LOCKED = "bpf_spin_lock(&value->lock);\nvalue->count++;\nbpf_spin_unlock(&value->lock);"


def _in_called(_match: re.Match[str], held: Held) -> bool:
    return held.called


RULES = (
    rule(
        "lock",
        r"(?:global )?function calls are not allowed while holding a lock",
        "While a lock is held, nothing may take long or take a lock itself, so no helper and no global function may "
        "be called. Do the calls before or after.",
        _LOCKED,
    ),
    rule(
        "lock",
        r"(?:global )?function calls are not allowed with preemption disabled",
        "While preemption is off, no global function may be called, as the verifier doesn't look inside it here. Make "
        "the function static, or call it before or after.",
    ),
    rule(
        "irq",
        (r"(?P<what>.+?) cannot be used inside bpf_local_irq_save-ed region",),
        "A path ends or leaves the program while interrupts are still off. Restore them on every path, also before "
        "each early `return`.",
        "bpf_local_irq_restore(&flags);",
    ),
    rule(
        "lock",
        r"(?P<what>.+?) cannot be used inside bpf_(?P<section>spin_lock|rcu_read_lock|preempt_disable)-ed region",
        "A path ends or leaves the program ($what) inside a section that began with `bpf_$section`. End the section "
        "on every path, also before each early `return`.",
    ),
    rule(
        "lock",
        r"bpf_spin_unlock is missing",
        "A path ends while the lock is still held. Release it on every path, also before each early `return`.",
        _LOCKED,
    ),
    rule(
        "lock",
        r"bpf_rcu_read_unlock is missing",
        "A function called inside an RCU section returns here, and kernels before Linux 6.9 allow that only after the "
        "section's end. Make the function inline, or call it before or after the section.",
        "static __always_inline int step(struct state *state)",
        when=_in_called,
        fault="kernel",
    ),
    rule(
        "lock",
        r"(?:\d+ )?bpf_(?P<end>rcu_read_unlock|preempt_enable)(?:\(s\))? (?:is|are) missing",
        "A path ends inside a section that must end first. End it on every path, also before each early `return`.",
        "bpf_$end();\nreturn 0;",
    ),
    rule(
        "lock",
        (
            r"bpf_\w*_unlock without taking a lock",
            r"bpf_\w*_unlock of different lock",
            r"bpf_\w*_unlock cannot be out of order",
        ),
        "The program releases a lock it doesn't hold, or not the one it took last. Pair the calls like brackets, on "
        "every path, on the same value.",
        _LOCKED,
    ),
    rule(
        "lock",
        r"unmatched (?:rcu read unlock|attempt to enable preemption)",
        "The program ends a section it is not in. Pair the calls that begin and end it like brackets, on every path.",
    ),
    rule(
        "lock",
        r"nested rcu read lock",
        "The program begins an RCU section inside another, which this kernel doesn't support. Use one around both.",
    ),
    rule(
        "lock",
        r"(?P<what>socket filter|tracing|sleepable) progs cannot use bpf_(?:res_)?spin_lock yet",
        "The map's value holds a lock, which programs of this type ($what) can't use, even if they never take it. Use "
        "a map without it; a counter needs none.",
        "__sync_fetch_and_add(&value->count, 1);",
    ),
    rule(
        "lock",
        (
            r"Locking two bpf_spin_locks are not allowed",
            r"Acquiring the same lock again",
        ),
        "The program takes a lock while it holds one, which could deadlock. Release the first before taking the "
        "second.",
        _LOCKED,
    ),
    rule(
        "lock",
        (
            r"can't (?:res_)?spin_\{lock,unlock\} in rbtree cb",
            r"Calling bpf_rcu_read_\{lock,unlock\} in unnecessary rbtree",
        ),
        "The comparison function of a tree runs with the tree's lock held already. Leave locking out of it.",
    ),
    rule(
        "lock",
        (
            r"bpf_spin_lock at off=-?\d+ must be held for (?P<what>\S+)",
            r"held lock and object are not in the same allocation",
        ),
        "A list or tree may be changed only while the lock in the same map value is held. Take that lock around the "
        "call.",
        "bpf_spin_lock(&value->lock);\nbpf_list_push_back(&value->head, &item->node);\nbpf_spin_unlock(&value->lock);",
    ),
    rule(
        "sleepable",
        (
            r"helper call might sleep in a non-sleepable prog",
            r"(?:sleepable helper|sleepable global function|kernel func) \S+ .*non-sleepable prog",
            r"kernel function \S+ is sleepable but the program is not",
        ),
        "The call may sleep, and the program wasn't loaded as sleepable. Load it as sleepable if its type allows "
        "that, or use a function that doesn't sleep (`bpf_probe_read_user` for `bpf_copy_from_user`).",
        'SEC("fentry.s/FUNCTION")',
    ),
    rule(
        "sleepable",
        (
            r"(?:sleepable helper|sleepable global function) \S+ (?:called )?in ",
            r"kernel func \S+ is sleepable within ",
            r"global functions that may sleep are not allowed",
        ),
        "The call may sleep, and nothing may while a lock is held, in an RCU section, or with preemption or "
        "interrupts off. End the section before the call, and begin it again afterwards.",
    ),
    rule(
        "sleepable",
        r"program must be sleepable to call sleepable kfunc (?P<func>\S+)",
        "`$func` may sleep, and the program wasn't loaded as sleepable. Load it as sleepable if its type allows that.",
        'SEC("fentry.s/FUNCTION")',
    ),
    rule(
        "sleepable",
        r"kernel func (?P<func>\S+) requires RCU critical section protection",
        "`$func` may be called only inside an RCU section, and a sleepable program doesn't run in one. Begin one "
        "around the call.",
        "bpf_rcu_read_lock();\n/* ... */\nbpf_rcu_read_unlock();",
    ),
    rule(
        "sleepable",
        (
            r"Only .* programs can be sleepable",
            r"Program of this type cannot be sleepable",
            r"BPF_LSM_CGROUP programs cannot be sleepable",
        ),
        "Programs of this type can't be loaded as sleepable. Leave out the `.s` of the section's name (the flag "
        "BPF_F_SLEEPABLE), and read user memory with `bpf_probe_read_user`, which doesn't sleep.",
    ),
    rule(
        "sleepable",
        r"Syscall programs can only be sleepable",
        "Programs of type syscall may always sleep, but this one was loaded as non-sleepable. Load it as sleepable.",
        'SEC("syscall")    // libbpf sets BPF_F_SLEEPABLE',
    ),
    rule(
        "sleepable",
        (
            r"(?P<func>\S+) is not sleepable",
            r"Sleepable program cannot attach to non-faultable tracepoint",
            r"Extension program may sleep, while original does not",
        ),
        "The program is sleepable, but its attach point must not sleep. Leave out the `.s` of the section's name (the "
        "flag BPF_F_SLEEPABLE), or attach to a function that may.",
    ),
)
