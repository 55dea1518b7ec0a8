"""The records of classic tracepoints as C."""

from __future__ import annotations

from ebpftop.kernel.records import definition

HEAD = """name: made_up
ID: 7
format:
\tfield:unsigned short common_type;\toffset:0;\tsize:2;\tsigned:0;
\tfield:unsigned char common_flags;\toffset:2;\tsize:1;\tsigned:0;
\tfield:unsigned char common_preempt_count;\toffset:3;\tsize:1;\tsigned:0;
\tfield:int common_pid;\toffset:4;\tsize:4;\tsigned:1;

"""
FIELDS = """\tfield:char prev_comm[16];\toffset:8;\tsize:16;\tsigned:0;
\tfield:pid_t prev_pid;\toffset:24;\tsize:4;\tsigned:1;
\tfield:const char * filename;\toffset:32;\tsize:8;\tsigned:0;
\tfield:__data_loc char[] name;\toffset:40;\tsize:4;\tsigned:0;
\tfield:unsigned long args[6];\toffset:48;\tsize:48;\tsigned:0;
\tfield:__u8 saddr[4];\toffset:96;\tsize:4;\tsigned:0;

print fmt: "%d", REC->prev_pid
"""


def test_a_record_has_its_fields_at_their_offsets() -> None:
    assert definition("sched/made_up", HEAD + FIELDS) == (
        "struct tracepoint__sched__made_up { char __skipped_0[8]; char prev_comm[16]; s32 prev_pid; "
        "char __skipped_28[4]; u64 filename; int data_loc_name; char __skipped_44[4]; u64 args[6]; u8 saddr[4]; };\n"
    )


def test_what_is_no_format_has_no_fields() -> None:
    assert definition("a/b", "field:int x;\toffset:a;\tsize:4;\tsigned:1;") == "struct tracepoint__a__b {  };\n"
