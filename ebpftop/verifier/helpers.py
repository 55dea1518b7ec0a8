"""Helpers by number, as kernels before 4.10 write a call: `call 1` (enum bpf_func_id in include/uapi/linux/bpf.h)."""

from __future__ import annotations

_FIRST = [
    "map_lookup_elem",
    "map_update_elem",
    "map_delete_elem",
    "probe_read",
    "ktime_get_ns",
    "trace_printk",
    "get_prandom_u32",
    "get_smp_processor_id",
    "skb_store_bytes",
    "l3_csum_replace",
    "l4_csum_replace",
    "tail_call",
    "clone_redirect",
    "get_current_pid_tgid",
    "get_current_uid_gid",
    "get_current_comm",
    "get_cgroup_classid",
    "skb_vlan_push",
    "skb_vlan_pop",
    "skb_get_tunnel_key",
    "skb_set_tunnel_key",
    "perf_event_read",
    "redirect",
    "get_route_realm",
    "perf_event_output",
    "skb_load_bytes",
    "get_stackid",
    "csum_diff",
    "skb_get_tunnel_opt",
    "skb_set_tunnel_opt",
    "skb_change_proto",
    "skb_change_type",
    "skb_under_cgroup",
    "get_hash_recalc",
    "get_current_task",
    "probe_write_user",
    "current_task_under_cgroup",
    "skb_change_tail",
    "skb_pull_data",
    "csum_update",
    "set_hash_invalid",
    "get_numa_node_id",
    "skb_change_head",
    "xdp_adjust_head",
    "probe_read_str",
]


def name(callee: str) -> str:
    """`bpf_map_lookup_elem` of `bpf_map_lookup_elem#1` and of `1`; what else is called stays itself."""
    called, _, _ = callee.partition("#")
    number = int(called) if called.isdigit() and len(called) < 4 else 0
    return f"bpf_{_FIRST[number - 1]}" if 0 < number <= len(_FIRST) else called
